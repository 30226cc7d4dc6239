// Giving back what the dead held. One reaper at a time for each dead process: it holds the dead one's life mutex
// until all is done, and if it dies itself, the next one starts over.
#pragma once

#include "region/region.h"
#include "region/registry.h"

namespace holdfast {

// Looks at every process of the region; true if any was reaped by this call. Blocks for guards only.
bool reap_dead_processes(Region& region);

// Reaps one agent: at a thread's orderly end, or for a dead process. What it still held is abandoned.
void reap_agent(Region& region, AgentSlot agent);

}  // namespace holdfast
