#include "sync/condition.h"

#include <algorithm>

#include "posix/fault.h"
#include "sync/notify_stay.h"

namespace holdfast::condition {
namespace {

constexpr uint32_t kWaits = 0;  // one role: all who wait are alike

}  // namespace

Outcome attempt(Region& region, const Attempt& attempt) {
  NotifyStay stay(region, *attempt.waiter);
  if (!stay.entered() || !stay.has(*attempt.waiter)) return Outcome::Corrupt;
  TicketRecord& ticket = *attempt.waiter->ticket;
  const TicketState state = state_of(ticket);
  const bool begins = state == TicketState::None ||
                      (state == TicketState::Granted && attempt.or_else == OrElse::Queue);
  if (state == TicketState::Gone || (begins && stay.unlinked())) {
    stay.leave_queue(*attempt.waiter);
    return Outcome::Unlinked;
  }
  if (stay.is_notified(ticket)) {
    stay.take_out(*attempt.waiter, TicketState::Granted);
    return Outcome::Taken;
  }
  switch (attempt.or_else) {
    case OrElse::Leave:
      return state == TicketState::Granted ? Outcome::Taken : Outcome::Pending;
    case OrElse::Queue:  // of a ticket that was told already: a new wait
      ticket.role = kWaits;
      stay.enqueue(*attempt.waiter, attempt.mode);
      return Outcome::Pending;
    case OrElse::Cancel:
      break;
  }
  stay.leave_queue(*attempt.waiter);
  return state == TicketState::Granted ? Outcome::Taken : Outcome::Cancelled;
}

int32_t notify(Region& region, Seat& home, uint32_t count) {
  NotifyStay stay(region, home);
  if (!stay.entered()) return static_cast<int32_t>(Status::Corrupt);
  return stay.notify(kWaits, count);
}

int32_t ask(Region& region, Seat& home) {
  const NotifyStay stay(region, home);
  if (!stay.entered()) return static_cast<int32_t>(Status::Corrupt);
  const uint32_t queued = stay.queue.length();
  return answer(queued - std::min(queued, stay.woken()));
}

int64_t pass_on(Region& region, const Seat& at) {
  NotifyStay stay(region, at);
  if (!stay.entered()) return kLapseNs;
  int64_t next_ns = kNeverLapses;
  stay.pass_on(&next_ns);
  return next_ns;
}

bool withdraw(Region& region, const Dead& dead) {
  Seat seat = dead.seat;
  NotifyStay stay(region, seat);
  if (!stay.entered()) return false;
  // What it was notified of goes on, in reap().
  if (is_due(region, dead) && state_of(*seat.ticket) != TicketState::Woken &&
      state_of(*seat.ticket) != TicketState::Granted) {
    stay.leave_queue(seat);
  }
  return true;
}

bool reap(Region& region, const Dead& dead) {
  Seat seat = dead.seat;
  NotifyStay stay(region, seat);
  if (!stay.entered()) return false;
  if (!is_due(region, dead)) return true;
  const TicketState state = state_of(*seat.ticket);
  // First the next one, then its own: who dies in between wakes one too many, which a waiter must bear anyway.
  if (state == TicketState::Woken || state == TicketState::Granted) stay.hand_on(*seat.ticket);
  HOLDFAST_POINT("condition.passed-on");
  stay.leave_queue(seat);
  stay.retire(seat);
  stay.look_after_woken();
  return true;
}

Status unlink(Region& region, Seat& home) {
  NotifyStay stay(region, home);
  if (!stay.entered()) return Status::Corrupt;
  stay.unlink();
  return Status::Ok;
}

}  // namespace holdfast::condition
