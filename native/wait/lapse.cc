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

bool LapseWatch::was_woken_late() {
  const bool late = due_ns_ != 0 && monotonic_ns() - due_ns_ > kLapseNs / 2;
  late_looks_ = late && late_looks_ < kLateLooks ? late_looks_ + 1 : 0;
  return late_looks_ > 0;
}

int64_t LapseWatch::look(Region& region) {
  last_ = kNone;
  ToldWatch& told = region.told_watch();
  if (!told.looking()) return kNeverLapses;
  const int64_t again_ns = was_woken_late() ? kLapseNs : pass_on_all(region);
  due_ns_ = again_ns != kNeverLapses ? monotonic_ns() + again_ns : 0;
  return again_ns;
}

int64_t LapseWatch::pass_on_all(Region& region) {
  ToldWatch& told = region.told_watch();
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
