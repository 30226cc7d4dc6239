// Where a scribbler writes.
#pragma once

#include <iterator>

#include "scribble_draw.h"

namespace scribble {

inline constexpr const char* kKindNames[] = {"None",        "Lock",       "RLock",   "Semaphore",
                                             "Event",       "Condition",  "Barrier", "RWLock",
                                             "SharedValue", "SharedArray"};

class Places : public Draw {
 public:
  using Draw::Draw;

  Place draw_place(Damage damage) {
    switch (damage) {
      case Damage::Flips:
      case Damage::Words:
        return draw_bytes(damage == Damage::Flips ? 1 : 4);
      case Damage::Pages:
        return draw_page();
      case Damage::Data:
        if (!target_.data.empty() && !random_.one_in(4)) {
          const Mapped& file = one_of(random_, target_.data);
          const size_t offset = random_.next() % (file.bytes() / 4) * 4;
          return {"data file +" + std::to_string(offset), &file, offset, 4};
        }
        return draw_field(Damage::Data);
      default:
        return draw_field(damage);
    }
  }

 private:
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
    const size_t offset =
        random_.one_in(4) ? size_t{random_.below(all)} * kPage : one_of(random_, pages);
    return {"page " + std::to_string(offset / kPage), &target_.file, offset, kPage};
  }

  // A field of that kind of damage: of a wait or of what it waits for, before all else.
  Place draw_field(Damage damage) {
    constexpr int kTries = 64;
    for (int i = 0; i < kTries; ++i) {
      std::vector<Place> places = draw_places(damage);
      if (!places.empty()) return element_of(one_of(random_, places));
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
                                 ? random_.below(1 + random_.below(8))
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
};

}  // namespace scribble
