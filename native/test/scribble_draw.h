// What a scribbler draws: records, places in them, and values that nearly fit.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "random.h"
#include "scribble_fields.h"
#include "scribble_target.h"

namespace scribble {

using random_numbers::Random;

template <typename T>
T& one_of(Random& random, std::vector<T>& from) {
  return from[random.below(static_cast<uint32_t>(from.size()))];
}

// A place to write on, and what it is called.
struct Place {
  std::string name;
  const Mapped* file;
  size_t offset;
  size_t bytes;
  Means means = Means::Bytes;
  uint32_t self = kNone;  // of the record
};

// Records by number; kNone where there is none.
class Draw {
 public:
  Draw(Target& target, Random& random) : target_(target), random_(random) {}

  // One that is in use, nearly always; kNone where there is none.
  uint32_t draw_record(const Records& table, std::vector<uint32_t> used) {
    if (table.count() == 0) return kNone;
    if (used.empty() || random_.one_in(16)) return random_.below(table.count());
    return one_of(random_, used);
  }
  uint32_t draw_ticket() {
    std::vector<uint32_t> queued = target_.queued_tickets();
    if (!queued.empty() && !random_.one_in(4)) return one_of(random_, queued);
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
    return arrays.empty() || random_.one_in(2) ? draw_object() : one_of(random_, arrays);
  }

 protected:
  Target& target_;
  Random& random_;
};

}  // namespace scribble
