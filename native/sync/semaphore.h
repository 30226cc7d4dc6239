// Permits, first come first served.
//
// Permits come to nobody: a release tells those from the head of the queue for whom there are enough, and each comes
// and takes its own. So a permit is free or held by one who ran since, and never on its way.
//
//   may take    its units, and those of all who stand before it and are not Passed, are free; a newcomer stands
//               behind everybody. So a head that wants more than there is holds up those behind it: else small
//               requests would overtake it for ever
//   is told     who may take, is Waiting, and belongs to no process that is about to be reaped
//
// Owned permits: the truth is what the home seats' tickets hold: free = permits - sum(held). A repair counts anew.
// Permits that are not owned: `free` itself is the truth, and each change of it is one store.
#pragma once

#include "sync/attempt.h"

namespace holdfast::semaphore {

inline constexpr uint32_t kMaxPermits = 0x7fffffff;

// Object parameters: first = permits at the start, second = 1 owned, 0 not.
Outcome attempt(Region& region, const Attempt& attempt);
// NotOwner: more than the agent holds. Full: past kMaxPermits. Nothing is changed then.
Status release(Region& region, Seat& home, uint32_t units);
int32_t ask(Region& region, Seat& home, Question question);
// As lock::pass_on, withdraw and reap (sync/lock.h).
int64_t pass_on(Region& region, const Seat& at);
bool withdraw(Region& region, const Dead& dead);
bool reap(Region& region, const Dead& dead);
Status unlink(Region& region, Seat& home);

}  // namespace holdfast::semaphore
