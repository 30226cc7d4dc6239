// Who was told to come and does not run holds up nobody: what it was told of goes on to the next.
//
// Every object counts who is Woken: told, and not come yet. A process that runs comes within much less than kLapseNs.
// Else its ticket is Passed, keeps its place, and the next one is told (pass_on() of sync/attempt.h). That is done by
//   - the keeper of the process that told it, which looks again after kLapseNs: it is blocked by no loop, and its
//     process ran when it told;
//   - whoever looks at the object for itself, as sync waiters and keepers with waits do some times a second, after
//     kLongLapsedNs: for where the teller was stopped or killed after it told.
//
// who does not run               what happens
// ----------------------------   ---------------------------------------------------------------------------
// the told one (busy, stopped)   Passed after kLapseNs; the next one is told
// the told one dies              the same, or its reaper takes it out and tells the next
// the teller                     somebody who waits looks for itself
// the told and the teller        the same
#pragma once

#include "region/region.h"

namespace holdfast {

// The keeper's own.
class LapseWatch {
 public:
  // Passes on what has lapsed of what this process has told. Returns in how many ns to look again; kNeverLapses: not
  // before the keeper is rung.
  int64_t look(Region& region);
  // At the next look: an object in which somebody of this process waits, whoever told somebody there.
  void look_after(Region& region, ObjectIndex object) {
    if (object == last_) return;  // 40,000 waits at one object are one note
    last_ = object;
    if (needs_a_look(region, object)) static_cast<void>(region.told_watch().note(object));
  }

 private:
  static bool needs_a_look(Region& region, ObjectIndex object);
  [[nodiscard]] bool was_woken_late();
  int64_t pass_on_all(Region& region);

  ObjectIndex last_ = kNone;  // of look_after(); forgotten by look()
  // While wakes are frequent it keeps looking, so that nobody has to ring it for each.
  static constexpr int kIdleLooks = 8;
  // Where this keeper itself is woken late, the machine is busy, and so may those be who were told: they are given a few
  // looks more.
  static constexpr int kLateLooks = 4;
  int idle_looks_ = 0;
  int late_looks_ = 0;
  int64_t due_ns_ = 0;  // when it wanted to look again; 0: not before it is rung
};

}  // namespace holdfast
