#include "sync/barrier.h"

#include "posix/fault.h"
#include "sync/lock_word.h"
#include "wait/reaper.h"
#include "wait/stay.h"

namespace holdfast::barrier {
namespace {

constexpr uint32_t kUnmarked = 0;

constexpr uint32_t code_of(uint32_t index) {
  return static_cast<uint32_t>(Outcome::FirstIndex) + index;
}

class BarrierStay : public Stay {
 public:
  BarrierStay(Region& region, const Seat& seat)
      : Stay(region, seat), parties_(seat.parameters.first) {
    const bool is_no_phase = read_once(object.barrier.phase) != static_cast<uint32_t>(phase());
    if (needs_repair() || (is_inside() && is_no_phase)) repair();
  }
  ~BarrierStay() {
    if (is_damaged()) repair();
  }

  [[nodiscard]] uint32_t parties() const { return parties_; }
  [[nodiscard]] Phase phase() const {
    const uint32_t phase = read_once(object.barrier.phase);
    // What cannot be is a round that nobody knows any more.
    return phase <= static_cast<uint32_t>(Phase::Broken) ? static_cast<Phase>(phase)
                                                         : Phase::Broken;
  }
  // Commits what was stored before.
  void enter(Phase phase) {
    in_this_order();
    object.barrier.phase = static_cast<uint32_t>(phase);
    in_this_order();
  }
  // How many are in.
  [[nodiscard]] uint32_t queued() {
    const uint32_t length = queue.length();
    if (!is_damaged()) return length;
    rebuild();
    return queue.length();
  }
  // False: there is none. Marks the round, then lets it go. The store of Draining commits it; until then the runner's mark stands, so that
  // its death breaks the barrier.
  bool release_round(TicketRecord& runner) {
    if (queued() + 1 < parties()) return false;  // damage, and whom it lacks nobody knows
    uint32_t index = 0;
    queue.walk([&](TicketRecord& ticket) {
      if (index + 1 >= parties()) return false;
      ticket.units = code_of(index++);
      return true;
    });
    HOLDFAST_POINT("barrier.marked");
    enter(Phase::Draining);
    HOLDFAST_POINT("barrier.draining");
    runner.held = 0;
    drain();
    return true;
  }

  void break_all() {
    enter(Phase::Broken);
    HOLDFAST_POINT("barrier.broken");
    queue.walk([this](TicketRecord& ticket) {
      ticket.units = static_cast<uint32_t>(Outcome::Broken);
      grant(ticket);
      return true;
    });
  }

  // What a party of a round that is over was told.
  [[nodiscard]] Outcome outcome_of(const TicketRecord& ticket) const {
    const uint32_t told = read_once(ticket.units);
    const bool has_index = told >= code_of(0) && told - code_of(0) < parties();
    return has_index || told == static_cast<uint32_t>(Outcome::Broken) ? static_cast<Outcome>(told)
                                                                       : Outcome::Corrupt;
  }

  // No runner of before releases a round of after.
  void forget_runners() {
    for_each_ticket([](TicketRecord& ticket) { ticket.held = 0; });
  }

  // A full round is queued (it came while the action of the last one ran): the first of its parties that comes is the
  // runner.
  [[nodiscard]] bool is_of_a_full_round(const TicketRecord& ticket) {
    bool is_of_it = false;
    uint32_t queued = 0;
    queue.walk([&](const TicketRecord& party) {
      is_of_it = is_of_it || &party == &ticket;
      return ++queued < parties();
    });
    return is_of_it && queued == parties();
  }
  void tell_full_round() {
    uint32_t queued = 0;
    const auto up_to_a_round = [&](TicketRecord&) { return ++queued < parties(); };
    queue.walk(up_to_a_round);
    if (queued < parties()) return;
    const int64_t now = monotonic_ns();
    queue.walk([&](TicketRecord& party) {
      wake(party, now);
      HOLDFAST_POINT("barrier.told");
      return --queued > 0;
    });
  }

 private:
  void drain() {
    queue.walk([this](TicketRecord& ticket) {
      if (ticket.units == kUnmarked) return false;
      grant(ticket);
      HOLDFAST_POINT("barrier.granted");
      return true;
    });
    // The repair goes on from here.
    if (is_damaged()) return;
    enter(Phase::Filling);
    tell_full_round();
  }

  void repair() {
    rebuild();
    switch (phase()) {
      case Phase::Draining:
        forget_runners();
        drain();
        break;
      case Phase::Broken:
        break_all();
        break;
      case Phase::Filling:  // who was about to run is dead, and had not begun
        forget_runners();
        unmark_all();
        tell_full_round();
        break;
      case Phase::Acting:
        unmark_all();
        repair_runner();
        break;
    }
    if (unlinked()) end_all_waits();
    ring_all_on_leaving();
  }

  // Marks that were not committed go.
  void unmark_all() {
    for_each_ticket([](TicketRecord& ticket) {
      if (WaitQueue::is_queued(ticket) && ticket.held == 0) ticket.units = kUnmarked;
    });
  }

  // A round without a runner could never end.
  void repair_runner() {
    bool any = false;
    for_each_ticket([&](const TicketRecord& ticket) { any = any || ticket.held != 0; });
    if (!any) break_all();
  }

  const uint32_t parties_;
};

}  // namespace

Outcome attempt(Region& region, const Attempt& attempt) {
  BarrierStay stay(region, *attempt.waiter);
  if (!stay.entered() || !stay.has(*attempt.waiter)) return Outcome::Corrupt;
  TicketRecord& ticket = *attempt.waiter->ticket;
  const TicketState state = state_of(ticket);
  if (state == TicketState::Granted) {
    set_state(ticket, TicketState::None);
    return stay.outcome_of(ticket);
  }
  if (state == TicketState::Gone || stay.unlinked()) {
    stay.leave_queue(*attempt.waiter);
    return Outcome::Unlinked;
  }
  if (WaitQueue::is_queued(ticket)) {
    if (stay.phase() == Phase::Filling && stay.is_of_a_full_round(ticket)) {
      ticket.held = 1;
      HOLDFAST_POINT("barrier.full");
      stay.enter(Phase::Acting);
      HOLDFAST_POINT("barrier.acting");
      stay.leave_queue(*attempt.waiter);
      return Outcome::RunAction;
    }
    if (attempt.or_else != OrElse::Cancel) {
      stay.enqueue(*attempt.waiter, attempt.mode);
      return Outcome::Pending;
    }
    // First the others and itself: were it out of the queue first, its death here would go unnoticed.
    stay.break_all();
    HOLDFAST_POINT("barrier.left");
    set_state(ticket, TicketState::None);
    return Outcome::Cancelled;
  }
  if (attempt.or_else == OrElse::Cancel) return Outcome::Cancelled;  // it is not in
  if (stay.phase() == Phase::Broken) return Outcome::Broken;
  if (stay.phase() == Phase::Filling && stay.queued() + 1 == stay.parties()) {
    ticket.held = 1;
    HOLDFAST_POINT("barrier.full");
    stay.enter(Phase::Acting);
    return Outcome::RunAction;
  }
  if (attempt.or_else == OrElse::Leave) return Outcome::Pending;
  ticket.units = kUnmarked;
  ticket.held = 0;
  stay.enqueue(*attempt.waiter, attempt.mode);
  return Outcome::Pending;
}

Outcome finish(Region& region, Seat& runner, bool done) {
  BarrierStay stay(region, runner);
  if (!stay.entered() || !stay.has(runner)) return Outcome::Corrupt;
  const bool runs = runner.ticket->held != 0 && stay.phase() == Phase::Acting;
  if (runs && done) {
    HOLDFAST_POINT("barrier.acted");
    if (stay.release_round(*runner.ticket)) {
      return static_cast<Outcome>(code_of(stay.parties() - 1));
    }
  }
  if (runs) stay.break_all();
  runner.ticket->held = 0;
  return Outcome::Broken;
}

Status abort(Region& region, Seat& home) {
  BarrierStay stay(region, home);
  if (!stay.entered()) return Status::Corrupt;
  stay.break_all();
  return Status::Ok;
}

Status reset(Region& region, Seat& home) {
  BarrierStay stay(region, home);
  if (!stay.entered()) return Status::Corrupt;
  // Broken first: who dies in between leaves no round that nobody runs.
  stay.break_all();
  stay.forget_runners();
  HOLDFAST_POINT("barrier.resetting");
  stay.enter(Phase::Filling);
  return Status::Ok;
}

int32_t ask(Region& region, Seat& home, Question question) {
  BarrierStay stay(region, home);
  if (!stay.entered()) return static_cast<int32_t>(Status::Corrupt);
  if (question == Question::State) return stay.phase() == Phase::Broken ? 1 : 0;
  const uint32_t queued = stay.queued();
  const bool acting = stay.phase() == Phase::Acting;
  return answer(acting || queued > stay.parties() ? stay.parties() : queued);
}

bool reap(Region& region, const Dead& dead) {
  Seat seat = dead.seat;
  BarrierStay stay(region, seat);
  if (!stay.entered()) return false;
  if (!is_due(region, dead)) return true;
  const bool waited = WaitQueue::is_queued(*seat.ticket);
  const bool ran = seat.ticket->held != 0 && stay.phase() == Phase::Acting;
  // First the others: who dies in between does it again.
  if (waited || ran) stay.break_all();
  HOLDFAST_POINT("barrier.reaped");
  stay.leave_queue(seat);
  seat.ticket->held = 0;
  stay.retire(seat);
  return true;
}

Status unlink(Region& region, Seat& home) {
  BarrierStay stay(region, home);
  if (!stay.entered()) return Status::Corrupt;
  stay.unlink();
  return Status::Ok;
}

}  // namespace holdfast::barrier
