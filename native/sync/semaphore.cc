#include "sync/semaphore.h"

#include "posix/fault.h"
#include "sync/lock_word.h"
#include "wait/stay.h"

namespace holdfast::semaphore {
namespace {

class SemaphoreStay : public Stay {
 public:
  SemaphoreStay(Region& region, const Seat& seat)
      : Stay(region, seat), permits_(seat.parameters.first), owned_(seat.parameters.second != 0) {
    sums_ = &object.semaphore.sums;
    if (needs_repair() || has_too_many()) repair();
  }
  ~SemaphoreStay() {
    if (is_damaged() || has_too_many()) repair();
  }

  [[nodiscard]] SemaphoreState& state() { return object.semaphore; }
  [[nodiscard]] uint32_t permits() const { return permits_; }
  [[nodiscard]] bool owned() const { return owned_; }

  // A newcomer stands behind all.
  [[nodiscard]] bool newcomer_may_take(uint32_t units) {
    return state().sums.to_come + units <= state().free;
  }
  // Of one that is Waiting or Woken.
  [[nodiscard]] bool may_take(const TicketRecord& queued) {
    const TicketRecord* waiting = region_.ticket(object.first_waiting);
    const bool told_first =
        state_of(queued) == TicketState::Woken && (waiting == nullptr || waiting->seq > queued.seq);
    if (told_first && state().sums.woken <= state().free) return true;
    uint64_t wanted = queued.units;
    queue.walk([&](const TicketRecord& before) {
      if (&before == &queued || wanted > state().free) return false;
      if (state_of(before) != TicketState::Passed) wanted += before.units;
      return true;
    });
    return wanted <= state().free;
  }

  void tell_next() {
    if (!anybody_waits()) return;  // no look at the clock for nobody
    const int64_t now = monotonic_ns();
    while (TicketRecord* next = next_to_tell()) {
      if (state().sums.woken + next->units > state().free) return;
      wake(*next, now);
      HOLDFAST_POINT("semaphore.told");
    }
  }

  // Who was told too long ago keeps its place, and others are told. True: that has changed something.
  bool pass_on(int64_t* next_ns) {
    if (!lapse(monotonic_ns(), next_ns)) return false;
    tell_next();
    return true;
  }
  // The same, by an agent that looks: it runs, and is not passed over, though it may have been late itself.
  bool pass_on(AgentSlot looks) {
    int64_t next_ns = 0;
    if (!any_woken() || !lapse(monotonic_ns(), &next_ns, kLongLapsedNs)) return false;
    bring_back(looks);
    tell_next();
    return true;
  }

  // Free, and not kept for somebody who was told.
  [[nodiscard]] uint32_t to_be_had() {
    const uint64_t kept = state().sums.woken;
    return kept < state().free ? state().free - static_cast<uint32_t>(kept) : 0;
  }

 private:
  // More permits than there are, but for damage.
  [[nodiscard]] bool has_too_many() {
    return is_inside() && state().free > (owned() ? permits() : kMaxPermits);
  }

  void repair() {
    rebuild();
    if (owned()) count_anew();
    if (has_too_many()) state().free = kMaxPermits;
    if (unlinked()) end_all_waits();
    tell_next();
    ring_all_on_leaving();
  }

  void count_anew() {
    uint64_t out = 0;
    for_each_ticket([&](const TicketRecord& ticket) { out += ticket.held; });
    state().free = out < permits() ? permits() - static_cast<uint32_t>(out) : 0;
  }

  const uint32_t permits_;
  const bool owned_;
};

}  // namespace

Outcome attempt(Region& region, const Attempt& attempt) {
  SemaphoreStay stay(region, *attempt.waiter);
  if (!stay.entered() || !stay.has(*attempt.waiter) || !stay.has(*attempt.home))
    return Outcome::Corrupt;
  TicketRecord& ticket = *attempt.waiter->ticket;
  if (state_of(ticket) == TicketState::Gone || stay.unlinked()) {
    stay.leave_queue(*attempt.waiter);
    return Outcome::Unlinked;
  }
  const bool comes_back = state_of(ticket) == TicketState::Passed;
  if (comes_back) stay.bring_back(attempt.waiter->agent);
  const bool queued = WaitQueue::is_queued(ticket);
  if (!queued) ticket.units = attempt.units;
  const auto may_take = [&] {
    return queued ? stay.may_take(ticket) : stay.newcomer_may_take(attempt.units);
  };
  // Whoever looks passes on what has lapsed: the process that told it, whose keeper would, may be gone.
  if (may_take() || (stay.pass_on(attempt.waiter->agent) && may_take())) {
    // Held first: who dies in between is inside, and the repair counts anew.
    if (stay.owned()) attempt.home->ticket->held += ticket.units;
    HOLDFAST_POINT("semaphore.taking");
    stay.take_off(stay.state().free, ticket.units);
    HOLDFAST_POINT("semaphore.taken");
    stay.leave_queue(*attempt.waiter);
    if (comes_back) stay.tell_next();  // its agent's other waits may be next
    return Outcome::Taken;
  }
  switch (attempt.or_else) {
    case OrElse::Leave:
      return Outcome::Pending;
    case OrElse::Queue:
      stay.enqueue(*attempt.waiter, attempt.mode);
      // It was told, and yields to one before it: what it would have taken may be for that one or another.
      stay.tell_next();
      return Outcome::Pending;
    case OrElse::Cancel:
      break;
  }
  stay.leave_queue(*attempt.waiter);
  stay.tell_next();  // it may have held up smaller ones
  return Outcome::Cancelled;
}

Status release(Region& region, Seat& home, uint32_t units) {
  SemaphoreStay stay(region, home);
  if (!stay.entered() || !stay.has(home)) return Status::Corrupt;
  if (stay.owned()) {
    if (home.ticket->held < units) return Status::NotOwner;
    home.ticket->held -= units;
    HOLDFAST_POINT("semaphore.returned");
  } else if (units > kMaxPermits - stay.state().free) {
    return Status::Full;
  }
  stay.state().free += units;
  stay.tell_next();
  return Status::Ok;
}

int32_t ask(Region& region, Seat& home, Question question) {
  SemaphoreStay stay(region, home);
  if (!stay.entered()) return static_cast<int32_t>(Status::Corrupt);
  return answer(question == Question::Value ? stay.to_be_had() : stay.queue.length());
}

int64_t pass_on(Region& region, const Seat& at) {
  SemaphoreStay stay(region, at);
  if (!stay.entered()) return kLapseNs;
  int64_t next_ns = kNeverLapses;
  return stay.pass_on(&next_ns) ? kLapseNs : next_ns;
}

bool withdraw(Region& region, const Dead& dead) {
  Seat seat = dead.seat;
  SemaphoreStay stay(region, seat);
  if (!stay.entered()) return false;
  if (is_due(region, dead)) stay.leave_queue(seat);
  return true;
}

bool reap(Region& region, const Dead& dead) {
  Seat seat = dead.seat;
  SemaphoreStay stay(region, seat);
  if (!stay.entered()) return false;
  if (!is_due(region, dead)) return true;
  stay.leave_queue(seat);
  if (stay.owned()) {
    const uint32_t held = seat.ticket->held;
    seat.ticket->held = 0;
    HOLDFAST_POINT("semaphore.reaped");
    stay.state().free += held;
  }
  seat.ticket->held = 0;
  stay.retire(seat);
  stay.tell_next();
  stay.look_after_woken();
  return true;
}

Status unlink(Region& region, Seat& home) {
  SemaphoreStay stay(region, home);
  if (!stay.entered()) return Status::Corrupt;
  if (stay.owned() && stay.state().free < stay.permits()) return Status::InUse;
  stay.unlink();
  return Status::Ok;
}

}  // namespace holdfast::semaphore
