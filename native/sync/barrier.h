// A barrier: parties wait until all are there, the last one runs the action, then all go on.
//
// Who waits is in the queue; a round is its first parties - 1 tickets and the runner, which came last and is not
// queued (its ticket has held = 1). Who comes while the action runs queues behind, for the next round.
//
//   phase      to         when
//   --------   --------   --------------------------------------------------------------
//   Filling    Acting     the last party has come: it runs the action. Where a full round is queued already, all
//                         of it are told, and the first that comes runs the action
//   Acting     Draining   the runner says that it is done: the round is marked (units)
//   Draining   Filling    everybody marked is granted
//   Filling,   Broken     a party gives up, dies or aborts; the action fails: everybody
//   Acting                queued is granted, with Broken
//   any        Filling    reset: as Broken, and mended
//
// A releaser that dies midway leaves Draining or Broken, and the repair grants the rest.
#pragma once

#include "sync/attempt.h"

namespace holdfast::barrier {

enum class Phase : uint32_t { Filling = 0, Acting = 1, Draining = 2, Broken = 3 };

// Object parameters: first = parties. Outcomes: RunAction, FirstIndex + index, Broken.
Outcome attempt(Region& region, const Attempt& attempt);
// ActionDone of the runner: FirstIndex + its index; Broken where the barrier broke or was reset meanwhile.
Outcome finish(Region& region, Seat& runner, bool done);
Status abort(Region& region, Seat& home);
Status reset(Region& region, Seat& home);
int32_t ask(Region& region, Seat& home, Question question);
bool reap(Region& region, const Dead& dead);
Status unlink(Region& region, Seat& home);

}  // namespace holdfast::barrier
