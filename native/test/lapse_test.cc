// Wakes that nobody came for: what a process remembers of whom it has told, and its keeper, which passes them on.
#include "wait/lapse.h"

#include <functional>
#include <thread>
#include <vector>

#include "fixture.h"
#include "objects_scene.h"
#include "posix/futex.h"
#include "region/told_watch.h"
#include "wait/keeper.h"

namespace {

using namespace objects_scene;

std::vector<ObjectIndex> taken(ToldWatch& watch, bool* any_may_be_one = nullptr) {
  std::vector<ObjectIndex> objects;
  const bool crowded = watch.take([&](ObjectIndex object) { objects.push_back(object); });
  if (any_may_be_one != nullptr) *any_may_be_one = crowded;
  std::sort(objects.begin(), objects.end());
  return objects;
}

using Objects = std::vector<ObjectIndex>;

// More of them than there is room for at one place.
constexpr ObjectIndex kSamePlace[] = {7, 7 + 64, 7 + 128, 7 + 192, 7 + 256};

}  // namespace

// ---- A keeper. First of all: these fork, and later on a thread is about ----

namespace {

// The first in line never comes; the second one sleeps without an end. Only the keeper of the process that told the
// first one can wake it.
void keeper_passes_on(Kind kind, Parameters parameters, uint32_t role,
                      const std::function<void(Region&, Party&)>& hold,
                      const std::function<void(Region&, Party&)>& tell) {
  const fixture::NameSpace place;
  auto& keeper = *new Keeper;  // NOLINT: its thread outlives every scope
  std::string detail;
  REQUIRE(keeper.start(place.name(), 0600, &detail) == Status::Ok);
  Region& region = keeper.region();
  uint64_t memory = 0;
  const auto wants = [&](Party& party) {
    Attempt wanted = party.wants(role, 1, OrElse::Queue);
    wanted.element = {reinterpret_cast<std::byte*>(&memory), sizeof memory, 0};
    return wanted;
  };
  Party holder = join(region, "x", kind, parameters);
  Party never_comes = join(region, "x", kind, parameters);
  Party second = join(region, "x", kind, parameters);
  hold(region, holder);
  CHECK_EQ(attempt(region, wants(never_comes)), Outcome::Pending);
  std::thread sleeper([&] {
    CHECK_EQ(attempt_sync(region, wants(second), Deadline::never(), Deadline::never()),
             Outcome::Taken);
  });
  while (state_of(*second.waiter.ticket) != TicketState::Waiting) std::this_thread::yield();
  tell(region, holder);
  sleeper.join();
  CHECK_EQ(state_of(*never_comes.waiter.ticket), TicketState::Passed);
}

}  // namespace

TEST_IN_A_PROCESS(keeper__passes_on_permits) {
  keeper_passes_on(
      Kind::Semaphore, {1, 1}, 0,
      [](Region& region, Party& party) {
        CHECK_EQ(attempt(region, party.wants(0, 1, OrElse::Leave)), Outcome::Taken);
      },
      [](Region& region, Party& party) {
        CHECK_EQ(semaphore::release(region, party.home, 1), Status::Ok);
      });
}

TEST_IN_A_PROCESS(keeper__passes_on_a_side) {
  keeper_passes_on(
      Kind::RWLock, {}, kWrite,
      [](Region& region, Party& party) {
        CHECK_EQ(attempt(region, party.wants(kWrite, 1, OrElse::Leave)), Outcome::Taken);
      },
      [](Region& region, Party& party) {
        CHECK_EQ(rwlock::release(region, party.home, kWrite), Status::Ok);
      });
}

TEST_IN_A_PROCESS(keeper__passes_on_a_notification) {
  keeper_passes_on(
      Kind::Condition, {}, 0, [](Region&, Party&) {},
      [](Region& region, Party& party) { CHECK_EQ(condition::notify(region, party.home, 1), 1); });
}

TEST_IN_A_PROCESS(keeper__passes_on_a_notification_of_memory) {
  keeper_passes_on(
      Kind::SharedValue, {7, 1}, 0, [](Region&, Party&) {},
      [](Region& region, Party& party) {
        CHECK_EQ(shared_memory::notify(region, party.home, 0, 1), 1);
      });
}

TEST_IN_A_PROCESS(keeper__passes_on_a_lock_and_an_offer) {
  const fixture::NameSpace place;
  auto& keeper = *new Keeper;  // NOLINT: its thread outlives every scope
  std::string detail;
  REQUIRE(keeper.start(place.name(), 0600, &detail) == Status::Ok);
  Region& region = keeper.region();
  for (const lock::Release how : {lock::Release::Plain, lock::Release::Fair}) {
    const std::string name = how == lock::Release::Fair ? "fair" : "plain";
    const auto seat = [&] { return fixture::seat_at(region, fixture::claim_agent(region), name); };
    Seat holder = seat();
    Seat never_comes = seat();
    Seat second = seat();
    CHECK_EQ(lock::try_acquire(region, holder), Outcome::Taken);
    CHECK_EQ(lock::look(region, never_comes, WaitMode::Async), Outcome::Pending);
    std::thread sleeper([&] {
      CHECK_EQ(lock::acquire_sync(region, second, {Deadline::never(), Deadline::never()}),
               Outcome::Taken);
    });
    while (state_of(*second.ticket) != TicketState::Waiting) std::this_thread::yield();
    CHECK_EQ(lock::release(region, holder, how), Status::Ok);
    sleeper.join();
    CHECK_EQ(state_of(*never_comes.ticket), TicketState::Passed);
    CHECK_EQ(lock::release(region, second, lock::Release::Plain), Status::Ok);
    CHECK_EQ(lock::look(region, never_comes, WaitMode::Async), Outcome::Taken);
  }
}

// ---- ToldWatch ----

TEST(told_watch__each_object_is_taken_once) {
  ToldWatch watch;
  static_cast<void>(watch.note(3));
  static_cast<void>(watch.note(0));
  static_cast<void>(watch.note(3));
  static_cast<void>(watch.note(70'000));
  bool crowded = true;
  CHECK(taken(watch, &crowded) == (Objects{0, 3, 70'000}));
  CHECK(!crowded);
  CHECK(taken(watch).empty());
}

TEST(told_watch__objects_of_one_place) {
  ToldWatch watch;
  for (int i = 0; i < 4; ++i) watch.place(kSamePlace[i]);
  for (int i = 0; i < 4; ++i) watch.place(kSamePlace[i]);  // no second time
  bool crowded = true;
  CHECK(taken(watch, &crowded) == Objects(kSamePlace, kSamePlace + 4));
  CHECK(!crowded);
}

TEST(told_watch__more_than_there_is_room_for__any_object_may_be_one) {
  ToldWatch watch;
  for (const ObjectIndex object : kSamePlace) static_cast<void>(watch.note(object));
  bool crowded = false;
  CHECK(taken(watch, &crowded) == Objects(kSamePlace, kSamePlace + 4));
  CHECK(crowded);
  static_cast<void>(taken(watch, &crowded));
  CHECK(!crowded);
}

TEST(told_watch__who_sleeps_is_rung_once) {
  ToldWatch watch;
  CHECK(!watch.looking());
  CHECK(watch.note(1));
  CHECK(watch.looking());
  CHECK(!watch.note(2));
  static_cast<void>(taken(watch));
  CHECK(!watch.note(3));
  CHECK(!watch.rest());  // there is something to look at
  CHECK(watch.looking());
  static_cast<void>(taken(watch));
  CHECK(watch.rest());
  CHECK(!watch.looking());
  CHECK(watch.note(3));
}

TEST(told_watch__crowded__does_not_rest) {
  ToldWatch watch;
  for (const ObjectIndex object : kSamePlace) watch.place(object);
  watch.take([](ObjectIndex) {});
  CHECK(watch.rest());
  for (const ObjectIndex object : kSamePlace) watch.place(object);
  CHECK(!watch.rest());
}

TEST(told_watch__what_is_noted_while_it_is_looked_at_is_kept) {
  ToldWatch watch;
  watch.place(5);
  watch.take([&](ObjectIndex object) { watch.place(object); });
  CHECK(taken(watch) == Objects{5});
}

// One thread sleeps for long when it has nothing to do, as a keeper; the others tell, and ring it where it has to be
// rung. Something that was told and never looked at would be waited for here for ever.
TEST(told_watch__nothing_is_lost_between_a_keeper_that_goes_to_sleep_and_those_who_note) {
  constexpr int kThreads = 3;
  constexpr uint32_t kRounds = 20'000;
  ToldWatch watch;
  FutexWord bell{0};
  std::atomic<uint32_t> told[kThreads] = {};
  std::atomic<uint32_t> seen[kThreads] = {};
  std::atomic<bool> over{false};
  const auto ring = [&] {
    bell.fetch_add(1);
    futex_wake(bell, 1);
  };
  std::thread keeper([&] {
    for (;;) {
      const uint32_t rung = bell.load();
      if (over.load()) return;  // after `rung`: who says so rings
      if (watch.looking()) {
        watch.take([&](ObjectIndex object) { seen[object].store(told[object].load()); });
        if (!watch.rest()) continue;
      }
      futex_wait(bell, rung, Deadline::never());
    }
  });
  std::vector<std::thread> tellers;
  for (uint32_t me = 0; me < kThreads; ++me) {
    tellers.emplace_back([&, me] {
      for (uint32_t round = 1; round <= kRounds; ++round) {
        told[me].store(round);
        if (watch.note(me)) ring();
        if (round % 8 != 0) continue;
        while (seen[me].load() != round) std::this_thread::yield();
      }
    });
  }
  for (std::thread& teller : tellers) teller.join();
  over.store(true);
  ring();
  keeper.join();
}

// ---- LapseWatch: what a keeper does with it ----

TEST(lapse_watch__nobody_was_told__sleeps) {
  Scene s(Kind::Semaphore, 1, {0, 0});
  region().told_watch().take([](ObjectIndex) {});
  static_cast<void>(region().told_watch().rest());
  LapseWatch watch;
  CHECK_EQ(watch.look(region()), kNeverLapses);
}

TEST(lapse_watch__looks_when_a_wake_lapses__and_again_at_who_was_told_instead) {
  Scene s(Kind::Semaphore, 4, {0, 0});
  LapseWatch watch;
  const auto look = [&] {
    const stopped_clock::Stop stop(s.now());
    return watch.look(region());
  };
  CHECK_EQ(s.queue(2), Outcome::Pending);
  CHECK_EQ(s.queue(3), Outcome::Pending);
  CHECK_EQ(s.release(1), 0);
  IS(s, "2k 3w");
  CHECK(region().told_watch().looking());
  CHECK_EQ(look(), kLapseNs);
  s.advance(kLapseNs - 1);
  CHECK_EQ(look(), 1);
  IS(s, "2k 3w");
  s.advance(1);
  CHECK_EQ(look(), kLapseNs);
  IS(s, "2p 3k");
  s.advance(kLapseNs);
  CHECK_EQ(look(), kLapseNs);
  IS(s, "2p 3p");
  // It looks on for a while, as wakes come seldom alone; then it sleeps until it is rung.
  int looks = 0;
  while (look() == kLapseNs && looks < 100) ++looks;
  CHECK(looks > 0 && looks < 100);
  CHECK(!region().told_watch().looking());
  CHECK_EQ(look(), kNeverLapses);
  CHECK_EQ(s.queue(2), Outcome::Taken);
  CHECK_EQ(s.queue(3), Outcome::Pending);
  CHECK_EQ(s.release(1), 0);
  IS(s, "3k");
  CHECK(region().told_watch().looking());
}

TEST(lapse_watch__says_when_the_first_of_several_objects_is_due) {
  Scene early(Kind::Semaphore, 2, {0, 0});
  Scene late(Kind::Semaphore, 2, {0, 0});
  early.advance(late.now() - early.now());
  CHECK_EQ(early.queue(2), Outcome::Pending);
  CHECK_EQ(late.queue(2), Outcome::Pending);
  CHECK_EQ(early.release(1), 0);
  early.advance(1000);
  late.advance(1000);
  CHECK_EQ(late.release(1), 0);
  LapseWatch watch;
  const stopped_clock::Stop stop(late.now());
  CHECK_EQ(watch.look(region()), kLapseNs - 1000);
}

TEST(lapse_watch__more_objects_than_it_remembers__looks_at_all) {
  Scene s(Kind::Semaphore, 2, {0, 0});
  CHECK_EQ(s.queue(2), Outcome::Pending);
  CHECK_EQ(s.release(1), 0);
  ToldWatch& told = region().told_watch();
  told.take([](ObjectIndex) {});
  for (const ObjectIndex object : kSamePlace) static_cast<void>(told.note(object + 1'000'000));
  s.advance(kLapseNs);
  LapseWatch watch;
  const stopped_clock::Stop stop(s.now());
  CHECK_EQ(watch.look(region()), kLapseNs);
  IS(s, "2p");
}

// Where it is woken late itself, those who were told may be about to be woken as well.
TEST(lapse_watch__woken_late__waits_a_few_looks__and_not_for_ever) {
  Scene s(Kind::Semaphore, 3, {0, 0});
  LapseWatch watch;
  const auto look = [&] {
    const stopped_clock::Stop stop(s.now());
    return watch.look(region());
  };
  CHECK_EQ(s.queue(2), Outcome::Pending);
  CHECK_EQ(s.queue(3), Outcome::Pending);
  CHECK_EQ(s.release(1), 0);
  CHECK_EQ(look(), kLapseNs);
  int late = 0;
  do {
    s.advance(2 * kLapseNs);
    CHECK_EQ(look(), kLapseNs);
  } while (s.picture() == "2k 3w" && ++late < 100);
  CHECK(late > 0 && late < 100);
  IS(s, "2p 3k");
  // In time again: at once.
  s.advance(kLapseNs);
  CHECK_EQ(look(), kLapseNs);
  IS(s, "2p 3p");
}
