// Giving back what the dead held. One reaper at a time for each dead process: it holds the dead one's life mutex
// until all is done, and if it dies itself, the next one starts over.
#pragma once

#include "region/region.h"
#include "region/registry.h"

namespace holdfast {

// A seat to be reaped. `process`: whose death it is; kNone: a thread of this living process ends in good order.
struct Dead {
  Seat seat;
  ProcessId process;
};
// Whether that is still to be done: another reaper may have been faster. Under the guard of the seat's object.
bool is_due(Region& region, const Dead& dead);

// Looks at every process of the region and reaps the dead. True: one is dying, and some thread of it still
// runs, so that it cannot be reaped yet; look again in a moment. Blocks for guards only.
bool reap_dead_processes(Region& region);

// The same, and for a few milliseconds waits for who is dying or being reaped by another.
void settle_deaths(Region& region);

// Whether the agent's process is dead or dying.
[[nodiscard]] bool is_dying(Region& region, AgentSlot agent);

// Reaps one agent: at a thread's orderly end, or for a dead process. What it still held is abandoned.
void reap_agent(Region& region, AgentSlot agent);

}  // namespace holdfast
