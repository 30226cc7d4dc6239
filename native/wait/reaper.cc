#include "wait/reaper.h"

#include <ctime>

#include "posix/fault.h"
#include "sync/attempt.h"
#include "wait/ring.h"

namespace holdfast {
namespace {

bool is_marked_dead(Region& region, ProcessRecord& process) {
  return process.state.load(std::memory_order_acquire) != ProcessState::Free &&
         (region.life_word(process).load(std::memory_order_acquire) & kFutexOwnerDiedBit) != 0;
}

void reap_process(Region& region, ProcessIndex index) {
  ProcessRecord& process = *region.process(index);
  const RobustMutex::Lock taken = process.life.try_lock();
  if (taken != RobustMutex::Lock::OwnerDied && taken != RobustMutex::Lock::Held) return;
  // If this reaper dies too, its own death is told to the next one.
  if (taken == RobustMutex::Lock::OwnerDied) static_cast<void>(process.life.consistent());
  region.life_word(process).fetch_or(kFutexWaitersBit, std::memory_order_relaxed);
  if (process.state.load(std::memory_order_acquire) != ProcessState::Free) {
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
}

}  // namespace

bool reap_dead_processes(Region& region) {
  bool dying = false;
  const uint32_t count = region.process_limit();
  for (ProcessIndex index = 0; index < count; ++index) {
    ProcessRecord* process = region.process(index);
    if (process == nullptr || region.is_self(index) || !is_marked_dead(region, *process)) continue;
    // The mark says that its keeper is gone. A thread that holds a lock may still be in a system call that
    // the kill does not cut short: what it holds is not free before that ends.
    if (region.has_ended(index)) {
      reap_process(region, index);
    } else {
      dying = true;
      ring_doorbell(*process);  // should it live: its keeper mends the mark
    }
  }
  return dying;
}

namespace {

bool any_is_being_reaped(Region& region) {
  for (ProcessIndex index = 0; index < region.process_limit(); ++index) {
    ProcessRecord* process = region.process(index);
    if (process != nullptr &&
        process->state.load(std::memory_order_acquire) == ProcessState::Dead) {
      return true;
    }
  }
  return false;
}

}  // namespace

void settle_deaths(Region& region) {
  constexpr int kLooks = 100;
  for (int look = 0; look < kLooks; ++look) {
    if (!reap_dead_processes(region) && !any_is_being_reaped(region)) return;
    const timespec nap{0, 100'000};
    ::nanosleep(&nap, nullptr);
  }
}

bool is_dying(Region& region, AgentSlot agent) {
  ProcessRecord* process = region.process_of(agent);
  return process != nullptr && process != &region.self_record() && is_marked_dead(region, *process);
}

void reap_agent(Region& region, AgentSlot agent) {
  const uint32_t count = Region::count(region.header().tickets);
  for (TicketIndex index = 0; index < count; ++index) {
    TicketRecord* ticket = region.ticket(index);
    // An agent holds and waits only where it has a seat, and every seat has a ticket.
    if (ticket == nullptr || ticket->agent.load(std::memory_order_acquire) != agent) continue;
    const ObjectIndex object_index = ticket->object.load(std::memory_order_relaxed) & ~kRetired;
    if (ObjectRecord* object = region.object(object_index)) {
      reap_seat(region, {agent, object_index, index, object, ticket});
    }
    Registry(region).close(agent, index);
    HOLDFAST_POINT("reap.ticket-freed");
  }
  Registry(region).free_agent(agent);
}

}  // namespace holdfast
