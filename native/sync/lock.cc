#include "sync/lock.h"

#include "posix/fault.h"
#include "posix/spin.h"
#include "sync/lock_word.h"
#include "wait/reaper.h"
#include "wait/stay.h"

namespace holdfast::lock {
namespace {

// After this long a waiter that looks and loses is starving; and no more than one in this long gets its way,
// as an offer to a sleeper leaves the lock idle until it has woken up. As parking_lot's fair unlock.
constexpr int64_t kStarvingAfterNs = 1'000'000;

// A stay inside the lock's guard; once entered, the state is whole.
class LockStay : public Stay {
 public:
  LockStay(Region& region, const Seat& seat) : Stay(region, seat), word(object.word) {
    if (needs_repair()) repair();
  }
  ~LockStay() {
    if (is_damaged()) repair();
  }

  [[nodiscard]] uint32_t load() const { return word.load(std::memory_order_acquire); }

  // Replaces the word by `change(word)`, where `change` may refuse by returning the word as it is.
  // Returns what the word was when the change was made or refused. acq_rel: SYNC POINT: lock-word.
  template <typename Change>
  uint32_t update(Change change) {
    uint32_t seen = load();
    for (;;) {
      const uint32_t wanted = change(seen);
      if (wanted == seen) return seen;
      if (word.compare_exchange_weak(seen, wanted, std::memory_order_acq_rel,
                                     std::memory_order_acquire)) {
        return seen;
      }
    }
  }

  // The first to offer the lock to, one that has waited too long before all others; who is Passed does not run.
  [[nodiscard]] TicketRecord* first_eligible() const {
    const auto eligible = [&](const TicketRecord& ticket) {
      return state_of(ticket) != TicketState::Passed &&
             !is_dying(region_, ticket.agent.load(std::memory_order_relaxed));
    };
    TicketRecord* starved = queue.find(
        [&](const TicketRecord& ticket) { return ticket.starved != 0 && eligible(ticket); });
    return starved != nullptr ? starved : queue.find(eligible);
  }
  // I3: a release need wake nobody.
  [[nodiscard]] bool wakes_nobody() const {
    return any_woken() || (!queue.empty() && !anybody_waits());
  }

  // Whether the free lock is kept for another than this ticket. Who is Passed was chosen before, and runs now.
  [[nodiscard]] bool is_kept_from(const Seat& seat) const {
    return (load() & lock_word::kOffered) != 0 && object.lock.offered != seat.ticket_index &&
           state_of(*seat.ticket) != TicketState::Passed;
  }

  // I6: the lock stands free and somebody waits, so somebody must be on the way.
  void fix() {
    if (lock_word::owner(load()) != 0 || any_woken()) return;
    TicketRecord* next = next_to_tell();
    if (next == nullptr) return;
    wake(*next, monotonic_ns());
    HOLDFAST_POINT("fix.chosen");
    update([](uint32_t w) { return w | lock_word::kWoken; });
  }

  // WAITERS, WOKEN and OFFERED as the tickets say.
  void restore_flags() {
    const bool waiters = !queue.empty();
    const bool woken = wakes_nobody();
    const TicketRecord* offered = region_.ticket(object.lock.offered);
    const bool offer_stands = any_woken() && offered != nullptr &&
                              state_of(*offered) == TicketState::Woken &&
                              offered->object.load(std::memory_order_relaxed) == index_;
    update([=](uint32_t w) {
      w = lock_word::with(w, lock_word::kWaiters, waiters);
      w = lock_word::with(w, lock_word::kWoken, woken);
      return offer_stands ? w : w & ~lock_word::kOffered;
    });
  }

  // pass: who was told too long ago keeps its place, and the next one is told. True: that has changed something.
  bool pass_on(int64_t* next_ns, int64_t at_least_ns = 0) {
    if (!lapse(monotonic_ns(), next_ns, at_least_ns)) return false;
    restore_flags();
    fix();
    return true;
  }
  bool pass_on() {
    int64_t next_ns = 0;
    return any_woken() && pass_on(&next_ns, kLongLapsedNs);
  }

  std::atomic<uint32_t>& word;

 private:
  // Somebody died in here: tickets and owner are the truth, list and flags follow.
  void repair() {
    rebuild();
    const AgentSlot owner = lock_word::owner(load());
    TicketRecord* ticket = queue.find([=](const TicketRecord& queued) {
      return owner != 0 && queued.agent.load(std::memory_order_relaxed) == owner;
    });
    if (ticket != nullptr) {
      // It took the lock and died before it left the queue: its reaper releases it again.
      const TicketIndex ticket_index = queue.index_of(*ticket);
      mark(*ticket, TicketState::None);
      queue.remove(ticket_index);
    }
    HOLDFAST_POINT("repair.dequeued");
    update([](uint32_t w) { return w & ~(lock_word::kStarving | lock_word::kOffered); });
    if (lock_word::is_unlinked(load())) end_all_waits();
    restore_flags();
    fix();
    ring_all_on_leaving();
  }
};

bool is_only_one_queued(const LockStay& stay, const TicketRecord& ticket) {
  return stay.queue.head() == &ticket && ticket.next == kNone;
}

void stamp_since(ObjectRecord& object) {
  object.held_since_ns.store(monotonic_ns(), std::memory_order_relaxed);
  // The token of the acquisition that is being made: JavaScript counts it up when it has the lock.
  object.held_token.store(object.token + 1, std::memory_order_relaxed);
}

// look.take, of a lock that is not kept for another: false where a running agent took it first, by the fast path.
bool take(LockStay& stay, Seat& seat, bool* abandoned) {
  TicketRecord& ticket = *seat.ticket;
  const bool queued = WaitQueue::is_queued(ticket);
  const bool woken = state_of(ticket) == TicketState::Woken;
  const bool others = queued ? !is_only_one_queued(stay, ticket) : !stay.queue.empty();
  const bool others_woken = stay.woken() > (woken ? 1u : 0u);
  const uint32_t seen = stay.update([&](uint32_t w) {
    if (lock_word::owner(w) != 0) return w;
    w &= ~(lock_word::kAbandoned | lock_word::kStarving | lock_word::kOffered);
    w = lock_word::with(w, lock_word::kWaiters, others);
    w = lock_word::with(w, lock_word::kWoken, others_woken);
    return lock_word::with_owner(w, seat.agent);
  });
  if (lock_word::owner(seen) != 0) return false;
  HOLDFAST_POINT("look.taken");
  *abandoned = (seen & lock_word::kAbandoned) != 0;
  stay.leave_queue(seat);
  HOLDFAST_POINT("look.dequeued");
  stamp_since(*seat.object);
  return true;
}

// look.note, where the lock is held or kept for another: false where it has become free meanwhile.
bool note(LockStay& stay, Seat& seat, WaitMode mode) {
  TicketRecord& ticket = *seat.ticket;
  const bool queued = WaitQueue::is_queued(ticket);
  const bool woken = state_of(ticket) == TicketState::Woken;
  const int64_t now = monotonic_ns();
  // Somebody else's clock may be ahead, in a time namespace of its own: then it is as if long ago.
  const int64_t since_hand_over = now - seat.object->lock.handed_over_ns;
  const bool starving = queued && now - ticket.since_ns > kStarvingAfterNs &&
                        (since_hand_over > kStarvingAfterNs || since_hand_over < 0);
  if (starving) ticket.starved = 1;
  // I am Waiting from now on, so that the next release must wake somebody, unless another is on the way.
  const bool others_woken = stay.woken() > (woken ? 1u : 0u);
  const uint32_t seen = stay.update([&](uint32_t w) {
    const bool held = lock_word::owner(w) != 0;
    if (!held && (w & lock_word::kOffered) == 0) return w;
    w |= lock_word::kWaiters;
    if (held && !others_woken) w &= ~lock_word::kWoken;
    if (held && starving) w |= lock_word::kStarving;
    return w;
  });
  if (lock_word::owner(seen) == 0 && (seen & lock_word::kOffered) == 0) return false;
  HOLDFAST_POINT("look.noted");
  ticket.mode = mode;
  if (queued) {
    stay.mark(ticket, TicketState::Waiting);
  } else {
    stay.enqueue(seat, mode);
  }
  return true;
}

void cancel(LockStay& stay, Seat& seat) {
  stay.leave_queue(seat);
  HOLDFAST_POINT("cancel.unlinked");
  stay.restore_flags();
  // The holder may have left by the fast path, trusting in the wake that was ours.
  stay.fix();
}

// reap.release: free where `agent` owned it, with the mark for the next owner; somebody is on the way.
void abandon(LockStay& stay, AgentSlot agent) {
  stay.update([=](uint32_t w) {
    if (lock_word::owner(w) != agent) return w;
    return (lock_word::with_owner(w, 0) | lock_word::kAbandoned) & ~lock_word::kStarving;
  });
  HOLDFAST_POINT("reap.released");
  stay.restore_flags();
  stay.fix();
}

enum class OrElse : uint8_t { Leave, Queue, Cancel };

Outcome look_or(Region& region, Seat& seat, OrElse or_else, WaitMode mode) {
  // What a dead process held is free for whoever asks, also before any keeper has noticed.
  const AgentSlot owner = lock_word::owner(seat.object->word.load(std::memory_order_relaxed));
  if (is_dying(region, owner)) static_cast<void>(reap_dead_processes(region));
  LockStay stay(region, seat);
  if (!stay.entered() || !stay.has(seat)) return Outcome::Corrupt;
  TicketRecord& ticket = *seat.ticket;
  for (;;) {
    const uint32_t word = stay.load();
    if (state_of(ticket) == TicketState::Gone || lock_word::is_unlinked(word)) {  // look.gone
      stay.leave_queue(seat);
      return Outcome::Unlinked;
    }
    if (lock_word::owner(word) == 0 && !stay.is_kept_from(seat)) {
      bool abandoned = false;
      if (take(stay, seat, &abandoned)) {
        return abandoned ? Outcome::TakenAbandoned : Outcome::Taken;
      }
      continue;
    }
    // Who looks without having been told, or may not have a free lock, passes on what has lapsed long ago: the process
    // that told it, whose keeper would have, may be gone.
    const bool untold = state_of(ticket) == TicketState::Waiting;
    if ((untold || lock_word::owner(word) == 0) && stay.pass_on()) continue;
    switch (or_else) {
      case OrElse::Leave:
        return Outcome::Pending;
      case OrElse::Cancel:
        cancel(stay, seat);
        return Outcome::Cancelled;
      case OrElse::Queue:
        // Its own holder would wait for itself for ever: the caller's mistake, kept from becoming a hang.
        if (lock_word::owner(word) == seat.agent) return Outcome::Misuse;
        if (note(stay, seat, mode)) return Outcome::Pending;
        continue;
    }
  }
}

}  // namespace

Outcome try_acquire(Region& region, Seat& seat) {
  return look_or(region, seat, OrElse::Leave, WaitMode::Sync);
}

Outcome look(Region& region, Seat& seat, WaitMode mode) {
  return look_or(region, seat, OrElse::Queue, mode);
}

Outcome last_look(Region& region, Seat& seat) {
  return look_or(region, seat, OrElse::Cancel, WaitMode::Sync);
}

namespace {

// A holder that runs on another processor is often done before a sleep would have begun.
bool spin_for(ObjectRecord& object, AgentSlot agent) {
  if (!spinning_helps()) return false;
  constexpr uint32_t kInLine = lock_word::kBlocksFastAcquire & ~lock_word::kOwnerMask;
  constexpr int kRounds = 40;
  constexpr int kPausesPerRound = 8;
  for (int round = 0; round < kRounds; ++round) {
    uint32_t word = object.word.load(std::memory_order_relaxed);  // relaxed: the swap decides
    if ((word & lock_word::kBlocksFastAcquire) == 0 &&
        object.word.compare_exchange_strong(word, lock_word::with_owner(word, agent),
                                            std::memory_order_acq_rel, std::memory_order_relaxed)) {
      return true;
    }
    // Somebody is in line already, or will be handed the lock: go and stand behind.
    if ((word & kInLine) != 0) {
      return false;
    }
    for (int i = 0; i < kPausesPerRound; ++i) pause_processor();
  }
  return false;
}

}  // namespace

Outcome acquire_sync(Region& region, Seat& seat, const SyncWait& wait) {
  TicketRecord& ticket = *seat.ticket;
  if (state_of(ticket) == TicketState::None && spin_for(*seat.object, seat.agent)) {
    return Outcome::Taken;
  }
  const Deadline until = Deadline::sooner(wait.deadline, wait.slice);
  for (;;) {
    const Outcome outcome = look(region, seat, WaitMode::Sync);
    if (outcome != Outcome::Pending) return outcome;
    // SYNC POINT: ticket-told. The futex compares and sleeps in one step, so a state that was changed
    // before is seen; acquire, with the release in set_state().
    while (state_of(ticket) == TicketState::Waiting) {
      if (futex_wait(ticket.state, static_cast<uint32_t>(TicketState::Waiting), until) !=
          FutexWake::Look) {
        break;
      }
    }
    if (!wait.may_go_on()) return Outcome::Pending;
    if (wait.deadline.passed()) {
      const Outcome last =
          wait.keep_ticket ? look(region, seat, WaitMode::Async) : last_look(region, seat);
      return last == Outcome::Pending || last == Outcome::Cancelled ? Outcome::TimedOut : last;
    }
    if (wait.slice.passed() && state_of(ticket) == TicketState::Waiting) {
      // The keeper that was to notice a death may be stopped: who waits looks for itself.
      static_cast<void>(reap_dead_processes(region));
      return Outcome::Pending;
    }
  }
}

Status release(Region& region, Seat& seat, Release how) {
  LockStay stay(region, seat);
  if (!stay.entered()) return Status::Corrupt;
  const uint32_t word = stay.load();
  if (lock_word::owner(word) != seat.agent) return Status::NotOwner;
  if (how == Release::Untold) {
    abandon(stay, seat.agent);
    return Status::Ok;
  }
  if (stay.queue.empty()) {  // release.free
    stay.update([](uint32_t) { return 0u; });
    return Status::Ok;
  }
  const bool offers = how == Release::Fair || (word & lock_word::kStarving) != 0;
  TicketRecord* chosen = offers ? stay.first_eligible() : nullptr;
  if (chosen != nullptr) {  // offer: first the ticket, then the word (I8)
    const int64_t now = monotonic_ns();
    seat.object->lock.offered = stay.queue.index_of(*chosen);
    seat.object->lock.handed_over_ns = now;
    stay.wake(*chosen, now);
    HOLDFAST_POINT("offer.chosen");
    stay.update([](uint32_t w) {
      return (lock_word::with_owner(w, 0) | lock_word::kWoken | lock_word::kOffered) &
             ~lock_word::kStarving;
    });
    HOLDFAST_POINT("offer.freed");
    return Status::Ok;
  }
  if ((word & lock_word::kWoken) ==
      0) {  // wake.choose: first the ticket, then WOKEN with the release (I3)
    TicketRecord* next = stay.next_to_tell();
    if (next != nullptr) stay.wake(*next, monotonic_ns());
    HOLDFAST_POINT("wake.chosen");
  }
  stay.update([](uint32_t w) {
    return (lock_word::with_owner(w, 0) | lock_word::kWoken) & ~lock_word::kStarving;
  });
  HOLDFAST_POINT("wake.freed");
  return Status::Ok;
}

int64_t pass_on(Region& region, const Seat& at) {
  LockStay stay(region, at);
  if (!stay.entered()) return kLapseNs;
  int64_t next_ns = kNeverLapses;
  return stay.pass_on(&next_ns) ? kLapseNs : next_ns;
}

bool withdraw(Region& region, const Dead& dead) {
  Seat seat = dead.seat;
  LockStay stay(region, seat);
  if (!stay.entered()) return false;
  if (!is_due(region, dead) || !WaitQueue::is_queued(*seat.ticket)) return true;
  stay.leave_queue(seat);
  // The reaper may be stopped before reap(): no release may trust in the wake that was the dead one's, and nobody
  // may be kept from a lock that was offered to it.
  stay.restore_flags();
  return true;
}

bool reap(Region& region, const Dead& dead) {
  Seat seat = dead.seat;
  LockStay stay(region, seat);
  if (!stay.entered()) return false;
  if (!is_due(region, dead)) return true;
  stay.leave_queue(seat);
  HOLDFAST_POINT("reap.retracted");
  abandon(stay, seat.agent);
  stay.retire(seat);
  stay.look_after_woken();
  return true;
}

Status retire(Region& region, Seat& seat) {
  LockStay stay(region, seat);
  if (!stay.entered()) return Status::Corrupt;
  stay.retire(seat);
  return Status::Ok;
}

Status unlink(Region& region, Seat& seat, AgentSlot* holder) {
  LockStay stay(region, seat);
  if (!stay.entered()) return Status::Corrupt;
  const uint32_t seen =
      stay.update([](uint32_t w) { return lock_word::owner(w) != 0 ? w : lock_word::kUnlinked; });
  if (lock_word::owner(seen) != 0) {
    *holder = lock_word::owner(seen);
    return Status::InUse;
  }
  HOLDFAST_POINT("unlink.marked");
  stay.end_all_waits();
  stay.restore_flags();
  return Status::Ok;
}

Holder holder(Region& region, Seat& seat) {
  ObjectRecord& object = *seat.object;
  const LockStay stay(region, seat);
  const AgentSlot owner = lock_word::owner(object.word.load(std::memory_order_acquire));
  // What is known without the guard, where that is not to be had.
  if (!stay.entered()) return {owner, object.held_since_ns.load(std::memory_order_relaxed)};
  if (owner == 0) return {};
  // relaxed: written by an owner that takes no guard; the value is only compared.
  const double token = std::atomic_ref<double>(object.token).load(std::memory_order_relaxed);
  const double held = object.held_token.load(std::memory_order_relaxed);
  if (held != token && held != token + 1) {  // + 1: taken, and not counted yet
    object.held_since_ns.store(monotonic_ns(), std::memory_order_relaxed);
    object.held_token.store(token, std::memory_order_relaxed);
  }
  return {owner, object.held_since_ns.load(std::memory_order_relaxed)};
}

}  // namespace holdfast::lock
