#include "wait/ring.h"

#include <bitset>

#include "posix/fault.h"

namespace holdfast {

void Ring::note(Region& region, TicketRecord& ticket) {
  region_ = &region;
  if (ticket.mode == WaitMode::Sync) {
    add({&ticket.state, false});
    return;
  }
  ProcessRecord* process = region.process_of(ticket.agent.load(std::memory_order_relaxed));
  if (process == nullptr) return;
  // SYNC POINT: told. acq_rel, with the acquire of the keeper that reads the count: it sees the ticket's state.
  const uint32_t number = process->told_count.fetch_add(1, std::memory_order_acq_rel);
  HOLDFAST_POINT("wake.numbered");
  process->told[number % kToldSlots].store(told_entry(number, region.index_of(ticket)),
                                           std::memory_order_release);
  add({&process->doorbell, true});
}

void Ring::add(const Due& due) {
  for (size_t i = 0; i < count_; ++i) {
    if (due_[i].word == due.word) return;
  }
  if (count_ == kRoom) {
    all_ = true;
  } else {
    due_[count_++] = due;
  }
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

void ring_watchers(Region& region, ProcessIndex index) {
  const uint32_t count = region.process_limit();
  uint32_t rung = 0;
  for (uint32_t step = 1; step < count && rung < kWatchedLives; ++step) {
    ProcessRecord* process = region.process((index + count - step) % count);
    if (process == nullptr || !region.seems_alive(*process)) continue;
    ring_doorbell(*process);
    ++rung;
  }
}

void ring_all_told(Region& region) {
  if (region.for_keeper().exists.load(std::memory_order_relaxed)) {
    region.for_keeper().rings_all.store(true, std::memory_order_release);
    ring_doorbell(region.self_record());
  } else {
    ring_all_told_now(region);
  }
}

void ring_all_told_now(Region& region) {
  constexpr uint32_t kMax = ProcessTable::per_chunk * ProcessTable::max_chunks;
  std::bitset<kMax> rung;
  const uint32_t count = Region::count(region.header().tickets);
  for (TicketIndex index = 0; index < count; ++index) {
    TicketRecord* ticket = region.ticket(index);
    if (ticket == nullptr) continue;
    const AgentSlot agent = ticket->agent.load(std::memory_order_acquire);
    if (agent == 0) continue;
    const auto state = static_cast<TicketState>(ticket->state.load(std::memory_order_acquire));
    if (state == TicketState::None || state == TicketState::Waiting) continue;
    // As it was told: after that only the waiter itself changes the mode, and is awake then. relaxed: ordered by state.
    if (std::atomic_ref(ticket->mode).load(std::memory_order_relaxed) == WaitMode::Sync) {
      futex_wake(ticket->state, 1);
      continue;
    }
    const AgentRecord* record = region.agent(agent);
    const uint32_t owner = record != nullptr ? record->process.load(std::memory_order_acquire) : 0;
    ProcessRecord* process = region.process(owner - 1);
    if (process == nullptr || rung[owner - 1]) continue;
    rung[owner - 1] = true;
    // More than there are slots: it looks at all its waits.
    process->told_count.fetch_add(kToldSlots + 1, std::memory_order_acq_rel);  // SYNC POINT: told
    ring_doorbell(*process);
  }
}

}  // namespace holdfast
