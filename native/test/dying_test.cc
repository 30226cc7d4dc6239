// A process is dead when its last thread is gone, and not when its keeper is: another thread may still be in a
// system call that the kill does not cut short, under the lock that it holds.
#include <thread>

#include "fixture.h"
#include "processes.h"
#include "sync/lock.h"
#include "wait/keeper.h"
#include "wait/reaper.h"

using holdfast::AgentSlot;
using holdfast::Deadline;
using holdfast::Keeper;
using holdfast::Kind;
using holdfast::Outcome;
using holdfast::Region;
using holdfast::Registry;
using holdfast::Seat;
using holdfast::Status;

namespace {

bool sit_down(Region& region, Seat* seat) {
  AgentSlot agent = 0;
  std::string detail;
  Registry registry(region);
  return registry.claim_agent(0, &agent) == Status::Ok &&
         registry.open(agent, "lock", Kind::Lock, {}, seat, &detail) == Status::Ok;
}

// Holds the lock. The thread that was its life ends, and the process goes on.
void outlive_own_life(const std::string& name, processes::Signal& holds,
                      processes::Signal& may_end) {
  Region region;
  std::string detail;
  Seat seat;
  REQUIRE(region.open(name, 0600, &detail) == Status::Ok);
  std::thread life([&] { CHECK(region.claim_process() == Status::Ok); });
  life.join();
  region.joined();
  REQUIRE(sit_down(region, &seat));
  REQUIRE(holdfast::lock::try_acquire(region, seat) == Outcome::Taken);
  holds.raise();
  may_end.await();
}

}  // namespace

TEST(an_owner_of_which_a_thread_still_runs_keeps_its_lock_until_that_ends) {
  const std::string name = fixture::fresh_name();
  processes::Signal holds;
  processes::Signal may_end;
  const pid_t victim = processes::spawn([&] { outlive_own_life(name, holds, may_end); });
  const pid_t heir = processes::spawn([&] {
    holds.await();
    auto& keeper = *new Keeper;
    std::string detail;
    Seat seat;
    REQUIRE(keeper.start(name, 0600, &detail) == Status::Ok);
    Region& region = keeper.region();
    REQUIRE(sit_down(region, &seat));
    const AgentSlot owner = seat.object->word.load() & 0xffff;
    CHECK(holdfast::is_dying(region, owner));
    // It is marked, and not reaped, however often anybody looks.
    for (int look = 0; look < 100; ++look) {
      CHECK(holdfast::reap_dead_processes(region));
      CHECK_EQ(holdfast::lock::try_acquire(region, seat), Outcome::Pending);
    }
    may_end.raise();
    Outcome outcome = Outcome::Pending;
    while (outcome == Outcome::Pending) {
      outcome = holdfast::lock::acquire_sync(region, seat,
                                             {Deadline::never(), Deadline::after_ns(50'000'000)});
    }
    CHECK_EQ(outcome, Outcome::TakenAbandoned);
  });
  CHECK(processes::wait_for(victim).well());
  CHECK(processes::wait_for(heir).well());
  std::string detail;
  CHECK(Region::remove(name, 0600, &detail) == Status::Ok);
}
