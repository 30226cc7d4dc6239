// The guard: a critical section of a few instructions in shared memory, that survives a death inside.
//
// One futex word says who is inside: 0, or a process (its number and the low bits of its generation) with a bit
// for "somebody sleeps". Not a pthread mutex, although a robust one is made for this: the kernel knows its owner
// by TID, TIDs collide between pid namespaces (Node is often TID 1 in its container), and then the death of
// one who waits gives the mutex away under its living owner, whose unlock fails and leaves both threads' robust
// lists tangled. And a robust mutex sleeps without a time-out on a wake-up that a death can swallow.
//
//   word seen           meaning                              what is done
//   -----------------   ----------------------------------   ----------------------------------------------
//   0                   nobody is inside                     CAS to me
//   a living process    it is about to leave                 spin, then sleep 20 ms at most, and look again
//   a dead process      died inside: the state may be cut    CAS to me, and repair
//                       in the middle
//
// A repairer that dies is itself the dead one inside: the next one repairs again.
#pragma once

#include "region/layout.h"
#include "status.h"

namespace holdfast {

class Region;

class Guard {
 public:
  // Blocks for as long as another is inside: a few instructions, unless it is stopped there.
  Guard(Region& region, GuardRecord& record);
  ~Guard() { leave(); }
  Guard(const Guard&) = delete;
  Guard& operator=(const Guard&) = delete;

  // Whoever was inside before died there: the state must be rebuilt before it is used.
  [[nodiscard]] bool needs_repair() const { return needs_repair_; }
  // Idempotent.
  void leave();
  // For who can come again later, and must not wait for one that is stopped in there.
  [[nodiscard]] static bool somebody_is_inside(Region& region, const GuardRecord& record);

 private:
  void enter_contended(Region& region, uint32_t me);

  FutexWord* word_;
  bool needs_repair_ = false;
};

}  // namespace holdfast
