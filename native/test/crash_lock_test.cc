// Processes die at every point of a lock's protocol, one or several, and while their dead are reaped.

#include <iterator>

#include "crash_crew.h"

using namespace crash;

TEST(a_death_at_every_point_of_a_lock) {
  const Place place;
  for (const Point& point : kPoints) {
    if (point.scene != Scene::Lock) continue;
    fire(point.name, 12, 1, [&](Random& random) { return one_death(place, point.name, random); });
  }
}

TEST(a_second_death_while_the_first_is_reaped) {
  const Place place;
  for (const Point& point : kPoints) {
    if (point.scene != Scene::Reap) continue;
    fire(point.name, 6, 2, [&](Random& random) {
      return deaths_in_turn(place, any_of(kFirstDeaths, random), point.name, random);
    });
  }
}

TEST(a_second_death_while_a_lock_is_repaired) {
  const Place place;
  for (const char* first : kDeathsInsideTheGuard) {
    fire("repair.dequeued", 2, 2,
         [&](Random& random) { return deaths_in_turn(place, first, "repair.dequeued", random); });
  }
}

namespace {

// 1, 2, 3 in this order, and nobody else: the dead one was reaped.
bool stands_in_line(Region& region, const ObjectRecord& object,
                    const std::atomic<AgentSlot> (&agents)[4]) {
  TicketIndex index = object.queue_head;
  for (unsigned number = 1; number < 4; ++number) {
    const TicketRecord* ticket = region.ticket(index);
    if (ticket == nullptr || ticket->agent.load() != agents[number].load()) return false;
    index = ticket->next;
  }
  return index == kNone;
}

}  // namespace

// Whoever repairs the queue finds the waiters in the order in which they came.
TEST(who_waits_keeps_its_place_across_a_repair) {
  for (int i = 0; i < 6 && !some_hung; ++i) {
    constexpr const char* kPlaces[] = {"enqueue.numbered", "enqueue.published", "enqueue.linked"};
    const Place place;
    Round round;
    round.name_space = place.name();
    round.seed = next_seed();
    round.members = 6;
    round.arms = {{4, kPlaces[i % 3]}};
    struct Order {
      std::atomic<AgentSlot> agents[4];  // [number]: who queued as that one
    };
    processes::Shared<Board> board;
    processes::Shared<Order> order;
    processes::Gate gate;
    processes::Signal died;
    Crew crew(round);
    for (unsigned member = 0; member < round.members; ++member) {
      crew.add([&](unsigned number) {
        Member& self = make_member(round, *board, number);
        const bool joined = self.join();
        if (joined && number == 0) CHECK(!self.acquire());
        gate.pass();
        if (!joined) return;
        Seat& seat = self.seat();
        if (number == 0) {
          died.await();
          self.say("wait for the queue to be whole");
          while (!stands_in_line(self.region(), *seat.object, order->agents)) ::sched_yield();
          CHECK_EQ(lock::release(self.region(), seat, lock::Release::Fair), Status::Ok);
          return;
        }
        // 1, 2, 3, then the victim; 5 does not care. The highest number is given under the guard.
        self.say("wait for its turn to queue");
        while (number < 5 && seat.object->next_seq < number) ::sched_yield();
        if (number == 5) return;
        if (number < 4) order->agents[number].store(self.agent());
        self.arm();
        CHECK_EQ(
            lock::acquire_sync(self.region(), seat, {Deadline::never(), Deadline::never(), false}),
            Outcome::Taken);
        CHECK_EQ(lock::release(self.region(), seat, lock::Release::Fair), Status::Ok);
      });
    }
    gate.open_for(round.members);
    crew.join_one(4);
    CHECK(crew.died(4));
    died.raise();
    crew.join_all_but(4);
    inspect(round, *board, crew, 0, 1);
  }
}

TEST(an_unlinker_dies) {
  const Place place;
  fire("unlink.marked", 10, 1, [&](Random& random) {
    Round round = one_death(place, "unlink.marked", random);
    round.unlinks = true;
    return round;
  });
  // And who uses the lock meanwhile.
  for (const char* first : kDeathsInsideTheGuard) {
    fire(first, 1, 1, [&](Random& random) {
      Round round = one_death(place, first, random);
      round.unlinks = true;
      return round;
    });
  }
}

// The queue is full and nobody owns the lock: all who wait must hear that it is over.
TEST(an_unlinker_dies_before_it_has_told_the_waiters) {
  unsigned fired = 0;
  for (int i = 0; i < 60 && fired < 8 && !some_hung; ++i) {
    const Place place;
    Round round;
    round.name_space = place.name();
    round.seed = next_seed();
    round.arms = {{0, "unlink.marked"}};
    round.unlinks = true;
    processes::Shared<Board> board;
    processes::Gate gate;
    processes::Rest rest;
    Crew crew(round);
    for (unsigned member = 0; member < round.members; ++member) {
      crew.add([&](unsigned number) {
        Member& self = make_member(round, *board, number);
        if (!self.join()) return;
        if (number == 0) CHECK(!self.acquire());
        gate.pass();
        if (number == 0) {
          self.say("wait for the waiters");
          while (self.seat().object->next_seq < round.members) ::sched_yield();
          self.arm();
          CHECK_EQ(lock::release(self.region(), self.seat(), lock::Release::Plain), Status::Ok);
          AgentSlot holder = 0;
          static_cast<void>(lock::unlink(self.region(), self.seat(), &holder));
          rest.rest();
          return;  // the woken one was faster
        }
        self.say("queue");
        const Outcome outcome = lock::acquire_sync(self.region(), self.seat(),
                                                   {Deadline::never(), Deadline::never(), false});
        if (outcome != Outcome::Unlinked) self.release();
        self.run_sections(1);
        rest.rest();
      });
    }
    gate.open_for(round.members);
    rest.end_when_nobody_works(round.members);
    crew.join();
    inspect(round, *board, crew, 0, 0);
    fired += crew.deaths();
  }
  CHECK(some_hung || fired > 0);
}

TEST(keepers_without_futex_waitv) {
  const Place place;
  for (const char* first : kOwnersDeaths) {
    fire(first, 2, 1, [&](Random& random) {
      Round round = one_death(place, first, random);
      round.forbid_waitv = round.slices = true;
      return round;
    });
  }
  for (const char* second : {"reap.released", "fix.chosen", "repair.dequeued"}) {
    fire(second, 2, 2, [&](Random& random) {
      Round round = deaths_in_turn(place, "wake.chosen", second, random);
      round.forbid_waitv = round.slices = true;
      return round;
    });
  }
}

// Not at a point, but at any moment, and several at once.
TEST(a_process_group_is_killed) {
  const Place place;
  for (unsigned i = 0; i < rounds(36) && !some_hung; ++i) {
    Random random(next_seed());
    Round round;
    round.name_space = place.name();
    round.seed = random.next();
    round.members = 5;
    round.forbid_waitv = round.slices = random.one_in(4);
    const unsigned doomed = i % 3 == 0 ? round.members : 2 + random.below(2);
    const uint32_t sections = 5 + random.below(60);
    for (unsigned member = 0; member < doomed; ++member) round.arms.push_back({member, "SIGKILL"});
    processes::Shared<Board> board;
    processes::Gate gate;
    processes::Signal enough;
    processes::Rest rest;
    Crew crew(round);
    for (unsigned member = 0; member < round.members; ++member) {
      crew.add([&](unsigned number) {
        Member& self = make_member(round, *board, number);
        const bool joined = self.join();
        gate.pass();
        if (!joined) return;
        self.arm();
        while (number < doomed) {
          self.run_sections(1);
          if (board->counter.load() >= sections && !board->go.exchange(true)) enough.raise();
        }
        self.run_sections(round.sections);
        rest.rest();
        self.leave();
      });
      if (member < doomed) ::setpgid(crew.pid(member), crew.pid(0));
    }
    gate.open_for(round.members);
    enough.await();
    ::kill(-crew.pid(0), SIGKILL);
    rest.end_when_nobody_works(round.members);
    crew.join();
    CHECK_EQ(crew.deaths(), doomed);
    inspect(round, *board, crew, 0, static_cast<int>(doomed));
    Round after;
    after.name_space = place.name();
    after.seed = random.next();
    CHECK_EQ(run_round(after), 0u);
  }
}

// Any point of those that a lock's users pass, one to three victims, any moment.
TEST(random_deaths) {
  const Place place;
  for (unsigned i = 0; i < rounds(200) && !some_hung; ++i) {
    Random random(next_seed());
    Round round;
    round.name_space = place.name();
    round.seed = random.next();
    round.members = 3 + random.below(3);
    round.unlinks = random.one_in(8);
    const unsigned victims = 1 + random.below(round.members - 1);
    for (unsigned member = 0; member < victims; ++member) {
      const Point* point;
      do {
        point = &kPoints[random.below(std::size(kPoints))];
      } while (point->scene > Scene::Repair);
      const bool early = point->scene != Scene::Lock;
      round.arms.push_back({(member + i) % round.members, point->name,
                            1 + static_cast<int>(random.below(early ? 2 : 20))});
    }
    run_round(round);
  }
}
