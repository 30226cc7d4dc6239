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
    for (uint32_t flags = 0; flags < 64; ++flags) {
      const uint32_t w = owner_slot | flags << 16;
      CHECK_EQ(owner(w), owner_slot);
      const bool may_take =
          owner_slot == 0 && (w & (kStarving | kAbandoned | kUnlinked | kOffered)) == 0;
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

TEST(fast_acquire__free_O__refused) {
  Scene s(3);
  line_up_and_offer(s, 2);
  CHECK(!s.fast_acquire(3));
  CHECK(!s.fast_acquire(1));
  IS(s, "- WKO: 2k!");
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

TEST(look_take__free_W_K__by_a_passed_one) {
  Scene s(4);
  line_up_and_wake(s, 4);
  s.pass_by(2);
  IS(s, "- WK: 2p 3k 4w");
  CHECK_EQ(s.look(2), Outcome::Taken);
  IS(s, "2 WK: 3k 4w");
}

TEST(look_take__free_W_K__by_a_passed_one_alone) {
  Scene s(2);
  line_up_and_wake(s, 2);
  s.pass_by(2);
  IS(s, "- WK: 2p");
  CHECK_EQ(s.look(2), Outcome::Taken);
  IS(s, "2");
}

TEST(look_take__free_W_K__by_the_woken_beside_passed_ones__K_off) {
  Scene s(4);
  line_up_and_wake(s, 3);
  s.pass_by(2);
  CHECK_EQ(s.look(3), Outcome::Taken);
  IS(s, "3 W: 2p");
  CHECK_EQ(s.release(3), Status::Ok);  // there is nobody to tell
  IS(s, "- WK: 2p");
}

TEST(look_take__free_O__by_the_one_it_is_for__by_look_try_acquire_and_last_look) {
  for (int how = 0; how < 3; ++how) {
    Scene s(3);
    line_up_and_offer(s, 3);
    IS(s, "- WKO: 2k! 3w");
    const Outcome outcome = how == 0 ? s.look(2) : how == 1 ? s.try_acquire(2) : s.last_look(2);
    CHECK_EQ(outcome, Outcome::Taken);
    IS(s, "2 W: 3w");
  }
}

TEST(look_take__free_O__by_a_passed_one__who_was_chosen_before) {
  for (int how = 0; how < 3; ++how) {
    Scene s(4);
    line_up_and_wake(s, 3);
    CHECK(s.fast_acquire(4));
    s.pass_by(2);
    CHECK_EQ(s.release(4, Release::Fair), Status::Ok);
    IS(s, "- WKO: 2p 3k!");
    const Outcome outcome = how == 0 ? s.look(2) : how == 1 ? s.try_acquire(2) : s.last_look(2);
    CHECK_EQ(outcome, Outcome::Taken);
    IS(s, "2 WK: 3k");
    CHECK_EQ(s.look(3), Outcome::Pending);
    IS(s, "2 W: 3w");
  }
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

TEST(look_note__held_by_a_passed_one__waits_again_at_its_place) {
  Scene s(4);
  line_up_and_wake(s, 3);
  CHECK(s.fast_acquire(4));
  s.pass_by(2);
  IS(s, "4 W: 2p 3w");
  CHECK_EQ(s.look(2), Outcome::Pending);
  IS(s, "4 W: 2w 3w");
  CHECK_EQ(s.release(4), Status::Ok);
  IS(s, "- WK: 2k 3w");
}

TEST(look_note__held_by_the_only_passed_one__K_off) {
  Scene s(3);
  line_up_and_wake(s, 2);
  CHECK(s.fast_acquire(3));
  s.pass_by(2);
  IS(s, "3 WK: 2p");
  CHECK_EQ(s.look(2), Outcome::Pending);
  IS(s, "3 W: 2w");
  CHECK(!s.fast_release(3));
}

TEST(look_note__held_beside_a_passed_one__K_off) {
  Scene s(4);
  line_up_and_wake(s, 2);
  CHECK(s.fast_acquire(3));
  s.pass_by(2);
  CHECK_EQ(s.look(4), Outcome::Pending);
  IS(s, "3 W: 2p 4w");
}

TEST(look_note__offered_to_another__by_one_not_queued) {
  Scene s(3);
  line_up_and_offer(s, 2);
  CHECK_EQ(s.look(3), Outcome::Pending);
  IS(s, "- WKO: 2k! 3w");
}

TEST(look_note__offered_to_another__by_the_woken_one_beside_it__K_stays) {
  Scene s(4);
  line_up_and_wake(s, 3);
  CHECK(s.fast_acquire(4));
  s.starve(3);
  CHECK_EQ(s.look(3), Outcome::Pending);
  CHECK_EQ(s.release(4), Status::Ok);
  IS(s, "- WKO: 2k 3k*!");
  CHECK_EQ(s.look(2), Outcome::Pending);
  IS(s, "- WKO: 2w 3k*!");
}

TEST(look_note__offered_to_another__waited_over_1_ms__no_S_on_a_free_lock) {
  Scene s(3);
  line_up_and_offer(s, 3);
  s.starve(3);
  CHECK_EQ(s.look(3), Outcome::Pending);
  IS(s, "- WKO: 2k! 3w*");
  CHECK_EQ(s.look(2), Outcome::Taken);
  CHECK_EQ(s.look(3), Outcome::Pending);
  IS(s, "2 WS: 3w*");
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
  s.object().lock.handed_over_ns = 0;
  CHECK_EQ(s.look(2), Outcome::Pending);
  IS(s, "1 W: 2w");
}

TEST(look_note__over_1_ms_but_offered_within_the_last__no_S) {
  Scene s(2);
  line_up(s, 2);
  s.starve(2);
  s.object().lock.handed_over_ns = s.now() - kMsNs;
  CHECK_EQ(s.look(2), Outcome::Pending);
  IS(s, "1 W: 2w");
  s.advance(1);
  CHECK_EQ(s.look(2), Outcome::Pending);
  IS(s, "1 WS: 2w*");
}

// Of a process with a clock of its own, in another time namespace.
TEST(look_note__over_1_ms_and_offered_in_the_future__S_on) {
  Scene s(2);
  line_up(s, 2);
  s.starve(2);
  s.object().lock.handed_over_ns = s.now() + kHourNs;
  CHECK_EQ(s.look(2), Outcome::Pending);
  IS(s, "1 WS: 2w*");
}

TEST(look_note__starving_by_the_clock__not_before_1_ms_and_then_for_certain) {
  Scene s(2);
  line_up(s, 2);
  const int64_t since = s.now();
  CHECK_EQ(s.ticket(2).since_ns, since);
  // However often it looks meanwhile: no look within the first millisecond sets the bit, nor starts it anew.
  for (int i = 0; i < 10; ++i) {
    s.advance(kMsNs / 10);
    CHECK_EQ(s.look(2), Outcome::Pending);
    IS(s, "1 W: 2w");
  }
  s.advance(1);
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
  CHECK_EQ(s.look(2), Outcome::Pending);
  CHECK_EQ(s.ticket(2).since_ns, s.now());
  IS(s, "1 WS: 2w");
}

// ---- look.gone ----

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
  IS(s, "- WKO: 3k!");
}

TEST(cancel__held__a_passed_one__K_off_where_others_wait) {
  Scene s(4);
  line_up_and_wake(s, 3);
  CHECK(s.fast_acquire(4));
  s.pass_by(2);
  CHECK_EQ(s.last_look(2), Outcome::Cancelled);
  IS(s, "4 W: 3w");
}

TEST(cancel__held__the_only_passed_one__W_and_K_off) {
  Scene s(3);
  line_up_and_wake(s, 2);
  CHECK(s.fast_acquire(3));
  s.pass_by(2);
  IS(s, "3 WK: 2p");
  CHECK_EQ(s.last_look(2), Outcome::Cancelled);
  IS(s, "3");
}

// Nobody is Waiting any more, so the release need tell nobody.
TEST(cancel__held__the_last_that_waits_beside_a_passed_one__K_on) {
  Scene s(4);
  line_up_and_wake(s, 3);
  CHECK(s.fast_acquire(4));
  s.pass_by(2);
  IS(s, "4 W: 2p 3w");
  CHECK_EQ(s.last_look(3), Outcome::Cancelled);
  IS(s, "4 WK: 2p");
  CHECK(s.fast_release(4));
  CHECK_EQ(s.look(2), Outcome::Taken);
}

TEST(cancel__offered_to_another__the_offer_stands) {
  Scene s(4);
  line_up_and_offer(s, 3);
  CHECK_EQ(s.last_look(3), Outcome::Cancelled);
  IS(s, "- WKO: 2k!");
  CHECK_EQ(s.last_look(4), Outcome::Cancelled);
  IS(s, "- WKO: 2k!");
}

TEST(cancel__offered_to_another__the_woken_one_beside_it__the_offer_stands) {
  Scene s(4);
  line_up_and_wake(s, 3);
  CHECK(s.fast_acquire(4));
  s.starve(3);
  CHECK_EQ(s.look(3), Outcome::Pending);
  CHECK_EQ(s.release(4), Status::Ok);
  IS(s, "- WKO: 2k 3k*!");
  CHECK_EQ(s.last_look(2), Outcome::Cancelled);
  IS(s, "- WKO: 3k*!");
}

// The holder leaves by the fast path, trusting in the wake of the one that is just giving up.
TEST(cancel__the_holder_leaves_meanwhile__fix_wakes_the_next) {
  Scene s(4);
  line_up_and_wake(s, 3);
  CHECK(s.fast_acquire(4));
  IS(s, "4 WK: 2k 3w");
  fixture::Child canceller([&] {
    arm_fault("leave.retracted", FaultAction::Stop);
    CHECK_EQ(s.last_look(2), Outcome::Cancelled);
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

TEST(wake_free__mine_W__leaves_out_who_is_passed) {
  Scene s(4);
  line_up_and_wake(s, 3);
  CHECK(s.fast_acquire(4));
  s.pass_by(2);
  CHECK_EQ(s.release(4), Status::Ok);
  IS(s, "- WK: 2p 3k");
}

TEST(wake_free__mine_W__all_are_passed__tells_nobody) {
  Scene s(3);
  line_up_and_wake(s, 2);
  CHECK_EQ(s.try_acquire(3), Outcome::Taken);
  s.pass_by(2);
  s.word().fetch_and(~lock_word::kWoken);  // which is legal, and costs a slow release
  CHECK(!s.fast_release(3));
  CHECK_EQ(s.release(3), Status::Ok);
  IS(s, "- WK: 2p");
}

TEST(wake_free__the_first_that_waits_is_scribbled__is_found_anew) {
  Scene s(4);
  line_up(s, 3);
  s.object().first_waiting = s.seat(4).ticket_index;  // idle
  CHECK_EQ(s.release(1), Status::Ok);
  IS(s, "- WK: 2k 3w");
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

// ---- offer ----

TEST(offer__mine_W_S__to_the_starved_head) {
  Scene s(3);
  line_up(s, 3);
  s.starve(2);
  CHECK_EQ(s.look(2), Outcome::Pending);
  CHECK_EQ(s.release(1), Status::Ok);
  IS(s, "- WKO: 2k*! 3w");
  CHECK_EQ(s.look(2), Outcome::Taken);
  IS(s, "2 W: 3w");
}

TEST(offer__mine_W_S__to_the_only_one) {
  Scene s(2);
  line_up(s, 2);
  s.starve(2);
  CHECK_EQ(s.look(2), Outcome::Pending);
  CHECK_EQ(s.release(1), Status::Ok);
  IS(s, "- WKO: 2k*!");
  CHECK_EQ(s.look(2), Outcome::Taken);
  IS(s, "2");
}

TEST(offer__mine_W_S__to_the_first_starved_before_a_head_that_is_not) {
  Scene s(5);
  line_up(s, 5);
  s.starve(4);
  CHECK_EQ(s.look(4), Outcome::Pending);
  s.starve(3);
  CHECK_EQ(s.look(3), Outcome::Pending);
  IS(s, "1 WS: 2w 3w* 4w* 5w");
  CHECK_EQ(s.release(1), Status::Ok);
  IS(s, "- WKO: 2w 3k*! 4w* 5w");
}

TEST(offer__mine_W_K_S__to_the_woken__whose_time_begins_anew) {
  Scene s(4);
  line_up_and_wake(s, 3);
  CHECK(s.fast_acquire(4));
  s.starve(3);
  CHECK_EQ(s.look(3), Outcome::Pending);
  CHECK_EQ(s.last_look(3), Outcome::Cancelled);
  IS(s, "4 WKS: 2k");
  s.advance(kLapseNs - 1);
  CHECK_EQ(s.release(4), Status::Ok);
  IS(s, "- WKO: 2k!");
  CHECK_EQ(s.ticket(2).told_ns, s.now());
  s.advance(1);
  CHECK_EQ(s.pass_on(), kLapseNs - 1);
  IS(s, "- WKO: 2k!");
}

TEST(offer__mine_W_K_S__to_another_than_the_woken) {
  Scene s(4);
  line_up_and_wake(s, 3);
  CHECK(s.fast_acquire(4));
  s.starve(3);
  CHECK_EQ(s.look(3), Outcome::Pending);
  IS(s, "4 WKS: 2k 3w*");
  CHECK_EQ(s.release(4), Status::Ok);
  IS(s, "- WKO: 2k 3k*!");
  CHECK_EQ(s.look(3), Outcome::Taken);
  IS(s, "3 WK: 2k");
}

TEST(offer__mine_W__fair__to_the_head) {
  Scene s(3);
  line_up(s, 3);
  CHECK_EQ(s.release(1, Release::Fair), Status::Ok);
  IS(s, "- WKO: 2k! 3w");
}

TEST(offer__mine_W_K__fair__to_the_woken_head) {
  Scene s(4);
  line_up_and_wake(s, 3);
  CHECK(s.fast_acquire(4));
  CHECK_EQ(s.release(4, Release::Fair), Status::Ok);
  IS(s, "- WKO: 2k! 3w");
}

TEST(offer__mine_W_S__not_to_who_is_passed__though_it_starves) {
  Scene s(4);
  line_up(s, 3);
  s.starve(2);
  CHECK_EQ(s.look(2), Outcome::Pending);
  CHECK_EQ(s.release(1), Status::Ok);
  s.pass_by(2);
  CHECK_EQ(s.look(3), Outcome::Taken);
  CHECK_EQ(s.look(4), Outcome::Pending);
  IS(s, "3 W: 2p* 4w");
  CHECK_EQ(s.release(3, Release::Fair), Status::Ok);
  IS(s, "- WKO: 2p* 4k!");
}

TEST(offer__mine_W__fair__all_are_passed__to_nobody) {
  Scene s(3);
  line_up_and_wake(s, 2);
  CHECK(s.fast_acquire(3));
  s.pass_by(2);
  IS(s, "3 WK: 2p");
  CHECK_EQ(s.release(3, Release::Fair), Status::Ok);
  IS(s, "- WK: 2p");
  CHECK(s.fast_acquire(3));
}

TEST(offer__nobody_barges_between_it_and_the_look) {
  Scene s(3);
  line_up_and_offer(s, 2);
  CHECK(!s.fast_acquire(3));
  CHECK_EQ(s.try_acquire(3), Outcome::Pending);
  CHECK_EQ(s.try_acquire(1), Outcome::Pending);
  IS(s, "- WKO: 2k!");
  CHECK_EQ(s.look(3), Outcome::Pending);
  IS(s, "- WKO: 2k! 3w");
  CHECK_EQ(s.look(2), Outcome::Taken);
  IS(s, "2 W: 3w");
}

TEST(offer__all_in_order_of_arrival) {
  Scene s(5);
  line_up(s, 5);
  for (int who = 1; who < 5; ++who) {
    CHECK_EQ(s.release(who, Release::Fair), Status::Ok);
    CHECK_EQ(s.state(who + 1), TicketState::Woken);
    CHECK_EQ(s.look(who + 1), Outcome::Taken);
  }
  IS(s, "5");
}

TEST(offer__nobody_holds_the_lock__and_nobody_can_release_it) {
  Scene s(2);
  line_up_and_offer(s, 2);
  CHECK_EQ(s.holder(1).agent, 0u);
  CHECK_EQ(s.release(2), Status::NotOwner);
  CHECK_EQ(s.release(1), Status::NotOwner);
  IS(s, "- WKO: 2k!");
}

TEST(offer__says_when__so_that_nobody_starves_within_1_ms_of_it) {
  Scene s(3);
  line_up(s, 3);
  s.advance(5 * kMsNs);
  CHECK_EQ(s.release(1, Release::Fair), Status::Ok);
  CHECK_EQ(s.object().lock.handed_over_ns, s.now());
  CHECK_EQ(s.look(2), Outcome::Taken);
  CHECK_EQ(s.look(3), Outcome::Pending);
  IS(s, "2 W: 3w");
}

TEST(offer__lapsed__the_next_that_looks_takes_it) {
  Scene s(3);
  line_up_and_offer(s, 3);
  s.lapse(2);
  CHECK_EQ(s.look(3), Outcome::Taken);
  IS(s, "3 W: 2p");
}

TEST(offer__lapsed__a_newcomer_takes_it__the_next_one_has_been_told) {
  for (int how = 0; how < 3; ++how) {
    Scene s(4);
    line_up_and_offer(s, 3);
    s.lapse(2);
    const Outcome outcome = how == 0 ? s.look(4) : how == 1 ? s.try_acquire(4) : s.last_look(4);
    CHECK_EQ(outcome, Outcome::Taken);
    IS(s, "4 WK: 2p 3k");
  }
}

TEST(offer__lapsed__passed_on__the_lock_is_anybodys) {
  Scene s(4);
  line_up_and_offer(s, 3);
  s.advance(kLapseNs);
  CHECK_EQ(s.pass_on(), kLapseNs);
  IS(s, "- WK: 2p 3k");
  CHECK(s.fast_acquire(4));
  IS(s, "4 WK: 2p 3k");
}

TEST(offer__lapsed__nobody_else__the_lock_is_anybodys) {
  Scene s(3);
  line_up_and_offer(s, 2);
  s.pass_by(2);
  IS(s, "- WK: 2p");
  CHECK(s.fast_acquire(3));
  CHECK(s.fast_release(3));
  CHECK_EQ(s.look(2), Outcome::Taken);
  IS(s, "2");
}

// A ticket of another object, as one that was scribbled on or used again: it never comes.
TEST(offer__to_a_ticket_of_another_lock__does_not_stand) {
  Scene s(3);
  Scene other(2);
  line_up_and_offer(s, 3);
  line_up_and_wake(other, 2);
  s.object().lock.offered = other.seat(2).ticket_index;
  CHECK_EQ(s.last_look(3), Outcome::Cancelled);
  IS(s, "- WK: 2k");
}

// ---- pass ----

TEST(pass__not_before_its_time__says_when) {
  Scene s(4);
  line_up_and_wake(s, 3);
  CHECK_EQ(s.pass_on(), kLapseNs);
  s.advance(kLapseNs - 1);
  CHECK_EQ(s.pass_on(), 1);
  CHECK_EQ(s.try_acquire(4), Outcome::Taken);
  CHECK_EQ(s.pass_on(), 1);
  IS(s, "4 WK: 2k 3w");
  s.advance(1);
  CHECK_EQ(s.pass_on(), kLapseNs);
  IS(s, "4 W: 2p 3w");
}

TEST(pass__nobody_is_woken__never) {
  Scene s(3);
  CHECK_EQ(s.pass_on(), kNeverLapses);
  line_up(s, 3);
  CHECK_EQ(s.pass_on(), kNeverLapses);
  IS(s, "1 W: 2w 3w");
}

TEST(pass__free_W_K__the_next_one_is_told) {
  Scene s(4);
  line_up_and_wake(s, 4);
  s.pass_by(2);
  IS(s, "- WK: 2p 3k 4w");
  s.pass_by(3);
  IS(s, "- WK: 2p 3p 4k");
  s.pass_by(4);
  IS(s, "- WK: 2p 3p 4p");
  CHECK_EQ(s.pass_on(), kNeverLapses);
  CHECK_EQ(s.look(3), Outcome::Taken);
  IS(s, "3 W: 2p 4p");
}

TEST(pass__held_W_K__K_off_so_that_the_release_tells_the_next) {
  Scene s(4);
  line_up_and_wake(s, 3);
  CHECK(s.fast_acquire(4));
  s.pass_by(2);
  IS(s, "4 W: 2p 3w");
  CHECK(!s.fast_release(4));
  CHECK_EQ(s.release(4), Status::Ok);
  IS(s, "- WK: 2p 3k");
}

TEST(pass__held_W_K__nobody_else__K_stays) {
  Scene s(3);
  line_up_and_wake(s, 2);
  CHECK(s.fast_acquire(3));
  s.pass_by(2);
  IS(s, "3 WK: 2p");
  CHECK(s.fast_release(3));
  IS(s, "- WK: 2p");
}

TEST(pass__of_a_held_lock__by_whoever_looks_without_having_been_told) {
  for (int how = 0; how < 4; ++how) {
    Scene s(5);
    line_up_and_wake(s, 3);
    CHECK(s.fast_acquire(4));
    s.lapse(2);
    if (how == 0) CHECK_EQ(s.look(3), Outcome::Pending);
    if (how == 1) CHECK_EQ(s.try_acquire(5), Outcome::Pending);
    if (how == 2) CHECK_EQ(s.last_look(5), Outcome::Cancelled);
    if (how == 3) CHECK_EQ(s.try_acquire(4), Outcome::Pending);
    // Who does not wait has no business with it: the next release, or who waits, sees to that.
    IS(s, how == 0 ? "4 W: 2p 3w" : "4 WK: 2k 3w");
  }
}

// Of a process with a clock of its own, in another time namespace.
TEST(pass__told_in_the_future__at_once) {
  Scene s(3);
  line_up_and_wake(s, 3);
  s.ticket(2).told_ns = s.now() + 1;
  CHECK_EQ(s.pass_on(), kLapseNs);
  IS(s, "- WK: 2p 3k");
}

TEST(pass__one_of_two_that_are_woken) {
  for (const bool offeree : {false, true}) {
    Scene s(4);
    line_up_and_wake(s, 3);
    CHECK(s.fast_acquire(4));
    s.starve(3);
    CHECK_EQ(s.look(3), Outcome::Pending);
    CHECK_EQ(s.release(4), Status::Ok);
    IS(s, "- WKO: 2k 3k*!");
    s.pass_by(offeree ? 3 : 2);
    IS(s, offeree ? "- WK: 2k 3p*" : "- WKO: 2p 3k*!");
  }
}

TEST(pass__says_when_the_next_of_several_lapses) {
  Scene s(4);
  line_up_and_wake(s, 3);
  CHECK(s.fast_acquire(4));
  s.starve(3);
  CHECK_EQ(s.look(3), Outcome::Pending);
  s.advance(kMsNs);
  CHECK_EQ(s.release(4), Status::Ok);
  CHECK_EQ(s.pass_on(), kLapseNs - kMsNs);  // 2; 3 was told just now
  s.ticket(3).told_ns = s.now() - 2 * kMsNs;
  CHECK_EQ(s.pass_on(), kLapseNs - 2 * kMsNs);
}

TEST(pass__an_unlinked_one) {
  Scene s(3);
  line_up_and_wake(s, 3);
  s.pass_by(2);
  AgentSlot holder = 0;
  CHECK_EQ(s.unlink(1, &holder), Status::Ok);
  IS(s, "- U / 2x 3x");
  CHECK_EQ(s.pass_on(), kNeverLapses);
  CHECK_EQ(s.look(2), Outcome::Unlinked);
  CHECK_EQ(s.look(3), Outcome::Unlinked);
  IS(s, "- U");
}

// ---- Whose process is about to be reaped ----

namespace {

// One holds; the first in line is dead, and not reaped; one more waits behind it.
struct DeadInLine {
  fixture::NameSpace name_space;
  Member mine{name_space.name()};
  Member other{name_space.name()};
  Seat holder = fixture::seat_at(mine.region(), mine.claim_agent(), "x");
  Seat dead = fixture::seat_at(other.region(), other.claim_agent(), "x");
  Seat behind = fixture::seat_at(mine.region(), mine.claim_agent(), "x");

  DeadInLine() {
    CHECK_EQ(lock::try_acquire(mine.region(), holder), Outcome::Taken);
    CHECK_EQ(lock::look(other.region(), dead, WaitMode::Async), Outcome::Pending);
    CHECK_EQ(lock::look(mine.region(), behind, WaitMode::Async), Outcome::Pending);
    other.die();
  }
};

}  // namespace

TEST(dying__is_not_woken__the_next_one_is) {
  DeadInLine s;
  CHECK_EQ(lock::release(s.mine.region(), s.holder, Release::Plain), Status::Ok);
  CHECK_EQ(state_of(*s.behind.ticket), TicketState::Woken);
  fixture::reap_all(s.mine.region());
  CHECK_EQ(lock::look(s.mine.region(), s.behind, WaitMode::Async), Outcome::Taken);
  CHECK_EQ(s.holder.object->word.load(), s.behind.agent);
}

TEST(dying__is_not_offered_the_lock__the_next_one_is) {
  DeadInLine s;
  CHECK_EQ(lock::release(s.mine.region(), s.holder, Release::Fair), Status::Ok);
  CHECK_EQ(s.holder.object->lock.offered, s.behind.ticket_index);
  CHECK_EQ(state_of(*s.behind.ticket), TicketState::Woken);
  fixture::reap_all(s.mine.region());
  CHECK_EQ(lock::look(s.mine.region(), s.behind, WaitMode::Async), Outcome::Taken);
  CHECK_EQ(s.holder.object->word.load(), s.behind.agent);
}

TEST(dying__that_starves__is_not_offered_the_lock) {
  DeadInLine s;
  s.dead.ticket->starved = 1;
  s.holder.object->word.fetch_or(lock_word::kStarving);
  CHECK_EQ(lock::release(s.mine.region(), s.holder, Release::Plain), Status::Ok);
  CHECK_EQ(s.holder.object->lock.offered, s.behind.ticket_index);
}

TEST(dying__alone_in_line__the_lock_is_left_free_without_an_offer) {
  for (const Release how : {Release::Plain, Release::Fair}) {
    DeadInLine s;
    CHECK_EQ(lock::last_look(s.mine.region(), s.behind), Outcome::Cancelled);
    CHECK_EQ(lock::release(s.mine.region(), s.holder, how), Status::Ok);
    CHECK_EQ(s.holder.object->word.load(), lock_word::kWaiters | lock_word::kWoken);
    fixture::reap_all(s.mine.region());
    CHECK_EQ(s.holder.object->word.load(), 0u);  // it never had the lock, so nothing is abandoned
  }
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

TEST(reap__ticket_Woken__offered__fix_wakes_the_next_and_nobody_is_told) {
  Scene s(3);
  line_up_and_offer(s, 3);
  s.reap(2);
  IS(s, "- WK: 3k");
  CHECK_EQ(s.look(3), Outcome::Taken);
  IS(s, "3");
}

TEST(reap__ticket_Woken__offered__nobody_else) {
  Scene s(2);
  line_up_and_offer(s, 2);
  s.reap(2);
  IS(s, "-");
}

TEST(reap__ticket_Woken__beside_the_offered_one__the_offer_stands) {
  Scene s(4);
  line_up_and_wake(s, 3);
  CHECK(s.fast_acquire(4));
  s.starve(3);
  CHECK_EQ(s.look(3), Outcome::Pending);
  CHECK_EQ(s.release(4), Status::Ok);
  IS(s, "- WKO: 2k 3k*!");
  s.reap(2);
  IS(s, "- WKO: 3k*!");
}

TEST(reap__ticket_Passed) {
  Scene s(4);
  line_up_and_wake(s, 3);
  CHECK(s.fast_acquire(4));
  s.pass_by(2);
  s.reap(2);
  IS(s, "4 W: 3w");
}

TEST(reap__the_owner__all_others_passed__tells_nobody) {
  Scene s(3);
  line_up_and_wake(s, 2);
  CHECK(s.fast_acquire(3));
  s.pass_by(2);
  s.reap(3);
  IS(s, "- WKA: 2p");
  CHECK_EQ(s.look(2), Outcome::TakenAbandoned);
  IS(s, "2");
}

TEST(withdraw__leaves_the_queue_and_tells_nobody__reap_does) {
  Scene s(3);
  line_up_and_wake(s, 3);
  s.withdraw(2);
  CHECK_EQ(s.state(2), TicketState::None);
  CHECK_EQ(s.state(3), TicketState::Waiting);
  s.withdraw(2);
  s.reap(2);
  IS(s, "- WK: 3k");
}

TEST(withdraw__of_the_owner__still_owns) {
  Scene s(3);
  line_up(s, 3);
  s.withdraw(1);
  IS(s, "1 W: 2w 3w");
  s.withdraw(3);
  IS(s, "1 W: 2w");
  s.reap(1);
  IS(s, "- WKA: 2k");
}

// Another reaper was faster, and the ticket is somebody else's by now.
TEST(withdraw_and_reap__not_due__change_nothing) {
  Scene s(3);
  line_up(s, 3);
  Dead dead{s.seat(2), {}};
  dead.seat.agent = s.agent(1);
  lock::withdraw(region(), dead);
  lock::reap(region(), dead);
  s.check_invariants();
  IS(s, "1 W: 2w 3w");
  dead.seat = s.seat(1);
  s.ticket(1).object.store(s.seat(1).object_index | kRetired);
  lock::withdraw(region(), dead);
  lock::reap(region(), dead);
  s.ticket(1).object.store(s.seat(1).object_index);
  s.check_invariants();
  IS(s, "1 W: 2w 3w");
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
  IS(s, "- WKO: 3k!");
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
  for (int round = 0; round < 60; ++round) {
    Scene s(5);
    line_up(s, 4);
    if (round % 2 == 0)
      CHECK_EQ(s.release(1, round % 4 == 0 ? Release::Fair : Release::Plain), Status::Ok);
    if (round % 3 == 0) s.lapse(2);
    if (round % 6 == 0) s.pass_on();
    std::vector<int> order = {1, 2, 3, 4};
    std::shuffle(order.begin(), order.end(), random);
    for (const int who : order) s.reap(who);
    CHECK_EQ(s.word().load() & ~lock_word::kAbandoned, 0u);
    CHECK_EQ(s.try_acquire(5), round % 2 == 0 ? Outcome::Taken : Outcome::TakenAbandoned);
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

TEST(unlink__free_W_K_O__ends_the_wait_that_it_was_for) {
  Scene s(3);
  line_up_and_offer(s, 3);
  AgentSlot holder = 0;
  CHECK_EQ(s.unlink(1, &holder), Status::Ok);
  IS(s, "- U / 2x 3x");
  CHECK_EQ(s.look(2), Outcome::Unlinked);
  CHECK_EQ(s.look(3), Outcome::Unlinked);
  IS(s, "- U");
}

TEST(unlink__free__of_starved_ones__a_later_wait_starts_anew) {
  Scene s(2);
  line_up(s, 2);
  s.starve(2);
  CHECK_EQ(s.look(2), Outcome::Pending);
  CHECK_EQ(s.release(1), Status::Ok);
  AgentSlot holder = 0;
  CHECK_EQ(s.unlink(1, &holder), Status::Ok);
  CHECK_EQ(s.look(2), Outcome::Unlinked);
  CHECK_EQ(s.ticket(2).starved, 0u);
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

// It is not the object's any more, whatever else it says: its seat may be another agent's soon.
TEST(repair__a_retired_ticket__is_not_in_line) {
  Scene s(4);
  line_up(s, 3);
  s.die_inside([&] { s.ticket(2).object.store(s.seat(2).object_index | kRetired); });
  CHECK_EQ(lock::try_acquire(region(), s.seat(4)), Outcome::Pending);
  CHECK(s.queue() == std::vector<int>{3});
  set_state(s.ticket(2), TicketState::None);
  s.ticket(2).object.store(s.seat(2).object_index);
  s.check_invariants();
  IS(s, "1 W: 3w");
}

TEST(repair__cancelled_ticket_still_linked) {
  Scene s(4);
  line_up(s, 4);
  s.die_inside([&] { s.ticket(3).state.store(static_cast<uint32_t>(TicketState::None)); });
  CHECK_EQ(s.try_acquire(1), Outcome::Pending);
  IS(s, "1 W: 2w 4w");
}

// It died between the word and its ticket: it has the lock, and its reaper says so.
TEST(repair__taken_not_dequeued__leaves_the_queue_with_the_lock) {
  for (const TicketState was : {TicketState::Waiting, TicketState::Woken, TicketState::Passed}) {
    Scene s(4);
    line_up(s, 3);
    s.die_inside([&] {
      set_state(s.ticket(2), was);
      s.ticket(2).told_ns = s.now();
      s.word().store(s.agent(2) | lock_word::kWaiters);
    });
    CHECK_EQ(s.try_acquire(4), Outcome::Pending);
    IS(s, "2 W: 3w");
    s.reap(2);
    IS(s, "- WKA: 3k");
  }
}

TEST(repair__offer_chosen_not_freed__the_owner_still_has_it) {
  Scene s(4);
  line_up(s, 3);
  s.die_inside([&] {
    s.object().lock.offered = s.seat(2).ticket_index;
    s.ticket(2).told_ns = s.now();
    set_state(s.ticket(2), TicketState::Woken);
  });
  CHECK_EQ(s.try_acquire(4), Outcome::Pending);
  IS(s, "1 WK: 2k 3w");
  CHECK(s.fast_release(1));
}

// An offer is worth no guess whether it was complete: the lock is anybody's.
TEST(repair__offer_freed__O_off_and_the_woken_one_is_on_its_way) {
  Scene s(4);
  line_up_and_offer(s, 3);
  s.die_inside([] {});
  CHECK_EQ(s.holder(4).agent, 0u);
  IS(s, "- WK: 2k 3w");
  CHECK(s.fast_acquire(4));
}

TEST(repair__pass_marked__fix_wakes_the_next) {
  Scene s(4);
  line_up_and_wake(s, 3);
  s.die_inside([&] { set_state(s.ticket(2), TicketState::Passed); });
  CHECK_EQ(s.holder(4).agent, 0u);
  IS(s, "- WK: 2p 3k");
}

TEST(repair__pass_marked_of_an_offer__O_off) {
  Scene s(4);
  line_up_and_offer(s, 3);
  s.die_inside([&] { set_state(s.ticket(2), TicketState::Passed); });
  CHECK_EQ(s.holder(4).agent, 0u);
  IS(s, "- WK: 2p 3k");
}

TEST(repair__fix_chosen__K_on) {
  Scene s(4);
  line_up(s, 3);
  s.die_inside([&] {
    set_state(s.ticket(2), TicketState::Woken);
    s.word().store(lock_word::kWaiters);
  });
  CHECK_EQ(s.holder(4).agent, 0u);
  IS(s, "- WK: 2k 3w");
}

TEST(repair__the_counts_from_the_tickets) {
  Scene s(5);
  line_up_and_wake(s, 4);
  s.pass_by(2);
  s.die_inside([&] {
    s.object().woken.store(77);
    s.object().passed = 77;
    s.object().first_waiting = s.seat(5).ticket_index;
  });
  CHECK_EQ(s.holder(5).agent, 0u);
  IS(s, "- WK: 2p 3k 4w");
}

TEST(repair__all_are_passed__K_on_and_nobody_is_told) {
  Scene s(4);
  line_up(s, 3);
  s.die_inside([&] {
    for (const int who : {2, 3}) set_state(s.ticket(who), TicketState::Passed);
    s.word().store(lock_word::kWaiters);
  });
  CHECK_EQ(s.holder(4).agent, 0u);
  IS(s, "- WK: 2p 3p");
}

TEST(repair__wake_chosen_not_freed__the_owner_still_has_it) {
  Scene s(3);
  line_up(s, 2);
  s.die_inside([&] {
    s.ticket(2).told_ns = s.now();
    set_state(s.ticket(2), TicketState::Woken);
  });
  CHECK_EQ(s.try_acquire(3), Outcome::Pending);
  IS(s, "1 WK: 2k");
  CHECK_EQ(s.look(2), Outcome::Pending);
  IS(s, "1 W: 2w");
}

TEST(repair__free_with_waiters_none_woken__fix_wakes_the_head) {
  Scene s(4);
  line_up(s, 3);
  s.die_inside([&] { s.word().store(lock_word::kWaiters); });
  CHECK_EQ(s.holder(4).agent, 0u);  // enters the guard, and no more
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
  CHECK_EQ(s.holder(3).agent, 0u);  // enters the guard, and no more
  IS(s, "- WKA: 2k");
}

TEST(repair__in_a_repair__is_done_again) {
  Scene s(4);
  line_up(s, 3);
  s.die_inside([&] { s.word().store(s.agent(2) | lock_word::kWaiters); });
  // The repairer dies after it took the owner's ticket out, before the flags.
  fixture::Child repairer([&] {
    arm_fault("repair.dequeued", FaultAction::Kill);
    static_cast<void>(lock::try_acquire(region(), s.seat(4)));
  });
  CHECK(repairer.wait().killed());
  // It bore this process' identity, which lives: as if it had been another's.
  fixture::leave_dead_inside(region(), s.object().guard);
  CHECK_EQ(s.try_acquire(4), Outcome::Pending);
  IS(s, "2 W: 3w");
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
  CHECK_EQ(s.look(1), Outcome::Taken);
  const int64_t taken = s.now();
  for (int round = 0; round < 2; ++round) {  // before the token is counted, and after
    s.advance(kMsNs);
    const lock::Holder out = s.holder(2);
    CHECK_EQ(out.agent, s.agent(1));
    CHECK_EQ(out.since_ns, taken);
    if (round == 0) count_token(s);
  }
}

TEST(holder__by_an_offer__since_it_looked) {
  Scene s(2);
  line_up(s, 2);
  count_token(s);
  CHECK_EQ(s.release(1, Release::Fair), Status::Ok);
  s.advance(kMsNs);
  CHECK_EQ(s.look(2), Outcome::Taken);
  count_token(s);
  const lock::Holder out = s.holder(1);
  CHECK_EQ(out.agent, s.agent(2));
  CHECK_EQ(out.since_ns, s.now());
}

TEST(holder__by_the_fast_path__since_anybody_first_looked) {
  Scene s(2);
  CHECK(s.fast_acquire(1));
  count_token(s);
  const lock::Holder first = s.holder(2);
  CHECK_EQ(first.agent, s.agent(1));
  CHECK_EQ(first.since_ns, s.now());
  s.advance(kMsNs);
  CHECK_EQ(s.holder(2).since_ns, first.since_ns);
}

TEST(holder__of_a_new_acquisition__is_not_the_old_ones_since) {
  Scene s(2);
  CHECK_EQ(s.look(1), Outcome::Taken);
  count_token(s);
  CHECK_EQ(s.holder(2).agent, s.agent(1));
  CHECK(s.fast_release(1));
  s.advance(kMsNs);
  CHECK(s.fast_acquire(2));
  count_token(s);
  const lock::Holder out = s.holder(1);
  CHECK_EQ(out.agent, s.agent(2));
  CHECK_EQ(out.since_ns, s.now());
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
  CHECK_EQ(s.release(1), Status::Ok);  // offers it, for it starved: or wakes
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

TEST(acquire_sync__is_woken_by_an_offer) {
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

TEST(acquire_sync__is_woken_by_a_wake_that_was_passed_on) {
  Scene s(3);
  CHECK(s.fast_acquire(1));
  CHECK_EQ(s.look(2), Outcome::Pending);  // and never comes
  std::thread waiter([&] {
    CHECK_EQ(lock::acquire_sync(region(), s.seat(3), {Deadline::never(), Deadline::never()}),
             Outcome::Taken);
  });
  while (s.state(3) != TicketState::Waiting) std::this_thread::yield();
  CHECK_EQ(lock::release(region(), s.seat(1), Release::Fair), Status::Ok);
  while (pass_on(region(), s.seat(1).object_index) != kNeverLapses) std::this_thread::yield();
  waiter.join();
  s.check_invariants();
  IS(s, "3 W: 2p");
}

// The process that told another is gone, and with it the keeper that would have passed the wake on.
TEST(acquire_sync__passes_on_by_itself_at_the_end_of_a_slice) {
  Scene s(3);
  CHECK(s.fast_acquire(1));
  CHECK_EQ(s.look(2), Outcome::Pending);
  CHECK_EQ(s.look(3), Outcome::Pending);
  CHECK_EQ(lock::release(region(), s.seat(1), Release::Fair), Status::Ok);
  Outcome outcome = Outcome::Pending;
  while (outcome == Outcome::Pending) {
    outcome =
        lock::acquire_sync(region(), s.seat(3), {Deadline::never(), Deadline::after_ns(kMsNs)});
  }
  CHECK_EQ(outcome, Outcome::Taken);
  s.check_invariants();
  IS(s, "3 W: 2p");
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

// ---- All steps ----

// One thread, each order of events that a seed gives; the invariants hold after every step, an abandonment is told
// once, and in the end everybody gets the lock that has only to look.
TEST(all_steps__one_after_another_at_random__the_invariants_hold_after_each) {
  constexpr int kAgents = 5;
  const int before = harness::failures();
  for (unsigned seed = 0; seed < 150 && harness::failures() == before; ++seed) {
    std::mt19937 random(seed);
    Scene s(kAgents);
    bool abandoned = false;
    const auto owner = [&] { return s.number_of(lock_word::owner(s.word().load())); };
    const auto taken = [&](Outcome outcome) {
      if (outcome == Outcome::Taken) CHECK(!abandoned);
      if (outcome == Outcome::TakenAbandoned) CHECK(abandoned);
      if (outcome == Outcome::TakenAbandoned) abandoned = false;
    };
    for (int step = 0; step < 400 && harness::failures() == before; ++step) {
      const int who = 1 + static_cast<int>(random() % kAgents);
      const bool queued = WaitQueue::is_queued(s.ticket(who));
      switch (random() % 12) {
        case 0:
          if (!queued) s.fast_acquire(who);
          break;
        case 1:
          taken(s.try_acquire(who));
          break;
        case 2:
        case 3:
        case 4:
          taken(s.look(who));
          break;
        case 5:
          taken(s.last_look(who));
          break;
        case 6:
          if (owner() != 0) s.fast_release(owner());
          break;
        case 7:
          if (owner() != 0) CHECK_EQ(s.release(owner()), Status::Ok);
          break;
        case 8:
          if (owner() != 0) CHECK_EQ(s.release(owner(), Release::Fair), Status::Ok);
          break;
        case 9:
          s.advance(static_cast<int64_t>(random() % 3) * kMsNs);
          if (random() % 2 == 0) s.pass_on();
          break;
        case 10:
          if (random() % 3 == 0) {
            abandoned = abandoned || owner() == who;
            if (random() % 2 == 0) s.withdraw(who);
            s.reap(who);
          } else if (owner() != 0) {
            abandoned = true;
            CHECK_EQ(s.release(owner(), Release::Untold), Status::Ok);
          }
          break;
        default:
          s.die_inside([] {});
          static_cast<void>(s.holder(who));
          break;
      }
    }
    // Whoever was told anything looks, and lets go.
    for (int round = 0; round < 2 * kAgents; ++round) {
      if (owner() != 0) CHECK_EQ(s.release(owner()), Status::Ok);
      for (int who = 1; who <= kAgents; ++who) {
        if (s.state(who) != TicketState::Woken && s.state(who) != TicketState::Passed) continue;
        if (s.look(who) != Outcome::Pending) CHECK_EQ(s.release(who), Status::Ok);
      }
    }
    if (!CHECK_EQ(s.word().load() & ~(lock_word::kAbandoned | lock_word::kWoken), 0u) ||
        harness::failures() != before) {
      std::fprintf(stderr, "  seed %u: %s\n", seed, s.picture().c_str());
    }
  }
}

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
