// A lock with two sides: one writer, or any number of readers. In arrival order, readers that stand together are let
// in together; nobody overtakes the queue, so neither side starves. Nobody is let in that does not come: who may go in
// is told, and takes the side itself.
//
// The truth is what the home seats' tickets hold: shares and the writer's mark. The counts in RWLockState are an index.
// "Before" leaves out who is Passed: it was told, and did not come.
//
//   wants     may have it when                                     else
//   -------   --------------------------------------------------   ------------------------------------------------
//   read      no writer, no upgrade queued, no write before it     queues; let in with the readers beside it
//   write     no writer, no reader, nobody before it               queues; let in alone
//   upgrade   no writer, no reader but itself                      goes before the whole queue; a second one could
//                                                                  never go on, nor let the first: Deadlock at once
#pragma once

#include "sync/attempt.h"

namespace holdfast::rwlock {

inline constexpr uint32_t kRead = 1;
inline constexpr uint32_t kWrite = 2;
inline constexpr uint32_t kUpgrade = 3;  // of a share that the agent holds

// TakenAbandoned: a writer died, and no writer was told since.
Outcome attempt(Region& region, const Attempt& attempt);
enum class Release : uint8_t {
  Plain = 0,
  Untold =
      1,  // a writer that was told of an abandonment and does not want the lock: the next one is told
};
// NotOwner: the agent does not hold that side, or gives its last share for an upgrade.
Status release(Region& region, Seat& home, uint32_t role, Release how = Release::Plain);
// From writer to reader, with nobody in between.
Status downgrade(Region& region, Seat& home, Release how = Release::Plain);
int32_t ask(Region& region, Seat& home, Question question);
// As lock::pass_on, withdraw and reap (sync/lock.h).
int64_t pass_on(Region& region, const Seat& at);
bool withdraw(Region& region, const Dead& dead);
bool reap(Region& region, const Dead& dead);
Status unlink(Region& region, Seat& home);

}  // namespace holdfast::rwlock
