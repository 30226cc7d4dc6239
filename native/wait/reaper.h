// Giving back what the dead held. Nobody is kept out: any number of reapers may be at one dead process, each may be
// stopped or die anywhere, and the others go on without it. Every step asks first, under the guard that it needs
// anyway, whether it is still to be done, and its last store says that it is done:
//
//   step       of each     under            to be done while (is_due, or the Registry)             done by the store of
//   --------   ---------   --------------   ----------------------------------------------------   --------------------
//   bury       process     registry guard   record Live                                            record Dead
//   withdraw   ticket      object's guard   record Dead, agent its, ticket the agent's, not        ticket not queued
//                                           retired
//   give back  ticket      object's guard   the same                                               ticket retired
//   close      ticket      registry guard   record Dead, agent its, ticket the agent's, retired    ticket's agent 0
//   free       agents      registry guard   record Dead, agent its                                 agent's process 0
//   free       process     registry guard   record Dead                                            record Free
//
// Whoever comes to a step must have seen the steps before it done, for all tickets: its own doing or another's. A
// record's slot can be used again only after Free, an agent's after its 0, a ticket's after its 0; so what a reaper has
// verified under a guard stays true until it leaves that guard, however long it is stopped in there, and
// what it verifies after a stop is found done where the others went on meanwhile.
//
// First all waits of the dead are withdrawn, then what they had is given back: else each piece would be given to
// the dead one's next wait. An object whose guard is not to be had is left out of both, and comes next time: it keeps
// nobody from the others.
#pragma once

#include "posix/deadline.h"
#include "region/region.h"
#include "region/registry.h"

namespace holdfast {

// One seat to be reaped.
struct Dead {
  Seat seat;
  // Whose record is Dead. Index kNone: nobody's, but a thread of this living process ends in good order.
  ProcessId process;
};

// Whether the seat is still to be reaped. Under the object's guard, and true until that is left.
[[nodiscard]] bool is_due(Region& region, const Dead& dead);

// An event loop that stumbles upon a death helps for so long, and leaves the rest to its process' keeper.
inline constexpr int64_t kHelpNs = 2'000'000;

// Looks at every process of the region and reaps the dead, until the deadline has passed. True: not all is done
// yet. One is dying, and some thread of it still runs; or another reaper is at it; or the time is up, and this
// process' keeper goes on. Look again in a moment. Blocks for guards only.
bool reap_dead_processes(Region& region, Deadline until = Deadline::after_ns(kHelpNs));

// The same, and for a few milliseconds waits for who is dying or being reaped by another.
void settle_deaths(Region& region);

// Whether the agent's process is dead or dying.
[[nodiscard]] bool is_dying(Region& region, AgentSlot agent);

// Reaps one agent, at its thread's orderly end. What it still held is abandoned. False: a guard is not to be had; what is
// left is to be done by another call.
bool reap_agent(Region& region, AgentSlot agent);

}  // namespace holdfast
