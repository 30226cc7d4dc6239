#include "sync/attempt.h"

#include "posix/futex.h"
#include "sync/barrier.h"
#include "sync/condition.h"
#include "sync/event.h"
#include "sync/lock.h"
#include "sync/rwlock.h"
#include "sync/semaphore.h"
#include "sync/shared_memory.h"
#include "wait/reaper.h"
#include "wait/stay.h"

namespace holdfast {

namespace {

Outcome attempt_once(Region& region, const Attempt& attempt) {
  switch (attempt.waiter->kind) {
    case Kind::Semaphore:
      return semaphore::attempt(region, attempt);
    case Kind::Event:
      return event::attempt(region, attempt);
    case Kind::Condition:
      return condition::attempt(region, attempt);
    case Kind::Barrier:
      return barrier::attempt(region, attempt);
    case Kind::RWLock:
      return rwlock::attempt(region, attempt);
    case Kind::SharedValue:
    case Kind::SharedArray:
      return shared_memory::attempt(region, attempt);
    default:
      return Outcome::Misuse;
  }
}

}  // namespace

Outcome attempt(Region& region, const Attempt& attempt) {
  const Outcome outcome = attempt_once(region, attempt);
  const Kind kind = attempt.waiter->kind;
  if (outcome != Outcome::Pending || attempt.or_else != OrElse::Leave ||
      (kind != Kind::Semaphore && kind != Kind::RWLock)) {
    return outcome;
  }
  // What a dead process held is free for whoever asks, also before the keepers have noticed.
  static_cast<void>(reap_dead_processes(region));
  return attempt_once(region, attempt);
}

Outcome attempt_sync(Region& region, Attempt attempt, Deadline deadline, Deadline slice,
                     MayGoOn may_go_on) {
  TicketRecord& ticket = *attempt.waiter->ticket;
  attempt.mode = WaitMode::Sync;
  attempt.or_else = OrElse::Queue;
  const Deadline until = Deadline::sooner(deadline, slice);
  for (;;) {
    const Outcome outcome = holdfast::attempt(region, attempt);
    if (outcome != Outcome::Pending) return outcome;
    while (state_of(ticket) == TicketState::Waiting) {
      if (futex_wait(ticket.state, static_cast<uint32_t>(TicketState::Waiting), until) !=
          FutexWake::Look) {
        break;
      }
    }
    if (!may_go_on()) return Outcome::Pending;
    if (deadline.passed()) {
      attempt.or_else = OrElse::Cancel;
      const Outcome last = holdfast::attempt(region, attempt);
      return last == Outcome::Cancelled ? Outcome::TimedOut : last;
    }
    if (slice.passed() && state_of(ticket) == TicketState::Waiting) {
      static_cast<void>(reap_dead_processes(region));
      return Outcome::Pending;
    }
  }
}

namespace {

int32_t act_on_barrier(Region& region, Seat& home, Seat* waiter, Action action) {
  switch (action) {
    case Action::ActionDone:
    case Action::ActionFailed:
      if (waiter == nullptr) return static_cast<int32_t>(Status::BadArgument);
      return static_cast<int32_t>(barrier::finish(region, *waiter, action == Action::ActionDone));
    case Action::Abort:
      return static_cast<int32_t>(barrier::abort(region, home));
    case Action::Reset:
      return static_cast<int32_t>(barrier::reset(region, home));
    default:
      return static_cast<int32_t>(Status::BadArgument);
  }
}

}  // namespace

int32_t act(Region& region, Seat& home, Seat* waiter, Action action, uint32_t units) {
  const Kind kind = home.kind;
  if (kind == Kind::Barrier) return act_on_barrier(region, home, waiter, action);
  if (kind == Kind::Event && action == Action::Set) return event::set(region, home);
  if (kind == Kind::Event && action == Action::Clear) {
    return static_cast<int32_t>(event::clear(region, home));
  }
  if (kind == Kind::Condition && action == Action::Notify) {
    return condition::notify(region, home, units);
  }
  Status status = Status::BadArgument;
  if (kind == Kind::Semaphore && action == Action::Release) {
    status = semaphore::release(region, home, units);
  } else if (kind == Kind::RWLock && action == Action::Release) {
    status = rwlock::release(region, home, units);
  } else if (kind == Kind::RWLock && action == Action::ReleaseUntold) {
    status = rwlock::release(region, home, rwlock::kWrite, rwlock::Release::Untold);
  } else if (kind == Kind::RWLock && action == Action::Downgrade) {
    status = rwlock::downgrade(region, home);
  } else if (kind == Kind::RWLock && action == Action::DowngradeUntold) {
    status = rwlock::downgrade(region, home, rwlock::Release::Untold);
  }
  return static_cast<int32_t>(status);
}

int32_t ask(Region& region, Seat& home, Question question) {
  const Parameters& parameters = home.parameters;
  if (question == Question::First) return static_cast<int32_t>(parameters.first);
  if (question == Question::Second) return static_cast<int32_t>(parameters.second);
  switch (home.kind) {
    case Kind::Semaphore:
      return semaphore::ask(region, home, question);
    case Kind::Barrier:
      return barrier::ask(region, home, question);
    case Kind::RWLock:
      return rwlock::ask(region, home, question);
    case Kind::Event:
      return event::ask(region, home);
    case Kind::Condition:
      return condition::ask(region, home);
    default:  // not with a Stay of no kind: it would enter where somebody died, and repair nothing
      return static_cast<int32_t>(Status::BadArgument);
  }
}

int64_t pass_on(Region& region, ObjectIndex index) {
  ObjectRecord* object = region.object(index);
  // relaxed: whoever has just told somebody has noted the object after that (region/told_watch.h). A guard that is not
  // free may be a dead one's: then entering it repairs.
  if (object == nullptr || object->state.load(std::memory_order_acquire) == ObjectState::Free ||
      (object->woken.load(std::memory_order_relaxed) == 0 &&
       object->guard.word.load(std::memory_order_relaxed) == 0)) {
    return kNeverLapses;
  }
  if (Guard::somebody_is_inside(region, object->guard)) return kLapseNs;
  // Whether it still is of this kind the stay sees.
  Seat at;
  at.object_index = index;
  at.object = object;
  at.kind = read_once(object->kind);
  at.parameters = {read_once(object->parameters.first), read_once(object->parameters.second)};
  switch (at.kind) {
    case Kind::Lock:
    case Kind::RLock:
      return lock::pass_on(region, at);
    case Kind::Semaphore:
      return semaphore::pass_on(region, at);
    case Kind::RWLock:
      return rwlock::pass_on(region, at);
    case Kind::Condition:
      return condition::pass_on(region, at);
    case Kind::SharedValue:
    case Kind::SharedArray:
      return shared_memory::pass_on(region, at);
    default:  // all who wait at an event have what they were told of; a barrier tells all of a round
      return kNeverLapses;
  }
}

bool withdraw_seat(Region& region, const Dead& dead) {
  switch (dead.seat.kind) {
    case Kind::Semaphore:
      return semaphore::withdraw(region, dead);
    case Kind::Event:
      return event::withdraw(region, dead);
    case Kind::Condition:
      return condition::withdraw(region, dead);
    case Kind::Barrier:  // a party's death breaks it: reap() tells all
      return true;
    case Kind::RWLock:
      return rwlock::withdraw(region, dead);
    case Kind::SharedValue:
    case Kind::SharedArray:
      return shared_memory::withdraw(region, dead);
    case Kind::Lock:
    case Kind::RLock:
      return lock::withdraw(region, dead);
    case Kind::None:
      break;
  }
  return true;
}

bool reap_seat(Region& region, const Dead& dead) {
  switch (dead.seat.kind) {
    case Kind::Semaphore:
      return semaphore::reap(region, dead);
    case Kind::Event:
      return event::reap(region, dead);
    case Kind::Condition:
      return condition::reap(region, dead);
    case Kind::Barrier:
      return barrier::reap(region, dead);
    case Kind::RWLock:
      return rwlock::reap(region, dead);
    case Kind::SharedValue:
    case Kind::SharedArray:
      return shared_memory::reap(region, dead);
    case Kind::Lock:
    case Kind::RLock:
      return lock::reap(region, dead);
    case Kind::None:
      break;
  }
  // Of no kind, but for damage: there is nothing that anybody knows how to give back.
  dead.seat.ticket->object.fetch_or(kRetired, std::memory_order_relaxed);
  return true;
}

Status retire_seat(Region& region, Seat& seat) {
  if (is_lock(seat.kind)) return lock::retire(region, seat);
  // It stands for nothing, so nothing is given back.
  return reap_seat(region, {seat, {}}) ? Status::Ok : Status::Corrupt;
}

Status unlink_object(Region& region, Seat& home) {
  switch (home.kind) {
    case Kind::Semaphore:
      return semaphore::unlink(region, home);
    case Kind::Event:
      return event::unlink(region, home);
    case Kind::Condition:
      return condition::unlink(region, home);
    case Kind::Barrier:
      return barrier::unlink(region, home);
    case Kind::RWLock:
      return rwlock::unlink(region, home);
    case Kind::SharedValue:
    case Kind::SharedArray:
      return shared_memory::unlink(region, home);
    default:
      return Status::BadArgument;
  }
}

}  // namespace holdfast
