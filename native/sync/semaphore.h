// Permits, first come first served.
//
// Owned permits: the truth is what the tickets say. free = permits - sum(held, and units of who is Granted), so a
// death gives back whatever its tickets stood for, and a repair counts anew.
// Permits that are not owned: `free` itself is the truth. A grant changes it and a ticket, so it is written down
// first (journal), and done again by the repair if it was cut short. So is the way back from a granted ticket whose
// agent died before it took note.
#pragma once

#include "sync/attempt.h"

namespace holdfast::semaphore {

inline constexpr uint32_t kMaxPermits = 0x7fffffff;

// Object parameters: first = permits at the start, second = 1 owned, 0 not.
Outcome attempt(Region& region, const Attempt& attempt);
// NotOwner: more than the agent holds. Full: past kMaxPermits. Nothing is changed then.
Status release(Region& region, Seat& home, uint32_t units);
int32_t ask(Region& region, Seat& home, Question question);
void withdraw(Region& region, const Dead& dead);
void reap(Region& region, const Dead& dead);
Status unlink(Region& region, Seat& home);

}  // namespace holdfast::semaphore
