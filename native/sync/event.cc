#include "sync/event.h"

#include "posix/fault.h"
#include "sync/lock_word.h"
#include "wait/stay.h"

namespace holdfast::event {
namespace {

class EventStay : public Stay {
 public:
  EventStay(Region& region, Seat& seat) : Stay(region, seat.object_index, *seat.object) {
    if (needs_repair()) repair();
  }
  ~EventStay() {
    if (is_damaged()) repair();
  }

  [[nodiscard]] uint32_t word() const { return object.word.load(std::memory_order_acquire); }

  int32_t wake_all() {
    int32_t woken = 0;
    queue.walk([&](TicketRecord& ticket) {
      grant(ticket);
      ++woken;
      return true;
    });
    return woken;
  }

 private:
  void repair() {
    rebuild();
    if ((word() & kSet) != 0) wake_all();
    if (lock_word::is_unlinked(word())) end_all_waits();
    ring_all_on_leaving();
  }
};

}  // namespace

Outcome attempt(Region& region, const Attempt& attempt) {
  EventStay stay(region, *attempt.waiter);
  TicketRecord& ticket = *attempt.waiter->ticket;
  const TicketState state = state_of(ticket);
  if (state == TicketState::Granted) {
    set_state(ticket, TicketState::None);
    return Outcome::Taken;
  }
  if (state == TicketState::Gone || lock_word::is_unlinked(stay.word())) {
    stay.leave_queue(*attempt.waiter);
    return Outcome::Unlinked;
  }
  if ((stay.word() & kSet) != 0) return Outcome::Taken;
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
  return Outcome::Cancelled;
}

int32_t set(Region& region, Seat& home) {
  EventStay stay(region, home);
  stay.object.word.fetch_or(kSet, std::memory_order_acq_rel);
  HOLDFAST_POINT("event.set");
  return stay.wake_all();
}

void clear(Region& region, Seat& home) {
  const EventStay stay(region, home);
  stay.object.word.fetch_and(~kSet, std::memory_order_acq_rel);
}

int32_t ask(Region& region, Seat& home) {
  const EventStay stay(region, home);
  return static_cast<int32_t>(stay.queue.length());
}

void withdraw(Region& region, const Dead& dead) {
  Seat seat = dead.seat;
  EventStay stay(region, seat);
  if (is_due(region, dead)) stay.leave_queue(seat);
}

void reap(Region& region, const Dead& dead) {
  Seat seat = dead.seat;
  EventStay stay(region, seat);
  if (!is_due(region, dead)) return;
  stay.leave_queue(seat);
  stay.retire(seat);
}

Status unlink(Region& region, Seat& home) {
  EventStay stay(region, home);
  stay.unlink();
  return Status::Ok;
}

}  // namespace holdfast::event
