#include "sync/semaphore.h"

#include "posix/fault.h"
#include "sync/lock_word.h"
#include "wait/reaper.h"
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
  // As many from the head as there are permits for. A head that wants more than there is holds up those behind
  // it: else small requests would overtake it for ever.
  void grant_all() {
    for (TicketRecord* head = queue.head(); head != nullptr && head->units <= state().free;
         head = queue.head()) {
      open_journal(queue.index_of(*head), state().free - head->units);
      HOLDFAST_POINT("semaphore.journaled");
      grant(*head);
      HOLDFAST_POINT("semaphore.granted");
      close_journal();
    }
  }

  // What a Granted ticket got comes back, for nobody has learned of it. Permits that are not owned.
  void take_back(Seat& seat) {
    const uint32_t room =
        kMaxPermits - state().free;  // others may have released up to the bound meanwhile
    const uint32_t units = seat.ticket->units < room ? seat.ticket->units : room;
    open_journal(seat.ticket_index, state().free + units);
    HOLDFAST_POINT("semaphore.reap-journaled");
    set_state(*seat.ticket, TicketState::None);
    HOLDFAST_POINT("semaphore.taken-back");
    close_journal();
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
  void open_journal(TicketIndex ticket, uint32_t free_then) {
    state().journal_free = free_then;
    in_this_order();
    state().journal_ticket = ticket + 1;
    in_this_order();
  }
  void close_journal() {
    in_this_order();
    state().free = state().journal_free;
    in_this_order();
    state().journal_ticket = 0;
    in_this_order();
  }

  // A grant lowers `free`, a taking back raises it: so the journal tells which of them was cut short.
  void finish_journal() {
    TicketRecord* ticket = region_.ticket(state().journal_ticket - 1);
    if (ticket != nullptr) {
      const bool takes_back = state().journal_free > state().free;
      if (takes_back && state_of(*ticket) == TicketState::Granted) {
        set_state(*ticket, TicketState::None);
      } else if (!takes_back && WaitQueue::is_queued(*ticket)) {
        set_state(*ticket, TicketState::Granted);
      }
    }
    HOLDFAST_POINT("semaphore.repairing");
    close_journal();
  }

  void repair() {
    if (state().journal_ticket != 0) finish_journal();
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

void withdraw(Region& region, const Dead& dead) {
  Seat seat = dead.seat;
  SemaphoreStay stay(region, seat);
  if (is_due(region, dead) && WaitQueue::is_queued(*seat.ticket)) stay.leave_queue(seat);
}

void reap(Region& region, const Dead& dead) {
  Seat seat = dead.seat;
  SemaphoreStay stay(region, seat);
  if (!is_due(region, dead)) return;
  const bool granted = state_of(*seat.ticket) == TicketState::Granted;
  const bool had_any =
      granted || seat.ticket->held != 0;  // an idle seat that is closed has not: spare the count
  if (granted && !stay.owned()) stay.take_back(seat);
  stay.leave_queue(seat);
  seat.ticket->held = 0;
  HOLDFAST_POINT("semaphore.reaped");
  stay.retire(seat);
  if (stay.owned() && had_any) stay.count_anew();
  stay.grant_all();
}

Status unlink(Region& region, Seat& home) {
  SemaphoreStay stay(region, home);
  if (stay.owned() && stay.state().free < stay.object.parameters.first) return Status::InUse;
  stay.unlink();
  return Status::Ok;
}

}  // namespace holdfast::semaphore
