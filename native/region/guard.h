// The guard: a critical section of a few instructions in shared memory, that survives a death inside.
//
// One futex word says who is inside: 0, or a process (its number and the low bits of its generation) with a bit
// for "somebody sleeps" and one for "disputed". Not a pthread mutex, although a robust one is made for this: the kernel
// knows its owner by TID, TIDs collide between pid namespaces (Node is often TID 1 in its container), and then the death of
// one who waits gives the mutex away under its living owner, whose unlock fails and leaves both threads' robust
// lists tangled. And a robust mutex sleeps without a time-out on a wake-up that a death can swallow.
//
//   word seen            meaning                              what is done
//   ------------------   ----------------------------------   ----------------------------------------------
//   0                    nobody is inside                     CAS to me
//   a living process     it is about to leave                 spin, then sleep 20 ms at most, and look again
//   the same, after      it may be stopped in there, or the   ask it: its keeper looks (below), or one of its threads
//   two sleeps           word may lie                         that waits here itself
//   the same, after      it is stopped, or cannot answer      not entered: Corrupt, and who can comes again
//   10 s of sleep
//   a dead process,      died inside: the state may be cut    CAS to me, and repair
//   or kNobody           in the middle
//
// A repairer that dies is itself the dead one inside: the next one repairs again.
//
// A word that lies. Each process counts, in its own memory, how many of its threads are in, or on their way into, a guard
// (GuardUse::inside): +1 before the first CAS, -1 after the exchange that leaves; not while they sleep. Who is asked and
// finds itself in the word makes it `me | kDisputed`, by a CAS, then reads the count. 0: nobody of this process is
// inside, and a second CAS, from the disputed word, makes it kNobody. That takes the guard from nobody:
//   - one dispute at a time in a process (GuardUse::disputes), so only who disputes sets the bit, and never twice
//     unseen: the word it saw disputed stays so until the one inside leaves, by 0, or the second CAS succeeds;
//   - say that a thread is inside when the second CAS succeeds. Then its own CAS is the last before the bit was set, so
//     its +1, made before that (release), is seen by the count read after the bit was (acquire);
//   - its -1 comes after its exchange to 0 (release). Were that -1 counted, the 0 would be seen too, and the second CAS
//     fail. So the count is not 0.
// A count that is not 0, of whoever is inside there or at a guard that shares the counter, changes nothing: who waits asks
// again.
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

  // False: another is inside for too long. Nothing that the guard protects may be touched.
  [[nodiscard]] bool entered() const { return word_ != nullptr; }
  // Whoever was inside before died there: the state must be rebuilt before it is used.
  [[nodiscard]] bool needs_repair() const { return needs_repair_; }
  // Idempotent.
  void leave();
  // Without having repaired: the next one has to.
  void leave_as_found();
  // For who can come again later, and must not wait for one that is stopped in there.
  [[nodiscard]] static bool somebody_is_inside(Region& region, const GuardRecord& record);

  // If this process was asked about a guard that names it. Any thread.
  static void answer(Region& region);
  // The process for which this thread's last entry failed, once; 0: none did.
  [[nodiscard]] static int32_t take_stuck_pid();

  // While it lives, this thread waits for a guard for a tenth of a second at most: it can come again.
  class ShortPatience {
   public:
    ShortPatience();
    ~ShortPatience();
    ShortPatience(const ShortPatience&) = delete;
    ShortPatience& operator=(const ShortPatience&) = delete;

   private:
    bool before_;
  };

 private:
  bool enter_contended(Region& region, GuardRecord& record, uint32_t me);
  static void settle(Region& region, GuardRecord& record);

  FutexWord* word_;
  std::atomic<uint32_t>* inside_;
  bool needs_repair_ = false;
};

}  // namespace holdfast
