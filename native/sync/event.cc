#include "sync/event.h"

#include "posix/fault.h"
#include "sync/lock_word.h"
#include "wait/stay.h"

namespace holdfast::event {
namespace {

class EventStay : public Stay {
 public:
  EventStay(Region& region, const Seat& seat) : Stay(region, seat) {
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
  if (!stay.entered() || !stay.has(*attempt.waiter)) return Outcome::Corrupt;
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
  if (!stay.entered()) return static_cast<int32_t>(Status::Corrupt);
  stay.object.word.fetch_or(kSet, std::memory_order_acq_rel);
  HOLDFAST_POINT("event.set");
  return stay.wake_all();
}

Status clear(Region& region, Seat& home) {
  const EventStay stay(region, home);
  if (!stay.entered()) return Status::Corrupt;
  stay.object.word.fetch_and(~kSet, std::memory_order_acq_rel);
  return Status::Ok;
}

int32_t ask(Region& region, Seat& home) {
  const EventStay stay(region, home);
  if (!stay.entered()) return static_cast<int32_t>(Status::Corrupt);
  return answer(stay.queue.length());
}

bool withdraw(Region& region, const Dead& dead) {
  Seat seat = dead.seat;
  EventStay stay(region, seat);
  if (!stay.entered()) return false;
  if (is_due(region, dead)) stay.leave_queue(seat);
  return true;
}

bool reap(Region& region, const Dead& dead) {
  Seat seat = dead.seat;
  EventStay stay(region, seat);
  if (!stay.entered()) return false;
  if (!is_due(region, dead)) return true;
  stay.leave_queue(seat);
  stay.retire(seat);
  return true;
}

Status unlink(Region& region, Seat& home) {
  EventStay stay(region, home);
  if (!stay.entered()) return Status::Corrupt;
  stay.unlink();
  return Status::Ok;
}

}  // namespace holdfast::event
