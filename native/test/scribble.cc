// Writes on a region's file, and on the data files beside it, as nobody means to: what `npm run scribble` tries the
// processes with. Arguments: the file, a seed, a kind of damage ("any": the seed says which), and over how many
// milliseconds the writes are spread. Prints the kind, then each write, as lines of JSON.
// With the file, "owner" and a lock's name: prints the agent that holds the lock, by its bytes.
#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>
#include <string_view>
#include <vector>

#include "posix/deadline.h"
#include "scribble_fields.h"
#include "scribble_target.h"
#include "sync/lock_word.h"

namespace scribble {
namespace {

constexpr const char* kKindNames[] = {"None",        "Lock",       "RLock",   "Semaphore",
                                      "Event",       "Condition",  "Barrier", "RWLock",
                                      "SharedValue", "SharedArray"};
constexpr int64_t kMs = 1'000'000;

void sleep_ns(int64_t ns) {
  const timespec time{.tv_sec = 0, .tv_nsec = static_cast<long>(ns)};
  ::nanosleep(&time, nullptr);
}

// splitmix64
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t next() {
    uint64_t z = state_ += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  uint32_t below(uint32_t bound) { return static_cast<uint32_t>(next() % bound); }
  bool one_in(uint32_t n) { return below(n) == 0; }

 private:
  uint64_t state_;
};

// A place to write on, and what it is called.
struct Place {
  std::string name;
  const Mapped* file;
  size_t offset;
  size_t bytes;
  Means means = Means::Bytes;
  uint32_t self = kNone;  // of the record
};

class Scribbler {
 public:
  Scribbler(const std::string& path, uint64_t seed) : target_(path), random_(seed) {}

  Damage draw_kind() {
    return static_cast<Damage>(random_.below(static_cast<uint32_t>(Damage::Mixed) + 1));
  }

  // Few writes or many. Over a time they are spread, and places that were written on are so again.
  void scribble(Damage damage, int64_t over_ns) {
    if (damage == Damage::None) return;
    const bool few = damage == Damage::Pages || random_.one_in(2);
    const uint32_t writes = few ? 1 + random_.below(5) : 10 + random_.below(60);
    const bool repeats = over_ns > 0 && random_.one_in(2);
    std::vector<Place> again;
    uint32_t repeated = 0;
    for (uint32_t i = 0; i < writes; ++i) {
      const Place place = draw_place(damage == Damage::Mixed ? below_mixed() : damage);
      if (place.bytes == 0) continue;
      write(place, true);
      if (repeats && random_.one_in(2)) again.push_back(place);
      const int64_t until = monotonic_ns() + over_ns / writes;
      while (monotonic_ns() < until) {
        sleep_ns(random_.below(20) * kMs / 10);
        if (again.empty()) continue;
        write(one_of(again), false);
        ++repeated;
      }
    }
    if (repeated > 0) std::printf("{\"again\":%u}\n", repeated);
  }

 private:
  Damage below_mixed() {
    return static_cast<Damage>(random_.below(static_cast<uint32_t>(Damage::Mixed)));
  }

  Place draw_place(Damage damage) {
    switch (damage) {
      case Damage::Flips:
      case Damage::Words:
        return draw_bytes(damage == Damage::Flips ? 1 : 4);
      case Damage::Pages:
        return draw_page();
      case Damage::Data:
        if (!target_.data.empty() && !random_.one_in(4)) {
          const Mapped& file = one_of(target_.data);
          const size_t offset = random_.next() % (file.bytes() / 4) * 4;
          return {"data file +" + std::to_string(offset), &file, offset, 4};
        }
        return draw_field(Damage::Data);
      default:
        return draw_field(damage);
    }
  }

  template <typename T>
  T& one_of(std::vector<T>& from) {
    return from[random_.below(static_cast<uint32_t>(from.size()))];
  }

  // One that is in use, nearly always; kNone where there is none.
  uint32_t draw_record(const Records& table, std::vector<uint32_t> used) {
    if (table.count() == 0) return kNone;
    if (used.empty() || random_.one_in(16)) return random_.below(table.count());
    return one_of(used);
  }
  uint32_t draw_ticket() {
    std::vector<uint32_t> queued = target_.queued_tickets();
    if (!queued.empty() && !random_.one_in(4)) return one_of(queued);
    return draw_record(target_.tickets, target_.used_tickets());
  }

  // Mostly one at which somebody waits.
  uint32_t draw_object() {
    std::vector<uint32_t> used = target_.used_objects();
    std::vector<uint32_t> queues = used;
    std::erase_if(queues, [this](uint32_t i) { return target_.object(i).queue_head == kNone; });
    return draw_record(target_.objects, queues.empty() || random_.one_in(3) ? used : queues);
  }

  // Often one whose length and type count.
  uint32_t draw_array() {
    std::vector<uint32_t> arrays = target_.used_objects();
    std::erase_if(arrays,
                  [this](uint32_t i) { return target_.object(i).kind < Kind::SharedValue; });
    return arrays.empty() || random_.one_in(2) ? draw_object() : one_of(arrays);
  }

  // Any bytes of a record in use, or of the header.
  Place draw_bytes(uint32_t bytes) {
    const auto within = [&](const char* what, const Records& table, uint32_t index) -> Place {
      const size_t inside =
          random_.below(static_cast<uint32_t>(table.record_bytes / bytes)) * bytes;
      return {std::string(what) + " " + std::to_string(index) + " +" + std::to_string(inside),
              &target_.file, table.offset(index) + inside, bytes};
    };
    const uint32_t object = draw_object();
    const uint32_t process = draw_record(target_.processes, target_.used_processes());
    const uint32_t agent = draw_record(target_.agents, target_.used_agents());
    switch (random_.below(8)) {
      case 0:
        return {"header", &target_.file, random_.below(kHeaderBytes / bytes) * bytes, bytes};
      case 1:
        return within("process", target_.processes, process);
      case 2:
        return within("agent", target_.agents, agent);
      case 3:
      case 4:
      case 5:
        return within("ticket", target_.tickets, draw_ticket());
      default:
        return within("object", target_.objects, object);
    }
  }

  Place draw_page() {
    std::vector<size_t> pages = {0, kPage};
    for (const Records* table :
         {&target_.processes, &target_.agents, &target_.objects, &target_.tickets}) {
      for (const size_t chunk : table->chunks)
        pages.push_back(chunk);  // whose first records are in use
    }
    const auto all = static_cast<uint32_t>(target_.file.bytes() / kPage);
    const size_t offset = random_.one_in(4) ? size_t{random_.below(all)} * kPage : one_of(pages);
    return {"page " + std::to_string(offset / kPage), &target_.file, offset, kPage};
  }

  // A field of that kind of damage: of a wait or of what it waits for, before all else.
  Place draw_field(Damage damage) {
    constexpr int kTries = 64;
    for (int i = 0; i < kTries; ++i) {
      std::vector<Place> places = draw_places(damage);
      if (!places.empty()) return element_of(one_of(places));
    }
    return {"nothing", &target_.file, 0, 0};
  }

  // In one record.
  std::vector<Place> draw_places(Damage damage) {
    const uint32_t which = random_.below(13);
    if (which < 5) return places("ticket", kTicketFields, target_.tickets, draw_ticket(), damage);
    if (which < 9) {
      const uint32_t object = damage == Damage::Lengths ? draw_array() : draw_object();
      return places("object", kObjectFields, target_.objects, object, damage);
    }
    if (which == 9) {
      const uint32_t agent = draw_record(target_.agents, target_.used_agents());
      return places("agent", kAgentFields, target_.agents, agent, damage);
    }
    if (which == 10)
      return places("header", kHeaderFields, {sizeof(RegionHeader), 1, {0}}, 0, damage);
    // Records that come next are somebody's as well: who joins finds them.
    const uint32_t process = random_.one_in(2)
                                 ? random_.below(8)
                                 : draw_record(target_.processes, target_.used_processes());
    return places("process", kProcessFields, target_.processes, process, damage);
  }

  std::vector<Place> places(const char* what, std::span<const Field> fields, const Records& table,
                            uint32_t index, Damage damage) {
    std::vector<Place> found;
    for (const Field& field : fields) {
      if (index == kNone || field.damage != damage) continue;
      if (field.only != Kind::None && target_.object(index).kind != field.only) continue;
      std::string name = std::string(what) + " " + std::to_string(index) + " ";
      if (fields.data() == kObjectFields) name += "(" + std::string(kind_of(index)) + ") ";
      found.push_back({name + field.name, &target_.file, table.offset(index) + field.offset,
                       field.bytes, field.means, index});
    }
    return found;
  }

  const char* kind_of(uint32_t index) const {
    const auto kind = static_cast<size_t>(target_.object(index).kind);
    return kind < std::size(kKindNames) ? kKindNames[kind] : "?";
  }

  // Of an array one element, of bytes mostly a word.
  Place element_of(Place place) {
    const size_t unit = place.means == Means::Told ? 8 : 4;
    if (place.bytes <= 8 || (place.means == Means::Bytes && random_.one_in(4))) return place;
    auto elements = static_cast<uint32_t>(place.bytes / unit);
    if (place.means == Means::Page && !random_.one_in(8)) elements = 2;
    uint32_t element = random_.below(elements);
    if (place.means == Means::Object) {
      // A bucket that has something in it.
      for (uint32_t i = 0; i < elements && target_.header().buckets[element] == kNone; ++i) {
        element = (element + 1) % elements;
      }
    }
    place.name += " [" + std::to_string(element) + "]";
    place.offset += element * unit;
    place.bytes = unit;
    return place;
  }

  // A number that no record of the table has, or nearly none.
  uint32_t draw_odd(uint32_t count, uint32_t was) {
    switch (random_.below(10)) {
      case 0:
        return 0;
      case 1:
        return 0xffffffff;
      case 2:
        return was + 1;
      case 3:
        return was - 1;
      case 4:
        return was ^ 1u << random_.below(32);
      case 5:
        return count;
      case 6:
        return count + random_.below(1 << 20);
      case 7:
        return random_.one_in(2) ? 0x7fffffff : 0x80000000;
      case 8:
        return random_.below(64);
      default:
        return static_cast<uint32_t>(random_.next());
    }
  }

  // A number of that sort: mostly one that somebody has, so that it is believed.
  uint32_t draw_number(const Place& place, uint32_t was) {
    const auto some = [this](const Records& table, const std::vector<uint32_t>& used) {
      return draw_record(table, used);
    };
    const bool fits = !random_.one_in(3);
    switch (place.means) {
      case Means::Ticket:
      case Means::Upgrade: {
        const uint32_t one = place.means == Means::Upgrade ? 1 : 0;
        if (!fits) return draw_odd(target_.tickets.count(), was);
        return (random_.one_in(3) ? place.self : draw_ticket()) + one;
      }
      case Means::Object: {
        const uint32_t retired = random_.one_in(8) ? kRetired : 0;
        if (!fits) return draw_odd(target_.objects.count(), was);
        return (random_.one_in(3) ? place.self : some(target_.objects, target_.used_objects())) |
               retired;
      }
      case Means::Agent:
        return fits ? some(target_.agents, target_.used_agents())
                    : draw_odd(target_.agents.count(), was);
      case Means::Process:
        return fits ? some(target_.processes, target_.used_processes()) + 1
                    : draw_odd(target_.processes.count(), was);
      case Means::Guard: {
        const uint32_t sleepers = random_.one_in(2) ? 0x80000000 : 0;
        const uint32_t index = some(target_.processes, target_.used_processes());
        if (!fits || index == kNone) return draw_odd(target_.processes.count(), was);
        const uint32_t generation = target_.process(index).generation + (random_.one_in(4) ? 1 : 0);
        return (generation & 0x7fff) << 16 | (index + 1) | sleepers;  // region/guard.cc
      }
      case Means::Word: {
        const uint32_t bits = random_.one_in(2) ? random_.below(64) << 16 : 0;
        return fits ? some(target_.agents, target_.used_agents()) | bits : draw_odd(0xffff, was);
      }
      case Means::State:
        return fits ? random_.below(12) : draw_odd(12, was);
      case Means::Page:
        return fits ? random_.below(static_cast<uint32_t>(target_.file.bytes() / kPage))
                    : draw_odd(static_cast<uint32_t>(target_.file.bytes() / kPage), was);
      default:
        return draw_odd(static_cast<uint32_t>(target_.file.bytes()), was);
    }
  }

  void write(const Place& place, bool says) {
    std::byte* to = place.file->at(place.offset);
    uint64_t was = 0;
    std::memcpy(&was, to, std::min<size_t>(place.bytes, 8));
    uint64_t now = draw_number(place, static_cast<uint32_t>(was));
    if (place.bytes > 8) {
      fill(to, place.bytes, &now);
    } else if (place.bytes == 8) {
      if (place.means == Means::Told || random_.one_in(2)) now |= random_.next() << 32;
      reinterpret_cast<std::atomic<uint64_t>*>(to)->store(now);
    } else if (place.bytes == 4) {
      reinterpret_cast<std::atomic<uint32_t>*>(to)->store(static_cast<uint32_t>(now));
    } else {
      if (place.bytes == 1) now = was ^ 1u << random_.below(8);
      std::memcpy(to, &now, place.bytes);
    }
    if (!says) return;
    std::printf("{\"write\":\"%s\",\"offset\":%zu,\"was\":\"%#" PRIx64 "\",\"now\":\"%#" PRIx64
                "\"}\n",
                place.name.c_str(), place.offset, was, now);
  }

  // Many bytes at once: zeros, ones, or anything.
  void fill(std::byte* to, size_t bytes, uint64_t* now) {
    const uint32_t how = random_.below(4);
    for (size_t i = 0; i < bytes; ++i) {
      to[i] = static_cast<std::byte>(how < 2 ? 0 : how == 2 ? 0xff : random_.next());
    }
    std::memcpy(now, to, sizeof *now);
  }

  Target target_;
  Random random_;
};

// Found by its name alone, whatever else its record says by now.
void print_owner(const std::string& path, std::string_view name) {
  const Target target(path);
  for (uint32_t i = 0; i < target.objects.count(); ++i) {
    const ObjectRecord& object = target.object(i);
    if (std::string_view(object.name, name.size() + 1) != std::string(name) + '\0') continue;
    std::printf("%u\n", lock_word::owner(object.word));
  }
}

}  // namespace
}  // namespace scribble

int main(int argc, char** argv) {
  using scribble::Damage;
  if (argc == 4 && std::string_view(argv[2]) == "owner") {
    scribble::print_owner(argv[1], argv[3]);
    return 0;
  }
  if (argc != 5) {
    std::fprintf(stderr, "usage: %s <file> <seed> <kind or any> <milliseconds>\n", argv[0]);
    return 2;
  }
  scribble::Scribbler scribbler(argv[1], std::strtoull(argv[2], nullptr, 10));
  Damage damage = scribbler.draw_kind();
  const std::string_view wanted = argv[3];
  for (size_t i = 0; i < std::size(scribble::kDamageNames); ++i) {
    if (wanted == scribble::kDamageNames[i]) damage = static_cast<Damage>(i);
  }
  if (wanted != "any" && wanted != scribble::kDamageNames[static_cast<size_t>(damage)]) {
    std::fprintf(stderr, "no kind of damage: %s\n", argv[3]);
    return 2;
  }
  std::printf("{\"kind\":\"%s\"}\n", scribble::kDamageNames[static_cast<size_t>(damage)]);
  scribbler.scribble(damage, std::strtoll(argv[4], nullptr, 10) * scribble::kMs);
}
