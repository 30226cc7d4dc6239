#include "wait/reaper.h"

#include "posix/fault.h"
#include "sync/lock.h"
#include "wait/ring.h"

namespace holdfast {
namespace {

bool reap_process(Region& region, ProcessIndex index) {
  ProcessRecord& process = *region.process(index);
  const RobustMutex::Lock taken = process.life.try_lock();
  if (taken != RobustMutex::Lock::OwnerDied && taken != RobustMutex::Lock::Held) return false;
  // If this reaper dies too, its own death is told to the next one.
  if (taken == RobustMutex::Lock::OwnerDied) static_cast<void>(process.life.consistent());
  const bool due = process.state.load(std::memory_order_acquire) != ProcessState::Free;
  if (due) {
    // From now on nobody takes the dead one for alive although its life mutex is held (by us).
    process.state.store(ProcessState::Dead, std::memory_order_release);
    HOLDFAST_POINT("reap.begun");
    const uint32_t agents = Region::count(region.header().agents);
    for (AgentSlot slot = 1; slot < agents; ++slot) {
      const AgentRecord* agent = region.agent(slot);
      if (agent != nullptr && agent->process.load(std::memory_order_acquire) == index + 1) {
        reap_agent(region, slot);
        HOLDFAST_POINT("reap.agent-done");
      }
    }
    // It may have died between telling a waiter and waking it.
    ring_all_told(region);
    process.state.store(ProcessState::Free, std::memory_order_release);
  }
  process.life.unlock();
  return due;
}

}  // namespace

bool reap_dead_processes(Region& region) {
  bool any = false;
  const uint32_t count = region.process_limit();
  for (ProcessIndex index = 0; index < count; ++index) {
    ProcessRecord* process = region.process(index);
    if (process == nullptr ||
        process->state.load(std::memory_order_acquire) == ProcessState::Free) {
      continue;
    }
    const uint32_t life = region.life_word(*process).load(std::memory_order_acquire);
    if ((life & kFutexOwnerDiedBit) != 0 && reap_process(region, index)) any = true;
  }
  return any;
}

void reap_agent(Region& region, AgentSlot agent) {
  const uint32_t count = Region::count(region.header().tickets);
  for (TicketIndex index = 0; index < count; ++index) {
    TicketRecord* ticket = region.ticket(index);
    // An agent holds and waits only where it has a seat, and every seat has a ticket.
    if (ticket == nullptr || ticket->agent.load(std::memory_order_acquire) != agent) continue;
    const ObjectIndex object_index = ticket->object.load(std::memory_order_relaxed);
    if (ObjectRecord* object = region.object(object_index)) {
      static_cast<void>(lock::reap(region, {agent, object_index, index, object, ticket}));
    }
    Registry registry(region);
    if (registry.entered()) registry.close(agent, index);
    HOLDFAST_POINT("reap.ticket-freed");
  }
  Registry registry(region);
  if (registry.entered()) registry.free_agent(agent);
}

}  // namespace holdfast
