#include "sync/rwlock.h"

#include "posix/fault.h"
#include "sync/lock_word.h"
#include "wait/stay.h"

namespace holdfast::rwlock {
namespace {

constexpr uint32_t kWriting = 0x80000000;  // in `held`; the other bits count shares
constexpr uint32_t kShares = ~kWriting;

class RWLockStay : public Stay {
 public:
  RWLockStay(Region& region, const Seat& seat) : Stay(region, seat) {
    sums_ = &object.rwlock.sums;
    if (needs_repair()) repair();
  }
  ~RWLockStay() {
    if (is_damaged()) repair();
  }

  [[nodiscard]] RWLockState& state() { return object.rwlock; }
  [[nodiscard]] TicketRecord* queued_upgrade() {
    const TicketIndex upgrade = read_once(state().upgrade);
    TicketRecord* ticket = upgrade != 0 ? queue.queued(upgrade - 1) : nullptr;
    if (ticket == nullptr || ticket->role == kUpgrade) return ticket;
    queue.damaged();
    return nullptr;
  }

  // The agent's last share is what its upgrade gives: it is no longer there to be released.
  [[nodiscard]] bool last_share_is_given(AgentSlot agent, uint32_t held) {
    const TicketRecord* upgrade = queued_upgrade();
    return (held & kShares) == 1 && upgrade != nullptr &&
           upgrade->agent.load(std::memory_order_relaxed) == agent;
  }

  // Nobody is let in beside an upgrade that is to come.
  [[nodiscard]] bool upgrade_is_to_come() {
    const TicketRecord* upgrade = queued_upgrade();
    return upgrade != nullptr && state_of(*upgrade) != TicketState::Passed;
  }
  [[nodiscard]] bool counts_allow(uint32_t role) {
    if (state().writer != 0) return false;
    if (role == kUpgrade) return state().readers == 1;
    return !upgrade_is_to_come() && (role == kRead || state().readers == 0);
  }
  // A newcomer stands behind all.
  [[nodiscard]] bool newcomer_may_take(uint32_t role) {
    if (!counts_allow(role)) return false;
    if (role == kUpgrade) return true;
    return role == kRead ? state().sums.to_come == 0 : !any_woken() && !anybody_waits();
  }
  [[nodiscard]] bool may_take(const TicketRecord& queued) {
    if (!counts_allow(queued.role)) return false;
    if (queued.role == kUpgrade || (queued.role == kRead && state().sums.to_come == 0)) return true;
    bool may = true;
    queue.walk([&](const TicketRecord& before) {
      if (&before == &queued) return false;
      const bool both_read = queued.role == kRead && before.role == kRead;
      may = both_read || state_of(before) == TicketState::Passed;
      return may;
    });
    return may;
  }

  void take(uint32_t role, AgentSlot agent) {
    if (role == kRead) {
      ++state().readers;
    } else {
      if (role == kUpgrade) take_off(state().readers, 1u);
      state().writer = agent;
    }
  }

  void enqueue(Seat& seat, WaitMode mode) {
    if (seat.ticket->role == kUpgrade) state().upgrade = seat.ticket_index + 1;
    Stay::enqueue(seat, mode);
  }
  void leave_queue(Seat& seat) {
    Stay::leave_queue(seat);
    if (state().upgrade == seat.ticket_index + 1) state().upgrade = 0;
  }

  void tell_next() {
    if (state().writer != 0 || !anybody_waits()) return;  // no look at the clock for nobody
    const int64_t now = monotonic_ns();
    TicketRecord* next = next_to_tell();
    if (upgrade_is_to_come()) {
      // It waits for the other readers to leave; nobody new may come meanwhile.
      TicketRecord* upgrade = queued_upgrade();
      if (state().readers == 1 && state_of(*upgrade) == TicketState::Waiting) tell(*upgrade, now);
      return;
    }
    // Behind a writer that is to come everybody waits; it waits for all that are in, or to come.
    for (; next != nullptr && state().sums.woken == 0; next = next_to_tell()) {
      if (next->role != kRead && (state().readers != 0 || any_woken())) return;
      tell(*next, now);
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

 private:
  void tell(TicketRecord& ticket, int64_t now_ns) {
    wake(ticket, now_ns);
    HOLDFAST_POINT("rwlock.told");
  }

  void repair() {
    rebuild();
    state().upgrade = 0;
    queue.walk([&](const TicketRecord& ticket) {
      if (ticket.role == kUpgrade) state().upgrade = queue.index_of(ticket) + 1;
      return true;
    });
    count_anew();
    if (unlinked()) end_all_waits();
    tell_next();
    ring_all_on_leaving();
  }

  void count_anew() {
    uint32_t readers = 0;
    state().writer = 0;
    for_each_ticket([&](const TicketRecord& ticket) {
      readers += ticket.held & kShares;
      if ((ticket.held & kWriting) != 0) {
        state().writer = ticket.agent.load(std::memory_order_relaxed);
      }
    });
    state().readers = readers;
  }
};

// What is taken is noted at the home seat.
void note_held(TicketRecord& home, uint32_t role) {
  switch (role) {
    case kRead:
      ++home.held;
      break;
    case kUpgrade:
      if ((home.held & kShares) != 0) --home.held;
      home.held |= kWriting;
      break;
    default:
      home.held |= kWriting;
      break;
  }
}

// Readers are told of a dead writer until a writer has been, who can do something about it.
Outcome tell(RWLockStay& stay, uint32_t role) {
  if (role != kRead) stay.object.token += 1;
  if (stay.state().abandoned == 0) return Outcome::Taken;
  if (role != kRead) stay.state().abandoned = 0;
  return Outcome::TakenAbandoned;
}

}  // namespace

Outcome attempt(Region& region, const Attempt& attempt) {
  RWLockStay stay(region, *attempt.waiter);
  if (!stay.entered() || !stay.has(*attempt.waiter) || !stay.has(*attempt.home))
    return Outcome::Corrupt;
  TicketRecord& ticket = *attempt.waiter->ticket;
  TicketRecord& home = *attempt.home->ticket;
  if (state_of(ticket) == TicketState::Gone || stay.unlinked()) {
    stay.leave_queue(*attempt.waiter);
    return Outcome::Unlinked;
  }
  const bool comes_back = state_of(ticket) == TicketState::Passed;
  if (comes_back) stay.bring_back(attempt.waiter->agent);
  const bool queued = WaitQueue::is_queued(ticket);
  if (!queued) {
    ticket.role = attempt.role;
    ticket.units = attempt.role == kWrite ? 1 : 0;  // counted: writers that are to come
    if (attempt.role == kUpgrade) {
      if ((home.held & kShares) == 0) return Outcome::Misuse;
      if (stay.queued_upgrade() != nullptr) return Outcome::Deadlock;
    }
  }
  const auto may_take = [&] {
    return queued ? stay.may_take(ticket) : stay.newcomer_may_take(ticket.role);
  };
  // Whoever looks passes on what has lapsed: the process that told it, whose keeper would, may be gone.
  if (may_take() || (stay.pass_on(attempt.waiter->agent) && may_take())) {
    stay.take(ticket.role, attempt.home->agent);
    HOLDFAST_POINT("rwlock.taking");
    note_held(home, ticket.role);
    HOLDFAST_POINT("rwlock.taken");
    stay.leave_queue(*attempt.waiter);
    if (comes_back) stay.tell_next();  // its agent's other waits may be next
    return tell(stay, ticket.role);
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
  stay.tell_next();  // it may have held up those behind it
  return Outcome::Cancelled;
}

Status release(Region& region, Seat& home, uint32_t role, Release how) {
  RWLockStay stay(region, home);
  if (!stay.entered() || !stay.has(home)) return Status::Corrupt;
  uint32_t& held = home.ticket->held;
  if (role == kWrite) {
    if ((held & kWriting) == 0) return Status::NotOwner;
    if (how == Release::Untold) stay.state().abandoned = 1;
    in_this_order();
    held &= ~kWriting;
    HOLDFAST_POINT("rwlock.returned");
    stay.state().writer = 0;
  } else {
    if ((held & kShares) == 0 || stay.last_share_is_given(home.agent, held)) {
      return Status::NotOwner;
    }
    --held;
    HOLDFAST_POINT("rwlock.returned");
    stay.take_off(stay.state().readers, 1u);
  }
  stay.tell_next();
  return Status::Ok;
}

Status downgrade(Region& region, Seat& home, Release how) {
  RWLockStay stay(region, home);
  if (!stay.entered() || !stay.has(home)) return Status::Corrupt;
  uint32_t& held = home.ticket->held;
  if ((held & kWriting) == 0) return Status::NotOwner;
  if (how == Release::Untold) stay.state().abandoned = 1;
  in_this_order();
  held = (held & kShares) + 1;
  HOLDFAST_POINT("rwlock.downgraded");
  stay.state().writer = 0;
  ++stay.state().readers;
  stay.tell_next();
  return Status::Ok;
}

int32_t ask(Region& region, Seat& home, Question question) {
  RWLockStay stay(region, home);
  if (!stay.entered()) return static_cast<int32_t>(Status::Corrupt);
  if (question == Question::Value) return answer(stay.state().readers);
  if (question == Question::State) return stay.state().writer != 0 ? 1 : 0;
  return answer(stay.queue.length());
}

int64_t pass_on(Region& region, const Seat& at) {
  RWLockStay stay(region, at);
  if (!stay.entered()) return kLapseNs;
  int64_t next_ns = kNeverLapses;
  return stay.pass_on(&next_ns) ? kLapseNs : next_ns;
}

bool withdraw(Region& region, const Dead& dead) {
  Seat seat = dead.seat;
  RWLockStay stay(region, seat);
  if (!stay.entered()) return false;
  if (is_due(region, dead)) stay.leave_queue(seat);
  return true;
}

bool reap(Region& region, const Dead& dead) {
  Seat seat = dead.seat;
  RWLockStay stay(region, seat);
  if (!stay.entered()) return false;
  if (!is_due(region, dead)) return true;
  stay.leave_queue(seat);
  const uint32_t held = seat.ticket->held;
  // First the mark, then the hold: who dies in between marks it again.
  if ((held & kWriting) != 0) stay.state().abandoned = 1;
  HOLDFAST_POINT("rwlock.reaping");
  seat.ticket->held = 0;
  HOLDFAST_POINT("rwlock.reaped");
  if ((held & kWriting) != 0) stay.state().writer = 0;
  stay.take_off(stay.state().readers, held & kShares);
  stay.retire(seat);
  stay.tell_next();
  stay.look_after_woken();
  return true;
}

Status unlink(Region& region, Seat& home) {
  RWLockStay stay(region, home);
  if (!stay.entered()) return Status::Corrupt;
  if (stay.state().writer != 0 || stay.state().readers != 0) return Status::InUse;
  stay.unlink();
  return Status::Ok;
}

}  // namespace holdfast::rwlock
