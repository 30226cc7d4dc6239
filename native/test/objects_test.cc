// Every row of the tables in the headers of sync/ beside the lock. How a test says what it expects stands in
// objects_scene.h.
#include <functional>
#include <random>
#include <thread>

#include "objects_scene.h"

namespace {

using namespace objects_scene;
using Phase = barrier::Phase;

constexpr Parameters owned(uint32_t permits) { return {permits, 1}; }
constexpr Parameters plain(uint32_t permits) { return {permits, 0}; }
constexpr Parameters kElements = {7, 4};  // int64, as Scene::memory has them

}  // namespace

// ---- A waiter's ticket (sync/attempt.h) ----

TEST(ticket__unknown_action_or_kind__is_refused) {
  Scene s(Kind::Event, 1);
  CHECK_EQ(s.act(1, Action::Release, 1), static_cast<int32_t>(Status::BadArgument));
  Scene b(Kind::Barrier, 1, {2, 0});
  CHECK_EQ(b.act(1, Action::Set), static_cast<int32_t>(Status::BadArgument));
  CHECK_EQ(act(region(), b.party(1).home, nullptr, Action::ActionDone, 0),
           static_cast<int32_t>(Status::BadArgument));
}

TEST(ticket__waiting_again__keeps_its_place) {
  Scene s(Kind::Semaphore, 3, owned(1));
  CHECK_EQ(s.queue(1), Outcome::Taken);
  CHECK_EQ(s.queue(2), Outcome::Pending);
  CHECK_EQ(s.queue(3), Outcome::Pending);
  CHECK_EQ(s.queue(2), Outcome::Pending);
  IS(s, "2w 3w");
}

TEST(ticket__mode_changes_while_it_waits) {
  Scene s(Kind::Semaphore, 2, owned(1));
  CHECK_EQ(s.queue(1), Outcome::Taken);
  CHECK_EQ(s.queue(2), Outcome::Pending);
  CHECK_EQ(s.ticket(2).mode, WaitMode::Async);
  const Attempt wants = s.party(2).wants(0, 1, OrElse::Queue);
  CHECK_EQ(attempt_sync(region(), wants, Deadline::never(), Deadline::after_ns(0)),
           Outcome::Pending);
  CHECK_EQ(s.ticket(2).mode, WaitMode::Sync);
  CHECK_EQ(s.queue(2), Outcome::Pending);
  CHECK_EQ(s.ticket(2).mode, WaitMode::Async);
  IS(s, "2w");
  CHECK_EQ(attempt_sync(region(), wants, Deadline::after_ns(0), Deadline::never()),
           Outcome::TimedOut);
  IS(s, "");
}

// 2 comes too late for what it was told of, and sees it itself: it runs, and so its other wait is not passed over.
TEST(ticket__told_too_long_ago__its_agents_other_waits_are_told_all_the_same) {
  const auto check = [](Kind kind, Parameters parameters, uint32_t role) {
    Scene s(kind, 3, parameters);
    const uint32_t units = kind == Kind::RWLock ? kWrite : 1;
    Seat second;
    CHECK_EQ(Registry(region()).open_another(s.party(2).home, &second), Status::Ok);
    Attempt other = s.party(2).wants(role, 1, OrElse::Queue);
    other.waiter = &second;
    CHECK_EQ(s.queue(1, role), Outcome::Taken);
    CHECK_EQ(s.queue(3, role), Outcome::Pending);
    CHECK_EQ(s.queue(2, role), Outcome::Pending);
    CHECK_EQ(attempt(region(), other), Outcome::Pending);
    CHECK_EQ(s.release(1, units), kOk);
    s.pass_by(3);
    IS(s, "3p 2k 2w");
    CHECK_EQ(s.queue(3, role), Outcome::Taken);
    s.lapse(2);
    CHECK_EQ(s.queue(2, role), Outcome::Pending);
    IS(s, "2w 2w");
    CHECK_EQ(s.release(3, units), kOk);
    CHECK_EQ(s.queue(2, role), Outcome::Taken);
    CHECK_EQ(s.release(2, units), kOk);
    IS(s, "2k");
  };
  check(Kind::Semaphore, owned(1), 0);
  check(Kind::Semaphore, plain(1), 0);
  check(Kind::RWLock, {}, kWrite);
}

TEST(attempt_sync__that_may_not_go_on__takes_nothing) {
  Scene s(Kind::Event, 2);
  const auto set_and_refuse = [](void* scene) {
    auto& in = *static_cast<Scene*>(scene);
    CHECK_EQ(act(region(), in.party(1).home, nullptr, Action::Set, 0), 1);
    return false;
  };
  CHECK_EQ(attempt_sync(region(), s.party(2).wants(0, 1, OrElse::Queue), Deadline::never(),
                        Deadline::after_ns(0), {set_and_refuse, &s}),
           Outcome::Pending);
  CHECK_EQ(attempt(region(), s.party(2).wants(0, 1, OrElse::Cancel)), Outcome::Taken);
}

TEST(ticket__told_while_another_attempt_is_made__counts_as_it_was_asked_for) {
  Scene s(Kind::Semaphore, 2, owned(3));
  CHECK_EQ(s.queue(1, 0, 3), Outcome::Taken);
  CHECK_EQ(s.queue(2, 0, 2), Outcome::Pending);
  CHECK_EQ(s.release(1, 3), kOk);
  IS(s, "2k");
  CHECK_EQ(s.queue(2, 7, 1), Outcome::Taken);  // other role, other units
  CHECK_EQ(s.home(2).held, 2u);
  CHECK_EQ(s.free(), 1u);
}

TEST(ticket__passed__keeps_its_place) {
  Scene s(Kind::Semaphore, 4, owned(1));
  CHECK_EQ(s.queue(1), Outcome::Taken);
  CHECK_EQ(s.queue(2), Outcome::Pending);
  CHECK_EQ(s.queue(3), Outcome::Pending);
  CHECK_EQ(s.release(1), kOk);
  s.pass_by(2);
  CHECK_EQ(s.queue(3), Outcome::Taken);
  CHECK_EQ(s.queue(4), Outcome::Pending);
  IS(s, "2p 4w");
  CHECK_EQ(s.queue(2), Outcome::Pending);
  IS(s, "2w 4w");
  CHECK_EQ(s.release(3), kOk);
  IS(s, "2k 4w");
}

TEST(ticket__unlink__everybody_out__whatever_they_were_told) {
  Scene s(Kind::Semaphore, 4, owned(2));
  CHECK_EQ(s.queue(1, 0, 2), Outcome::Taken);
  for (int who = 2; who <= 4; ++who) CHECK_EQ(s.queue(who, 0, 2), Outcome::Pending);
  CHECK_EQ(s.release(1, 2), kOk);
  s.pass_by(2);
  IS(s, "2p 3k 4w");
  CHECK_EQ(s.unlink(1), Status::Ok);
  IS(s, "/ 2x 3x 4x");
  for (int who = 2; who <= 4; ++who) CHECK_EQ(s.queue(who, 0, 2), Outcome::Unlinked);
  IS(s, "");
}

TEST(ticket__unlink__everybody_out) {
  for (const Kind kind : {Kind::Semaphore, Kind::Event, Kind::Condition, Kind::Barrier}) {
    Scene s(kind, 3, kind == Kind::Barrier ? Parameters{3, 0} : plain(0));
    CHECK_EQ(s.queue(2), Outcome::Pending);
    CHECK_EQ(s.queue(3), Outcome::Pending);
    CHECK_EQ(s.unlink(1), Status::Ok);
    IS(s, "/ 2x 3x");
    CHECK_EQ(s.queue(2), Outcome::Unlinked);
    CHECK_EQ(s.cancel(3), Outcome::Unlinked);
    IS(s, "");
    CHECK_EQ(s.queue(1), Outcome::Unlinked);
  }
}

TEST(ticket__unlinker_died_before_it_told_them) {
  for (const Kind kind : {Kind::Semaphore, Kind::Event, Kind::Condition, Kind::Barrier}) {
    Scene s(kind, 2, kind == Kind::Barrier ? Parameters{3, 0} : plain(0));
    CHECK_EQ(s.queue(2), Outcome::Pending);
    s.die_inside([&] { s.object().word.fetch_or(lock_word::kUnlinked); });
    CHECK_EQ(s.ask(1, Question::Waiting), 0);
    IS(s, "/ 2x");
    CHECK_EQ(s.queue(2), Outcome::Unlinked);
  }
}

// A repair finds the queue from the tickets, in order, whatever the list says.
TEST(repair__the_queue_from_its_tickets) {
  for (const Kind kind : {Kind::Semaphore, Kind::Event, Kind::Condition, Kind::Barrier}) {
    Scene s(kind, 5, kind == Kind::Barrier ? Parameters{6, 0} : plain(0));
    for (const int who : {4, 2, 5, 3}) CHECK_EQ(s.queue(who), Outcome::Pending);
    s.die_inside([&] {
      s.object().queue_head = s.object().queue_tail = kNone;
      for (int who = 1; who <= 5; ++who) s.ticket(who).next = s.ticket(who).previous = 0;
      set_state(s.ticket(2), TicketState::None);  // it was leaving
    });
    CHECK_EQ(s.ask(1, Question::Waiting), 3);
    IS(s, "4w 5w 3w");
  }
}

// What is counted of the queue is an index as well.
TEST(repair__the_counts_from_the_tickets) {
  for (const Kind kind : {Kind::Semaphore, Kind::Condition, Kind::RWLock, Kind::SharedValue}) {
    const bool rwlock = kind == Kind::RWLock;
    Scene s(kind, 6, kind == Kind::SharedValue ? kElements : plain(0));
    if (rwlock) CHECK_EQ(s.queue(1, kWrite), Outcome::Taken);
    for (int who = 2; who <= 5; ++who) {
      CHECK_EQ(s.queue(who, rwlock ? kWrite : 0, 1), Outcome::Pending);
    }
    if (kind == Kind::Semaphore) CHECK_EQ(s.release(1, 1), kOk);
    if (kind == Kind::Condition) CHECK_EQ(s.act(1, Action::Notify, 1), 1);
    if (kind == Kind::SharedValue) CHECK_EQ(s.notify(1, 0, 1), 1);
    if (rwlock) CHECK_EQ(s.release(1, kWrite), kOk);
    s.pass_by(2);
    IS(s, "2p 3k 4w 5w");
    s.die_inside([&] {
      s.object().woken.store(77);
      s.object().passed = 77;
      s.object().first_waiting = s.party(6).waiter.ticket_index;
      if (kind == Kind::Semaphore) s.object().semaphore.sums = {77, 77};
      if (rwlock) s.object().rwlock.sums = {77, 77};
      if (rwlock) s.object().rwlock.upgrade = 77;
    });
    if (kind == Kind::SharedValue) {
      CHECK_EQ(s.try_it(6), Outcome::Pending);
    } else {
      s.ask(6, Question::Waiting);
    }
    IS(s, "2p 3k 4w 5w");
  }
}

// It is not the object's any more, whatever else it says.
TEST(repair__a_retired_ticket__holds_nothing) {
  Scene s(Kind::Semaphore, 2, owned(3));
  CHECK_EQ(s.queue(1, 0, 2), Outcome::Taken);
  const ObjectIndex index = s.home(1).object.load();
  s.die_inside([&] { s.home(1).object.store(index | kRetired); });
  CHECK_EQ(ask(region(), s.party(2).home, Question::Value), 3);
  s.die_inside([&] { s.home(1).object.store(index); });
  CHECK_EQ(s.ask(2, Question::Value), 1);
}

TEST(repair__more_told_than_the_ring_has_room_for) {
  Scene s(Kind::Event, 40);
  for (int who = 1; who <= 40; ++who) CHECK_EQ(s.queue(who), Outcome::Pending);
  CHECK_EQ(s.act(1, Action::Set), 40);
  for (int who = 1; who <= 40; ++who) CHECK_EQ(s.queue(who), Outcome::Taken);
}

TEST(pass_on__what_nobody_else_could_use_never_lapses) {
  Scene e(Kind::Event, 2);
  CHECK_EQ(e.queue(1), Outcome::Pending);
  CHECK_EQ(e.act(2, Action::Set), 1);
  CHECK_EQ(e.pass_on(), kNeverLapses);
  IS(e, "/ 1g");
  Scene b(Kind::Barrier, 4, {2, 0});
  CHECK_EQ(b.queue(1), Outcome::Pending);
  CHECK_EQ(b.queue(2), Outcome::RunAction);
  CHECK_EQ(b.queue(3), Outcome::Pending);
  CHECK_EQ(b.queue(4), Outcome::Pending);
  CHECK_EQ(b.act(2, Action::ActionDone), static_cast<int32_t>(index_outcome(1)));
  b.lapse(3);
  b.lapse(4);
  CHECK_EQ(b.pass_on(), kNeverLapses);
  IS(b, "3k 4k / 1g");
}

TEST(pass_on__says_when_to_look_again) {
  for (const Kind kind : {Kind::Semaphore, Kind::Condition, Kind::RWLock, Kind::SharedValue}) {
    const bool rwlock = kind == Kind::RWLock;
    Scene s(kind, 3, kind == Kind::SharedValue ? kElements : plain(0));
    if (rwlock) CHECK_EQ(s.queue(1, kWrite), Outcome::Taken);
    CHECK_EQ(s.queue(2, rwlock ? kWrite : 0), Outcome::Pending);
    CHECK_EQ(s.queue(3, rwlock ? kWrite : 0), Outcome::Pending);
    CHECK_EQ(s.pass_on(), kNeverLapses);
    if (kind == Kind::Semaphore) CHECK_EQ(s.release(1, 1), kOk);
    if (kind == Kind::Condition) CHECK_EQ(s.act(1, Action::Notify, 1), 1);
    if (kind == Kind::SharedValue) CHECK_EQ(s.notify(1, 0, 1), 1);
    if (rwlock) CHECK_EQ(s.release(1, kWrite), kOk);
    CHECK_EQ(s.pass_on(), kLapseNs);
    s.advance(kLapseNs - 1);
    CHECK_EQ(s.pass_on(), 1);
    IS(s, "2k 3w");
    s.advance(1);
    CHECK_EQ(s.pass_on(), kLapseNs);
    IS(s, "2p 3k");
  }
}

// ---- Semaphore ----

TEST(semaphore__down_to_zero_and_back) {
  Scene s(Kind::Semaphore, 2, owned(2));
  CHECK_EQ(s.ask(1, Question::Value), 2);
  CHECK_EQ(s.try_it(1), Outcome::Taken);
  CHECK_EQ(s.ask(1, Question::Value), 1);
  CHECK_EQ(s.try_it(2), Outcome::Taken);
  CHECK_EQ(s.ask(1, Question::Value), 0);
  CHECK_EQ(s.try_it(1), Outcome::Pending);
  IS(s, "");
  CHECK_EQ(s.release(2), kOk);
  CHECK_EQ(s.release(1), kOk);
  CHECK_EQ(s.ask(1, Question::Value), 2);
  CHECK_EQ(s.release(1), kNotOwner);
  CHECK_EQ(s.ask(1, Question::Value), 2);
}

TEST(semaphore__owned__more_than_one_holds_is_refused) {
  Scene s(Kind::Semaphore, 2, owned(4));
  CHECK_EQ(s.queue(1, 0, 3), Outcome::Taken);
  CHECK_EQ(s.queue(2, 0, 1), Outcome::Taken);
  CHECK_EQ(s.release(2, 2), kNotOwner);
  CHECK_EQ(s.release(1, 4), kNotOwner);
  CHECK_EQ(s.free(), 0u);
  CHECK_EQ(s.release(1, 2), kOk);
  CHECK_EQ(s.free(), 2u);
}

TEST(semaphore__big_requests_are_not_overtaken) {
  Scene s(Kind::Semaphore, 4, owned(3));
  CHECK_EQ(s.queue(1, 0, 2), Outcome::Taken);
  CHECK_EQ(s.queue(2, 0, 3), Outcome::Pending);
  CHECK_EQ(s.try_it(3), Outcome::Pending);  // one is free, but 2 is first
  CHECK_EQ(s.queue(3), Outcome::Pending);
  CHECK_EQ(s.release(1, 2), kOk);
  IS(s, "2k 3w");
  CHECK_EQ(s.queue(3), Outcome::Pending);
  IS(s, "2k 3w");
  CHECK_EQ(s.queue(2), Outcome::Taken);
  CHECK_EQ(s.release(2, 3), kOk);
  IS(s, "3k");
}

TEST(semaphore__all_for_whom_there_are_enough_are_told__in_order) {
  Scene s(Kind::Semaphore, 6, owned(5));
  CHECK_EQ(s.queue(1, 0, 5), Outcome::Taken);
  CHECK_EQ(s.queue(2, 0, 1), Outcome::Pending);
  CHECK_EQ(s.queue(3, 0, 2), Outcome::Pending);
  CHECK_EQ(s.queue(4, 0, 3), Outcome::Pending);
  CHECK_EQ(s.queue(5, 0, 1), Outcome::Pending);
  CHECK_EQ(s.release(1, 4), kOk);
  IS(s, "2k 3k 4w 5w");
  // In whatever order they come.
  CHECK_EQ(s.queue(3), Outcome::Taken);
  CHECK_EQ(s.queue(2), Outcome::Taken);
  IS(s, "4w 5w");
  CHECK_EQ(s.free(), 1u);
}

TEST(semaphore__told__its_permits_are_kept_from_newcomers) {
  Scene s(Kind::Semaphore, 5, owned(3));
  CHECK_EQ(s.queue(1, 0, 3), Outcome::Taken);
  CHECK_EQ(s.queue(2, 0, 1), Outcome::Pending);
  CHECK_EQ(s.release(1, 3), kOk);
  IS(s, "2k");
  CHECK_EQ(s.free(), 3u);
  CHECK_EQ(s.ask(1, Question::Value), 2);
  CHECK_EQ(s.try_it(3, 0, 3), Outcome::Pending);
  CHECK_EQ(s.try_it(3, 0, 2), Outcome::Taken);
  CHECK_EQ(s.ask(1, Question::Value), 0);
  CHECK_EQ(s.queue(4), Outcome::Pending);
  IS(s, "2k 4w");
  CHECK_EQ(s.queue(2), Outcome::Taken);
  CHECK_EQ(s.free(), 0u);
}

TEST(semaphore__newcomers_stand_behind_who_waits__though_permits_are_free) {
  Scene s(Kind::Semaphore, 4, owned(3));
  CHECK_EQ(s.queue(1, 0, 2), Outcome::Taken);
  CHECK_EQ(s.queue(2, 0, 2), Outcome::Pending);
  CHECK_EQ(s.try_it(3), Outcome::Pending);
  CHECK_EQ(s.cancel(3), Outcome::Cancelled);
  CHECK_EQ(s.queue(3), Outcome::Pending);
  IS(s, "2w 3w");
}

TEST(semaphore__passed__the_next_is_told_and_newcomers_go_ahead) {
  Scene s(Kind::Semaphore, 5, owned(2));
  CHECK_EQ(s.queue(1, 0, 2), Outcome::Taken);
  CHECK_EQ(s.queue(2, 0, 2), Outcome::Pending);
  CHECK_EQ(s.queue(3, 0, 1), Outcome::Pending);
  CHECK_EQ(s.release(1, 2), kOk);
  IS(s, "2k 3w");
  s.pass_by(2);
  IS(s, "2p 3k");
  CHECK_EQ(s.ask(1, Question::Value), 1);
  CHECK_EQ(s.try_it(4, 0, 2), Outcome::Pending);  // not what 3 was told of
  CHECK_EQ(s.try_it(4, 0, 1), Outcome::Taken);
  CHECK_EQ(s.queue(3), Outcome::Taken);
  CHECK_EQ(s.queue(2), Outcome::Pending);
  IS(s, "2w");
  CHECK_EQ(s.release(4, 1), kOk);
  IS(s, "2w");
  CHECK_EQ(s.release(3, 1), kOk);
  IS(s, "2k");
}

TEST(semaphore__passed__comes_before_those_who_were_told_instead) {
  Scene s(Kind::Semaphore, 4, owned(2));
  CHECK_EQ(s.queue(1, 0, 2), Outcome::Taken);
  CHECK_EQ(s.queue(2, 0, 2), Outcome::Pending);
  CHECK_EQ(s.queue(3, 0, 1), Outcome::Pending);
  CHECK_EQ(s.queue(4, 0, 1), Outcome::Pending);
  CHECK_EQ(s.release(1, 2), kOk);
  s.pass_by(2);
  IS(s, "2p 3k 4k");
  CHECK_EQ(s.queue(2), Outcome::Taken);
  CHECK_EQ(s.home(2).held, 2u);
  CHECK_EQ(s.ask(1, Question::Value), 0);
  CHECK_EQ(s.queue(4), Outcome::Pending);
  CHECK_EQ(s.queue(3), Outcome::Pending);
  IS(s, "3w 4w");
}

// In the middle it leaves them what they were told of, where there is not enough for all.
TEST(semaphore__passed__stands_behind_who_came_before_it) {
  Scene s(Kind::Semaphore, 4, owned(2));
  CHECK_EQ(s.queue(1, 0, 2), Outcome::Taken);
  CHECK_EQ(s.queue(2, 0, 1), Outcome::Pending);
  CHECK_EQ(s.queue(3, 0, 1), Outcome::Pending);
  CHECK_EQ(s.release(1, 1), kOk);
  s.pass_by(2);
  s.pass_by(3);
  IS(s, "2p 3p");
  CHECK_EQ(s.queue(4, 0, 1), Outcome::Taken);
  CHECK_EQ(s.queue(2), Outcome::Pending);
  IS(s, "2w 3p");
  CHECK_EQ(s.release(1, 1), kOk);
  IS(s, "2k 3p");
  CHECK_EQ(s.queue(3), Outcome::Pending);
  IS(s, "2k 3w");
  CHECK_EQ(s.queue(2), Outcome::Taken);
  CHECK_EQ(s.release(4, 1), kOk);
  IS(s, "3k");
}

TEST(semaphore__passed__by_whoever_looks) {
  for (const OrElse or_else : {OrElse::Leave, OrElse::Queue, OrElse::Cancel}) {
    Scene s(Kind::Semaphore, 4, owned(1));
    CHECK_EQ(s.queue(1), Outcome::Taken);
    CHECK_EQ(s.queue(2), Outcome::Pending);
    CHECK_EQ(s.release(1), kOk);
    s.lapse(2);
    const Outcome outcome = or_else == OrElse::Leave   ? s.try_it(3)
                            : or_else == OrElse::Queue ? s.queue(3)
                                                       : s.cancel(3);
    CHECK_EQ(outcome, Outcome::Taken);
    IS(s, "2p");
  }
  Scene s(Kind::Semaphore, 4, owned(1));
  CHECK_EQ(s.queue(1), Outcome::Taken);
  CHECK_EQ(s.queue(2), Outcome::Pending);
  CHECK_EQ(s.queue(3), Outcome::Pending);
  CHECK_EQ(s.release(1), kOk);
  s.lapse(2);
  CHECK_EQ(s.try_it(4), Outcome::Pending);
  IS(s, "2p 3k");
}

// 4 was told when 3 was, and comes after another has taken what both were told of: 3 stands before it.
TEST(semaphore__told_for_nothing__the_first_is_told_of_what_is_left) {
  Scene s(Kind::Semaphore, 4, owned(2));
  CHECK_EQ(s.queue(1, 0, 2), Outcome::Taken);
  CHECK_EQ(s.queue(2, 0, 2), Outcome::Pending);
  CHECK_EQ(s.queue(3, 0, 1), Outcome::Pending);
  CHECK_EQ(s.queue(4, 0, 1), Outcome::Pending);
  CHECK_EQ(s.release(1, 2), kOk);
  s.pass_by(2);
  CHECK_EQ(s.queue(2), Outcome::Taken);
  CHECK_EQ(s.queue(3), Outcome::Pending);
  IS(s, "3w 4k");
  CHECK_EQ(s.release(2, 1), kOk);
  CHECK_EQ(s.queue(4), Outcome::Pending);
  IS(s, "3k 4w");
}

TEST(semaphore__giving_up__lets_in_who_stood_behind) {
  Scene s(Kind::Semaphore, 3, owned(3));
  CHECK_EQ(s.queue(1, 0, 2), Outcome::Taken);
  CHECK_EQ(s.queue(2, 0, 3), Outcome::Pending);
  CHECK_EQ(s.queue(3, 0, 1), Outcome::Pending);
  CHECK_EQ(s.cancel(2), Outcome::Cancelled);
  IS(s, "3k");
}

TEST(semaphore__giving_up__of_who_was_told_for_nothing) {
  Scene s(Kind::Semaphore, 4, owned(2));
  CHECK_EQ(s.queue(1, 0, 2), Outcome::Taken);
  CHECK_EQ(s.queue(2, 0, 1), Outcome::Pending);
  CHECK_EQ(s.queue(3, 0, 1), Outcome::Pending);
  CHECK_EQ(s.release(1, 1), kOk);
  s.pass_by(2);
  IS(s, "2p 3k");
  CHECK_EQ(s.queue(2), Outcome::Taken);
  CHECK_EQ(s.cancel(3), Outcome::Cancelled);
  IS(s, "");
  CHECK_EQ(s.ask(1, Question::Value), 0);
}

TEST(semaphore__giving_up__of_a_passed_one) {
  Scene s(Kind::Semaphore, 4, owned(1));
  CHECK_EQ(s.queue(1), Outcome::Taken);
  CHECK_EQ(s.queue(2), Outcome::Pending);
  CHECK_EQ(s.release(1), kOk);
  s.pass_by(2);
  CHECK_EQ(s.queue(3), Outcome::Taken);
  CHECK_EQ(s.cancel(2), Outcome::Cancelled);
  IS(s, "");
}

TEST(semaphore__giving_up_too_late__has_it) {
  Scene s(Kind::Semaphore, 2, owned(1));
  CHECK_EQ(s.queue(1), Outcome::Taken);
  CHECK_EQ(s.queue(2), Outcome::Pending);
  CHECK_EQ(s.release(1), kOk);
  CHECK_EQ(s.cancel(2), Outcome::Taken);
  CHECK_EQ(s.home(2).held, 1u);
}

TEST(semaphore__owned__deaths_give_back) {
  Scene s(Kind::Semaphore, 5, owned(3));
  CHECK_EQ(s.queue(1, 0, 2), Outcome::Taken);
  CHECK_EQ(s.queue(2, 0, 3), Outcome::Pending);
  CHECK_EQ(s.queue(3, 0, 2), Outcome::Pending);
  s.reap(2);  // a waiter
  IS(s, "3w");
  s.reap(1);  // a holder
  IS(s, "3k");
  s.reap(3);  // who was told, and did not come
  CHECK_EQ(s.ask(4, Question::Value), 3);
  s.reap(4);  // nothing
  CHECK_EQ(s.ask(5, Question::Value), 3);
}

TEST(semaphore__told_one_dies__the_next_is_told) {
  Scene s(Kind::Semaphore, 4, owned(1));
  CHECK_EQ(s.queue(1), Outcome::Taken);
  for (int who = 2; who <= 4; ++who) CHECK_EQ(s.queue(who), Outcome::Pending);
  CHECK_EQ(s.release(1), kOk);
  s.reap(2);
  IS(s, "3k 4w");
  s.pass_by(3);
  IS(s, "3p 4k");
  s.reap(3);
  IS(s, "4k");
}

// First all of a dead agent's waiters leave the queue, and nobody is told; then what it held comes back.
TEST(semaphore__withdrawn__leaves_the_queue_and_tells_nobody__reap_does) {
  Scene s(Kind::Semaphore, 4, owned(2));
  CHECK_EQ(s.queue(1, 0, 1), Outcome::Taken);
  CHECK_EQ(s.queue(1, 0, 2), Outcome::Pending);
  CHECK_EQ(s.queue(2, 0, 1), Outcome::Pending);
  s.withdraw(1);
  IS(s, "2w");
  s.withdraw(1);
  s.reap(1);
  IS(s, "2k");
  CHECK_EQ(s.free(), 2u);
}

TEST(semaphore__owned__dead_holder_that_also_waits) {
  Scene s(Kind::Semaphore, 2, owned(1));
  CHECK_EQ(s.queue(1), Outcome::Taken);
  CHECK_EQ(s.queue(1), Outcome::Pending);
  CHECK_EQ(s.queue(2), Outcome::Pending);
  s.reap(1);
  IS(s, "2k");
}

TEST(semaphore__owned__cut_short__counts_anew) {
  Scene s(Kind::Semaphore, 3, owned(3));
  CHECK_EQ(s.queue(1, 0, 2), Outcome::Taken);
  CHECK_EQ(s.queue(2, 0, 2), Outcome::Pending);
  s.die_inside([&] { s.object().semaphore.free = 77; });
  CHECK_EQ(s.ask(3, Question::Value), 1);
  IS(s, "2w");
  s.die_inside([&] { s.home(1).held = 0; });  // returned, and not counted yet
  CHECK_EQ(s.ask(3, Question::Value), 1);
  IS(s, "2k");
  s.die_inside([&] { s.home(2).held = 2; });  // held, and neither counted nor out of the queue
  CHECK_EQ(s.ask(3, Question::Value), 0);
  IS(s, "2k");
  s.reap(2);
  CHECK_EQ(s.ask(3, Question::Value), 3);
}

TEST(semaphore__plain__anybody_releases_up_to_the_bound) {
  Scene s(Kind::Semaphore, 2, plain(1));
  CHECK_EQ(s.release(1, 5), kOk);
  CHECK_EQ(s.free(), 6u);
  CHECK_EQ(s.release(1, semaphore::kMaxPermits - 6), kOk);
  CHECK_EQ(s.release(2), static_cast<int32_t>(Status::Full));
  CHECK_EQ(s.ask(1, Question::Value), static_cast<int32_t>(semaphore::kMaxPermits));
  CHECK_EQ(s.queue(2), Outcome::Taken);
  CHECK_EQ(s.release(1), kOk);
}

TEST(semaphore__plain__a_death_gives_nothing_back__and_takes_nothing_along) {
  Scene s(Kind::Semaphore, 3, plain(2));
  CHECK_EQ(s.queue(1, 0, 2), Outcome::Taken);
  s.reap(1);
  CHECK_EQ(s.free(), 0u);
  CHECK_EQ(s.queue(2, 0, 2), Outcome::Pending);
  CHECK_EQ(s.release(3, 3), kOk);
  IS(s, "2k");
  CHECK_EQ(s.free(), 3u);
  s.reap(2);
  CHECK_EQ(s.ask(3, Question::Value), 3);
}

// `free` is the truth, whatever the tickets say.
TEST(semaphore__plain__cut_short__free_stays_as_it_is) {
  Scene s(Kind::Semaphore, 3, plain(0));
  CHECK_EQ(s.queue(2, 0, 2), Outcome::Pending);
  s.die_inside([&] { s.object().semaphore.free = 3; });  // released, and nobody told yet
  CHECK_EQ(s.ask(1, Question::Value), 1);
  IS(s, "2k");
  s.die_inside([&] { s.object().semaphore.free = 1; });  // taken, and not out of the queue
  CHECK_EQ(s.ask(1, Question::Value), 0);
  s.reap(2);
  CHECK_EQ(s.ask(1, Question::Value), 1);
}

TEST(semaphore__unlink__not_while_permits_are_out) {
  Scene s(Kind::Semaphore, 2, owned(1));
  CHECK_EQ(s.queue(1), Outcome::Taken);
  CHECK_EQ(s.unlink(2), Status::InUse);
  CHECK_EQ(s.release(1), kOk);
  CHECK_EQ(s.unlink(2), Status::Ok);
  CHECK_EQ(s.try_it(1), Outcome::Unlinked);
}

// ---- Event ----

TEST(event__set_wakes_all_and_is_idempotent) {
  Scene s(Kind::Event, 3);
  CHECK_EQ(s.try_it(1), Outcome::Pending);
  CHECK_EQ(s.queue(1), Outcome::Pending);
  CHECK_EQ(s.queue(2), Outcome::Pending);
  CHECK_EQ(s.act(3, Action::Set), 2);
  CHECK_EQ(s.act(3, Action::Set), 0);
  IS(s, "/ 1g 2g");
  CHECK_EQ(s.try_it(3), Outcome::Taken);
  CHECK_EQ(s.queue(3), Outcome::Taken);
  CHECK_EQ(s.cancel(3), Outcome::Taken);
}

TEST(event__set_wakes_a_sleeper) {
  Scene s(Kind::Event, 2);
  std::thread sleeper([&] {
    CHECK_EQ(attempt_sync(region(), s.party(1).wants(0, 0, OrElse::Queue), Deadline::never(),
                          Deadline::never()),
             Outcome::Taken);
  });
  while (s.state(1) != TicketState::Waiting) std::this_thread::yield();
  CHECK_EQ(act(region(), s.party(2).home, nullptr, Action::Set, 0), 1);
  sleeper.join();
}

TEST(event__set_and_clear__still_wakes_who_waited) {
  Scene s(Kind::Event, 3);
  CHECK_EQ(s.queue(1), Outcome::Pending);
  CHECK_EQ(s.queue(2), Outcome::Pending);
  CHECK_EQ(s.act(3, Action::Set), 2);
  CHECK_EQ(s.act(3, Action::Clear), 0);
  CHECK_EQ(s.object().word.load(), 0u);
  CHECK_EQ(s.queue(1), Outcome::Taken);
  CHECK_EQ(s.cancel(2), Outcome::Taken);  // its time was over, but it had been woken
  CHECK_EQ(s.queue(1), Outcome::Pending);
}

TEST(event__setter_dies_midway__clear_comes_after_the_rest_is_woken) {
  Scene s(Kind::Event, 3);
  CHECK_EQ(s.queue(1), Outcome::Pending);
  CHECK_EQ(s.queue(2), Outcome::Pending);
  s.die_inside([&] { s.object().word.fetch_or(event::kSet); });
  CHECK_EQ(s.act(3, Action::Clear), 0);
  IS(s, "/ 1g 2g");
}

TEST(event__giving_up_and_dying) {
  Scene s(Kind::Event, 3);
  CHECK_EQ(s.queue(1), Outcome::Pending);
  CHECK_EQ(s.queue(2), Outcome::Pending);
  CHECK_EQ(s.cancel(1), Outcome::Cancelled);
  s.withdraw(2);
  IS(s, "");
  s.reap(2);
  IS(s, "");
  CHECK_EQ(s.act(3, Action::Set), 0);
}

// ---- Condition: the table of condition.h ----

TEST(condition__six_waiters_notified_2_4_3) {
  Scene s(Kind::Condition, 7);
  CHECK_EQ(s.act(7, Action::Notify, 1), 0);
  for (int who = 1; who <= 6; ++who) CHECK_EQ(s.queue(who), Outcome::Pending);
  CHECK_EQ(s.act(7, Action::Notify, 0), 0);
  CHECK_EQ(s.act(7, Action::Notify, 2), 2);
  IS(s, "1k 2k 3w 4w 5w 6w");
  CHECK_EQ(s.ask(7, Question::Waiting), 4);
  CHECK_EQ(s.act(7, Action::Notify, 4), 4);
  CHECK_EQ(s.act(7, Action::Notify, 3), 0);
  IS(s, "1k 2k 3k 4k 5k 6k");
  CHECK_EQ(s.ask(7, Question::Waiting), 0);
  for (int who = 6; who >= 1; --who) CHECK_EQ(s.queue(who), Outcome::Taken);
  IS(s, "/ 1g 2g 3g 4g 5g 6g");
}

TEST(condition__none_and_waiting) {
  Scene s(Kind::Condition, 2);
  CHECK_EQ(s.try_it(1), Outcome::Pending);
  IS(s, "");
  CHECK_EQ(s.cancel(1), Outcome::Cancelled);
  CHECK_EQ(s.queue(1), Outcome::Pending);
  CHECK_EQ(s.try_it(1), Outcome::Pending);
  CHECK_EQ(s.queue(1), Outcome::Pending);
  IS(s, "1w");
  CHECK_EQ(s.cancel(1), Outcome::Cancelled);
  IS(s, "");
  CHECK_EQ(s.act(2, Action::Notify, 1), 0);
}

TEST(condition__granted__stays_until_note_is_taken) {
  for (const OrElse first : {OrElse::Leave, OrElse::Queue, OrElse::Cancel}) {
    Scene s(Kind::Condition, 2);
    CHECK_EQ(s.queue(1), Outcome::Pending);
    CHECK_EQ(s.act(2, Action::Notify, 1), 1);
    CHECK_EQ(attempt(region(), s.party(1).wants(0, 0, first)), Outcome::Taken);
    IS(s, "/ 1g");
    CHECK_EQ(s.try_it(1), Outcome::Taken);
    IS(s, "/ 1g");
    CHECK_EQ(s.cancel(1), Outcome::Taken);
    IS(s, "");
    CHECK_EQ(s.cancel(1), Outcome::Cancelled);
    CHECK_EQ(s.ticket(1).held, 0u);
  }
}

TEST(condition__told__queue_is_a_new_wait) {
  Scene s(Kind::Condition, 2);
  CHECK_EQ(s.queue(1), Outcome::Pending);
  CHECK_EQ(s.act(2, Action::Notify, 1), 1);
  CHECK_EQ(s.queue(1), Outcome::Taken);
  CHECK_EQ(s.queue(1), Outcome::Pending);
  IS(s, "1w");
  CHECK_EQ(s.act(2, Action::Notify, 1), 1);
  CHECK_EQ(s.queue(1), Outcome::Taken);
}

TEST(condition__dead_waiters_pass_their_notification_on) {
  Scene s(Kind::Condition, 5);
  for (int who = 1; who <= 4; ++who) CHECK_EQ(s.queue(who), Outcome::Pending);
  CHECK_EQ(s.act(5, Action::Notify, 1), 1);
  s.withdraw(1);
  IS(s, "1k 2w 3w 4w");
  s.reap(1);  // never came for it
  IS(s, "2k 3w 4w");
  CHECK_EQ(s.queue(2), Outcome::Taken);
  IS(s, "3w 4w / 2g");
  s.withdraw(2);
  s.reap(2);  // came for it, and died before it had the lock
  IS(s, "3k 4w");
  CHECK_EQ(s.queue(3), Outcome::Taken);
  CHECK_EQ(s.cancel(3), Outcome::Taken);
  s.reap(3);  // had used it
  IS(s, "4w");
}

TEST(condition__waiters_that_die_unnotified__pass_nothing_on) {
  Scene s(Kind::Condition, 3);
  CHECK_EQ(s.queue(1), Outcome::Pending);
  CHECK_EQ(s.queue(2), Outcome::Pending);
  s.withdraw(1);
  IS(s, "2w");
  s.reap(1);
  IS(s, "2w");
}

TEST(condition__a_passed_waiter_that_dies__passes_nothing_on) {
  Scene s(Kind::Condition, 4);
  for (int who = 1; who <= 3; ++who) CHECK_EQ(s.queue(who), Outcome::Pending);
  CHECK_EQ(s.act(4, Action::Notify, 1), 1);
  s.pass_by(1);
  IS(s, "1p 2k 3w");
  s.withdraw(1);
  IS(s, "2k 3w");
  s.reap(1);
  IS(s, "2k 3w");
}

// ---- A notification that goes on (sync/notify_stay.h) ----

TEST(notification__not_come_for_in_time__goes_to_the_next) {
  Scene s(Kind::Condition, 4);
  for (int who = 1; who <= 3; ++who) CHECK_EQ(s.queue(who), Outcome::Pending);
  CHECK_EQ(s.act(4, Action::Notify, 1), 1);
  s.pass_by(1);
  IS(s, "1p 2k 3w");
  CHECK_EQ(s.ask(4, Question::Waiting), 2);
  CHECK_EQ(s.queue(2), Outcome::Taken);
  IS(s, "1p 3w / 2g");
  // It has gone on for good: one notification, one waiter.
  CHECK_EQ(s.try_it(1), Outcome::Pending);
  CHECK_EQ(s.queue(1), Outcome::Pending);
  IS(s, "1w 3w / 2g");
}

TEST(notification__gone_on__is_taken_back_by_who_comes_first) {
  for (const OrElse or_else : {OrElse::Leave, OrElse::Queue, OrElse::Cancel}) {
    Scene s(Kind::Condition, 4);
    for (int who = 1; who <= 3; ++who) CHECK_EQ(s.queue(who), Outcome::Pending);
    CHECK_EQ(s.act(4, Action::Notify, 1), 1);
    s.pass_by(1);
    const Outcome outcome = or_else == OrElse::Leave   ? s.try_it(1)
                            : or_else == OrElse::Queue ? s.queue(1)
                                                       : s.cancel(1);
    CHECK_EQ(outcome, Outcome::Taken);
    IS(s, "2w 3w / 1g");
    CHECK_EQ(s.queue(2), Outcome::Pending);
    IS(s, "2w 3w / 1g");
    CHECK_EQ(s.act(4, Action::Notify, 1), 1);
    IS(s, "2k 3w / 1g");
  }
}

TEST(notification__of_who_came_back_and_dies__goes_on) {
  Scene s(Kind::Condition, 4);
  for (int who = 1; who <= 3; ++who) CHECK_EQ(s.queue(who), Outcome::Pending);
  CHECK_EQ(s.act(4, Action::Notify, 1), 1);
  s.pass_by(1);
  CHECK_EQ(s.queue(1), Outcome::Taken);
  s.reap(1);
  IS(s, "2k 3w");
}

TEST(notification__goes_on_only_to_who_waited_when_it_was_made) {
  Scene s(Kind::Condition, 4);
  CHECK_EQ(s.queue(1), Outcome::Pending);
  CHECK_EQ(s.act(4, Action::Notify, 1), 1);
  CHECK_EQ(s.queue(2), Outcome::Pending);
  s.lapse(1);
  CHECK_EQ(s.pass_on(), kNeverLapses);
  IS(s, "1k 2w");
  CHECK_EQ(s.queue(1), Outcome::Taken);
  IS(s, "2w / 1g");
}

TEST(notification__that_has_gone_on_goes_no_further_than_who_waited_then) {
  Scene s(Kind::Condition, 4);
  CHECK_EQ(s.queue(1), Outcome::Pending);
  CHECK_EQ(s.queue(2), Outcome::Pending);
  CHECK_EQ(s.act(4, Action::Notify, 1), 1);
  CHECK_EQ(s.queue(3), Outcome::Pending);
  s.pass_by(1);
  IS(s, "1p 2k 3w");
  s.advance(1000 * kLapseNs);
  CHECK_EQ(s.pass_on(), kNeverLapses);
  IS(s, "1p 2k 3w");
}

TEST(notification__of_all__nobody_takes_from_them) {
  Scene s(Kind::Condition, 4);
  for (int who = 1; who <= 3; ++who) CHECK_EQ(s.queue(who), Outcome::Pending);
  CHECK_EQ(s.act(4, Action::Notify, 3), 3);
  s.advance(1000 * kLapseNs);
  CHECK_EQ(s.pass_on(), kNeverLapses);
  IS(s, "1k 2k 3k");
  CHECK_EQ(s.queue(4), Outcome::Pending);
  CHECK_EQ(s.pass_on(), kNeverLapses);
  IS(s, "1k 2k 3k 4w");
}

// 1 has one of before 2 waited: 2, which has passed its own on, takes that back and not the other.
TEST(notification__taken_back__only_from_one_that_was_made_while_it_waited) {
  Scene s(Kind::Condition, 4);
  CHECK_EQ(s.queue(1), Outcome::Pending);
  CHECK_EQ(s.act(4, Action::Notify, 1), 1);
  CHECK_EQ(s.queue(2), Outcome::Pending);
  CHECK_EQ(s.queue(3), Outcome::Pending);
  CHECK_EQ(s.act(4, Action::Notify, 1), 1);
  IS(s, "1k 2k 3w");
  s.pass_by(2);
  IS(s, "1k 2p 3k");
  CHECK_EQ(s.queue(2), Outcome::Taken);
  IS(s, "1k 3w / 2g");
}

TEST(notification__each_time_it_goes_on_it_has_twice_as_long) {
  constexpr int kWaiters = 10;
  Scene s(Kind::Condition, kWaiters + 1);
  for (int who = 1; who <= kWaiters; ++who) CHECK_EQ(s.queue(who), Outcome::Pending);
  CHECK_EQ(s.act(kWaiters + 1, Action::Notify, 1), 1);
  for (int who = 1; who < kWaiters; ++who) {
    const int64_t patience = kLapseNs << (who - 1 < 6 ? who - 1 : 6);
    s.advance(patience - 1);
    CHECK_EQ(s.pass_on(), 1);
    CHECK_EQ(s.state(who), TicketState::Woken);
    s.advance(1);
    CHECK_EQ(s.pass_on(), patience);
    CHECK_EQ(s.state(who), TicketState::Passed);
    CHECK_EQ(s.state(who + 1), TicketState::Woken);
  }
}

TEST(notification__told_in_the_future__goes_on_at_once) {
  Scene s(Kind::Condition, 3);
  CHECK_EQ(s.queue(1), Outcome::Pending);
  CHECK_EQ(s.queue(2), Outcome::Pending);
  CHECK_EQ(s.act(3, Action::Notify, 1), 1);
  s.ticket(1).told_ns = s.now() + 1;
  CHECK_EQ(s.pass_on(), kLapseNs);
  IS(s, "1p 2k");
}

TEST(notify__several__pass_on_says_when_the_first_is_due) {
  Scene s(Kind::Condition, 5);
  for (int who = 1; who <= 4; ++who) CHECK_EQ(s.queue(who), Outcome::Pending);
  CHECK_EQ(s.act(5, Action::Notify, 1), 1);
  s.advance(1000);
  CHECK_EQ(s.act(5, Action::Notify, 1), 1);
  CHECK_EQ(s.pass_on(), kLapseNs - 1000);
}

// Who is passed by is notified only where nobody else is left.
TEST(notify__tells_who_is_passed_last_of_all) {
  Scene s(Kind::Condition, 4);
  for (int who = 1; who <= 3; ++who) CHECK_EQ(s.queue(who), Outcome::Pending);
  CHECK_EQ(s.act(4, Action::Notify, 1), 1);
  s.pass_by(1);
  CHECK_EQ(s.act(4, Action::Notify, 1), 1);
  IS(s, "1p 2k 3k");
  CHECK_EQ(s.act(4, Action::Notify, 2), 1);
  IS(s, "1k 2k 3k");
  CHECK_EQ(s.act(4, Action::Notify, 1), 0);
  CHECK_EQ(s.queue(1), Outcome::Taken);
  IS(s, "2k 3k / 1g");
}

TEST(notify__anew__begins_with_the_first_patience) {
  Scene s(Kind::Condition, 4);
  for (int who = 1; who <= 3; ++who) CHECK_EQ(s.queue(who), Outcome::Pending);
  CHECK_EQ(s.act(4, Action::Notify, 1), 1);
  s.pass_by(1);
  CHECK_EQ(s.queue(1), Outcome::Taken);  // 2 had it for a while, for twice as long
  IS(s, "2w 3w / 1g");
  CHECK_EQ(s.act(4, Action::Notify, 1), 1);
  CHECK_EQ(s.pass_on(), kLapseNs);
}

TEST(notification__several_go_on_each_to_another) {
  Scene s(Kind::Condition, 6);
  for (int who = 1; who <= 5; ++who) CHECK_EQ(s.queue(who), Outcome::Pending);
  CHECK_EQ(s.act(6, Action::Notify, 2), 2);
  s.lapse(1);
  s.lapse(2);
  CHECK_EQ(s.pass_on(), kLapseNs);
  IS(s, "1p 2p 3k 4k 5w");
  CHECK_EQ(s.queue(2), Outcome::Taken);
  CHECK_EQ(s.queue(1), Outcome::Taken);
  IS(s, "3w 4w 5w / 1g 2g");
}

// The process that made it is gone, and with it the keeper that would have passed it on.
TEST(notification__goes_on_to_whoever_looks_for_itself) {
  for (const OrElse or_else : {OrElse::Leave, OrElse::Queue, OrElse::Cancel}) {
    Scene s(Kind::Condition, 3);
    CHECK_EQ(s.queue(1), Outcome::Pending);
    CHECK_EQ(s.queue(2), Outcome::Pending);
    CHECK_EQ(s.act(3, Action::Notify, 1), 1);
    s.advance(kLongLapsedNs - 1);
    CHECK_EQ(s.queue(2), Outcome::Pending);
    s.advance(1);
    const Outcome outcome = or_else == OrElse::Leave   ? s.try_it(2)
                            : or_else == OrElse::Queue ? s.queue(2)
                                                       : s.cancel(2);
    CHECK_EQ(outcome, Outcome::Taken);
    IS(s, "1p / 2g");
  }
}

TEST(notification__of_a_dead_one__goes_only_to_who_waited_when_it_was_made) {
  for (const bool came : {false, true}) {
    Scene s(Kind::Condition, 4);
    CHECK_EQ(s.queue(1), Outcome::Pending);
    CHECK_EQ(s.act(4, Action::Notify, 1), 1);
    CHECK_EQ(s.queue(2), Outcome::Pending);
    if (came) CHECK_EQ(s.queue(1), Outcome::Taken);
    s.reap(1);
    IS(s, "2w");
  }
}

// 1 has taken back what 3 had, which waited when that was made, and not when its own was.
TEST(notification__taken_back_from_a_later_one__is_the_later_one) {
  Scene s(Kind::Condition, 5);
  CHECK_EQ(s.queue(1), Outcome::Pending);
  CHECK_EQ(s.queue(2), Outcome::Pending);
  CHECK_EQ(s.act(5, Action::Notify, 1), 1);
  s.pass_by(1);
  CHECK_EQ(s.queue(2), Outcome::Taken);
  CHECK_EQ(s.queue(3), Outcome::Pending);
  CHECK_EQ(s.act(5, Action::Notify, 1), 1);
  CHECK_EQ(s.queue(4), Outcome::Pending);
  IS(s, "1p 3k 4w / 2g");
  CHECK_EQ(s.queue(1), Outcome::Taken);
  s.reap(1);
  IS(s, "3k 4w / 2g");
}

TEST(notification__of_a_dead_one__goes_to_no_passed_one_that_came_later) {
  Scene s(Kind::Condition, 4);
  CHECK_EQ(s.queue(1), Outcome::Pending);
  CHECK_EQ(s.act(4, Action::Notify, 1), 1);
  CHECK_EQ(s.queue(2), Outcome::Pending);
  CHECK_EQ(s.queue(3), Outcome::Pending);
  CHECK_EQ(s.act(4, Action::Notify, 1), 1);
  s.pass_by(2);
  IS(s, "1k 2p 3k");
  s.reap(1);
  IS(s, "2p 3k");
}

TEST(notification__of_a_dead_one__has_its_first_patience_again) {
  Scene s(Kind::Condition, 5);
  for (int who = 1; who <= 4; ++who) CHECK_EQ(s.queue(who), Outcome::Pending);
  CHECK_EQ(s.act(5, Action::Notify, 1), 1);
  s.pass_by(1);
  CHECK_EQ(s.queue(1), Outcome::Taken);
  IS(s, "2w 3w 4w / 1g");
  s.reap(1);
  IS(s, "2k 3w 4w");
  CHECK_EQ(s.pass_on(), kLapseNs);
}

TEST(notification__of_a_dead_one__goes_back_to_who_has_passed_it_on) {
  Scene s(Kind::Condition, 4);
  CHECK_EQ(s.queue(1), Outcome::Pending);
  CHECK_EQ(s.queue(2), Outcome::Pending);
  CHECK_EQ(s.act(4, Action::Notify, 1), 1);
  s.pass_by(1);
  CHECK_EQ(s.queue(3), Outcome::Pending);
  IS(s, "1p 2k 3w");
  s.reap(2);
  IS(s, "1k 3w");
}

// One too many where who passes it on dies, and never one too few.
TEST(notification__cut_short_while_it_goes_on_or_is_taken_back__is_doubled_at_most) {
  Scene s(Kind::Condition, 4);
  for (int who = 1; who <= 3; ++who) CHECK_EQ(s.queue(who), Outcome::Pending);
  CHECK_EQ(s.act(4, Action::Notify, 1), 1);
  s.die_inside([&] {
    s.ticket(2).units = s.ticket(1).units;
    s.ticket(2).told_ns = s.now();
    set_state(s.ticket(2), TicketState::Woken);
  });
  CHECK_EQ(s.ask(4, Question::Waiting), 1);
  IS(s, "1k 2k 3w");
}

TEST(condition__sync__a_timeout_that_meets_a_notification_keeps_it) {
  Scene s(Kind::Condition, 3);
  CHECK_EQ(s.queue(1), Outcome::Pending);
  CHECK_EQ(s.queue(2), Outcome::Pending);
  CHECK_EQ(s.act(3, Action::Notify, 1), 1);
  const Attempt wants = s.party(1).wants(0, 0, OrElse::Queue);
  CHECK_EQ(attempt_sync(region(), wants, Deadline::after_ns(0), Deadline::never()), Outcome::Taken);
  s.reap(1);
  IS(s, "2k");
}

TEST(condition__unlinked__who_was_notified_and_has_not_come_hears_that_it_is_over) {
  Scene s(Kind::Condition, 5);
  for (int who = 1; who <= 4; ++who) CHECK_EQ(s.queue(who), Outcome::Pending);
  CHECK_EQ(s.act(5, Action::Notify, 2), 2);
  CHECK_EQ(s.queue(1), Outcome::Taken);
  s.pass_by(2);
  IS(s, "2p 3k 4w / 1g");
  CHECK_EQ(s.unlink(5), Status::Ok);
  IS(s, "/ 1g 2x 3x 4x");
  CHECK_EQ(s.cancel(1), Outcome::Taken);
  CHECK_EQ(s.cancel(2), Outcome::Unlinked);
  CHECK_EQ(s.queue(3), Outcome::Unlinked);
  CHECK_EQ(s.try_it(4), Outcome::Unlinked);
  CHECK_EQ(s.queue(1), Outcome::Unlinked);
}

TEST(condition__unlinked__a_notified_one_cannot_wait_anew) {
  Scene s(Kind::Condition, 2);
  CHECK_EQ(s.queue(1), Outcome::Pending);
  CHECK_EQ(s.act(2, Action::Notify, 1), 1);
  CHECK_EQ(s.queue(1), Outcome::Taken);
  CHECK_EQ(s.unlink(2), Status::Ok);
  CHECK_EQ(s.queue(1), Outcome::Unlinked);
  IS(s, "");
}

// ---- RWLock: the table of rwlock.h ----

TEST(rwlock__readers_share) {
  Scene s(Kind::RWLock, 4);
  for (int who = 1; who <= 3; ++who) CHECK_EQ(s.queue(who, kRead), Outcome::Taken);
  CHECK_EQ(s.try_it(1, kRead), Outcome::Taken);
  CHECK_EQ(s.ask(1, Question::Value), 4);
  CHECK_EQ(s.try_it(4, kWrite), Outcome::Pending);
  CHECK_EQ(s.release(1, kWrite), kNotOwner);
  CHECK_EQ(s.release(4, kRead), kNotOwner);
}

TEST(rwlock__arrival_order__readers_that_stand_together_go_together) {
  Scene s(Kind::RWLock, 7);
  CHECK_EQ(s.queue(1, kWrite), Outcome::Taken);
  CHECK_EQ(s.ask(1, Question::State), 1);
  CHECK_EQ(s.queue(2, kRead), Outcome::Pending);
  CHECK_EQ(s.queue(3, kRead), Outcome::Pending);
  CHECK_EQ(s.queue(4, kWrite), Outcome::Pending);
  CHECK_EQ(s.queue(5, kRead), Outcome::Pending);
  CHECK_EQ(s.release(1, kWrite), kOk);
  IS(s, "2k 3k 4w 5w");
  CHECK_EQ(s.try_it(6, kRead), Outcome::Pending);  // nobody overtakes the writer
  CHECK_EQ(s.try_it(6, kWrite), Outcome::Pending);
  CHECK_EQ(s.queue(3, kRead), Outcome::Taken);  // in whatever order they come
  CHECK_EQ(s.queue(2, kRead), Outcome::Taken);
  IS(s, "4w 5w");
  CHECK_EQ(s.release(2, kRead), kOk);
  IS(s, "4w 5w");
  CHECK_EQ(s.release(3, kRead), kOk);
  IS(s, "4k 5w");
  CHECK_EQ(s.queue(5, kRead), Outcome::Pending);
  CHECK_EQ(s.queue(4, kWrite), Outcome::Taken);
  CHECK_EQ(s.release(4, kWrite), kOk);
  IS(s, "5k");
}

TEST(rwlock__told__newcomers) {
  Scene s(Kind::RWLock, 5);
  CHECK_EQ(s.queue(1, kWrite), Outcome::Taken);
  CHECK_EQ(s.queue(2, kRead), Outcome::Pending);
  CHECK_EQ(s.release(1, kWrite), kOk);
  IS(s, "2k");
  CHECK_EQ(s.try_it(3, kWrite), Outcome::Pending);  // 2 stands before it
  CHECK_EQ(s.try_it(3, kRead), Outcome::Taken);     // beside it
  CHECK_EQ(s.queue(4, kWrite), Outcome::Pending);
  IS(s, "2k 4w");
  CHECK_EQ(s.try_it(5, kRead), Outcome::Pending);
  CHECK_EQ(s.queue(2, kRead), Outcome::Taken);
  Scene w(Kind::RWLock, 3);
  CHECK_EQ(w.queue(1, kWrite), Outcome::Taken);
  CHECK_EQ(w.queue(2, kWrite), Outcome::Pending);
  CHECK_EQ(w.release(1, kWrite), kOk);
  IS(w, "2k");
  CHECK_EQ(w.try_it(3, kRead), Outcome::Pending);
  CHECK_EQ(w.try_it(3, kWrite), Outcome::Pending);
}

TEST(rwlock__passed__a_writer) {
  Scene s(Kind::RWLock, 5);
  CHECK_EQ(s.queue(1, kWrite), Outcome::Taken);
  CHECK_EQ(s.queue(2, kWrite), Outcome::Pending);
  CHECK_EQ(s.queue(3, kRead), Outcome::Pending);
  CHECK_EQ(s.release(1, kWrite), kOk);
  s.pass_by(2);
  IS(s, "2p 3k");
  CHECK_EQ(s.try_it(4, kRead), Outcome::Taken);  // who is passed holds up nobody
  CHECK_EQ(s.queue(2, kWrite), Outcome::Pending);
  IS(s, "2w 3k");
  CHECK_EQ(s.queue(3, kRead), Outcome::Pending);  // it stands behind 2, which waits again
  IS(s, "2w 3w");
  CHECK_EQ(s.release(4, kRead), kOk);
  IS(s, "2k 3w");
}

TEST(rwlock__passed__a_writer__comes_before_those_who_were_told_instead) {
  Scene s(Kind::RWLock, 4);
  CHECK_EQ(s.queue(1, kWrite), Outcome::Taken);
  CHECK_EQ(s.queue(2, kWrite), Outcome::Pending);
  CHECK_EQ(s.queue(3, kRead), Outcome::Pending);
  CHECK_EQ(s.queue(4, kRead), Outcome::Pending);
  CHECK_EQ(s.release(1, kWrite), kOk);
  s.pass_by(2);
  IS(s, "2p 3k 4k");
  CHECK_EQ(s.queue(2, kWrite), Outcome::Taken);
  CHECK_EQ(s.queue(3, kRead), Outcome::Pending);
  IS(s, "3w 4k");
  CHECK_EQ(s.release(2, kWrite), kOk);
  IS(s, "3k 4k");
}

TEST(rwlock__passed__all_readers__the_writer_behind_them_is_told) {
  Scene s(Kind::RWLock, 5);
  CHECK_EQ(s.queue(1, kWrite), Outcome::Taken);
  CHECK_EQ(s.queue(2, kRead), Outcome::Pending);
  CHECK_EQ(s.queue(3, kRead), Outcome::Pending);
  CHECK_EQ(s.queue(4, kWrite), Outcome::Pending);
  CHECK_EQ(s.release(1, kWrite), kOk);
  IS(s, "2k 3k 4w");
  s.pass_by(2);
  IS(s, "2p 3k 4w");
  s.pass_by(3);
  IS(s, "2p 3p 4k");
  CHECK_EQ(s.queue(3, kRead), Outcome::Taken);
  CHECK_EQ(s.queue(4, kWrite), Outcome::Pending);
  IS(s, "2p 4w");
  CHECK_EQ(s.queue(2, kRead), Outcome::Taken);  // it stood before the writer
  CHECK_EQ(s.release(2, kRead), kOk);
  CHECK_EQ(s.release(3, kRead), kOk);
  IS(s, "4k");
}

TEST(rwlock__passed__by_whoever_looks) {
  Scene s(Kind::RWLock, 4);
  CHECK_EQ(s.queue(1, kWrite), Outcome::Taken);
  CHECK_EQ(s.queue(2, kWrite), Outcome::Pending);
  CHECK_EQ(s.queue(3, kWrite), Outcome::Pending);
  CHECK_EQ(s.release(1, kWrite), kOk);
  s.lapse(2);
  CHECK_EQ(s.try_it(4, kRead), Outcome::Pending);
  IS(s, "2p 3k");
  s.lapse(3);
  CHECK_EQ(s.try_it(4, kRead), Outcome::Taken);
  IS(s, "2p 3p");
}

// 3 waits again when 4, which stands behind it, comes for what it was told of.
TEST(rwlock__told_for_nothing__the_first_is_told_of_what_is_left) {
  Scene s(Kind::RWLock, 4);
  CHECK_EQ(s.queue(1, kWrite), Outcome::Taken);
  CHECK_EQ(s.queue(2, kRead), Outcome::Pending);
  CHECK_EQ(s.queue(3, kRead), Outcome::Pending);
  CHECK_EQ(s.queue(4, kWrite), Outcome::Pending);
  CHECK_EQ(s.release(1, kWrite), kOk);
  s.lapse(2);
  s.lapse(3);
  s.pass_on();
  IS(s, "2p 3p 4k");
  CHECK_EQ(s.queue(2, kRead), Outcome::Taken);
  CHECK_EQ(s.queue(2, kUpgrade), Outcome::Taken);
  CHECK_EQ(s.queue(3, kRead), Outcome::Pending);
  IS(s, "3w 4k");
  CHECK_EQ(s.release(2, kWrite), kOk);
  CHECK_EQ(s.queue(4, kWrite), Outcome::Pending);
  IS(s, "3k 4w");
}

TEST(rwlock__giving_up__of_who_was_told) {
  Scene s(Kind::RWLock, 4);
  CHECK_EQ(s.queue(1, kWrite), Outcome::Taken);
  CHECK_EQ(s.queue(2, kWrite), Outcome::Pending);
  CHECK_EQ(s.queue(3, kRead), Outcome::Pending);
  CHECK_EQ(s.release(1, kWrite), kOk);
  CHECK_EQ(s.cancel(2, kWrite), Outcome::Taken);  // too late
  CHECK_EQ(s.release(2, kWrite), kOk);
  IS(s, "3k");
  s.pass_by(3);
  CHECK_EQ(s.queue(4, kWrite), Outcome::Taken);
  CHECK_EQ(s.cancel(3, kRead), Outcome::Cancelled);
  IS(s, "");
}

TEST(rwlock__told_one_dies__the_next_is_told) {
  Scene s(Kind::RWLock, 4);
  CHECK_EQ(s.queue(1, kWrite), Outcome::Taken);
  CHECK_EQ(s.queue(2, kWrite), Outcome::Pending);
  CHECK_EQ(s.queue(3, kRead), Outcome::Pending);
  CHECK_EQ(s.queue(4, kRead), Outcome::Pending);
  CHECK_EQ(s.release(1, kWrite), kOk);
  s.withdraw(2);
  IS(s, "3w 4w");
  s.reap(2);
  IS(s, "3k 4k");
  CHECK_EQ(s.object().rwlock.abandoned, 0u);  // it never had it
}

TEST(rwlock__a_writer_that_gives_up__lets_in_who_stood_behind) {
  Scene s(Kind::RWLock, 3);
  CHECK_EQ(s.queue(1, kRead), Outcome::Taken);
  CHECK_EQ(s.queue(2, kWrite), Outcome::Pending);
  CHECK_EQ(s.queue(3, kRead), Outcome::Pending);
  CHECK_EQ(s.cancel(2, kWrite), Outcome::Cancelled);
  IS(s, "3k");
}

TEST(rwlock__upgrade__alone_at_once) {
  Scene s(Kind::RWLock, 2);
  CHECK_EQ(s.queue(1, kRead), Outcome::Taken);
  CHECK_EQ(s.queue(2, kWrite), Outcome::Pending);
  CHECK_EQ(s.queue(1, kUpgrade), Outcome::Taken);
  CHECK_EQ(s.home(1).held, 0x80000000u);
  CHECK_EQ(s.release(1, kRead), kNotOwner);
  CHECK_EQ(s.release(1, kWrite), kOk);
  IS(s, "2k");
}

TEST(rwlock__upgrade__alone_at_once__before_a_reader_that_was_told) {
  Scene s(Kind::RWLock, 4);
  CHECK_EQ(s.queue(1, kRead), Outcome::Taken);
  CHECK_EQ(s.queue(2, kWrite), Outcome::Pending);
  CHECK_EQ(s.queue(3, kRead), Outcome::Pending);
  CHECK_EQ(s.cancel(2, kWrite), Outcome::Cancelled);
  IS(s, "3k");
  CHECK_EQ(s.queue(1, kUpgrade), Outcome::Taken);
  CHECK_EQ(s.queue(3, kRead), Outcome::Pending);
  IS(s, "3w");
  CHECK_EQ(s.release(1, kWrite), kOk);
  IS(s, "3k");
}

TEST(rwlock__upgrade__goes_before_the_whole_queue) {
  Scene s(Kind::RWLock, 4);
  CHECK_EQ(s.queue(1, kRead), Outcome::Taken);
  CHECK_EQ(s.queue(2, kRead), Outcome::Taken);
  CHECK_EQ(s.queue(3, kWrite), Outcome::Pending);
  CHECK_EQ(s.queue(1, kUpgrade), Outcome::Pending);
  CHECK_EQ(s.try_it(4, kRead), Outcome::Pending);
  CHECK_EQ(s.queue(2, kUpgrade), Outcome::Deadlock);
  CHECK_EQ(s.release(1, kRead), kNotOwner);  // it is given for the upgrade
  CHECK_EQ(s.release(2, kRead), kOk);
  IS(s, "3w 1k");
  CHECK_EQ(s.release(1, kRead), kNotOwner);
  CHECK_EQ(s.try_it(4, kRead), Outcome::Pending);
  CHECK_EQ(s.queue(3, kWrite), Outcome::Pending);
  CHECK_EQ(s.queue(1, kUpgrade), Outcome::Taken);
  CHECK_EQ(s.release(1, kWrite), kOk);
  IS(s, "3k");
}

TEST(rwlock__upgrade__queued__tells_nobody_else) {
  Scene s(Kind::RWLock, 4);
  CHECK_EQ(s.queue(1, kRead), Outcome::Taken);
  CHECK_EQ(s.queue(2, kRead), Outcome::Taken);
  CHECK_EQ(s.queue(1, kUpgrade), Outcome::Pending);
  CHECK_EQ(s.queue(3, kRead), Outcome::Pending);
  CHECK_EQ(s.queue(2, kRead), Outcome::Pending);  // a second share
  IS(s, "1w 3w 2w");
  CHECK_EQ(s.release(2, kRead), kOk);
  IS(s, "1k 3w 2w");
}

TEST(rwlock__upgrade__passed__holds_up_nobody_and_comes_before_all) {
  for (const bool another_came : {false, true}) {
    Scene s(Kind::RWLock, 5);
    CHECK_EQ(s.queue(1, kRead), Outcome::Taken);
    CHECK_EQ(s.queue(2, kRead), Outcome::Taken);
    CHECK_EQ(s.queue(1, kUpgrade), Outcome::Pending);
    CHECK_EQ(s.queue(3, kRead), Outcome::Pending);
    CHECK_EQ(s.queue(4, kWrite), Outcome::Pending);
    CHECK_EQ(s.release(2, kRead), kOk);
    IS(s, "1k 3w 4w");
    s.pass_by(1);
    IS(s, "1p 3k 4w");
    CHECK_EQ(s.release(1, kRead), kNotOwner);  // still given
    CHECK_EQ(s.queue(2, kUpgrade), Outcome::Misuse);
    if (another_came) {
      CHECK_EQ(s.queue(3, kRead), Outcome::Taken);
      CHECK_EQ(s.queue(3, kUpgrade), Outcome::Deadlock);
      CHECK_EQ(s.queue(1, kUpgrade), Outcome::Pending);
      IS(s, "1w 4w");
      CHECK_EQ(s.try_it(5, kRead), Outcome::Pending);
      CHECK_EQ(s.release(3, kRead), kOk);
      IS(s, "1k 4w");
      CHECK_EQ(s.queue(1, kUpgrade), Outcome::Taken);
    } else {
      CHECK_EQ(s.queue(1, kUpgrade), Outcome::Taken);
      CHECK_EQ(s.queue(3, kRead), Outcome::Pending);
      IS(s, "3w 4w");
    }
    CHECK_EQ(s.release(1, kWrite), kOk);
    IS(s, another_came ? "4k" : "3k 4w");
  }
}

TEST(rwlock__upgrade__of_nothing_is_misuse) {
  Scene s(Kind::RWLock, 2);
  CHECK_EQ(s.queue(1, kUpgrade), Outcome::Misuse);
  CHECK_EQ(s.queue(1, kWrite), Outcome::Taken);
  CHECK_EQ(s.queue(1, kUpgrade), Outcome::Misuse);
}

TEST(rwlock__upgrade__given_up__keeps_the_share) {
  Scene s(Kind::RWLock, 3);
  CHECK_EQ(s.queue(1, kRead), Outcome::Taken);
  CHECK_EQ(s.queue(2, kRead), Outcome::Taken);
  CHECK_EQ(s.queue(1, kUpgrade), Outcome::Pending);
  CHECK_EQ(s.queue(3, kRead), Outcome::Pending);
  CHECK_EQ(s.cancel(1, kUpgrade), Outcome::Cancelled);
  IS(s, "3k");
  CHECK_EQ(s.queue(3, kRead), Outcome::Taken);
  CHECK_EQ(s.ask(1, Question::Value), 3);
  CHECK_EQ(s.release(1, kRead), kOk);
  CHECK_EQ(s.release(3, kRead), kOk);
  CHECK_EQ(s.queue(2, kUpgrade), Outcome::Taken);
}

TEST(rwlock__upgrade__its_agent_dies__nobody_is_told_of_a_writer) {
  for (const bool told : {false, true}) {
    Scene s(Kind::RWLock, 4);
    CHECK_EQ(s.queue(1, kRead), Outcome::Taken);
    CHECK_EQ(s.queue(2, kRead), Outcome::Taken);
    CHECK_EQ(s.queue(1, kUpgrade), Outcome::Pending);
    if (told) CHECK_EQ(s.release(2, kRead), kOk);
    s.withdraw(1);
    CHECK_EQ(s.object().rwlock.upgrade, 0u);
    s.reap(1);
    CHECK_EQ(s.object().rwlock.abandoned, 0u);
    CHECK_EQ(s.ask(2, Question::Value), told ? 0 : 1);
    CHECK_EQ(s.queue(3, kRead), Outcome::Taken);
  }
}

TEST(rwlock__downgrade__no_writer_in_between) {
  Scene s(Kind::RWLock, 4);
  CHECK_EQ(s.act(1, Action::Downgrade), kNotOwner);
  CHECK_EQ(s.queue(1, kWrite), Outcome::Taken);
  CHECK_EQ(s.queue(2, kWrite), Outcome::Pending);
  CHECK_EQ(s.queue(3, kRead), Outcome::Pending);
  CHECK_EQ(s.act(1, Action::Downgrade), kOk);
  IS(s, "2w 3w");
  CHECK_EQ(s.release(1, kRead), kOk);
  IS(s, "2k 3w");
}

TEST(rwlock__downgrade__lets_in_the_readers_beside_it) {
  Scene s(Kind::RWLock, 3);
  CHECK_EQ(s.queue(1, kWrite), Outcome::Taken);
  CHECK_EQ(s.queue(2, kRead), Outcome::Pending);
  CHECK_EQ(s.queue(3, kWrite), Outcome::Pending);
  CHECK_EQ(s.act(1, Action::Downgrade), kOk);
  IS(s, "2k 3w");
}

TEST(rwlock__dead_reader__its_shares_go) {
  Scene s(Kind::RWLock, 3);
  CHECK_EQ(s.queue(1, kRead), Outcome::Taken);
  CHECK_EQ(s.queue(1, kRead), Outcome::Taken);
  CHECK_EQ(s.queue(2, kWrite), Outcome::Pending);
  s.reap(1);
  IS(s, "2k");
  CHECK_EQ(s.queue(2, kWrite), Outcome::Taken);
}

TEST(rwlock__dead_writer__told_until_a_writer_has_been) {
  Scene s(Kind::RWLock, 5);
  CHECK_EQ(s.queue(1, kWrite), Outcome::Taken);
  CHECK_EQ(s.queue(2, kRead), Outcome::Pending);
  s.reap(1);
  IS(s, "2k");
  CHECK_EQ(s.queue(2, kRead), Outcome::TakenAbandoned);
  CHECK_EQ(s.queue(3, kRead), Outcome::TakenAbandoned);
  CHECK_EQ(s.release(2, kRead), kOk);
  CHECK_EQ(s.queue(3, kUpgrade), Outcome::TakenAbandoned);
  CHECK_EQ(s.release(3, kWrite), kOk);
  CHECK_EQ(s.queue(4, kRead), Outcome::Taken);
}

// Who was told to come and dies has not been told of the abandonment.
TEST(rwlock__dead_writer__the_told_writer_dies_too__the_next_is_told) {
  Scene s(Kind::RWLock, 3);
  CHECK_EQ(s.queue(1, kWrite), Outcome::Taken);
  CHECK_EQ(s.queue(2, kWrite), Outcome::Pending);
  CHECK_EQ(s.queue(3, kWrite), Outcome::Pending);
  s.reap(1);
  IS(s, "2k 3w");
  s.reap(2);
  IS(s, "3k");
  CHECK_EQ(s.queue(3, kWrite), Outcome::TakenAbandoned);
  CHECK_EQ(s.object().rwlock.abandoned, 0u);
}

TEST(rwlock__untold_release__the_next_one_is_told) {
  Scene s(Kind::RWLock, 3);
  CHECK_EQ(s.queue(1, kWrite), Outcome::Taken);
  s.reap(1);
  CHECK_EQ(s.act(2, Action::ReleaseUntold), kNotOwner);
  CHECK_EQ(s.queue(2, kWrite), Outcome::TakenAbandoned);
  CHECK_EQ(s.act(2, Action::ReleaseUntold), kOk);
  CHECK_EQ(s.queue(3, kWrite), Outcome::TakenAbandoned);
  CHECK_EQ(s.release(3, kWrite), kOk);
  CHECK_EQ(s.queue(2, kWrite), Outcome::Taken);
}

TEST(rwlock__downgraded_and_dead__is_no_dead_writer) {
  Scene s(Kind::RWLock, 2);
  CHECK_EQ(s.queue(1, kWrite), Outcome::Taken);
  CHECK_EQ(s.act(1, Action::Downgrade), kOk);
  s.reap(1);
  CHECK_EQ(s.queue(2, kWrite), Outcome::Taken);
}

TEST(rwlock__cut_short__counts_anew_from_the_tickets) {
  Scene s(Kind::RWLock, 5);
  CHECK_EQ(s.queue(1, kRead), Outcome::Taken);
  CHECK_EQ(s.queue(2, kRead), Outcome::Taken);
  CHECK_EQ(s.queue(3, kWrite), Outcome::Pending);
  s.die_inside([&] {
    s.object().rwlock.readers = 99;
    s.object().rwlock.writer = 4;
  });
  CHECK_EQ(s.ask(4, Question::Value), 2);
  IS(s, "3w");
  CHECK_EQ(s.release(2, kRead), kOk);
  s.die_inside([&] { s.home(1).held = 0; });  // returned, and not counted yet
  CHECK_EQ(s.ask(4, Question::State), 0);
  IS(s, "3k");
  s.die_inside([&] { s.home(3).held = 0x80000000; });  // taken, and not out of the queue
  CHECK_EQ(s.ask(4, Question::State), 1);
  IS(s, "3k");
  s.reap(3);
  CHECK_EQ(s.object().rwlock.abandoned, 1u);
  CHECK_EQ(s.ask(4, Question::State), 0);
}

TEST(rwlock__cut_short__the_upgrade_is_found_anew) {
  Scene s(Kind::RWLock, 4);
  CHECK_EQ(s.queue(1, kRead), Outcome::Taken);
  CHECK_EQ(s.queue(2, kRead), Outcome::Taken);
  CHECK_EQ(s.queue(3, kWrite), Outcome::Pending);
  CHECK_EQ(s.queue(1, kUpgrade), Outcome::Pending);
  for (const uint32_t upgrade : {0u, 77u, kNone}) {
    s.die_inside([&] { s.object().rwlock.upgrade = upgrade; });
    CHECK_EQ(s.ask(4, Question::Value), 2);
    IS(s, "3w 1w");
  }
  CHECK_EQ(s.release(2, kRead), kOk);
  IS(s, "3w 1k");
}

TEST(rwlock__unlink__not_while_it_is_held) {
  Scene s(Kind::RWLock, 3);
  CHECK_EQ(s.queue(1, kRead), Outcome::Taken);
  CHECK_EQ(s.unlink(2), Status::InUse);
  CHECK_EQ(s.release(1, kRead), kOk);
  CHECK_EQ(s.queue(1, kWrite), Outcome::Taken);
  CHECK_EQ(s.unlink(2), Status::InUse);
  CHECK_EQ(s.release(1, kWrite), kOk);
  CHECK_EQ(s.unlink(2), Status::Ok);
  CHECK_EQ(s.queue(3, kRead), Outcome::Unlinked);
}

// ---- Barrier: the phases of barrier.h ----

TEST(barrier__of_one) {
  Scene s(Kind::Barrier, 1, {1, 0});
  for (int round = 0; round < 3; ++round) {
    CHECK_EQ(s.queue(1), Outcome::RunAction);
    CHECK_EQ(s.act(1, Action::ActionDone), static_cast<int32_t>(index_outcome(0)));
  }
}

TEST(barrier__a_round__indices_in_order_of_arrival) {
  Scene s(Kind::Barrier, 3, {3, 0});
  for (int round = 0; round < 3; ++round) {
    CHECK_EQ(s.queue(2), Outcome::Pending);
    CHECK_EQ(s.queue(1), Outcome::Pending);
    CHECK_EQ(s.ask(1, Question::Value), 2);
    CHECK_EQ(s.queue(3), Outcome::RunAction);
    CHECK_EQ(s.ask(1, Question::Value), 3);
    IS(s, "2w 1w");
    CHECK_EQ(s.act(3, Action::ActionDone), static_cast<int32_t>(index_outcome(2)));
    CHECK_EQ(s.ask(1, Question::Value), 0);
    CHECK_EQ(s.queue(2), index_outcome(0));
    CHECK_EQ(s.cancel(1), index_outcome(1));  // its time was over, but the round was complete
  }
}

TEST(barrier__leave_and_cancel_do_not_join) {
  Scene s(Kind::Barrier, 2, {2, 0});
  CHECK_EQ(s.try_it(1), Outcome::Pending);
  CHECK_EQ(s.cancel(1), Outcome::Cancelled);
  IS(s, "");
  CHECK_EQ(s.ask(1, Question::State), 0);
  CHECK_EQ(s.queue(1), Outcome::Pending);
  CHECK_EQ(s.cancel(2), Outcome::Cancelled);  // not even as the last
  CHECK_EQ(s.try_it(2), Outcome::RunAction);
}

TEST(barrier__who_comes_while_the_action_runs__is_of_the_next_round) {
  Scene s(Kind::Barrier, 6, {3, 0});
  CHECK_EQ(s.queue(1), Outcome::Pending);
  CHECK_EQ(s.queue(2), Outcome::Pending);
  CHECK_EQ(s.queue(3), Outcome::RunAction);
  for (int who = 4; who <= 6; ++who) CHECK_EQ(s.queue(who), Outcome::Pending);
  CHECK_EQ(s.act(3, Action::ActionDone), static_cast<int32_t>(index_outcome(2)));
  IS(s, "4k 5k 6k / 1g 2g");
  CHECK_EQ(s.queue(1), index_outcome(0));
  CHECK_EQ(s.queue(2), index_outcome(1));
  CHECK_EQ(s.queue(6), Outcome::RunAction);
  CHECK_EQ(s.act(6, Action::ActionDone), static_cast<int32_t>(index_outcome(2)));
  CHECK_EQ(s.queue(4), index_outcome(0));
  CHECK_EQ(s.queue(5), index_outcome(1));
}

TEST(barrier__a_full_round_is_queued__the_first_that_comes_runs_the_action) {
  for (int first = 4; first <= 6; ++first) {
    for (const OrElse or_else : {OrElse::Leave, OrElse::Queue, OrElse::Cancel}) {
      Scene s(Kind::Barrier, 8, {3, 0});
      CHECK_EQ(s.queue(1), Outcome::Pending);
      CHECK_EQ(s.queue(2), Outcome::Pending);
      CHECK_EQ(s.queue(3), Outcome::RunAction);
      for (int who = 4; who <= 7; ++who) CHECK_EQ(s.queue(who), Outcome::Pending);
      CHECK_EQ(s.act(3, Action::ActionDone), static_cast<int32_t>(index_outcome(2)));
      IS(s, "4k 5k 6k 7w / 1g 2g");
      CHECK_EQ(s.ask(1, Question::Value), 3);
      CHECK_EQ(s.queue(7), Outcome::Pending);  // of the round after that
      CHECK_EQ(s.queue(8), Outcome::Pending);
      const Outcome outcome = or_else == OrElse::Leave   ? s.try_it(first)
                              : or_else == OrElse::Queue ? s.queue(first)
                                                         : s.cancel(first);
      CHECK_EQ(outcome, Outcome::RunAction);
      const int second = first == 4 ? 5 : 4;
      const int third = first == 6 ? 5 : 6;
      CHECK_EQ(s.queue(second), Outcome::Pending);
      CHECK_EQ(s.queue(third), Outcome::Pending);
      CHECK_EQ(s.act(first, Action::ActionDone), static_cast<int32_t>(index_outcome(2)));
      CHECK_EQ(s.queue(second), index_outcome(0));
      CHECK_EQ(s.queue(third), index_outcome(1));
      IS(s, "7w 8w / 1g 2g");
    }
  }
}

TEST(barrier__a_full_round_is_queued__a_party_of_it_dies__it_breaks) {
  Scene s(Kind::Barrier, 5, {2, 0});
  CHECK_EQ(s.queue(1), Outcome::Pending);
  CHECK_EQ(s.queue(2), Outcome::RunAction);
  for (int who = 3; who <= 5; ++who) CHECK_EQ(s.queue(who), Outcome::Pending);
  CHECK_EQ(s.act(2, Action::ActionDone), static_cast<int32_t>(index_outcome(1)));
  IS(s, "3k 4k 5w / 1g");
  s.reap(3);
  IS(s, "/ 1g 4g 5g");
  CHECK_EQ(s.queue(4), Outcome::Broken);
  CHECK_EQ(s.queue(5), Outcome::Broken);
  CHECK_EQ(s.queue(1), index_outcome(0));
}

TEST(barrier__a_full_round_is_queued__found_by_a_repair) {
  Scene s(Kind::Barrier, 5, {2, 0});
  CHECK_EQ(s.queue(1), Outcome::Pending);
  CHECK_EQ(s.queue(2), Outcome::RunAction);
  for (int who = 3; who <= 5; ++who) CHECK_EQ(s.queue(who), Outcome::Pending);
  s.die_inside([&] {  // who let the round go died before it told the next one
    set_state(s.ticket(1), TicketState::Granted);
    s.ticket(2).held = 0;
    s.object().barrier.phase = static_cast<uint32_t>(Phase::Filling);
  });
  CHECK_EQ(s.ask(1, Question::Value), 2);
  IS(s, "3k 4k 5w / 1g");
}

TEST(barrier__of_one__several_queued__each_runs_its_own) {
  Scene s(Kind::Barrier, 3, {1, 0});
  CHECK_EQ(s.queue(1), Outcome::RunAction);
  CHECK_EQ(s.queue(2), Outcome::Pending);
  CHECK_EQ(s.queue(3), Outcome::Pending);
  CHECK_EQ(s.act(1, Action::ActionDone), static_cast<int32_t>(index_outcome(0)));
  IS(s, "2k 3w");
  CHECK_EQ(s.queue(3), Outcome::Pending);
  CHECK_EQ(s.queue(2), Outcome::RunAction);
  CHECK_EQ(s.act(2, Action::ActionDone), static_cast<int32_t>(index_outcome(0)));
  IS(s, "3k");
  CHECK_EQ(s.queue(3), Outcome::RunAction);
}

namespace {

// 1 and 2 wait, 3 runs the action, 4 waits for the next round; `breaks` breaks it, and all but the runner hear it.
void broken_while_acting(const std::function<void(Scene&)>& breaks, const char* picture) {
  Scene s(Kind::Barrier, 5, {3, 0});
  CHECK_EQ(s.queue(1), Outcome::Pending);
  CHECK_EQ(s.queue(2), Outcome::Pending);
  CHECK_EQ(s.queue(3), Outcome::RunAction);
  CHECK_EQ(s.queue(4), Outcome::Pending);
  breaks(s);
  IS(s, picture);
  CHECK_EQ(s.ask(5, Question::State), 1);
  CHECK_EQ(s.queue(5), Outcome::Broken);
  CHECK_EQ(s.queue(4), Outcome::Broken);
  CHECK_EQ(s.act(5, Action::Reset), 0);
  CHECK_EQ(s.ask(5, Question::State), 0);
  CHECK_EQ(s.queue(5), Outcome::Pending);
  IS(s, picture[0] == '/' && picture[2] == '2' ? "5w / 2g" : "5w / 1g 2g");
}

}  // namespace

TEST(barrier__acting__runner_dies) {
  broken_while_acting([](Scene& s) { s.reap(3); }, "/ 1g 2g 4g");
}

TEST(barrier__acting__waiter_dies) {
  broken_while_acting(
      [](Scene& s) {
        s.reap(1);
        CHECK_EQ(s.act(3, Action::ActionDone), static_cast<int32_t>(Outcome::Broken));
      },
      "/ 2g 4g");
}

TEST(barrier__acting__waiter_gives_up) {
  broken_while_acting(
      [](Scene& s) {
        CHECK_EQ(s.cancel(1), Outcome::Cancelled);
        CHECK_EQ(s.act(3, Action::ActionDone), static_cast<int32_t>(Outcome::Broken));
      },
      "/ 2g 4g");
}

TEST(barrier__acting__action_fails) {
  broken_while_acting(
      [](Scene& s) {
        CHECK_EQ(s.act(3, Action::ActionFailed), static_cast<int32_t>(Outcome::Broken));
      },
      "/ 1g 2g 4g");
}

TEST(barrier__acting__abort) {
  broken_while_acting(
      [](Scene& s) {
        CHECK_EQ(s.act(5, Action::Abort), 0);
        CHECK_EQ(s.act(3, Action::ActionDone), static_cast<int32_t>(Outcome::Broken));
      },
      "/ 1g 2g 4g");
}

TEST(barrier__reset_while_acting__the_old_runner_releases_no_new_round) {
  Scene s(Kind::Barrier, 5, {3, 0});
  CHECK_EQ(s.queue(1), Outcome::Pending);
  CHECK_EQ(s.queue(2), Outcome::Pending);
  CHECK_EQ(s.queue(3), Outcome::RunAction);
  CHECK_EQ(s.act(5, Action::Reset), 0);
  CHECK_EQ(s.queue(1), Outcome::Broken);
  CHECK_EQ(s.queue(2), Outcome::Broken);
  CHECK_EQ(s.queue(1), Outcome::Pending);
  CHECK_EQ(s.queue(2), Outcome::Pending);
  CHECK_EQ(s.queue(4), Outcome::RunAction);
  CHECK_EQ(s.act(3, Action::ActionDone), static_cast<int32_t>(Outcome::Broken));
  IS(s, "1w 2w");
  s.reap(3);
  IS(s, "1w 2w");
  CHECK_EQ(s.act(4, Action::ActionDone), static_cast<int32_t>(index_outcome(2)));
  CHECK_EQ(s.queue(1), index_outcome(0));
}

TEST(barrier__filling__death_and_give_up_break) {
  for (const bool dies : {true, false}) {
    Scene s(Kind::Barrier, 4, {4, 0});
    for (int who = 1; who <= 3; ++who) CHECK_EQ(s.queue(who), Outcome::Pending);
    if (dies) {
      s.reap(2);
    } else {
      CHECK_EQ(s.cancel(2), Outcome::Cancelled);
    }
    CHECK_EQ(s.queue(1), Outcome::Broken);
    CHECK_EQ(s.queue(3), Outcome::Broken);
    CHECK_EQ(s.queue(4), Outcome::Broken);
  }
}

TEST(barrier__death_after_release__breaks_nothing) {
  Scene s(Kind::Barrier, 3, {2, 0});
  CHECK_EQ(s.queue(1), Outcome::Pending);
  CHECK_EQ(s.queue(2), Outcome::RunAction);
  CHECK_EQ(s.act(2, Action::ActionDone), static_cast<int32_t>(index_outcome(1)));
  s.reap(1);
  s.reap(2);
  CHECK_EQ(s.ask(3, Question::State), 0);
  CHECK_EQ(s.queue(3), Outcome::Pending);
}

TEST(barrier__runner_of_a_queued_round_dies__it_breaks) {
  Scene s(Kind::Barrier, 5, {2, 0});
  CHECK_EQ(s.queue(1), Outcome::Pending);
  CHECK_EQ(s.queue(2), Outcome::RunAction);
  CHECK_EQ(s.queue(3), Outcome::Pending);
  CHECK_EQ(s.queue(4), Outcome::Pending);
  CHECK_EQ(s.act(2, Action::ActionDone), static_cast<int32_t>(index_outcome(1)));
  CHECK_EQ(s.queue(4), Outcome::RunAction);
  s.reap(4);
  IS(s, "/ 1g 3g");
  CHECK_EQ(s.queue(3), Outcome::Broken);
  CHECK_EQ(s.queue(1), index_outcome(0));
}

// It came for the action and died before it was out of the queue.
TEST(barrier__runner_of_a_queued_round_dies_at_once__it_breaks) {
  Scene s(Kind::Barrier, 5, {2, 0});
  CHECK_EQ(s.queue(1), Outcome::Pending);
  CHECK_EQ(s.queue(2), Outcome::RunAction);
  CHECK_EQ(s.queue(3), Outcome::Pending);
  CHECK_EQ(s.queue(4), Outcome::Pending);
  CHECK_EQ(s.act(2, Action::ActionDone), static_cast<int32_t>(index_outcome(1)));
  s.die_inside([&] {
    s.ticket(4).held = 1;
    s.object().barrier.phase = static_cast<uint32_t>(Phase::Acting);
  });
  CHECK_EQ(s.ask(5, Question::State), 0);
  s.reap(4);
  IS(s, "/ 1g 3g");
  CHECK_EQ(s.queue(3), Outcome::Broken);
}

// One who came last dies between its mark and the phase: it never was in. Its mark must not break a later round.
TEST(barrier__filling__marked_runner_died_before_it_began) {
  Scene s(Kind::Barrier, 4, {2, 0});
  CHECK_EQ(s.queue(1), Outcome::Pending);
  s.die_inside([&] { s.ticket(2).held = 1; });
  CHECK_EQ(s.queue(3), Outcome::RunAction);
  s.reap(2);
  CHECK_EQ(s.act(3, Action::ActionDone), static_cast<int32_t>(index_outcome(1)));
  CHECK_EQ(s.queue(1), index_outcome(0));
}

TEST(barrier__acting_without_a_runner__is_repaired_to_broken) {
  Scene s(Kind::Barrier, 4, {3, 0});
  CHECK_EQ(s.queue(1), Outcome::Pending);
  CHECK_EQ(s.queue(2), Outcome::Pending);
  CHECK_EQ(s.queue(3), Outcome::RunAction);
  s.die_inside([&] { s.ticket(3).held = 0; });
  CHECK_EQ(s.ask(4, Question::State), 1);
  IS(s, "/ 1g 2g");
}

TEST(barrier__marks_that_were_not_committed__go) {
  Scene s(Kind::Barrier, 4, {3, 0});
  CHECK_EQ(s.queue(1), Outcome::Pending);
  CHECK_EQ(s.queue(2), Outcome::Pending);
  CHECK_EQ(s.queue(3), Outcome::RunAction);
  s.die_inside([&] { s.ticket(1).units = static_cast<uint32_t>(index_outcome(0)); });
  CHECK_EQ(s.ask(4, Question::State), 0);
  IS(s, "1w 2w");
  CHECK_EQ(s.ticket(1).units, 0u);
}

// ---- Shared memory: waits for an element ----

TEST(memory__holds_something_else__is_not_waited_for) {
  Scene s(Kind::SharedValue, 2, kElements);
  s.memory[2] = 5;
  CHECK_EQ(s.queue(1, 2), Outcome::NotEqual);
  CHECK_EQ(s.queue(1, 0), Outcome::Pending);
  IS(s, "1w");
  s.memory[0] = 5;
  CHECK_EQ(s.queue(1, 0), Outcome::Pending);  // asked once, before the wait
  CHECK_EQ(s.cancel(1, 0), Outcome::Cancelled);
  CHECK_EQ(s.queue(1, 0), Outcome::NotEqual);
}

TEST(memory__beyond_its_end_or_none__is_misuse) {
  Scene s(Kind::SharedValue, 1, kElements);
  CHECK_EQ(s.queue(1, 4), Outcome::Misuse);
  CHECK_EQ(s.queue(1, 0x7fffffff), Outcome::Misuse);
  CHECK_EQ(attempt(region(), s.party(1).wants(0, 0, OrElse::Queue)), Outcome::Misuse);
  IS(s, "");
}

TEST(memory__notify__those_of_the_element_in_order) {
  Scene s(Kind::SharedValue, 7, kElements);
  for (const int who : {1, 3, 5}) CHECK_EQ(s.queue(who, 0), Outcome::Pending);
  for (const int who : {2, 4}) CHECK_EQ(s.queue(who, 1), Outcome::Pending);
  CHECK_EQ(s.notify(7, 2, 9), 0);
  CHECK_EQ(s.notify(7, 1, 0), 0);
  CHECK_EQ(s.notify(7, 1, 1), 1);
  IS(s, "1w 3w 5w 2k 4w");
  CHECK_EQ(s.notify(7, 0, 2), 2);
  IS(s, "1k 3k 5w 2k 4w");
  CHECK_EQ(s.notify(7, 0, 9), 1);
  CHECK_EQ(s.queue(3, 0), Outcome::Taken);
  CHECK_EQ(s.try_it(1, 0), Outcome::Taken);
  CHECK_EQ(s.cancel(2, 1), Outcome::Taken);  // its time was over, but it had been notified
  IS(s, "5k 4w");
}

TEST(memory__notification__goes_on_to_one_of_the_same_element_that_waited_already) {
  Scene s(Kind::SharedValue, 5, kElements);
  CHECK_EQ(s.queue(1, 0), Outcome::Pending);
  CHECK_EQ(s.queue(2, 1), Outcome::Pending);
  CHECK_EQ(s.queue(3, 0), Outcome::Pending);
  CHECK_EQ(s.notify(5, 0, 1), 1);
  CHECK_EQ(s.queue(4, 0), Outcome::Pending);
  s.pass_by(1);
  IS(s, "1p 2w 3k 4w");
  s.advance(1000 * kLapseNs);
  CHECK_EQ(s.pass_on(), kNeverLapses);
  IS(s, "1p 2w 3k 4w");
  CHECK_EQ(s.queue(1, 0), Outcome::Taken);
  IS(s, "2w 3w 4w");
}

TEST(memory__notification__is_not_taken_back_from_another_element) {
  Scene s(Kind::SharedValue, 6, kElements);
  CHECK_EQ(s.queue(1, 0), Outcome::Pending);
  CHECK_EQ(s.queue(2, 1), Outcome::Pending);
  CHECK_EQ(s.queue(3, 0), Outcome::Pending);
  CHECK_EQ(s.notify(6, 0, 1), 1);
  s.pass_by(1);
  CHECK_EQ(s.notify(6, 1, 1), 1);
  CHECK_EQ(s.queue(3, 0), Outcome::Taken);
  IS(s, "1p 2k");
  CHECK_EQ(s.queue(1, 0), Outcome::Pending);
  IS(s, "1w 2k");
}

TEST(memory__notification__goes_on_to_whoever_looks_for_itself) {
  Scene s(Kind::SharedValue, 3, kElements);
  CHECK_EQ(s.queue(1, 0), Outcome::Pending);
  CHECK_EQ(s.queue(2, 0), Outcome::Pending);
  CHECK_EQ(s.notify(3, 0, 1), 1);
  s.advance(kLongLapsedNs);
  CHECK_EQ(s.queue(2, 0), Outcome::Taken);
  IS(s, "1p");
}

TEST(memory__notified_one_dies__the_next_of_the_element_is_notified) {
  Scene s(Kind::SharedValue, 4, kElements);
  CHECK_EQ(s.queue(1, 0), Outcome::Pending);
  CHECK_EQ(s.queue(2, 1), Outcome::Pending);
  CHECK_EQ(s.queue(3, 0), Outcome::Pending);
  CHECK_EQ(s.notify(4, 0, 1), 1);
  s.withdraw(1);
  IS(s, "1k 2w 3w");
  s.reap(1);
  IS(s, "2w 3k");
  s.withdraw(2);
  IS(s, "3k");
}

TEST(memory__notified_one_dies__who_is_passed_at_another_element_is_not_notified) {
  Scene s(Kind::SharedValue, 4, kElements);
  CHECK_EQ(s.queue(1, 0), Outcome::Pending);
  CHECK_EQ(s.queue(2, 1), Outcome::Pending);
  CHECK_EQ(s.queue(3, 1), Outcome::Pending);
  CHECK_EQ(s.notify(4, 1, 1), 1);
  s.pass_by(2);
  CHECK_EQ(s.notify(4, 0, 1), 1);
  IS(s, "1k 2p 3k");
  s.reap(1);
  IS(s, "2p 3k");
}

TEST(memory__notified_one_dies__who_came_later_is_not_notified) {
  Scene s(Kind::SharedValue, 4, kElements);
  CHECK_EQ(s.queue(1, 0), Outcome::Pending);
  CHECK_EQ(s.notify(4, 0, 1), 1);
  CHECK_EQ(s.queue(2, 0), Outcome::Pending);
  s.reap(1);
  IS(s, "2w");
}

TEST(memory__unlinked__who_was_notified_still_hears_of_it) {
  Scene s(Kind::SharedValue, 4, kElements);
  CHECK_EQ(s.queue(1, 0), Outcome::Pending);
  CHECK_EQ(s.queue(2, 0), Outcome::Pending);
  CHECK_EQ(s.unlink(4), Status::Ok);
  IS(s, "/ 1x 2x");
  CHECK_EQ(s.queue(1, 0), Outcome::Unlinked);
  CHECK_EQ(s.cancel(2, 0), Outcome::Unlinked);
  CHECK_EQ(s.queue(3, 0), Outcome::Unlinked);
  CHECK_EQ(s.notify(3, 0, 1), static_cast<int32_t>(Status::Unlinked));
}

// ---- Whose process is about to be reaped ----

namespace {

// At an object: `mine` has two parties, of which the second waits behind one of a dead process.
struct DeadInLine {
  fixture::NameSpace name_space;
  fixture::Member living{name_space.name()};
  fixture::Member dying{name_space.name()};
  Party holder;
  Party dead;
  Party behind;
  uint64_t memory[4] = {};

  DeadInLine(Kind kind, Parameters parameters)
      : holder(join(living.region(), "x", kind, parameters)),
        dead(join(dying.region(), "x", kind, parameters)),
        behind(join(living.region(), "x", kind, parameters)) {}
  Region& region() { return living.region(); }
  Outcome queue(Party& party, uint32_t role = 0, uint32_t units = 1) {
    Attempt wanted = party.wants(role, units, OrElse::Queue);
    wanted.element = {reinterpret_cast<std::byte*>(memory), sizeof memory, 0};
    Region& own = &party == &dead ? dying.region() : living.region();
    return attempt(own, wanted);
  }
  void line_up(uint32_t role = 0, uint32_t units = 1) {
    CHECK_EQ(queue(dead, role, units), Outcome::Pending);
    CHECK_EQ(queue(behind, role, units), Outcome::Pending);
    dying.die();
  }
  // It was never told; who stood behind it was. Reaping changes nothing.
  void check_told() {
    for (int round = 0; round < 2; ++round) {
      check_whole(region(), *holder.home.object, holder.home.object_index, true);
      CHECK_EQ(state_of(*behind.waiter.ticket), TicketState::Woken);
      CHECK_EQ(holder.home.object->woken.load(), 1u);
      CHECK_EQ(holder.home.object->passed, round == 0 ? 1u : 0u);
      if (round == 0) fixture::reap_all(region());
    }
  }
};

}  // namespace

TEST(dying__is_not_told_of_permits) {
  DeadInLine s(Kind::Semaphore, owned(2));
  CHECK_EQ(s.queue(s.holder, 0, 2), Outcome::Taken);
  s.line_up(0, 2);
  CHECK_EQ(act(s.region(), s.holder.home, nullptr, Action::Release, 2), kOk);
  s.check_told();
  CHECK_EQ(s.queue(s.behind), Outcome::Taken);
}

TEST(dying__is_not_told_of_a_side) {
  DeadInLine s(Kind::RWLock, {});
  CHECK_EQ(s.queue(s.holder, kWrite), Outcome::Taken);
  s.line_up(kWrite);
  CHECK_EQ(act(s.region(), s.holder.home, nullptr, Action::Release, kWrite), kOk);
  s.check_told();
  CHECK_EQ(s.queue(s.behind, kWrite), Outcome::Taken);
}

TEST(dying__is_not_notified) {
  DeadInLine s(Kind::Condition, {});
  s.line_up();
  CHECK_EQ(act(s.region(), s.holder.home, nullptr, Action::Notify, 1), 1);
  s.check_told();
  CHECK_EQ(s.queue(s.behind), Outcome::Taken);
}

TEST(dying__is_not_notified_of_memory) {
  DeadInLine s(Kind::SharedValue, kElements);
  s.line_up();
  CHECK_EQ(shared_memory::notify(s.region(), s.holder.home, 0, 1), 1);
  s.check_told();
  CHECK_EQ(s.queue(s.behind), Outcome::Taken);
}

// ---- All steps, one after another at random ----

namespace {

constexpr int kAgents = 6;
// A step looks through all tickets that there are, which ThreadSanitizer makes fifty times as slow.
#if defined(__SANITIZE_THREAD__)
constexpr unsigned kSlower = 20;
#else
constexpr unsigned kSlower = 1;
#endif

// After every step of `step(who, dice)` the object is whole. In the end whoever was told anything comes, and nobody is
// left who waits in vain: `come(who)` tries once more and gives up at once what it gets.
void run_at_random(Kind kind, Parameters parameters, unsigned seeds,
                   const std::function<void(Scene&, int, std::mt19937&)>& step,
                   const std::function<void(Scene&, int)>& come) {
  const int before = harness::failures();
  for (unsigned seed = 0; seed < seeds / kSlower && harness::failures() == before; ++seed) {
    std::mt19937 random(seed);
    Scene s(kind, kAgents, parameters);
    for (int i = 0; i < 300 && harness::failures() == before; ++i) {
      const int who = 1 + static_cast<int>(random() % kAgents);
      switch (random() % 16) {
        case 0:
          s.advance(static_cast<int64_t>(random() % 5) * kLapseNs / 2);
          break;
        case 1:
          s.pass_on();
          break;
        case 2:
          if (random() % 2 == 0) s.withdraw(who);
          s.reap(who);
          s.join_anew(who);
          break;
        case 3:
          s.die_inside([] {});
          static_cast<void>(s.try_it(who));
          break;
        default:
          step(s, who, random);
      }
    }
    for (int round = 0; round < 3 * kAgents; ++round) {
      for (int who = 1; who <= kAgents; ++who) come(s, who);
    }
    CHECK_EQ(s.object().queue_head, kNone);
    if (harness::failures() != before) {
      std::fprintf(stderr, "  seed %u: %s\n", seed, s.picture().c_str());
    }
  }
}

bool was_told(Scene& s, int who) {
  return s.state(who) == TicketState::Woken || s.state(who) == TicketState::Passed;
}

}  // namespace

TEST(semaphore__all_steps_at_random) {
  for (const bool is_owned : {true, false}) {
    const auto step = [=](Scene& s, int who, std::mt19937& random) {
      const uint32_t units = 1 + static_cast<uint32_t>(random() % 3);
      switch (random() % 8) {
        case 0:
          static_cast<void>(s.try_it(who, 0, units));
          break;
        case 1:
        case 2:
        case 3:
          static_cast<void>(s.queue(who, 0, units));
          break;
        case 4:
          static_cast<void>(s.cancel(who, 0, units));
          break;
        default:
          if (is_owned) {
            const uint32_t held = s.home(who).held;
            if (held != 0) CHECK_EQ(s.release(who, 1 + random() % held), kOk);
          } else if (s.free() < 8) {
            CHECK_EQ(s.release(who, units), kOk);
          }
      }
    };
    const auto come = [=](Scene& s, int who) {
      if (was_told(s, who)) static_cast<void>(s.queue(who));
      const uint32_t held = is_owned ? s.home(who).held : s.free() < 8 ? 1 : 0;
      if (held != 0) CHECK_EQ(s.release(who, held), kOk);
    };
    run_at_random(Kind::Semaphore, is_owned ? owned(4) : plain(2), 60, step, come);
  }
}

TEST(rwlock__all_steps_at_random) {
  const auto step = [](Scene& s, int who, std::mt19937& random) {
    const uint32_t held = s.home(who).held;
    const uint32_t role = held == 0 && random() % 3 == 0 ? kWrite : kRead;
    switch (random() % 8) {
      case 0:
        static_cast<void>(s.try_it(who, role));
        break;
      case 1:
      case 2:
        // An agent that holds a side and waits for another would wait for itself: that is its users' business.
        if (held == 0 || WaitQueue::is_queued(s.ticket(who))) static_cast<void>(s.queue(who, role));
        break;
      case 3:
        if (held != 0 && (held & 0x80000000) == 0) static_cast<void>(s.queue(who, kUpgrade));
        break;
      case 4:
        static_cast<void>(s.cancel(who, role));
        break;
      case 5:
        static_cast<void>(s.act(who, Action::Downgrade));
        break;
      default:
        static_cast<void>(s.release(who, (held & 0x80000000) != 0 ? kWrite : kRead));
    }
  };
  const auto come = [](Scene& s, int who) {
    if (was_told(s, who)) static_cast<void>(s.queue(who));
    while (s.release(who, kRead) == kOk || s.release(who, kWrite) == kOk) {
    }
  };
  run_at_random(Kind::RWLock, {}, 120, step, come);
}

TEST(condition__all_steps_at_random) {
  for (const Kind kind : {Kind::Condition, Kind::SharedValue}) {
    const auto notify = [=](Scene& s, int who, uint32_t element, uint32_t count) {
      return kind == Kind::Condition ? s.act(who, Action::Notify, count)
                                     : s.notify(who, element, count);
    };
    const auto step = [=](Scene& s, int who, std::mt19937& random) {
      const uint32_t role = kind == Kind::Condition ? 0 : static_cast<uint32_t>(random() % 2);
      switch (random() % 6) {
        case 0:
          static_cast<void>(notify(s, who, role, 1 + random() % 2));
          break;
        case 1:
          static_cast<void>(s.cancel(who, role));
          break;
        case 2:
          static_cast<void>(s.try_it(who, role));
          break;
        default:
          static_cast<void>(s.queue(who, role));
      }
    };
    const auto come = [=](Scene& s, int who) {
      if (was_told(s, who)) static_cast<void>(s.queue(who));
      for (const uint32_t role : {0u, 1u}) static_cast<void>(notify(s, who, role, 1));
    };
    run_at_random(kind, kind == Kind::Condition ? Parameters{} : kElements, 60, step, come);
  }
}

TEST(barrier__all_steps_at_random) {
  for (const uint32_t parties : {1u, 2u, 3u}) {
    const auto finish = [](Scene& s, int who, bool done) {
      static_cast<void>(s.act(who, done ? Action::ActionDone : Action::ActionFailed));
    };
    const auto step = [=](Scene& s, int who, std::mt19937& random) {
      switch (random() % 10) {
        case 0:
          if (s.ticket(who).held == 0) static_cast<void>(s.cancel(who));
          break;
        case 1:
          if (random() % 4 == 0) static_cast<void>(s.act(who, Action::Abort));
          break;
        case 2:
          static_cast<void>(s.act(who, Action::Reset));
          break;
        case 3:
        case 4:
        case 5:
          finish(s, who, random() % 5 != 0);
          break;
        default:
          // A runner has other things to do than to wait.
          if (s.ticket(who).held == 0) static_cast<void>(s.queue(who));
      }
    };
    const auto come = [=](Scene& s, int who) {
      if (s.ticket(who).held != 0) finish(s, who, true);
      if (s.state(who) != TicketState::None && s.ticket(who).held == 0) {
        static_cast<void>(s.queue(who));
      }
      if (s.ticket(who).held != 0) finish(s, who, true);
      if (who == kAgents && s.object().queue_head != kNone &&
          s.ask(who, Question::Value) < static_cast<int32_t>(parties)) {
        static_cast<void>(s.act(who, Action::Reset));  // a round that will not fill
      }
    };
    run_at_random(Kind::Barrier, {parties, 0}, 60, step, come);
  }
}

TEST(event__all_steps_at_random) {
  const auto step = [](Scene& s, int who, std::mt19937& random) {
    switch (random() % 8) {
      case 0:
        static_cast<void>(s.act(who, Action::Set));
        break;
      case 1:
        static_cast<void>(s.act(who, Action::Clear));
        break;
      case 2:
        static_cast<void>(s.cancel(who));
        break;
      case 3:
        static_cast<void>(s.try_it(who));
        break;
      default:
        static_cast<void>(s.queue(who));
    }
  };
  const auto come = [](Scene& s, int who) {
    static_cast<void>(s.act(who, Action::Set));
    static_cast<void>(s.queue(who));
  };
  run_at_random(Kind::Event, {}, 40, step, come);
}
