// Processes that are stopped, or dying and not dead yet: nothing of theirs is given back, and nobody else may hang
// for it.

#include "crash_crew.h"

using namespace crash;

// Stopped, not dead: nothing is given back, and nobody else may hang for it.
TEST(who_was_to_wake_a_waiter_is_stopped) {
  const Place place;
  unsigned fired = 0;
  for (int i = 0; i < 12 && fired < 3 && !some_hung; ++i) {
    Random random(next_seed());
    Round round = one_death(place, "wake.ring", random);
    round.seed = random.next();
    round.arms[0].action = FaultAction::Stop;
    round.slices = true;
    const unsigned victim = round.arms[0].member;
    processes::Shared<Board> board;
    processes::Gate gate;
    processes::Signal look;
    processes::Signal looked;
    processes::Signal over;
    Crew crew(round);
    for (unsigned member = 0; member < round.members; ++member) {
      crew.add([&](unsigned number) {
        Member& self = make_member(round, *board, number);
        const bool joined = self.join();
        gate.pass();
        if (!joined) return;
        self.arm();
        self.run_sections(round.sections);
        self.leave();
      });
    }
    const pid_t observer = processes::spawn([&] {
      Member& self = make_member(round, *board, round.members);
      const bool joined = self.join_without_keeper();
      gate.pass();
      look.await();
      if (joined) board->go.store(!self.is_held_up_by(victim));
      looked.raise();
      over.await();
    });
    gate.open_for(round.members + 1);
    const bool stopped = crew.stops(victim);
    look.raise();
    looked.await();
    // Its other thread was stopped with the one that passed the point, wherever it was.
    const bool others_go_on = board->go.load();
    if (stopped && !others_go_on) ::kill(crew.pid(victim), SIGCONT);
    crew.join_all_but(victim);
    if (stopped && others_go_on) {
      ++fired;
      ::kill(crew.pid(victim), SIGCONT);
    }
    if (stopped) crew.join_one(victim);
    over.raise();
    driver_check(processes::wait_for(observer).well(), "the observer failed", round);
    inspect(round, *board, crew, 0, 0);
  }
  CHECK(some_hung || fired > 0);
}

namespace {

// 0 holds the lock; `stopped` waits for it and is stopped; then 0 goes on as `then` says, the
// others run their sections to the end, and only then the stopped one is let go. Nobody leaves before the others are
// done: the keeper of who told the stopped one is to pass it on. Returns how many died.
template <typename Then>
unsigned run_with_a_stopped_waiter(const Round& round, unsigned stopped, int least, int most,
                                   Then then) {
  processes::Shared<Board> board;
  processes::Gate gate;
  processes::Rest rest;
  processes::Signal queued;
  processes::Signal others_go;
  Crew crew(round);
  for (unsigned i = 0; i < round.members; ++i) {
    crew.add([&](unsigned number) {
      Member& self = make_member(round, *board, number);
      const bool joined = self.join();
      if (joined && number == 0) CHECK(!self.acquire());
      gate.pass();
      if (!joined) return;
      self.arm();
      if (number == 0) {
        self.say("wait for the waiter");
        // And not inside of the guard, where nobody may be stopped for long.
        const ObjectRecord& object = *self.seat().object;
        while (object.queue_head == kNone || object.guard.word.load() != 0) ::sched_yield();
        queued.raise();
        others_go.await();
        then(self);
      } else if (number == stopped) {
        rest.leave_out();
        self.run_section(self.acquire_patiently());
      } else {
        others_go.await();
      }
      self.run_sections(round.sections);
      if (number != stopped) rest.rest();
      self.leave();
    });
  }
  gate.open_for(round.members);
  queued.await();
  ::kill(crew.pid(stopped), SIGSTOP);
  CHECK(crew.stops(stopped));
  others_go.raise(round.members - 1);
  rest.end_when_nobody_works(round.members - 1);
  crew.join_all_but(stopped);
  ::kill(crew.pid(stopped), SIGCONT);
  crew.join_one(stopped);
  inspect(round, *board, crew, least, most);
  return crew.deaths();
}

}  // namespace

// Whoever told it passes the wake, or the offer, on to one that runs. Nobody looks for itself here.
TEST(a_waiter_is_stopped_and_then_told) {
  const Place place;
  for (const lock::Release how : {lock::Release::Plain, lock::Release::Fair}) {
    for (unsigned stopped = 1; stopped < 4 && !some_hung; ++stopped) {
      Round round;
      round.name_space = place.name();
      round.seed = next_seed();
      static_cast<void>(run_with_a_stopped_waiter(round, stopped, 0, 0, [=](Member& holder) {
        holder.section(false);
        CHECK_EQ(lock::release(holder.region(), holder.seat(), how), Status::Ok);
      }));
    }
  }
}

// And whoever told it is dead: who waits looks for itself.
TEST(a_waiter_is_stopped_and_who_told_it_dies) {
  const Place place;
  for (const char* point : {"wake.freed", "offer.freed", "wake.ring"}) {
    for (unsigned stopped = 1; stopped < 4 && !some_hung; ++stopped) {
      Round round;
      round.name_space = place.name();
      round.seed = next_seed();
      round.slices = true;
      round.arms = {{0, point}};
      const bool rings = point[5] == 'r';
      const bool fair = point[0] == 'o' || (rings && stopped == 2);
      const int most = rings ? 1 : 0;  // its keeper rings as well, later on
      const auto dies = [=](Member& holder) {
        holder.section(false);
        static_cast<void>(lock::release(holder.region(), holder.seat(),
                                        fair ? lock::Release::Fair : lock::Release::Plain));
      };
      const unsigned deaths = run_with_a_stopped_waiter(round, stopped, 0, most, dies);
      CHECK(some_hung || deaths == 1);
    }
  }
}

// Who passes the wake on dies at it; in its process somebody may be the owner by then.
TEST(a_waiter_is_stopped_and_who_passes_its_wake_on_dies) {
  for (const Point& point : kPoints) {
    if (point.scene != Scene::Pass) continue;
    unsigned fired = 0;
    for (unsigned i = 0; i < 30 && fired < rounds(6) && !some_hung; ++i) {
      const Place place;
      Round round;
      round.name_space = place.name();
      round.seed = next_seed();
      round.slices = true;
      const unsigned stopped = 1 + i % 3;
      round.arms = {{0, point.name}, {1 + (i + 1) % 3, point.name}};
      fired += run_with_a_stopped_waiter(round, stopped, 0, 2, [=](Member& holder) {
        holder.section(false);
        CHECK_EQ(lock::release(holder.region(), holder.seat(),
                               i % 2 == 0 ? lock::Release::Fair : lock::Release::Plain),
                 Status::Ok);
      });
    }
    if (!some_hung && !CHECK(fired > 0)) std::fprintf(stderr, "  %s did not fire\n", point.name);
  }
}

// The kernel tells one watcher of a death, and it may be the one that is stopped.
TEST(a_keeper_is_stopped_and_then_a_holder_dies) {
  const Place place;
  for (unsigned stopped = 1; stopped < 4 && !some_hung; ++stopped) {
    Round round;
    round.name_space = place.name();
    round.seed = next_seed();
    round.slices = true;
    round.arms = {{0, "test.critical"}};
    static_cast<void>(run_with_a_stopped_waiter(round, stopped, 1, 1,
                                                [](Member& holder) { holder.section(false); }));
  }
}

// 1 was woken and gives up; meanwhile 0 leaves by the fast path, trusting that 1 will look; 2 waits behind. 0 has no
// keeper: the wake of 1 does not lapse, however long it takes to come.
TEST(who_was_woken_gives_up_while_the_lock_is_left) {
  if (some_hung) return;
  const Place place;
  Round round;
  round.name_space = place.name();
  round.seed = next_seed();
  round.members = 3;
  round.arms = {{1, "cancel.unlinked", 1, FaultAction::Stop}};
  processes::Shared<Board> board;
  processes::Gate gate;
  processes::Rest rest;
  processes::Signal first_queued;
  processes::Signal told;
  processes::Signal stopped;
  processes::Signal left;
  Crew crew(round);
  for (unsigned member = 0; member < round.members; ++member) {
    crew.add([&](unsigned number) {
      Member& self = make_member(round, *board, number);
      const bool joined = number == 0 ? self.join_without_keeper() : self.join();
      if (joined && number == 0) CHECK(!self.acquire());
      gate.pass();
      if (!joined) return;
      Region& region = self.region();
      Seat& seat = self.seat();
      if (number == 0) {
        self.say("wait for two waiters");
        while (seat.object->next_seq < 3) ::sched_yield();
        CHECK_EQ(lock::release(region, seat, lock::Release::Plain), Status::Ok);
        const bool owns = CHECK(self.fast_acquire());  // before 1 looks
        told.raise();
        stopped.await();
        if (owns && !CHECK(self.fast_release())) self.release();
        left.raise();
      } else if (number == 1) {
        self.say("give up");
        CHECK_EQ(lock::look(region, seat, WaitMode::Async), Outcome::Pending);
        first_queued.raise();
        told.await();
        self.arm();
        if (!CHECK_EQ(lock::last_look(region, seat), Outcome::Cancelled)) return;
      } else {
        self.say("wait behind");
        first_queued.await();
        CHECK_EQ(lock::acquire_sync(region, seat, {Deadline::never(), Deadline::never(), false}),
                 Outcome::Taken);
        self.section(false);
        self.release();
      }
      rest.rest();
    });
  }
  gate.open_for(round.members);
  const bool in_between = driver_check(crew.stops(1), "1 did not stop", round);
  stopped.raise();
  left.await();
  if (in_between) ::kill(crew.pid(1), SIGCONT);
  rest.end_when_nobody_works(round.members);
  if (in_between) {
    crew.join();
  } else {
    crew.join_all_but(1);
  }
  inspect(round, *board, crew, 0, 0);
}

// A process is dead when its last thread is gone: another one may be in the middle of what the lock protects,
// in a system call that a kill does not cut short. Here a forked child stands for it, which keeps the process'
// open files as such a thread does.
TEST(what_a_dying_process_holds_is_not_free_before_its_end) {
  for (int i = 0; i < 3 && !some_hung; ++i) {
    const Place place;
    Round round;
    round.name_space = place.name();
    round.seed = next_seed();
    round.members = 2;
    round.arms = {{0, "test.critical"}};
    round.forbid_waitv = round.slices = i == 2;
    struct Thread {
      std::atomic<bool> done;
    };
    processes::Shared<Board> board;
    processes::Shared<Thread> thread;
    processes::Gate gate;
    processes::Signal killed;
    processes::Signal tried;
    Crew crew(round);
    crew.add([&](unsigned number) {
      Member& self = make_member(round, *board, number);
      const bool joined = self.join();
      if (joined) CHECK(!self.acquire());
      if (joined && ::fork() == 0) {
        ::alarm(harness::watchdog_s);
        tried.await();
        thread->done.store(true);
        ::_exit(0);
      }
      gate.pass();
      if (!joined) return;
      self.arm();
      self.section(false);
    });
    crew.add([&](unsigned number) {
      Member& self = make_member(round, *board, number);
      const bool joined = self.join();
      gate.pass();
      if (!joined) return;
      killed.await();
      const Outcome outcome = lock::try_acquire(self.region(), self.seat());
      CHECK_EQ(outcome, Outcome::Pending);
      tried.raise();
      if (outcome != Outcome::Pending) return;
      CHECK(self.acquire());
      CHECK(thread->done.load());
      self.section(true);
      self.release();
    });
    gate.open_for(round.members);
    crew.join_one(0);
    killed.raise();
    crew.join_one(1);
    inspect(round, *board, crew, 1, 1);
  }
}

// Who never queues, or never for as long as a keeper looks again: it must find out for itself.
TEST(who_only_tries_finds_a_dead_holder) {
  for (int i = 0; i < 4 && !some_hung; ++i) {
    const Place place;
    Round round;
    round.name_space = place.name();
    round.seed = next_seed();
    round.members = 2;
    round.arms = {{0, "test.critical"}};
    round.forbid_waitv = i % 2 == 0;
    const bool tries = i < 2;
    processes::Shared<Board> board;
    processes::Gate gate;
    Crew crew(round);
    for (unsigned member = 0; member < round.members; ++member) {
      crew.add([&](unsigned number) {
        Member& self = make_member(round, *board, number);
        if (!self.join()) return;
        if (number == 0) CHECK(!self.acquire());
        gate.pass();
        self.arm();
        if (number == 0) self.section(false);
        self.say(tries ? "try_acquire again and again" : "acquire_sync for 1 ms, again and again");
        Outcome outcome;
        do {
          outcome = tries ? lock::try_acquire(self.region(), self.seat())
                          : lock::acquire_sync(self.region(), self.seat(),
                                               {Deadline::after_ns(1'000'000),
                                                Deadline::after_ns(kSliceNs), false});
        } while (outcome == Outcome::Pending || outcome == Outcome::TimedOut);
        CHECK_EQ(outcome, Outcome::TakenAbandoned);
        self.mark().told.fetch_add(1);
        self.section(true);
        self.release();
      });
    }
    gate.open_for(round.members);
    crew.join();
    inspect(round, *board, crew, 1, 1);
  }
}
