// The guard: a critical section of a few instructions in shared memory, that survives a death inside.
//
// Entering, after the mutex has been locked by this thread:
//   mutex said   holder         meaning                                        what is done
//   ----------   ------------   --------------------------------------------   -------------------------
//   Held         0              the usual case                                 CAS holder = me
//   OwnerDied    0              died before it was in, or after it was done    CAS holder = me
//   any          a dead one     died inside: the state is cut in the middle    CAS holder = me, repair
//   any          a living one   the kernel gave the mutex away for another     wait for holder = 0 or its
//                               thread with the same TID, in another pid       death
//                               namespace
// A repairer that dies leaves itself as the dead holder: the next one repairs again.
#pragma once

#include "region/layout.h"
#include "status.h"

namespace holdfast {

class Region;

class Guard {
 public:
  // Blocks for as long as another agent is inside (a few instructions, unless it is stopped there).
  Guard(Region& region, GuardRecord& record);
  ~Guard() { leave(); }
  Guard(const Guard&) = delete;
  Guard& operator=(const Guard&) = delete;

  [[nodiscard]] bool entered() const { return record_ != nullptr; }
  // The state must be rebuilt before it is used.
  [[nodiscard]] bool needs_repair() const { return needs_repair_; }
  void leave();

 private:
  GuardRecord* record_;
  bool needs_repair_ = false;
};

}  // namespace holdfast
