#include "sync/rwlock.h"

#include "posix/fault.h"
#include "sync/lock_word.h"
#include "wait/reaper.h"
#include "wait/stay.h"

namespace holdfast::rwlock {
namespace {

constexpr uint32_t kWriting = 0x80000000;  // in `held`; the other bits count shares
constexpr uint32_t kShares = ~kWriting;

class RWLockStay : public Stay {
 public:
  RWLockStay(Region& region, Seat& seat) : Stay(region, seat.object_index, *seat.object) {
    if (needs_repair()) repair();
  }

  [[nodiscard]] RWLockState& state() { return object.rwlock; }
  [[nodiscard]] TicketRecord* queued_upgrade() {
    return queue.find([](const TicketRecord& ticket) { return ticket.role == kUpgrade; });
  }

  // The agent's last share is what its upgrade gives: it is no longer there to be released.
  [[nodiscard]] bool last_share_is_given(AgentSlot agent, uint32_t held) {
    if ((held & kShares) != 1) return false;
    if (state().readers == 0) return true;  // granted, and not taken note of yet
    const TicketRecord* upgrade = queued_upgrade();
    return upgrade != nullptr && upgrade->agent.load(std::memory_order_relaxed) == agent;
  }

  [[nodiscard]] bool free_for(uint32_t role) {
    if (state().writer != 0) return false;
    if (role == kUpgrade) return state().readers == 1;
    return queue.empty() && (role == kRead || state().readers == 0);
  }

  // Before the ticket or the home seat says so, or after: it is an index.
  void count_in(uint32_t role, AgentSlot agent) {
    if (role == kRead) {
      ++state().readers;
    } else {
      if (role == kUpgrade) --state().readers;
      state().writer = agent;
    }
  }

  void let_in() {
    if (state().writer != 0) return;
    if (TicketRecord* upgrade = queued_upgrade()) {
      // It waits for the other readers to leave; nobody new may come meanwhile.
      if (free_for(kUpgrade)) admit(*upgrade);
      return;
    }
    while (TicketRecord* head = queue.head()) {
      if (head->role != kRead && state().readers != 0) return;
      admit(*head);
      if (state().writer != 0) return;
    }
  }

  void count_anew() {
    uint32_t readers = 0;
    uint32_t upgraded = 0;
    state().writer = 0;
    for_each_ticket([&](const TicketRecord& ticket) {
      const AgentSlot agent = ticket.agent.load(std::memory_order_relaxed);
      readers += ticket.held & kShares;
      if ((ticket.held & kWriting) != 0) state().writer = agent;
      if (state_of(ticket) != TicketState::Granted) return;
      if (ticket.role == kRead) ++readers;
      if (ticket.role != kRead) state().writer = agent;
      if (ticket.role == kUpgrade) ++upgraded;
    });
    state().readers = readers > upgraded ? readers - upgraded : 0;
  }

 private:
  void admit(TicketRecord& ticket) {
    count_in(ticket.role, ticket.agent.load(std::memory_order_relaxed));
    HOLDFAST_POINT("rwlock.counted");
    grant(ticket);
  }

  void repair() {
    queue.rebuild();
    count_anew();
    if (unlinked()) end_all_waits();
    let_in();
    ring_all_on_leaving();
  }
};

// What was granted or taken goes to the home seat.
void note_held(TicketRecord& home, uint32_t role) {
  switch (role) {
    case kRead:
      ++home.held;
      break;
    case kUpgrade:
      home.held = (home.held - 1) | kWriting;
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
  TicketRecord& ticket = *attempt.waiter->ticket;
  TicketRecord& home = *attempt.home->ticket;
  const TicketState state = state_of(ticket);
  if (state == TicketState::Granted) {
    // Both tickets are this agent's: who dies in between is reaped as a whole.
    note_held(home, ticket.role);
    HOLDFAST_POINT("rwlock.noted");
    set_state(ticket, TicketState::None);
    return tell(stay, ticket.role);
  }
  if (state == TicketState::Gone || stay.unlinked()) {
    stay.leave_queue(*attempt.waiter);
    return Outcome::Unlinked;
  }
  if (!WaitQueue::is_queued(ticket)) {
    ticket.role = attempt.role;
    if (attempt.role == kUpgrade) {
      if ((home.held & kShares) == 0) return Outcome::Misuse;
      if (stay.queued_upgrade() != nullptr) return Outcome::Deadlock;
    }
    if (stay.free_for(attempt.role)) {
      stay.count_in(attempt.role, attempt.home->agent);
      HOLDFAST_POINT("rwlock.taking");
      note_held(home, attempt.role);
      return tell(stay, attempt.role);
    }
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
  stay.let_in();  // it may have held up those behind it
  return Outcome::Cancelled;
}

Status release(Region& region, Seat& home, uint32_t role, Release how) {
  RWLockStay stay(region, home);
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
    --stay.state().readers;
  }
  stay.let_in();
  return Status::Ok;
}

Status downgrade(Region& region, Seat& home, Release how) {
  RWLockStay stay(region, home);
  uint32_t& held = home.ticket->held;
  if ((held & kWriting) == 0) return Status::NotOwner;
  if (how == Release::Untold) stay.state().abandoned = 1;
  in_this_order();
  held = (held & kShares) + 1;
  HOLDFAST_POINT("rwlock.downgraded");
  stay.state().writer = 0;
  ++stay.state().readers;
  stay.let_in();
  return Status::Ok;
}

int32_t ask(Region& region, Seat& home, Question question) {
  RWLockStay stay(region, home);
  if (question == Question::Value) return static_cast<int32_t>(stay.state().readers);
  if (question == Question::State) return stay.state().writer != 0 ? 1 : 0;
  return static_cast<int32_t>(stay.queue.length());
}

void withdraw(Region& region, const Dead& dead) {
  Seat seat = dead.seat;
  RWLockStay stay(region, seat);
  if (is_due(region, dead) && WaitQueue::is_queued(*seat.ticket)) stay.leave_queue(seat);
}

void reap(Region& region, const Dead& dead) {
  Seat seat = dead.seat;
  RWLockStay stay(region, seat);
  if (!is_due(region, dead)) return;
  TicketRecord& ticket = *seat.ticket;
  const bool granted = state_of(ticket) == TicketState::Granted;
  const bool granted_write = granted && ticket.role != kRead;
  const bool had_any =
      granted || ticket.held != 0;  // an idle seat that is closed has not: spare the count
  // First the mark, then the hold: who dies in between marks it again.
  if ((ticket.held & kWriting) != 0 || granted_write) stay.state().abandoned = 1;
  HOLDFAST_POINT("rwlock.reaping");
  stay.leave_queue(seat);
  ticket.held = 0;
  stay.retire(seat);
  if (had_any) stay.count_anew();
  stay.let_in();
}

Status unlink(Region& region, Seat& home) {
  RWLockStay stay(region, home);
  if (stay.state().writer != 0 || stay.state().readers != 0) return Status::InUse;
  stay.unlink();
  return Status::Ok;
}

}  // namespace holdfast::rwlock
