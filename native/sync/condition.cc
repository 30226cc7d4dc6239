#include "sync/condition.h"

#include "posix/fault.h"
#include "sync/lock_word.h"
#include "wait/reaper.h"
#include "wait/stay.h"

namespace holdfast::condition {
namespace {

class ConditionStay : public Stay {
 public:
  ConditionStay(Region& region, Seat& seat) : Stay(region, seat.object_index, *seat.object) {
    if (!needs_repair()) return;
    queue.rebuild();
    if (unlinked()) end_all_waits();
    ring_all_on_leaving();
  }

  int32_t notify(uint32_t count) {
    uint32_t woken = 0;
    for (; woken < count; ++woken) {
      TicketRecord* head = queue.head();
      if (head == nullptr) break;
      grant(*head);
    }
    return static_cast<int32_t>(woken);
  }
};

}  // namespace

Outcome attempt(Region& region, const Attempt& attempt) {
  ConditionStay stay(region, *attempt.waiter);
  TicketRecord& ticket = *attempt.waiter->ticket;
  const TicketState state = state_of(ticket);
  if (state == TicketState::Gone || (state == TicketState::None && stay.unlinked())) {
    stay.leave_queue(*attempt.waiter);
    return Outcome::Unlinked;
  }
  if (state == TicketState::Granted && ticket.held == 0) {
    ticket.held = 1;
    return Outcome::Taken;
  }
  switch (attempt.or_else) {
    case OrElse::Leave:
      return state == TicketState::Granted ? Outcome::Taken : Outcome::Pending;
    case OrElse::Queue:  // of a ticket that was told already: a new wait
      ticket.held = 0;
      stay.enqueue(*attempt.waiter, attempt.mode);
      return Outcome::Pending;
    case OrElse::Cancel:
      break;
  }
  stay.leave_queue(*attempt.waiter);
  ticket.held = 0;
  return state == TicketState::Granted ? Outcome::Taken : Outcome::Cancelled;
}

int32_t notify(Region& region, Seat& home, uint32_t count) {
  ConditionStay stay(region, home);
  return stay.notify(count);
}

int32_t ask(Region& region, Seat& home) {
  const ConditionStay stay(region, home);
  return static_cast<int32_t>(stay.queue.length());
}

void withdraw(Region& region, const Dead& dead) {
  Seat seat = dead.seat;
  ConditionStay stay(region, seat);
  if (is_due(region, dead) && WaitQueue::is_queued(*seat.ticket)) stay.leave_queue(seat);
}

void reap(Region& region, const Dead& dead) {
  Seat seat = dead.seat;
  ConditionStay stay(region, seat);
  if (!is_due(region, dead)) return;
  const bool unused = state_of(*seat.ticket) == TicketState::Granted;
  // First the next one, then its own: who dies in between wakes one too many, which a waiter must bear anyway.
  if (unused) stay.notify(1);
  HOLDFAST_POINT("condition.passed-on");
  stay.leave_queue(seat);
  seat.ticket->held = 0;
  stay.retire(seat);
}

Status unlink(Region& region, Seat& home) {
  ConditionStay stay(region, home);
  stay.unlink();
  return Status::Ok;
}

}  // namespace holdfast::condition
