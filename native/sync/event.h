// A flag that wakes all who wait for it. The flag is bit 0 of the object's word: JavaScript reads it there.
//
// Invariant: set => nobody is queued (guard free). A setter that dies midway leaves the flag set, and the repair wakes
// the rest, before anybody can clear it: so set() followed by clear() wakes whoever was waiting.
#pragma once

#include "sync/attempt.h"

namespace holdfast::event {

inline constexpr uint32_t kSet = 1;

Outcome attempt(Region& region, const Attempt& attempt);
// Returns how many were woken.
int32_t set(Region& region, Seat& home);
Status clear(Region& region, Seat& home);
// How many wait.
int32_t ask(Region& region, Seat& home);
// As lock::withdraw and reap (sync/lock.h).
bool withdraw(Region& region, const Dead& dead);
bool reap(Region& region, const Dead& dead);
Status unlink(Region& region, Seat& home);

}  // namespace holdfast::event
