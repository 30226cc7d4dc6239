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
#include "scribble_places.h"
#include "scribble_values.h"
#include "sync/lock_word.h"

namespace scribble {
namespace {

constexpr int64_t kMs = 1'000'000;

void sleep_ns(int64_t ns) {
  const timespec time{.tv_sec = 0, .tv_nsec = static_cast<long>(ns)};
  ::nanosleep(&time, nullptr);
}

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
      const Place place = places_.draw_place(damage == Damage::Mixed ? below_mixed() : damage);
      if (place.bytes == 0) continue;
      write(place, true);
      if (repeats && random_.one_in(2)) again.push_back(place);
      const int64_t until = monotonic_ns() + over_ns / writes;
      while (monotonic_ns() < until) {
        sleep_ns(random_.below(20) * kMs / 10);
        if (again.empty()) continue;
        write(one_of(random_, again), false);
        ++repeated;
      }
    }
    if (repeated > 0) std::printf("{\"again\":%u}\n", repeated);
  }

 private:
  Damage below_mixed() {
    return static_cast<Damage>(random_.below(static_cast<uint32_t>(Damage::Mixed)));
  }

  void write(const Place& place, bool says) {
    std::byte* to = place.file->at(place.offset);
    uint64_t was = 0;
    std::memcpy(&was, to, std::min<size_t>(place.bytes, 8));
    uint64_t now = values_.draw_number(place, static_cast<uint32_t>(was));
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
  Places places_{target_, random_};
  Values values_{target_, random_};
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
