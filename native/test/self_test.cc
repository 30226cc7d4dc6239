// The kernel knows the owner of a mutex by its TID alone, and another thread may have the same one in another pid
// namespace: its death then marks the life of a process that goes on. Such a mark is no death, neither to the marked
// one's own keeper nor to others; its death, when it comes, is one.
#include <thread>

#include "fixture.h"
#include "posix/futex.h"
#include "posix/robust_mutex.h"
#include "sync/lock.h"
#include "sync/lock_word.h"
#include "wait/keeper.h"
#include "wait/ring.h"

namespace {

using namespace holdfast;

constexpr int kMarks = 20;

Keeper& start_keeper(const fixture::NameSpace& name_space) {
  auto& keeper = *new Keeper;  // never deleted, as its header says
  std::string detail;
  CHECK_EQ(keeper.start(name_space.name(), 0600, &detail), Status::Ok);
  return keeper;
}

// As handle_futex_death() does it, to a mutex whose owner lives.
void mark(FutexWord& life) {
  uint32_t seen = life.load();
  while (!life.compare_exchange_weak(seen, (seen & kFutexWaitersBit) | kFutexOwnerDiedBit)) {
  }
  futex_wake(life, 1);
}

// Until somebody has taken the mark for what it is; or for a death.
void await_answer(const FutexWord& life) {
  while ((life.load() & kFutexOwnerDiedBit) != 0) std::this_thread::yield();
}

}  // namespace

TEST(a_living_process_that_is_marked_dead_keeps_its_lock_until_it_is_killed) {
  const fixture::NameSpace name_space;
  processes::Signal holds;
  processes::Signal waits;
  processes::Signal was_marked;
  processes::Shared<std::atomic<bool>> killed;
  fixture::Child holder([&] {
    Keeper& keeper = start_keeper(name_space);
    Region& region = keeper.region();
    Seat seat = fixture::seat_at(region, fixture::claim_agent(region), "x");
    CHECK_EQ(lock::try_acquire(region, seat), Outcome::Taken);
    holds.raise();
    waits.await();
    FutexWord& life = region.life_word(region.self_record());
    for (int i = 0; i < kMarks; ++i) {
      mark(life);
      ring_doorbell(region.self_record());
      await_answer(life);
      if (!CHECK_EQ(lock_word::owner(seat.object->word.load()), seat.agent)) break;
      if (!CHECK_EQ(region.self_record().state.load(), ProcessState::Live)) break;
    }
    was_marked.raise();
    if (harness::failures() != 0) ::_exit(1);
    for (;;) ::pause();
  });
  fixture::Child heir([&] {
    holds.await();
    Keeper& keeper = start_keeper(name_space);
    Region& region = keeper.region();
    Seat seat = fixture::seat_at(region, fixture::claim_agent(region), "x");
    CHECK_EQ(lock::look(region, seat, WaitMode::Sync), Outcome::Pending);
    waits.raise();
    Outcome outcome = Outcome::Pending;
    while (outcome == Outcome::Pending) {
      outcome =
          lock::acquire_sync(region, seat, {Deadline::never(), Deadline::after_ns(60'000'000)});
    }
    CHECK(killed->load());
    CHECK_EQ(outcome, Outcome::TakenAbandoned);
  });
  was_marked.await();
  killed->store(true);
  CHECK(holder.end(SIGKILL).killed());
  CHECK(heir.wait().well());
}

// Nobody waits and nobody rings: the marked one, or who finds the mark, sees to it.
TEST(a_living_process_that_is_marked_dead_while_nothing_happens_is_still_one_of_the_region) {
  const fixture::NameSpace name_space;
  processes::Signal in;
  processes::Signal done;
  fixture::Child idle([&] {
    Keeper& keeper = start_keeper(name_space);
    Region& region = keeper.region();
    const ProcessId self = region.self();
    in.raise();
    done.await();
    CHECK_EQ(region.self_record().state.load(), ProcessState::Live);
    CHECK(fixture::is_alive(region, self));
    Seat seat = fixture::seat_at(region, fixture::claim_agent(region), "x");
    CHECK_EQ(lock::try_acquire(region, seat), Outcome::Taken);
  });
  fixture::Child other([&] {
    in.await();
    Keeper& keeper = start_keeper(name_space);
    Region& region = keeper.region();
    for (ProcessIndex index = 0; index < region.process_limit(); ++index) {
      if (index != region.self().index) mark(region.life_word(*region.process(index)));
    }
    done.raise();
    for (;;) ::pause();
  });
  CHECK(idle.wait().well());
  CHECK(other.end(SIGKILL).killed());
}
