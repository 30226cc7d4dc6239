#include "wait/lapse.h"

#include "sync/attempt.h"
#include "wait/stay.h"

namespace holdfast {

bool LapseWatch::needs_a_look(Region& region, ObjectIndex index) {
  const ObjectRecord* object = region.object(index);
  // relaxed: if not seen now, then at the next look. A guard that is not free may be a dead one's, whom nobody follows.
  return object != nullptr && (object->woken.load(std::memory_order_relaxed) != 0 ||
                               object->guard.word.load(std::memory_order_relaxed) != 0);
}

int64_t LapseWatch::look(Region& region) {
  last_ = kNone;
  ToldWatch& told = region.told_watch();
  if (!told.looking()) return kNeverLapses;
  int64_t next_ns = kNeverLapses;
  const auto look_at = [&](ObjectIndex object) {
    const int64_t due_ns = pass_on(region, object);
    if (due_ns == kNeverLapses) return;
    told.place(object);
    if (due_ns < next_ns) next_ns = due_ns;
  };
  if (told.take(look_at)) {
    const uint32_t count = Region::count(region.header().objects);
    for (ObjectIndex object = 0; object < count; ++object) look_at(object);
  }
  if (next_ns != kNeverLapses) {
    idle_looks_ = 0;
    return next_ns;
  }
  if (++idle_looks_ < kIdleLooks || !told.rest()) return kLapseNs;
  idle_looks_ = 0;
  return kNeverLapses;
}

}  // namespace holdfast
