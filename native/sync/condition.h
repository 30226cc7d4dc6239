// Waiting to be notified. The lock beside it is the caller's business: it queues before it lets go of the lock, and
// notes its notification (a second attempt) only when it has the lock again. So a notification that a dying
// waiter had got and not used is still on its ticket, and goes to the next.
#pragma once

#include "sync/attempt.h"

namespace holdfast::condition {

// role kWait queues the waiter, always. role kNoteIt takes note of a notification (Taken), else as or_else says.
inline constexpr uint32_t kWait = 0;

Outcome attempt(Region& region, const Attempt& attempt);
// Notifies the first `count` waiters at most, and returns how many. Never waits for a waiter.
int32_t notify(Region& region, Seat& home, uint32_t count);
void reap(Region& region, Seat& dead);
Status unlink(Region& region, Seat& home);

}  // namespace holdfast::condition
