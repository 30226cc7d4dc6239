// Every row of the tables in the headers of sync/ beside the lock. How a test says what it expects stands in
// objects_scene.h.
#include <functional>

#include "objects_scene.h"

namespace {

using namespace objects_scene;
using Phase = barrier::Phase;

constexpr Parameters owned(uint32_t permits) { return {permits, 1}; }
constexpr Parameters plain(uint32_t permits) { return {permits, 0}; }

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

TEST(ticket__granted_while_another_attempt_is_made__counts_as_it_was_asked_for) {
  Scene s(Kind::Semaphore, 2, owned(3));
  CHECK_EQ(s.queue(1, 0, 3), Outcome::Taken);
  CHECK_EQ(s.queue(2, 0, 2), Outcome::Pending);
  CHECK_EQ(s.release(1, 3), kOk);
  IS(s, "/ 2g");
  CHECK_EQ(s.queue(2, 7, 1), Outcome::Taken);  // other role, other units
  CHECK_EQ(s.home(2).held, 2u);
  CHECK_EQ(s.free(), 1u);
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

TEST(repair__more_told_than_the_ring_has_room_for) {
  Scene s(Kind::Event, 40);
  for (int who = 1; who <= 40; ++who) CHECK_EQ(s.queue(who), Outcome::Pending);
  CHECK_EQ(s.act(1, Action::Set), 40);
  for (int who = 1; who <= 40; ++who) CHECK_EQ(s.queue(who), Outcome::Taken);
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
  IS(s, "3w / 2g");
  CHECK_EQ(s.queue(2), Outcome::Taken);
  CHECK_EQ(s.release(2, 3), kOk);
  IS(s, "/ 3g");
}

TEST(semaphore__giving_up__lets_in_who_stood_behind) {
  Scene s(Kind::Semaphore, 3, owned(3));
  CHECK_EQ(s.queue(1, 0, 2), Outcome::Taken);
  CHECK_EQ(s.queue(2, 0, 3), Outcome::Pending);
  CHECK_EQ(s.queue(3, 0, 1), Outcome::Pending);
  CHECK_EQ(s.cancel(2), Outcome::Cancelled);
  IS(s, "/ 3g");
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
  IS(s, "/ 3g");
  s.reap(3);  // who did not learn of it
  CHECK_EQ(s.ask(4, Question::Value), 3);
  s.reap(4);  // nothing
  CHECK_EQ(s.ask(5, Question::Value), 3);
}

TEST(semaphore__owned__dead_holder_that_also_waits) {
  Scene s(Kind::Semaphore, 2, owned(1));
  CHECK_EQ(s.queue(1), Outcome::Taken);
  CHECK_EQ(s.queue(1), Outcome::Pending);
  CHECK_EQ(s.queue(2), Outcome::Pending);
  s.reap(1);
  IS(s, "/ 2g");
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
  IS(s, "/ 2g");
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

TEST(semaphore__plain__a_death_gives_nothing_back__but_what_it_did_not_learn_of) {
  Scene s(Kind::Semaphore, 3, plain(2));
  CHECK_EQ(s.queue(1, 0, 2), Outcome::Taken);
  s.reap(1);
  CHECK_EQ(s.free(), 0u);
  CHECK_EQ(s.queue(2, 0, 2), Outcome::Pending);
  CHECK_EQ(s.release(3, 3), kOk);
  IS(s, "/ 2g");
  CHECK_EQ(s.free(), 1u);
  s.reap(2);
  CHECK_EQ(s.free(), 3u);
}

TEST(semaphore__plain__what_comes_back_stays_within_the_bound) {
  Scene s(Kind::Semaphore, 3, plain(0));
  CHECK_EQ(s.queue(2, 0, 5), Outcome::Pending);
  CHECK_EQ(s.release(1, 5), kOk);
  CHECK_EQ(s.release(1, semaphore::kMaxPermits), kOk);
  s.reap(2);
  CHECK_EQ(s.ask(1, Question::Value), static_cast<int32_t>(semaphore::kMaxPermits));
  CHECK_EQ(s.release(1), static_cast<int32_t>(Status::Full));
}

// The journal's moments: written down, granted, counted.
TEST(semaphore__plain__grant_cut_short__is_done_once) {
  for (int moment = 0; moment < 3; ++moment) {
    Scene s(Kind::Semaphore, 2, plain(0));
    CHECK_EQ(s.queue(2, 0, 2), Outcome::Pending);
    s.die_inside([&] {
      SemaphoreState& state = s.object().semaphore;
      state.free = moment == 2 ? 1 : 3;
      state.journal_free = 1;
      state.journal_ticket = s.party(2).waiter.ticket_index + 1;
      if (moment > 0) set_state(s.ticket(2), TicketState::Granted);
    });
    CHECK_EQ(s.ask(1, Question::Value), 1);
    IS(s, "/ 2g");
  }
}

TEST(semaphore__plain__taking_back_cut_short__is_done_once) {
  for (int moment = 0; moment < 3; ++moment) {
    Scene s(Kind::Semaphore, 2, plain(0));
    CHECK_EQ(s.queue(2, 0, 2), Outcome::Pending);
    CHECK_EQ(s.release(1, 2), kOk);
    IS(s, "/ 2g");
    s.die_inside([&] {
      SemaphoreState& state = s.object().semaphore;
      state.free = moment == 2 ? 2 : 0;
      state.journal_free = 2;
      state.journal_ticket = s.party(2).waiter.ticket_index + 1;
      if (moment > 0) set_state(s.ticket(2), TicketState::None);
    });
    s.reap(2);
    CHECK_EQ(s.free(), 2u);
  }
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
  IS(s, "3w 4w 5w 6w / 1g 2g");
  CHECK_EQ(s.act(7, Action::Notify, 4), 4);
  CHECK_EQ(s.act(7, Action::Notify, 3), 0);
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
  s.reap(1);  // never learned of it
  IS(s, "3w 4w / 2g");
  CHECK_EQ(s.queue(2), Outcome::Taken);
  s.reap(2);  // learned of it, and died before it had the lock
  IS(s, "4w / 3g");
  CHECK_EQ(s.queue(3), Outcome::Taken);
  CHECK_EQ(s.cancel(3), Outcome::Taken);
  s.reap(3);  // had used it
  IS(s, "4w");
}

TEST(condition__waiters_that_die_unnotified__pass_nothing_on) {
  Scene s(Kind::Condition, 3);
  CHECK_EQ(s.queue(1), Outcome::Pending);
  CHECK_EQ(s.queue(2), Outcome::Pending);
  s.reap(1);
  IS(s, "2w");
}

TEST(condition__sync__a_timeout_that_meets_a_notification_keeps_it) {
  Scene s(Kind::Condition, 3);
  CHECK_EQ(s.queue(1), Outcome::Pending);
  CHECK_EQ(s.queue(2), Outcome::Pending);
  CHECK_EQ(s.act(3, Action::Notify, 1), 1);
  const Attempt wants = s.party(1).wants(0, 0, OrElse::Queue);
  CHECK_EQ(attempt_sync(region(), wants, Deadline::after_ns(0), Deadline::never()), Outcome::Taken);
  s.reap(1);
  IS(s, "/ 2g");
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
  IS(s, "4w 5w / 2g 3g");
  CHECK_EQ(s.try_it(6, kRead), Outcome::Pending);  // nobody overtakes the writer
  CHECK_EQ(s.queue(2, kRead), Outcome::Taken);
  CHECK_EQ(s.queue(3, kRead), Outcome::Taken);
  CHECK_EQ(s.release(2, kRead), kOk);
  IS(s, "4w 5w");
  CHECK_EQ(s.release(3, kRead), kOk);
  IS(s, "5w / 4g");
  CHECK_EQ(s.queue(4, kWrite), Outcome::Taken);
  CHECK_EQ(s.release(4, kWrite), kOk);
  IS(s, "/ 5g");
}

TEST(rwlock__a_writer_that_gives_up__lets_in_who_stood_behind) {
  Scene s(Kind::RWLock, 3);
  CHECK_EQ(s.queue(1, kRead), Outcome::Taken);
  CHECK_EQ(s.queue(2, kWrite), Outcome::Pending);
  CHECK_EQ(s.queue(3, kRead), Outcome::Pending);
  CHECK_EQ(s.cancel(2, kWrite), Outcome::Cancelled);
  IS(s, "/ 3g");
}

TEST(rwlock__upgrade__alone_at_once) {
  Scene s(Kind::RWLock, 2);
  CHECK_EQ(s.queue(1, kRead), Outcome::Taken);
  CHECK_EQ(s.queue(2, kWrite), Outcome::Pending);
  CHECK_EQ(s.queue(1, kUpgrade), Outcome::Taken);
  CHECK_EQ(s.home(1).held, 0x80000000u);
  CHECK_EQ(s.release(1, kRead), kNotOwner);
  CHECK_EQ(s.release(1, kWrite), kOk);
  IS(s, "/ 2g");
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
  IS(s, "3w / 1g");
  CHECK_EQ(s.release(1, kRead), kNotOwner);
  CHECK_EQ(s.queue(1, kUpgrade), Outcome::Taken);
  CHECK_EQ(s.release(1, kWrite), kOk);
  IS(s, "/ 3g");
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
  IS(s, "/ 3g");
  CHECK_EQ(s.ask(1, Question::Value), 3);
  CHECK_EQ(s.release(1, kRead), kOk);
}

TEST(rwlock__upgrade__its_agent_dies__nobody_is_told_of_a_writer) {
  Scene s(Kind::RWLock, 3);
  CHECK_EQ(s.queue(1, kRead), Outcome::Taken);
  CHECK_EQ(s.queue(2, kRead), Outcome::Taken);
  CHECK_EQ(s.queue(1, kUpgrade), Outcome::Pending);
  s.reap(1);
  CHECK_EQ(s.object().rwlock.abandoned, 0u);
  CHECK_EQ(s.ask(2, Question::Value), 1);
  CHECK_EQ(s.queue(3, kRead), Outcome::Taken);
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
  IS(s, "3w / 2g");
}

TEST(rwlock__downgrade__lets_in_the_readers_beside_it) {
  Scene s(Kind::RWLock, 3);
  CHECK_EQ(s.queue(1, kWrite), Outcome::Taken);
  CHECK_EQ(s.queue(2, kRead), Outcome::Pending);
  CHECK_EQ(s.queue(3, kWrite), Outcome::Pending);
  CHECK_EQ(s.act(1, Action::Downgrade), kOk);
  IS(s, "3w / 2g");
}

TEST(rwlock__dead_reader__its_shares_go) {
  Scene s(Kind::RWLock, 3);
  CHECK_EQ(s.queue(1, kRead), Outcome::Taken);
  CHECK_EQ(s.queue(1, kRead), Outcome::Taken);
  CHECK_EQ(s.queue(2, kWrite), Outcome::Pending);
  s.reap(1);
  IS(s, "/ 2g");
  CHECK_EQ(s.queue(2, kWrite), Outcome::Taken);
}

TEST(rwlock__dead_writer__told_until_a_writer_has_been) {
  Scene s(Kind::RWLock, 5);
  CHECK_EQ(s.queue(1, kWrite), Outcome::Taken);
  CHECK_EQ(s.queue(2, kRead), Outcome::Pending);
  s.reap(1);
  CHECK_EQ(s.queue(2, kRead), Outcome::TakenAbandoned);
  CHECK_EQ(s.queue(3, kRead), Outcome::TakenAbandoned);
  CHECK_EQ(s.release(2, kRead), kOk);
  CHECK_EQ(s.queue(3, kUpgrade), Outcome::TakenAbandoned);
  CHECK_EQ(s.release(3, kWrite), kOk);
  CHECK_EQ(s.queue(4, kRead), Outcome::Taken);
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
  CHECK_EQ(s.ask(4, Question::State), 1);
  IS(s, "/ 3g");
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
  IS(s, "4w 5w / 1g 2g 6g");
  CHECK_EQ(s.queue(1), index_outcome(0));
  CHECK_EQ(s.queue(2), index_outcome(1));
  CHECK_EQ(s.queue(6), Outcome::RunAction);
  CHECK_EQ(s.act(6, Action::ActionDone), static_cast<int32_t>(index_outcome(2)));
  CHECK_EQ(s.queue(4), index_outcome(0));
  CHECK_EQ(s.queue(5), index_outcome(1));
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

TEST(barrier__chosen_runner_of_the_next_round_dies_before_it_looks) {
  Scene s(Kind::Barrier, 5, {2, 0});
  CHECK_EQ(s.queue(1), Outcome::Pending);
  CHECK_EQ(s.queue(2), Outcome::RunAction);
  CHECK_EQ(s.queue(3), Outcome::Pending);
  CHECK_EQ(s.queue(4), Outcome::Pending);
  CHECK_EQ(s.act(2, Action::ActionDone), static_cast<int32_t>(index_outcome(1)));
  IS(s, "3w / 1g 4g");
  s.reap(4);
  IS(s, "/ 1g 3g");
  CHECK_EQ(s.queue(3), Outcome::Broken);
  CHECK_EQ(s.queue(1), index_outcome(0));
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
