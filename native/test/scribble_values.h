// What a scribbler writes.
#pragma once

#include "scribble_draw.h"

namespace scribble {

class Values : public Draw {
 public:
  using Draw::Draw;

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
      case Means::Bits:
        return fits ? was ^ random_.below(256) : draw_odd(256, was);
      case Means::State:
        return fits ? random_.below(12) : draw_odd(12, was);
      case Means::Page:
        return fits ? random_.below(static_cast<uint32_t>(target_.file.bytes() / kPage))
                    : draw_odd(static_cast<uint32_t>(target_.file.bytes() / kPage), was);
      default:
        return draw_odd(static_cast<uint32_t>(target_.file.bytes()), was);
    }
  }

 private:
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
};

}  // namespace scribble
