// Waiting to be notified. The lock beside it is the caller's business: it queues before it lets go of the lock, and
// takes note of its notification only when it has the lock again. So a notification that a dying waiter had got and
// not used is still on its ticket, and goes to the next.
//
//   ticket            Leave      Queue                  Cancel
//   ---------------   --------   --------------------   ----------------------------------
//   None              Pending    Waiting, Pending       Cancelled
//   Waiting           Pending    Pending                None, Cancelled
//   Passed            if another has its notification, and has not come either, as Woken; else
//                     Pending    Waiting, Pending       None, Cancelled
//   Woken             Granted, Taken, whatever was asked for: so a time-out that meets a notification loses none
//   Granted           Taken      Waiting: a new wait    None, Taken: this is how note is taken
//
// So every Taken is followed by one Cancel, with the lock held.
#pragma once

#include "sync/attempt.h"

namespace holdfast::condition {

Outcome attempt(Region& region, const Attempt& attempt);
// Notifies the first `count` waiters at most, and returns how many. Never waits for a waiter.
int32_t notify(Region& region, Seat& home, uint32_t count);
// How many wait.
int32_t ask(Region& region, Seat& home);
// As lock::pass_on, withdraw and reap (sync/lock.h).
int64_t pass_on(Region& region, const Seat& at);
bool withdraw(Region& region, const Dead& dead);
bool reap(Region& region, const Dead& dead);
Status unlink(Region& region, Seat& home);

}  // namespace holdfast::condition
