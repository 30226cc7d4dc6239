#include "wait/ring.h"

#include <climits>

#include "posix/fault.h"

namespace holdfast {

void Ring::note(Region& region, TicketRecord& ticket) {
  if (ticket.mode == WaitMode::Sync) {
    word_ = &ticket.state;
    doorbell_ = false;
    return;
  }
  ProcessRecord* process = region.process_of(ticket.agent.load(std::memory_order_relaxed));
  if (process == nullptr) return;
  word_ = &process->doorbell;
  doorbell_ = true;
}

void Ring::now() {
  if (word_ == nullptr) return;
  HOLDFAST_POINT("wake.ring");
  // SYNC POINT: doorbell. release, with the acquire of the keeper that reads it before it looks.
  if (doorbell_) word_->fetch_add(1, std::memory_order_release);
  futex_wake(*word_, 1);
  word_ = nullptr;
}

void ring_doorbell(ProcessRecord& process) {
  process.doorbell.fetch_add(1, std::memory_order_release);  // SYNC POINT: doorbell
  futex_wake(process.doorbell, 1);
}

void ring_all_told(Region& region) {
  const uint32_t count = Region::count(region.header().tickets);
  for (TicketIndex index = 0; index < count; ++index) {
    TicketRecord* ticket = region.ticket(index);
    if (ticket == nullptr) continue;
    const AgentSlot agent = ticket->agent.load(std::memory_order_acquire);
    if (agent == 0) continue;
    const auto state = static_cast<TicketState>(ticket->state.load(std::memory_order_acquire));
    if (state == TicketState::None || state == TicketState::Waiting) continue;
    // Without the guard, so the mode is not known: both. A ring too many does no harm.
    futex_wake(ticket->state, 1);
    if (ProcessRecord* process = region.process_of(agent)) ring_doorbell(*process);
  }
}

}  // namespace holdfast
