// Every cell of the lock word's transition table (sync/lock_word.h). How a test says what it expects stands in
// lock_scene.h.
#include "sync/lock.h"

#include <algorithm>
#include <random>
#include <vector>

#include "fixture.h"
#include "lock_scene.h"
#include "posix/fault.h"
#include "sync/lock_word.h"

namespace {

using namespace lock_scene;

}  // namespace

// ---- The word alone ----

TEST(word__every_combination_of_flags_against_the_table) {
  using namespace lock_word;
  for (const uint32_t owner_slot : {0u, 1u, 65535u}) {
    for (uint32_t flags = 0; flags < 32; ++flags) {
      const uint32_t w = owner_slot | flags << 16;
      CHECK_EQ(owner(w), owner_slot);
      const bool may_take = owner_slot == 0 && (w & (kStarving | kAbandoned | kUnlinked)) == 0;
      CHECK_EQ((w & kBlocksFastAcquire) == 0, may_take);
      const bool may_free = (w & kStarving) == 0 && ((w & kWaiters) == 0 || (w & kWoken) != 0);
      CHECK_EQ(fast_release_allowed(w), may_free);
      CHECK_EQ(with_owner(w, 77), 77u | flags << 16);
      CHECK_EQ(with(w, kWoken, true), w | kWoken);
      CHECK_EQ(with(w, kWoken, false), w & ~kWoken);
      CHECK_EQ(is_unlinked(w), (flags & 16) != 0);
    }
  }
}

// ---- fast.acquire ----

TEST(fast_acquire__free) {
  Scene s(1);
  CHECK(s.fast_acquire(1));
  IS(s, "1");
}

TEST(fast_acquire__free_W_K__barges_between_wake_and_look) {
  Scene s(3);
  line_up_and_wake(s, 2);
  IS(s, "- WK: 2k");
  CHECK(s.fast_acquire(3));
  IS(s, "3 WK: 2k");
  CHECK_EQ(s.look(2), Outcome::Pending);
  IS(s, "3 W: 2w");
}

TEST(fast_acquire__owned__refused) {
  Scene s(2);
  CHECK(s.fast_acquire(1));
  CHECK(!s.fast_acquire(2));
  IS(s, "1");
}

TEST(fast_acquire__free_A__refused) {
  Scene s(2);
  CHECK(s.fast_acquire(1));
  s.reap(1);
  IS(s, "- A");
  CHECK(!s.fast_acquire(2));
  IS(s, "- A");
}

TEST(fast_acquire__U__refused) {
  Scene s(1);
  AgentSlot holder = 0;
  CHECK_EQ(s.unlink(1, &holder), Status::Ok);
  CHECK(!s.fast_acquire(1));
  IS(s, "- U");
}

// ---- fast.release ----

TEST(fast_release__mine) {
  Scene s(1);
  CHECK(s.fast_acquire(1));
  CHECK(s.fast_release(1));
  IS(s, "-");
}

TEST(fast_release__mine_W_K__leaves_the_woken_one_on_its_way) {
  Scene s(3);
  line_up_and_wake(s, 2);
  CHECK(s.fast_acquire(3));
  CHECK(s.fast_release(3));
  IS(s, "- WK: 2k");
  CHECK_EQ(s.look(2), Outcome::Taken);
  IS(s, "2");
}

TEST(fast_release__mine_W__refused) {
  Scene s(2);
  line_up(s, 2);
  CHECK(!s.fast_release(1));
  IS(s, "1 W: 2w");
}

TEST(fast_release__mine_W_K_S__refused) {
  Scene s(4);
  line_up_and_wake(s, 3);
  CHECK(s.fast_acquire(4));
  s.starve(3);
  CHECK_EQ(s.look(3), Outcome::Pending);
  IS(s, "4 WKS: 2k 3w*");
  CHECK(!s.fast_release(4));
}

// ---- look.take ----

TEST(look_take__free) {
  Scene s(3);
  CHECK_EQ(s.look(1), Outcome::Taken);
  IS(s, "1");
  CHECK_EQ(s.release(1), Status::Ok);
  CHECK_EQ(s.try_acquire(2), Outcome::Taken);
  IS(s, "2");
  CHECK_EQ(s.release(2), Status::Ok);
  CHECK_EQ(s.last_look(3), Outcome::Taken);
  IS(s, "3");
}

TEST(look_take__free_W_K__by_the_woken_alone__clears_both) {
  Scene s(2);
  line_up_and_wake(s, 2);
  IS(s, "- WK: 2k");
  CHECK_EQ(s.look(2), Outcome::Taken);
  IS(s, "2");
}

TEST(look_take__free_W_K__by_the_woken_with_others_behind__W_stays) {
  Scene s(3);
  line_up_and_wake(s, 3);
  IS(s, "- WK: 2k 3w");
  CHECK_EQ(s.look(2), Outcome::Taken);
  IS(s, "2 W: 3w");
}

TEST(look_take__free_W_K__by_one_not_queued__both_stay) {
  Scene s(3);
  line_up_and_wake(s, 2);
  CHECK_EQ(s.try_acquire(3), Outcome::Taken);
  IS(s, "3 WK: 2k");
}

TEST(look_take__free_W_K__by_a_waiting_one__K_stays_for_the_woken) {
  Scene s(3);
  line_up_and_wake(s, 3);
  CHECK_EQ(s.look(3), Outcome::Taken);
  IS(s, "3 WK: 2k");
  CHECK(s.fast_release(3));
  CHECK_EQ(s.look(2), Outcome::Taken);
  IS(s, "2");
}

TEST(look_take__free_W_K__by_the_last_in_the_middle_of_a_queue) {
  Scene s(4);
  line_up_and_wake(s, 4);
  IS(s, "- WK: 2k 3w 4w");
  CHECK_EQ(s.look(3), Outcome::Taken);
  IS(s, "3 WK: 2k 4w");
  CHECK_EQ(s.look(2), Outcome::Pending);
  IS(s, "3 W: 2w 4w");
}

TEST(look_take__free_A__tells_one_owner_once) {
  Scene s(3);
  CHECK(s.fast_acquire(1));
  s.reap(1);
  CHECK_EQ(s.look(2), Outcome::TakenAbandoned);
  IS(s, "2");
  CHECK_EQ(s.release(2), Status::Ok);
  CHECK_EQ(s.look(3), Outcome::Taken);
  IS(s, "3");
}

TEST(look_take__free_A__by_try_acquire_and_by_last_look) {
  Scene s(3);
  CHECK(s.fast_acquire(1));
  s.reap(1);
  CHECK_EQ(s.try_acquire(2), Outcome::TakenAbandoned);
  s.reap(2);
  CHECK_EQ(s.last_look(3), Outcome::TakenAbandoned);
  IS(s, "3");
}

TEST(look_take__free_W_K_A__by_the_woken) {
  Scene s(3);
  line_up(s, 3);
  s.reap(1);
  IS(s, "- WKA: 2k 3w");
  CHECK_EQ(s.look(2), Outcome::TakenAbandoned);
  IS(s, "2 W: 3w");
}

TEST(look_take__free_W_K_A__by_one_who_barges__is_told_instead) {
  Scene s(3);
  line_up(s, 2);
  s.reap(1);
  CHECK_EQ(s.try_acquire(3), Outcome::TakenAbandoned);
  IS(s, "3 WK: 2k");
  CHECK(s.fast_release(3));
  CHECK_EQ(s.look(2), Outcome::Taken);
  IS(s, "2");
}

// ---- look.note ----

TEST(look_note__held__queues_at_the_end) {
  Scene s(3);
  CHECK(s.fast_acquire(1));
  CHECK_EQ(s.look(3), Outcome::Pending);
  IS(s, "1 W: 3w");
  CHECK_EQ(s.look(2), Outcome::Pending);
  IS(s, "1 W: 3w 2w");
}

TEST(look_note__held_by_a_waiting_one__keeps_its_place) {
  Scene s(3);
  line_up(s, 3);
  const uint64_t place = s.ticket(2).seq;
  CHECK_EQ(s.look(2), Outcome::Pending);
  IS(s, "1 W: 2w 3w");
  CHECK_EQ(s.ticket(2).seq, place);
}

TEST(look_note__held_by_the_woken__K_off_and_its_place_kept) {
  Scene s(4);
  line_up_and_wake(s, 3);
  CHECK(s.fast_acquire(4));
  CHECK_EQ(s.look(2), Outcome::Pending);
  IS(s, "4 W: 2w 3w");
  CHECK_EQ(s.release(4), Status::Ok);
  IS(s, "- WK: 2k 3w");
}

TEST(look_note__held_by_a_waiting_one_beside_the_woken__K_stays) {
  Scene s(4);
  line_up_and_wake(s, 3);
  CHECK(s.fast_acquire(4));
  CHECK_EQ(s.look(3), Outcome::Pending);
  IS(s, "4 WK: 2k 3w");
}

TEST(look_note__remembers_the_mode_of_the_latest_look) {
  Scene s(2);
  line_up(s, 1);
  CHECK_EQ(s.look(2, WaitMode::Async), Outcome::Pending);
  CHECK_EQ(s.ticket(2).mode, WaitMode::Async);
  CHECK_EQ(s.look(2, WaitMode::Sync), Outcome::Pending);
  CHECK_EQ(s.ticket(2).mode, WaitMode::Sync);
}

TEST(look_note__waited_over_1_ms__S_on) {
  Scene s(3);
  line_up(s, 3);
  s.starve(2);
  CHECK_EQ(s.look(2), Outcome::Pending);
  IS(s, "1 WS: 2w* 3w");
}

TEST(look_note__woken_and_waited_over_1_ms__S_on_K_off) {
  Scene s(3);
  line_up_and_wake(s, 2);
  CHECK(s.fast_acquire(3));
  s.starve(2);
  CHECK_EQ(s.look(2), Outcome::Pending);
  IS(s, "3 WS: 2w*");
}

TEST(look_note__first_look_never_starves) {
  Scene s(2);
  line_up(s, 1);
  s.ticket(2).since_ns = 0;  // of an older wait
  s.object().handed_over_ns = 0;
  CHECK_EQ(s.look(2), Outcome::Pending);
  IS(s, "1 W: 2w");
}

TEST(look_note__over_1_ms_but_handed_over_within_the_last__no_S) {
  Scene s(2);
  line_up(s, 2);
  s.starve(2);
  int64_t handed_over = 0;
  do {  // again, if this thread was kept from running for so long
    s.word().fetch_and(~lock_word::kStarving);
    s.ticket(2).starved = 0;
    handed_over = s.object().handed_over_ns = monotonic_ns();
    CHECK_EQ(s.look(2), Outcome::Pending);
  } while (monotonic_ns() - handed_over > kMsNs);
  IS(s, "1 W: 2w");
}

// Of a process with a clock of its own, in another time namespace.
TEST(look_note__over_1_ms_and_handed_over_in_the_future__S_on) {
  Scene s(2);
  line_up(s, 2);
  s.starve(2);
  s.object().handed_over_ns = monotonic_ns() + kHourNs;
  CHECK_EQ(s.look(2), Outcome::Pending);
  IS(s, "1 WS: 2w*");
}

TEST(look_note__starving_by_the_clock__not_before_1_ms_and_then_for_certain) {
  Scene s(2);
  line_up(s, 1);
  const int64_t before = monotonic_ns();
  CHECK_EQ(lock::look(region(), s.seat(2), WaitMode::Sync), Outcome::Pending);
  const int64_t since = s.ticket(2).since_ns;
  CHECK(since >= before && since <= monotonic_ns());
  // However often it looks meanwhile: no look within the first millisecond sets the bit, nor starts it anew.
  while (monotonic_ns() <= since + kMsNs) {
    CHECK_EQ(lock::look(region(), s.seat(2), WaitMode::Sync), Outcome::Pending);
    const bool starving = (s.word().load() & lock_word::kStarving) != 0;
    if (monotonic_ns() - since <= kMsNs) CHECK(!starving);
    s.check_invariants();
  }
  CHECK_EQ(s.look(2), Outcome::Pending);
  IS(s, "1 WS: 2w*");
  CHECK_EQ(s.ticket(2).since_ns, since);
}

TEST(look_note__a_new_wait_starts_a_new_millisecond) {
  Scene s(2);
  line_up(s, 2);
  s.starve(2);
  CHECK_EQ(s.look(2), Outcome::Pending);
  CHECK_EQ(s.last_look(2), Outcome::Cancelled);
  IS(s, "1 S");
  const int64_t before = monotonic_ns();
  CHECK_EQ(lock::look(region(), s.seat(2), WaitMode::Sync), Outcome::Pending);
  CHECK(s.ticket(2).since_ns >= before);
  IS(s, "1 WS: 2w");
}

// ---- look.granted, look.gone ----

TEST(look_granted__by_look_try_acquire_and_last_look) {
  for (int how = 0; how < 3; ++how) {
    Scene s(3);
    line_up(s, 3);
    CHECK_EQ(s.release(1, Release::Fair), Status::Ok);
    IS(s, "2 W: 3w / 2g");
    const Outcome outcome = how == 0 ? s.look(2) : how == 1 ? s.try_acquire(2) : s.last_look(2);
    CHECK_EQ(outcome, Outcome::Taken);
    IS(s, "2 W: 3w");
  }
}

TEST(look_granted__on_its_way_to_the_slow_path__does_not_queue_behind_itself) {
  Scene s(3);
  line_up_and_wake(s, 2);
  CHECK(s.fast_acquire(3));
  CHECK_EQ(s.release(3, Release::Fair), Status::Ok);  // 2 is awake, and has not looked
  IS(s, "2 / 2g");
  CHECK_EQ(s.look(2), Outcome::Taken);
  IS(s, "2");
}

TEST(look_gone__by_look_try_acquire_and_last_look) {
  for (int how = 0; how < 3; ++how) {
    Scene s(2);
    line_up_and_wake(s, 2);
    AgentSlot holder = 0;
    CHECK_EQ(s.unlink(1, &holder), Status::Ok);
    IS(s, "- U / 2x");
    const Outcome outcome = how == 0 ? s.look(2) : how == 1 ? s.try_acquire(2) : s.last_look(2);
    CHECK_EQ(outcome, Outcome::Unlinked);
    IS(s, "- U");
  }
}

TEST(look_gone__unlinked__for_one_who_never_waited) {
  Scene s(2);
  AgentSlot holder = 0;
  CHECK_EQ(s.unlink(1, &holder), Status::Ok);
  CHECK_EQ(s.look(2), Outcome::Unlinked);
  CHECK_EQ(s.try_acquire(2), Outcome::Unlinked);
  CHECK_EQ(s.last_look(2), Outcome::Unlinked);
  IS(s, "- U");
}

// ---- look, try_acquire: misuse ----

TEST(look__by_the_holder__is_misuse_and_changes_nothing) {
  Scene s(2);
  line_up(s, 2);
  CHECK_EQ(s.look(1), Outcome::Misuse);
  IS(s, "1 W: 2w");
  CHECK_EQ(lock::acquire_sync(region(), s.seat(1), {Deadline::never(), Deadline::never()}),
           Outcome::Misuse);
  IS(s, "1 W: 2w");
}

TEST(try_acquire__held__changes_nothing) {
  Scene s(3);
  line_up(s, 2);
  CHECK_EQ(s.try_acquire(3), Outcome::Pending);
  CHECK_EQ(s.try_acquire(2), Outcome::Pending);
  CHECK_EQ(s.try_acquire(1), Outcome::Pending);
  IS(s, "1 W: 2w");
}

TEST(try_acquire__held__leaves_a_woken_ticket_woken) {
  Scene s(3);
  line_up_and_wake(s, 2);
  CHECK(s.fast_acquire(3));
  CHECK_EQ(s.try_acquire(2), Outcome::Pending);
  IS(s, "3 WK: 2k");
}

// ---- cancel ----

TEST(cancel__held__not_queued__changes_nothing) {
  Scene s(3);
  line_up(s, 2);
  CHECK_EQ(s.last_look(3), Outcome::Cancelled);
  CHECK_EQ(s.last_look(1), Outcome::Cancelled);
  IS(s, "1 W: 2w");
}

TEST(cancel__held_W__the_only_one__W_off) {
  Scene s(2);
  line_up(s, 2);
  CHECK_EQ(s.last_look(2), Outcome::Cancelled);
  IS(s, "1");
  CHECK(s.fast_release(1));
}

TEST(cancel__held_W__head_middle_and_tail) {
  Scene s(5);
  line_up(s, 5);
  CHECK_EQ(s.last_look(3), Outcome::Cancelled);
  IS(s, "1 W: 2w 4w 5w");
  CHECK_EQ(s.last_look(5), Outcome::Cancelled);
  IS(s, "1 W: 2w 4w");
  CHECK_EQ(s.last_look(2), Outcome::Cancelled);
  IS(s, "1 W: 4w");
  CHECK_EQ(s.look(2), Outcome::Pending);  // anew: behind
  IS(s, "1 W: 4w 2w");
}

TEST(cancel__held_W_K__the_woken_one__K_off_and_the_next_release_wakes) {
  Scene s(4);
  line_up_and_wake(s, 3);
  CHECK(s.fast_acquire(4));
  IS(s, "4 WK: 2k 3w");
  CHECK_EQ(s.last_look(2), Outcome::Cancelled);
  IS(s, "4 W: 3w");
  CHECK(!s.fast_release(4));
  CHECK_EQ(s.release(4), Status::Ok);
  IS(s, "- WK: 3k");
}

TEST(cancel__held_W_K__a_waiting_one__K_stays) {
  Scene s(4);
  line_up_and_wake(s, 3);
  CHECK(s.fast_acquire(4));
  CHECK_EQ(s.last_look(3), Outcome::Cancelled);
  IS(s, "4 WK: 2k");
}

TEST(cancel__free_W_K__the_woken_one__takes_the_lock_instead) {
  Scene s(3);
  line_up_and_wake(s, 3);
  CHECK_EQ(s.last_look(2), Outcome::Taken);
  IS(s, "2 W: 3w");
  CHECK_EQ(s.release(2), Status::Ok);
  IS(s, "- WK: 3k");
}

TEST(cancel__free_W_K__a_waiting_one__takes_the_lock_instead) {
  Scene s(3);
  line_up_and_wake(s, 3);
  CHECK_EQ(s.last_look(3), Outcome::Taken);
  IS(s, "3 WK: 2k");
}

TEST(cancel__held_S__the_starved_one__S_stays_until_the_release) {
  Scene s(3);
  line_up(s, 3);
  s.starve(2);
  CHECK_EQ(s.look(2), Outcome::Pending);
  CHECK_EQ(s.last_look(2), Outcome::Cancelled);
  IS(s, "1 WS: 3w");
  CHECK_EQ(s.release(1), Status::Ok);
  IS(s, "3 / 3g");
}

// The holder leaves by the fast path, trusting in the wake of the one that is just giving up.
TEST(cancel__the_holder_leaves_meanwhile__fix_wakes_the_next) {
  Scene s(4);
  line_up_and_wake(s, 3);
  CHECK(s.fast_acquire(4));
  IS(s, "4 WK: 2k 3w");
  fixture::Child canceller([&] {
    arm_fault("leave.retracted", FaultAction::Stop);
    CHECK_EQ(lock::last_look(region(), s.seat(2)), Outcome::Cancelled);
  });
  CHECK(canceller.stopped());
  uint32_t seen = s.word().load();
  CHECK(lock_word::fast_release_allowed(seen));
  CHECK(s.word().compare_exchange_strong(seen, lock_word::with_owner(seen, 0)));
  canceller.signal(SIGCONT);
  CHECK(canceller.wait().well());
  s.check_invariants();
  IS(s, "- WK: 3k");
}

// ---- release ----

TEST(release_free__mine__nobody_queued) {
  Scene s(1);
  CHECK(s.fast_acquire(1));
  CHECK_EQ(s.release(1), Status::Ok);
  IS(s, "-");
  CHECK(s.fast_acquire(1));
  CHECK_EQ(s.release(1, Release::Fair), Status::Ok);
  IS(s, "-");
}

TEST(release_free__mine_S__after_the_starved_one_gave_up) {
  Scene s(2);
  line_up(s, 2);
  s.starve(2);
  CHECK_EQ(s.look(2), Outcome::Pending);
  CHECK_EQ(s.last_look(2), Outcome::Cancelled);
  IS(s, "1 S");
  CHECK(!s.fast_release(1));
  CHECK_EQ(s.release(1), Status::Ok);
  IS(s, "-");
}

TEST(release_free__clears_flags_that_a_crash_left) {
  Scene s(1);
  CHECK(s.fast_acquire(1));
  s.word().fetch_or(lock_word::kWaiters | lock_word::kWoken);
  CHECK_EQ(s.release(1), Status::Ok);
  IS(s, "-");
}

TEST(wake_free__mine_W__wakes_the_head) {
  Scene s(3);
  line_up(s, 3);
  CHECK_EQ(s.release(1), Status::Ok);
  IS(s, "- WK: 2k 3w");
}

TEST(wake_free__mine_W_K__wakes_nobody_else) {
  Scene s(4);
  line_up_and_wake(s, 3);
  CHECK_EQ(s.try_acquire(4), Outcome::Taken);
  CHECK_EQ(s.release(4), Status::Ok);
  IS(s, "- WK: 2k 3w");
}

TEST(wake_free__order_is_first_come_first_served) {
  Scene s(5);
  line_up(s, 5);
  for (int who = 1; who < 5; ++who) {
    CHECK_EQ(s.release(who), Status::Ok);
    CHECK_EQ(s.state(who + 1), TicketState::Woken);
    CHECK_EQ(s.look(who + 1), Outcome::Taken);
  }
  IS(s, "5");
}

TEST(release__by_another__is_not_owner_and_changes_nothing) {
  Scene s(3);
  line_up(s, 2);
  for (const Release how : {Release::Plain, Release::Fair, Release::Untold}) {
    CHECK_EQ(s.release(2, how), Status::NotOwner);
    CHECK_EQ(s.release(3, how), Status::NotOwner);
  }
  IS(s, "1 W: 2w");
}

TEST(release__free__is_not_owner) {
  Scene s(2);
  CHECK_EQ(s.release(1), Status::NotOwner);
  IS(s, "-");
  line_up_and_wake(s, 2);
  CHECK_EQ(s.release(1), Status::NotOwner);
  IS(s, "- WK: 2k");
}

// ---- handoff ----

TEST(handoff__mine_W_S__to_the_starved_head) {
  Scene s(3);
  line_up(s, 3);
  s.starve(2);
  CHECK_EQ(s.look(2), Outcome::Pending);
  CHECK_EQ(s.release(1), Status::Ok);
  IS(s, "2 W: 3w / 2g");
  CHECK_EQ(s.look(2), Outcome::Taken);
  IS(s, "2 W: 3w");
}

TEST(handoff__mine_W_S__to_the_only_one__no_flag_left) {
  Scene s(2);
  line_up(s, 2);
  s.starve(2);
  CHECK_EQ(s.look(2), Outcome::Pending);
  CHECK_EQ(s.release(1), Status::Ok);
  IS(s, "2 / 2g");
}

TEST(handoff__mine_W_S__to_the_first_starved_before_a_head_that_is_not) {
  Scene s(5);
  line_up(s, 5);
  s.starve(4);
  CHECK_EQ(s.look(4), Outcome::Pending);
  s.starve(3);
  CHECK_EQ(s.look(3), Outcome::Pending);
  IS(s, "1 WS: 2w 3w* 4w* 5w");
  CHECK_EQ(s.release(1), Status::Ok);
  IS(s, "3 W: 2w 4w* 5w / 3g");
}

TEST(handoff__mine_W_K_S__to_the_woken__K_off) {
  Scene s(4);
  line_up_and_wake(s, 3);
  CHECK(s.fast_acquire(4));
  s.starve(3);
  CHECK_EQ(s.look(3), Outcome::Pending);
  CHECK_EQ(s.last_look(3), Outcome::Cancelled);
  IS(s, "4 WKS: 2k");
  CHECK_EQ(s.release(4), Status::Ok);
  IS(s, "2 / 2g");
}

TEST(handoff__mine_W_K_S__to_another_than_the_woken__K_stays) {
  Scene s(4);
  line_up_and_wake(s, 3);
  CHECK(s.fast_acquire(4));
  s.starve(3);
  CHECK_EQ(s.look(3), Outcome::Pending);
  IS(s, "4 WKS: 2k 3w*");
  CHECK_EQ(s.release(4), Status::Ok);
  IS(s, "3 WK: 2k / 3g");
}

TEST(handoff__mine_W__fair__to_the_head) {
  Scene s(3);
  line_up(s, 3);
  CHECK_EQ(s.release(1, Release::Fair), Status::Ok);
  IS(s, "2 W: 3w / 2g");
}

TEST(handoff__mine_W_K__fair__to_the_woken_head__K_off) {
  Scene s(4);
  line_up_and_wake(s, 3);
  CHECK(s.fast_acquire(4));
  CHECK_EQ(s.release(4, Release::Fair), Status::Ok);
  IS(s, "2 W: 3w / 2g");
}

TEST(handoff__nobody_barges_between_it_and_the_look) {
  Scene s(3);
  line_up(s, 2);
  CHECK_EQ(s.release(1, Release::Fair), Status::Ok);
  CHECK(!s.fast_acquire(3));
  CHECK_EQ(s.try_acquire(3), Outcome::Pending);
  CHECK_EQ(s.look(3), Outcome::Pending);
  IS(s, "2 W: 3w / 2g");
  CHECK_EQ(s.look(2), Outcome::Taken);
  IS(s, "2 W: 3w");
}

TEST(handoff__all_in_order_of_arrival) {
  Scene s(5);
  line_up(s, 5);
  for (int who = 1; who < 5; ++who) {
    CHECK_EQ(s.release(who, Release::Fair), Status::Ok);
    CHECK_EQ(s.state(who + 1), TicketState::Granted);
    CHECK_EQ(s.look(who + 1), Outcome::Taken);
  }
  IS(s, "5");
}

TEST(handoff__the_granted_one_may_release_before_it_looks__refused_or_clean) {
  // Its ticket says Granted until it looks: the holder is the one the word names, so release works,
  // and must not leave a grant behind that a later look would believe.
  Scene s(2);
  line_up(s, 2);
  CHECK_EQ(s.release(1, Release::Fair), Status::Ok);
  CHECK_EQ(s.last_look(2), Outcome::Taken);
  CHECK_EQ(s.release(2), Status::Ok);
  CHECK(s.fast_acquire(1));
  CHECK_EQ(s.look(2), Outcome::Pending);
  IS(s, "1 W: 2w");
}

TEST(handoff__within_1_ms_of_the_last_one__no_new_starving) {
  Scene s(3);
  line_up(s, 3);
  const int64_t before = monotonic_ns();
  CHECK_EQ(s.release(1, Release::Fair), Status::Ok);
  CHECK(s.object().handed_over_ns >= before);
  CHECK(s.object().handed_over_ns <= monotonic_ns());
}

// ---- release: untold ----

TEST(release_untold__the_next_owner_is_told) {
  Scene s(3);
  CHECK(s.fast_acquire(1));
  s.reap(1);
  CHECK_EQ(s.look(2), Outcome::TakenAbandoned);
  CHECK_EQ(s.release(2, Release::Untold), Status::Ok);
  IS(s, "- A");
  CHECK_EQ(s.look(3), Outcome::TakenAbandoned);
  IS(s, "3");
}

TEST(release_untold__with_waiters__wakes_the_head) {
  Scene s(3);
  line_up(s, 3);
  s.starve(2);
  CHECK_EQ(s.look(2), Outcome::Pending);
  CHECK_EQ(s.release(1, Release::Untold), Status::Ok);
  IS(s, "- WKA: 2k* 3w");
  CHECK_EQ(s.look(2), Outcome::TakenAbandoned);
  IS(s, "2 W: 3w");
}

// ---- reap ----

TEST(reap_release__owner__nobody_queued) {
  Scene s(2);
  CHECK(s.fast_acquire(1));
  s.reap(1);
  IS(s, "- A");
}

TEST(reap_release__owner__others_queued__wakes_the_head) {
  Scene s(3);
  line_up(s, 3);
  s.reap(1);
  IS(s, "- WKA: 2k 3w");
}

TEST(reap_release__owner_W_K__wakes_nobody_else) {
  Scene s(4);
  line_up_and_wake(s, 3);
  CHECK(s.fast_acquire(4));
  s.reap(4);
  IS(s, "- WKA: 2k 3w");
}

TEST(reap_release__owner_S__S_off) {
  Scene s(3);
  line_up(s, 2);
  s.starve(2);
  CHECK_EQ(s.look(2), Outcome::Pending);
  s.reap(1);
  IS(s, "- WKA: 2k*");
  CHECK_EQ(s.look(2), Outcome::TakenAbandoned);
  IS(s, "2");
}

TEST(reap__ticket_None__not_the_owner__changes_nothing) {
  Scene s(3);
  line_up(s, 2);
  s.reap(3);
  IS(s, "1 W: 2w");
}

TEST(reap__ticket_Waiting__held) {
  Scene s(4);
  line_up(s, 4);
  s.reap(3);
  IS(s, "1 W: 2w 4w");
  s.reap(2);
  s.reap(4);
  IS(s, "1");
  CHECK(s.fast_release(1));
}

TEST(reap__ticket_Waiting__free__the_woken_one_stays_woken) {
  Scene s(3);
  line_up_and_wake(s, 3);
  s.reap(3);
  IS(s, "- WK: 2k");
}

TEST(reap__ticket_Woken__free__fix_wakes_the_next) {
  Scene s(3);
  line_up_and_wake(s, 3);
  s.reap(2);
  IS(s, "- WK: 3k");
  CHECK_EQ(s.look(3), Outcome::Taken);
  IS(s, "3");
}

TEST(reap__ticket_Woken__free__nobody_else) {
  Scene s(2);
  line_up_and_wake(s, 2);
  s.reap(2);
  IS(s, "-");
  CHECK(s.fast_acquire(1));
}

TEST(reap__ticket_Woken__held_by_a_barger__K_off) {
  Scene s(4);
  line_up_and_wake(s, 3);
  CHECK(s.fast_acquire(4));
  s.reap(2);
  IS(s, "4 W: 3w");
  CHECK_EQ(s.release(4), Status::Ok);
  IS(s, "- WK: 3k");
}

TEST(reap__ticket_Granted__abandoned_to_the_next) {
  Scene s(3);
  line_up(s, 3);
  CHECK_EQ(s.release(1, Release::Fair), Status::Ok);
  s.reap(2);
  IS(s, "- WKA: 3k");
  CHECK_EQ(s.look(3), Outcome::TakenAbandoned);
}

TEST(reap__ticket_Gone) {
  Scene s(2);
  line_up_and_wake(s, 2);
  AgentSlot holder = 0;
  CHECK_EQ(s.unlink(1, &holder), Status::Ok);
  s.reap(2);
  IS(s, "- U");
}

TEST(reap__starved_waiter__S_stays_until_the_release) {
  Scene s(3);
  line_up(s, 3);
  s.starve(2);
  CHECK_EQ(s.look(2), Outcome::Pending);
  s.reap(2);
  IS(s, "1 WS: 3w");
  CHECK_EQ(s.release(1), Status::Ok);
  IS(s, "3 / 3g");
}

TEST(reap__twice__as_once) {
  Scene s(3);
  line_up(s, 3);
  s.reap(1);
  const std::string once = s.picture();
  s.reap(1);
  IS(s, once);
  CHECK_EQ(s.look(2), Outcome::TakenAbandoned);
  s.reap(1);  // 2 is alive and has it
  IS(s, "2 W: 3w");
}

TEST(reap__every_agent_of_a_scene_in_any_order__leaves_it_free) {
  std::mt19937 random(1);
  for (int round = 0; round < 50; ++round) {
    Scene s(5);
    line_up(s, 4);
    if (round % 2 == 0)
      CHECK_EQ(s.release(1, round % 4 == 0 ? Release::Fair : Release::Plain), Status::Ok);
    std::vector<int> order = {1, 2, 3, 4};
    std::shuffle(order.begin(), order.end(), random);
    for (const int who : order) s.reap(who);
    CHECK_EQ(s.word().load() & ~lock_word::kAbandoned, 0u);
    CHECK(s.try_acquire(5) == (round % 4 == 2 ? Outcome::Taken : Outcome::TakenAbandoned));
  }
}

// ---- unlink ----

TEST(unlink__free) {
  Scene s(1);
  AgentSlot holder = 0;
  CHECK_EQ(s.unlink(1, &holder), Status::Ok);
  IS(s, "- U");
  CHECK_EQ(holder, 0u);
}

TEST(unlink__free_W_K__ends_all_waits) {
  Scene s(5);
  line_up_and_wake(s, 4);
  AgentSlot holder = 0;
  CHECK_EQ(s.unlink(5, &holder), Status::Ok);
  IS(s, "- U / 2x 3x 4x");
  for (int who = 2; who <= 4; ++who) CHECK_EQ(s.look(who), Outcome::Unlinked);
  IS(s, "- U");
}

TEST(unlink__free_A__U_alone) {
  Scene s(2);
  CHECK(s.fast_acquire(1));
  s.reap(1);
  AgentSlot holder = 0;
  CHECK_EQ(s.unlink(2, &holder), Status::Ok);
  IS(s, "- U");
}

TEST(unlink__held__in_use_and_names_the_holder) {
  Scene s(3);
  line_up(s, 2);
  AgentSlot holder = 0;
  CHECK_EQ(s.unlink(3, &holder), Status::InUse);
  CHECK_EQ(holder, s.agent(1));
  IS(s, "1 W: 2w");
  CHECK_EQ(s.unlink(1, &holder), Status::InUse);  // its own holder, too
  CHECK_EQ(holder, s.agent(1));
  IS(s, "1 W: 2w");
}

TEST(unlink__held_by_a_grant_not_yet_taken_up__in_use) {
  Scene s(2);
  line_up(s, 2);
  CHECK_EQ(s.release(1, Release::Fair), Status::Ok);
  AgentSlot holder = 0;
  CHECK_EQ(s.unlink(1, &holder), Status::InUse);
  CHECK_EQ(holder, s.agent(2));
  IS(s, "2 / 2g");
}

TEST(unlink__twice__as_once_and_nothing_revives_it) {
  Scene s(2);
  AgentSlot holder = 0;
  CHECK_EQ(s.unlink(1, &holder), Status::Ok);
  CHECK_EQ(s.unlink(2, &holder), Status::Ok);
  CHECK_EQ(s.release(1), Status::NotOwner);
  s.reap(1);
  CHECK_EQ(s.look(2), Outcome::Unlinked);
  IS(s, "- U");
}

// ---- fix, repair: what the next one finds who enters after a death inside of the guard ----

TEST(repair__nothing_was_changed_yet) {
  Scene s(3);
  line_up(s, 3);
  s.die_inside([] {});
  CHECK_EQ(s.try_acquire(3), Outcome::Pending);
  IS(s, "1 W: 2w 3w");
}

TEST(repair__list_cut__is_rebuilt_in_order_of_arrival) {
  Scene s(6);
  line_up(s, 5);
  s.die_inside([&] {
    s.object().queue_head = s.seat(4).ticket_index;
    s.object().queue_tail = s.seat(2).ticket_index;
    s.ticket(4).next = s.seat(4).ticket_index;
    s.ticket(3).previous = kNone;
    s.ticket(2).next = 12345678;
  });
  CHECK_EQ(s.try_acquire(6), Outcome::Pending);
  IS(s, "1 W: 2w 3w 4w 5w");
  CHECK_EQ(s.look(6), Outcome::Pending);  // a seq beyond all others
  IS(s, "1 W: 2w 3w 4w 5w 6w");
}

TEST(repair__enqueue_published_not_linked) {
  Scene s(3);
  line_up(s, 2);
  s.die_inside([&] {
    s.ticket(3).seq = s.object().next_seq;  // numbered, and the count not yet stored
    s.ticket(3).state.store(static_cast<uint32_t>(TicketState::Waiting));
  });
  CHECK_EQ(s.try_acquire(1), Outcome::Pending);
  IS(s, "1 W: 2w 3w");
  CHECK(s.object().next_seq > s.ticket(3).seq);
}

TEST(repair__cancelled_ticket_still_linked) {
  Scene s(4);
  line_up(s, 4);
  s.die_inside([&] { s.ticket(3).state.store(static_cast<uint32_t>(TicketState::None)); });
  CHECK_EQ(s.try_acquire(1), Outcome::Pending);
  IS(s, "1 W: 2w 4w");
}

TEST(repair__handoff_committed_not_granted__is_delivered) {
  Scene s(4);
  line_up(s, 3);
  s.die_inside([&] { s.word().store(s.agent(2) | lock_word::kWaiters); });
  CHECK_EQ(s.try_acquire(4), Outcome::Pending);
  IS(s, "2 W: 3w / 2g");
  CHECK_EQ(s.look(2), Outcome::Taken);
}

TEST(repair__handoff_granted_not_dequeued) {
  Scene s(4);
  line_up(s, 3);
  s.die_inside([&] {
    s.word().store(s.agent(2) | lock_word::kWaiters);
    s.ticket(2).state.store(static_cast<uint32_t>(TicketState::Granted));
  });
  CHECK_EQ(s.try_acquire(4), Outcome::Pending);
  IS(s, "2 W: 3w / 2g");
}

TEST(repair__handoff_to_the_woken__K_off) {
  Scene s(4);
  line_up_and_wake(s, 3);
  s.die_inside([&] { s.word().store(s.agent(2) | lock_word::kWaiters | lock_word::kWoken); });
  CHECK_EQ(s.try_acquire(4), Outcome::Pending);
  IS(s, "2 W: 3w / 2g");
}

TEST(repair__wake_chosen_not_freed__the_owner_still_has_it) {
  Scene s(3);
  line_up(s, 2);
  s.die_inside([&] { s.ticket(2).state.store(static_cast<uint32_t>(TicketState::Woken)); });
  CHECK_EQ(s.try_acquire(3), Outcome::Pending);
  IS(s, "1 WK: 2k");
  CHECK_EQ(s.look(2), Outcome::Pending);
  IS(s, "1 W: 2w");
}

TEST(repair__free_with_waiters_none_woken__fix_wakes_the_head) {
  Scene s(4);
  line_up(s, 3);
  s.die_inside([&] { s.word().store(lock_word::kWaiters); });
  CHECK_EQ(lock::holder(region(), s.seat(4)).agent, 0u);  // enters the guard, and no more
  s.check_invariants();
  IS(s, "- WK: 2k 3w");
}

TEST(repair__flags_follow_the_tickets) {
  Scene s(3);
  CHECK(s.fast_acquire(1));
  s.die_inside(
      [&] { s.word().fetch_or(lock_word::kWaiters | lock_word::kWoken | lock_word::kStarving); });
  CHECK_EQ(s.try_acquire(2), Outcome::Pending);
  IS(s, "1");
}

TEST(repair__S_off__the_starved_one_sets_it_again) {
  Scene s(3);
  line_up(s, 2);
  s.starve(2);
  CHECK_EQ(s.look(2), Outcome::Pending);
  s.die_inside([] {});
  CHECK_EQ(s.try_acquire(3), Outcome::Pending);
  IS(s, "1 W: 2w*");
  CHECK_EQ(s.look(2), Outcome::Pending);
  IS(s, "1 WS: 2w*");
}

TEST(repair__unlink_marked_waits_not_ended) {
  Scene s(4);
  line_up_and_wake(s, 3);
  s.die_inside([&] { s.word().fetch_or(lock_word::kUnlinked); });
  CHECK_EQ(s.try_acquire(4), Outcome::Unlinked);
  IS(s, "- U / 2x 3x");
}

TEST(repair__A_stays) {
  Scene s(3);
  line_up(s, 2);
  s.reap(1);
  s.die_inside([] {});
  CHECK_EQ(lock::holder(region(), s.seat(3)).agent, 0u);  // enters the guard, and no more
  IS(s, "- WKA: 2k");
}

TEST(repair__in_a_repair__is_done_again) {
  Scene s(4);
  line_up(s, 3);
  s.die_inside([&] { s.word().store(s.agent(2) | lock_word::kWaiters); });
  // The repairer dies after it delivered, before the flags.
  fixture::Child repairer([&] {
    arm_fault("repair.delivered", FaultAction::Kill);
    static_cast<void>(lock::try_acquire(region(), s.seat(4)));
  });
  CHECK(repairer.wait().killed());
  // It bore this process' identity, which lives: as if it had been another's.
  fixture::leave_dead_inside(region(), s.object().guard);
  CHECK_EQ(s.try_acquire(4), Outcome::Pending);
  IS(s, "2 W: 3w / 2g");
}

// ---- holder ----

// As JavaScript: the fencing token counts up at each acquisition.
void count_token(Scene& s) { s.object().token += 1; }

TEST(holder__free) {
  Scene s(1);
  CHECK_EQ(lock::holder(region(), s.seat(1)).agent, 0u);
}

TEST(holder__by_the_slow_path__since_when_it_took) {
  Scene s(2);
  const int64_t before = monotonic_ns();
  CHECK_EQ(s.look(1), Outcome::Taken);
  const int64_t after = monotonic_ns();
  for (int round = 0; round < 2; ++round) {  // before the token is counted, and after
    const lock::Holder out = lock::holder(region(), s.seat(2));
    CHECK_EQ(out.agent, s.agent(1));
    CHECK(out.since_ns >= before && out.since_ns <= after);
    if (round == 0) count_token(s);
  }
}

TEST(holder__by_a_grant__since_it_looked) {
  Scene s(2);
  line_up(s, 2);
  count_token(s);
  CHECK_EQ(s.release(1, Release::Fair), Status::Ok);
  const int64_t before = monotonic_ns();
  CHECK_EQ(s.look(2), Outcome::Taken);
  const int64_t after = monotonic_ns();
  count_token(s);
  const lock::Holder out = lock::holder(region(), s.seat(1));
  CHECK_EQ(out.agent, s.agent(2));
  CHECK(out.since_ns >= before && out.since_ns <= after);
}

TEST(holder__by_the_fast_path__since_anybody_first_looked) {
  Scene s(2);
  CHECK(s.fast_acquire(1));
  count_token(s);
  const int64_t before = monotonic_ns();
  const lock::Holder first = lock::holder(region(), s.seat(2));
  CHECK_EQ(first.agent, s.agent(1));
  CHECK(first.since_ns >= before && first.since_ns <= monotonic_ns());
  const lock::Holder second = lock::holder(region(), s.seat(2));
  CHECK_EQ(second.since_ns, first.since_ns);
}

TEST(holder__of_a_new_acquisition__is_not_the_old_ones_since) {
  Scene s(2);
  CHECK_EQ(s.look(1), Outcome::Taken);
  count_token(s);
  CHECK_EQ(lock::holder(region(), s.seat(2)).agent, s.agent(1));
  CHECK(s.fast_release(1));
  const int64_t between = monotonic_ns();
  CHECK(s.fast_acquire(2));
  count_token(s);
  const lock::Holder out = lock::holder(region(), s.seat(1));
  CHECK_EQ(out.agent, s.agent(2));
  CHECK(out.since_ns >= between);
}

TEST(holder__of_a_new_object_in_a_used_record__is_not_the_old_ones_since) {
  const fixture::NameSpace name_space;
  const Member member(name_space.name());
  const AgentSlot agent = member.claim_agent();
  constexpr Registry::OpenOptions kAnonymous{.create = true, .anonymous = true};
  Seat old = fixture::seat_at(member.region(), agent, "old", kAnonymous);
  CHECK_EQ(lock::try_acquire(member.region(), old), Outcome::Taken);
  CHECK_EQ(lock::release(member.region(), old, Release::Plain), Status::Ok);
  fixture::close_seat(member.region(), old);
  const int64_t between = monotonic_ns();
  member.region().header().objects.hint.store(old.object_index);
  Seat fresh = fixture::seat_at(member.region(), agent, "fresh", kAnonymous);
  REQUIRE(fresh.object == old.object);
  fresh.object->word.store(agent);  // by the fast path, and not counted yet
  const lock::Holder out = lock::holder(member.region(), fresh);
  CHECK_EQ(out.agent, agent);
  CHECK(out.since_ns >= between);
}

// ---- acquire_sync ----

TEST(acquire_sync__free) {
  Scene s(1);
  CHECK_EQ(lock::acquire_sync(region(), s.seat(1), {Deadline::never(), Deadline::never()}),
           Outcome::Taken);
  IS(s, "1");
}

TEST(acquire_sync__free_A__is_told) {
  Scene s(2);
  CHECK(s.fast_acquire(1));
  s.reap(1);
  CHECK_EQ(lock::acquire_sync(region(), s.seat(2), {Deadline::never(), Deadline::never()}),
           Outcome::TakenAbandoned);
  IS(s, "2");
}

TEST(acquire_sync__held__times_out_not_before_its_deadline_and_leaves_the_queue) {
  Scene s(2);
  CHECK(s.fast_acquire(1));
  const int64_t until = monotonic_ns() + 5 * kMsNs;
  CHECK_EQ(lock::acquire_sync(region(), s.seat(2), {Deadline::at_ns(until), Deadline::never()}),
           Outcome::TimedOut);
  CHECK(monotonic_ns() >= until);
  s.check_invariants();
  CHECK_EQ(s.state(2), TicketState::None);
  CHECK_EQ(lock_word::owner(s.word().load()), s.agent(1));
}

TEST(acquire_sync__a_deadline_of_long_ago__times_out) {
  Scene s(2);
  CHECK(s.fast_acquire(1));
  for (const Deadline deadline :
       {Deadline::at_ns(0), Deadline::at_ns(1), Deadline::at_ns(-1), Deadline::after_ns(-kHourNs),
        Deadline::at_ms(0), Deadline::at_ms(-5), Deadline::at_ns(monotonic_ns())}) {
    CHECK_EQ(lock::acquire_sync(region(), s.seat(2), {deadline, Deadline::never()}),
             Outcome::TimedOut);
    CHECK_EQ(lock_word::owner(s.word().load()), s.agent(1));
    CHECK_EQ(s.state(2), TicketState::None);
  }
}

TEST(acquire_sync__keep_ticket__times_out_and_stays_queued_for_its_loop) {
  Scene s(2);
  CHECK(s.fast_acquire(1));
  CHECK_EQ(
      lock::acquire_sync(region(), s.seat(2), {Deadline::after_ns(kMsNs), Deadline::never(), true}),
      Outcome::TimedOut);
  s.check_invariants();
  CHECK_EQ(s.state(2), TicketState::Waiting);
  CHECK_EQ(s.ticket(2).mode, WaitMode::Async);
  CHECK_EQ(s.release(1), Status::Ok);  // hands over, for it starved: or wakes
  CHECK_EQ(s.look(2), Outcome::Taken);
}

TEST(acquire_sync__slice__comes_back_pending_and_keeps_its_place) {
  Scene s(3);
  CHECK(s.fast_acquire(1));
  const int64_t until = monotonic_ns() + 2 * kMsNs;
  CHECK_EQ(lock::acquire_sync(region(), s.seat(2), {Deadline::never(), Deadline::at_ns(until)}),
           Outcome::Pending);
  CHECK(monotonic_ns() >= until);
  CHECK_EQ(s.look(3), Outcome::Pending);
  CHECK_EQ(lock::acquire_sync(region(), s.seat(2), {Deadline::never(), Deadline::at_ns(until)}),
           Outcome::Pending);
  CHECK((s.queue() == std::vector<int>{2, 3}));
  s.check_invariants();
}

TEST(acquire_sync__that_may_not_go_on__takes_nothing_though_the_lock_is_free) {
  Scene s(2);
  CHECK(s.fast_acquire(1));
  // Asked after the sleep, right before the look that would take.
  const auto release_and_refuse = [](void* scene) {
    auto& in = *static_cast<Scene*>(scene);
    CHECK_EQ(lock::release(region(), in.seat(1), lock::Release::Plain), Status::Ok);
    return false;
  };
  CHECK_EQ(lock::acquire_sync(
               region(), s.seat(2),
               {Deadline::never(), Deadline::after_ns(kMsNs), false, {release_and_refuse, &s}}),
           Outcome::Pending);
  CHECK_EQ(lock_word::owner(s.word().load()), 0u);
  CHECK((s.queue() == std::vector<int>{2}));
  s.check_invariants();
}

TEST(acquire_sync__is_woken_by_a_release) {
  Scene s(2);
  CHECK(s.fast_acquire(1));
  std::thread waiter([&] {
    CHECK_EQ(lock::acquire_sync(region(), s.seat(2), {Deadline::never(), Deadline::never()}),
             Outcome::Taken);
  });
  while (s.state(2) != TicketState::Waiting) std::this_thread::yield();
  CHECK_EQ(lock::release(region(), s.seat(1), Release::Plain), Status::Ok);
  waiter.join();
  s.check_invariants();
  IS(s, "2");
}

TEST(acquire_sync__is_woken_by_a_hand_over) {
  Scene s(2);
  CHECK(s.fast_acquire(1));
  std::thread waiter([&] {
    CHECK_EQ(lock::acquire_sync(region(), s.seat(2), {Deadline::never(), Deadline::never()}),
             Outcome::Taken);
  });
  while (s.state(2) != TicketState::Waiting) std::this_thread::yield();
  CHECK_EQ(lock::release(region(), s.seat(1), Release::Fair), Status::Ok);
  waiter.join();
  IS(s, "2");
}

TEST(acquire_sync__is_woken_by_an_unlink) {
  Scene s(4);
  CHECK(s.fast_acquire(1));
  std::vector<std::thread> waiters;
  for (const int who : {2, 3, 4}) {
    waiters.emplace_back([&s, who] {
      CHECK_EQ(lock::acquire_sync(region(), s.seat(who), {Deadline::never(), Deadline::never()}),
               Outcome::Unlinked);
    });
    while (s.state(who) != TicketState::Waiting) std::this_thread::yield();
  }
  // Free, with nobody woken: what the unlinking one may find after a crash.
  uint32_t held = s.word().load();
  while (!s.word().compare_exchange_weak(held,
                                         lock_word::with_owner(held, 0) & ~lock_word::kStarving)) {
  }
  AgentSlot holder = 0;
  CHECK_EQ(lock::unlink(region(), s.seat(1), &holder), Status::Ok);
  for (std::thread& waiter : waiters) waiter.join();
  s.check_invariants();
  IS(s, "- U");
}

TEST(acquire_sync__finds_a_dead_holder_by_itself_at_the_end_of_a_slice) {
  fixture::NameSpace name_space;
  Member mine(name_space.name());
  Member other(name_space.name());
  Seat dead = fixture::seat_at(other.region(), other.claim_agent(), "x");
  CHECK_EQ(lock::try_acquire(other.region(), dead), Outcome::Taken);
  Seat waiting = fixture::seat_at(mine.region(), mine.claim_agent(), "x");
  other.die();
  Outcome outcome = Outcome::Pending;
  while (outcome == Outcome::Pending) {
    outcome =
        lock::acquire_sync(mine.region(), waiting, {Deadline::never(), Deadline::after_ns(kMsNs)});
  }
  CHECK_EQ(outcome, Outcome::TakenAbandoned);
}

// ---- All at once ----

// Each thread is an agent that does at random what an agent may do. A plain counter under the lock
// tells of two owners (and ThreadSanitizer tells of a missing order); the invariants hold at the
// end.
TEST(all_steps__by_threads_at_random__one_owner_at_a_time) {
  constexpr int kThreads = 4;
  constexpr int kRounds = 6000;
  Scene s(kThreads);
  int64_t counter = 0;
  std::atomic<int64_t> taken{0};
  std::atomic<int> inside{0};
  std::vector<std::thread> threads;
  for (int who = 1; who <= kThreads; ++who) {
    threads.emplace_back([&, who] {
      std::mt19937 random(static_cast<unsigned>(who));
      Seat& seat = s.seat(who);
      for (int round = 0; round < kRounds; ++round) {
        bool got = false;
        uint32_t seen = s.word().load(std::memory_order_relaxed);
        const unsigned dice = random() % 8;
        if (dice < 3) {
          got = (seen & lock_word::kBlocksFastAcquire) == 0 &&
                s.word().compare_exchange_strong(seen, lock_word::with_owner(seen, seat.agent));
        } else if (dice == 3) {
          got = lock::try_acquire(region(), seat) == Outcome::Taken;
        } else {
          const Deadline deadline =
              dice == 4 ? Deadline::after_ns(static_cast<int64_t>(random() % 200'000))
                        : Deadline::never();
          Outcome outcome = Outcome::Pending;
          while (outcome == Outcome::Pending) {
            outcome = lock::acquire_sync(region(), seat, {deadline, Deadline::after_ns(300'000)});
          }
          got = outcome == Outcome::Taken;
          CHECK(got || (dice == 4 && outcome == Outcome::TimedOut));
        }
        if (!got) continue;
        CHECK_EQ(inside.fetch_add(1), 0);
        ++counter;
        taken.fetch_add(1, std::memory_order_relaxed);
        inside.fetch_sub(1);
        seen = s.word().load(std::memory_order_relaxed);
        if (random() % 2 == 0 && lock_word::fast_release_allowed(seen) &&
            s.word().compare_exchange_strong(seen, lock_word::with_owner(seen, 0))) {
          continue;
        }
        CHECK_EQ(lock::release(region(), seat, random() % 16 == 0 ? Release::Fair : Release::Plain),
                 Status::Ok);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK_EQ(counter, taken.load());
  s.check_invariants();
  IS(s, "-");
}
