// Waiting for an element of shared memory, as a futex: sleep while it holds what I have seen, until somebody notifies.
// The memory itself is the users'; here are only the waits for it. SharedValue has its one element in the object's
// record, SharedArray has a file of its own (region/data_file.h).
//
// Invariant: a notifier stores, then notifies. Both the waiter's look at the element and the notification are made
// under the guard, so either the waiter sees what was stored, or the notifier sees the waiter.
//
//   holder dies         -
//   waiter dies         its ticket is removed; a notification that it had got and not used goes to the next one
//                       who waits for the same element
//   notifier dies       whom it has not told yet waits on
#pragma once

#include "sync/attempt.h"

namespace holdfast::shared_memory {

// `role` is the element's index. NotEqual: it does not hold `attempt.element.expected` (asked once, before the wait).
Outcome attempt(Region& region, const Attempt& attempt);
// Wakes at most `count` of those who wait for the element, first come, first served. Returns how many.
int32_t notify(Region& region, Seat& home, uint32_t index, uint32_t count);
// As lock::pass_on, withdraw and reap (sync/lock.h).
int64_t pass_on(Region& region, const Seat& at);
bool withdraw(Region& region, const Dead& dead);
bool reap(Region& region, const Dead& dead);
Status unlink(Region& region, Seat& home);

}  // namespace holdfast::shared_memory
