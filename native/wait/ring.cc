#include "wait/ring.h"

#include <climits>

#include "posix/fault.h"

namespace holdfast {

void Ring::note(Region& region, TicketRecord& ticket) {
  region_ = &region;
  if (count_ == kRoom) {
    all_ = true;
    return;
  }
  if (ticket.mode == WaitMode::Sync) {
    due_[count_++] = {&ticket.state, false};
    return;
  }
  ProcessRecord* process = region.process_of(ticket.agent.load(std::memory_order_relaxed));
  if (process != nullptr) due_[count_++] = {&process->doorbell, true};
}

void Ring::now() {
  if (count_ == 0) return;
  HOLDFAST_POINT("wake.ring");
  for (size_t i = 0; i < count_; ++i) ring(due_[i]);
  if (all_) ring_all_told(*region_);
  count_ = 0;
  all_ = false;
}

void Ring::ring(const Due& due) {
  // SYNC POINT: doorbell. release, with the acquire of the keeper that reads it before it looks.
  if (due.doorbell) due.word->fetch_add(1, std::memory_order_release);
  futex_wake(*due.word, 1);
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
