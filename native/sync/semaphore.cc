#include "sync/semaphore.h"

#include "posix/fault.h"
#include "sync/lock_word.h"
#include "wait/stay.h"

namespace holdfast::semaphore {
namespace {

class SemaphoreStay : public Stay {
 public:
  SemaphoreStay(Region& region, Seat& seat) : Stay(region, seat.object_index, *seat.object) {
    if (needs_repair()) repair();
  }

  [[nodiscard]] SemaphoreState& state() { return object.semaphore; }
  [[nodiscard]] bool owned() const { return object.parameters.second != 0; }
  [[nodiscard]] bool unlinked() const {
    return lock_word::is_unlinked(object.word.load(std::memory_order_acquire));
  }

  // As many from the head as there are permits for. A head that wants more than there is holds up those behind
  // it: else small requests would overtake it for ever.
  void grant_all() {
    for (TicketRecord* head = queue.head(); head != nullptr && head->units <= state().free;
         head = queue.head()) {
      const TicketIndex index = queue.index_of(*head);
      state().journal_free = state().free - head->units;
      state().journal_ticket = index + 1;
      HOLDFAST_POINT("semaphore.journaled");
      grant(*head);
      HOLDFAST_POINT("semaphore.granted");
      state().free = state().journal_free;
      state().journal_ticket = 0;
    }
  }

  // Owned permits only.
  void count_anew() {
    uint64_t out = 0;
    for_each_ticket([&](const TicketRecord& ticket) {
      out += ticket.held;
      if (state_of(ticket) == TicketState::Granted) out += ticket.units;
    });
    const uint32_t permits = object.parameters.first;
    state().free = out < permits ? permits - static_cast<uint32_t>(out) : 0;
  }

 private:
  void repair() {
    if (state().journal_ticket != 0) {
      TicketRecord* ticket = region_.ticket(state().journal_ticket - 1);
      if (ticket != nullptr && WaitQueue::is_queued(*ticket)) {
        set_state(*ticket, TicketState::Granted);
      }
      state().free = state().journal_free;
      state().journal_ticket = 0;
    }
    queue.rebuild();
    if (owned()) count_anew();
    if (unlinked()) end_all_waits();
    grant_all();
    ring_all_on_leaving();
  }
};

void take_note(SemaphoreStay& stay, const Attempt& attempt) {
  // Both tickets are this agent's: who dies in between is reaped as a whole.
  if (stay.owned()) attempt.home->ticket->held += attempt.waiter->ticket->units;
  HOLDFAST_POINT("semaphore.noted");
  set_state(*attempt.waiter->ticket, TicketState::None);
}

}  // namespace

Outcome attempt(Region& region, const Attempt& attempt) {
  SemaphoreStay stay(region, *attempt.waiter);
  TicketRecord& ticket = *attempt.waiter->ticket;
  const TicketState state = state_of(ticket);
  if (state == TicketState::Granted) {
    take_note(stay, attempt);
    return Outcome::Taken;
  }
  if (state == TicketState::Gone || stay.unlinked()) {
    stay.leave_queue(*attempt.waiter);
    return Outcome::Unlinked;
  }
  const bool queued = WaitQueue::is_queued(ticket);
  if (!queued) ticket.units = attempt.units;
  if (!queued && stay.queue.empty() && ticket.units <= stay.state().free) {
    if (stay.owned()) attempt.home->ticket->held += ticket.units;
    HOLDFAST_POINT("semaphore.taking");
    stay.state().free -= ticket.units;
    return Outcome::Taken;
  }
  switch (attempt.or_else) {
    case OrElse::Leave:
      return Outcome::Pending;
    case OrElse::Queue:
      stay.enqueue(*attempt.waiter, attempt.mode);
      return Outcome::Pending;
    case OrElse::Cancel:
      break;
  }
  stay.leave_queue(*attempt.waiter);
  stay.grant_all();  // it may have held up smaller ones
  return Outcome::Cancelled;
}

Status release(Region& region, Seat& home, uint32_t units) {
  SemaphoreStay stay(region, home);
  if (stay.owned()) {
    if (home.ticket->held < units) return Status::NotOwner;
    home.ticket->held -= units;
    HOLDFAST_POINT("semaphore.returned");
  } else if (units > kMaxPermits - stay.state().free) {
    return Status::Full;
  }
  stay.state().free += units;
  stay.grant_all();
  return Status::Ok;
}

int32_t ask(Region& region, Seat& home, Question question) {
  SemaphoreStay stay(region, home);
  return static_cast<int32_t>(question == Question::Value ? stay.state().free
                                                          : stay.queue.length());
}

void reap(Region& region, Seat& dead) {
  SemaphoreStay stay(region, dead);
  const bool granted = state_of(*dead.ticket) == TicketState::Granted;
  if (granted && !stay.owned()) {
    // It never learned of its permits: they are nobody's.
    stay.state().journal_free = stay.state().free + dead.ticket->units;
    stay.state().journal_ticket = dead.ticket_index + 1;
    HOLDFAST_POINT("semaphore.reap-journaled");
    set_state(*dead.ticket, TicketState::None);
    stay.state().free = stay.state().journal_free;
    stay.state().journal_ticket = 0;
  }
  stay.leave_queue(dead);
  dead.ticket->held = 0;
  HOLDFAST_POINT("semaphore.reaped");
  stay.retire(dead);
  if (stay.owned()) stay.count_anew();
  stay.grant_all();
}

Status unlink(Region& region, Seat& home) {
  SemaphoreStay stay(region, home);
  if (stay.owned() && stay.state().free < stay.object.parameters.first) return Status::InUse;
  stay.object.word.fetch_or(lock_word::kUnlinked, std::memory_order_acq_rel);
  HOLDFAST_POINT("unlink.marked");
  stay.end_all_waits();
  return Status::Ok;
}

}  // namespace holdfast::semaphore
