// Deaths at every point of the objects beside the lock (sync/, wait/stay.cc).
//
// First one by one: a victim dies at a named point of one step, on an object that was prepared; then a survivor goes
// on, and finds everything as if the step had been made or not been made. These processes have no keepers: who reaps
// is said here, so each point is met for certain, and a second one may die while it reaps the first.
// Then by chance: crews with keepers use one object, some of them die at points drawn by lot, and what an object
// promises is watched throughout. HOLDFAST_SEED repeats the draws, not the schedule. A lost wake is a hang, which the
// watchdog ends.
#include <sched.h>

#include <array>
#include <atomic>
#include <functional>
#include <string>

#include "objects_scene.h"
#include "posix/fault.h"
#include "wait/keeper.h"

namespace {

using namespace objects_scene;
using processes::Random;

// ---- One death, at a known moment ----

// What waiters at shared memory wait for here: an element that holds 0.
Attempt wants(Party& party, uint32_t role, uint32_t units, OrElse or_else) {
  static uint64_t element = 0;
  Attempt wanted = party.wants(role, units, or_else);
  wanted.element = {reinterpret_cast<std::byte*>(&element), sizeof element, 0};
  return wanted;
}
constexpr Parameters kElement = {7, 1};  // int64

// A process of a directed test, without a keeper: its region, and its party at the object.
struct Actor {
  fixture::Member* member = nullptr;  // for the life of the process
  Party party;

  Region& region() { return member->region(); }
  Outcome queue(uint32_t role = 0, uint32_t units = 1) {
    return attempt(region(), wants(party, role, units, OrElse::Queue));
  }
  Outcome cancel(uint32_t role = 0, uint32_t units = 1) {
    return attempt(region(), wants(party, role, units, OrElse::Cancel));
  }
  // Of a condition, or of the element.
  int32_t notify(uint32_t count) {
    if (party.home.object->kind == Kind::Condition) return act(Action::Notify, count);
    return shared_memory::notify(region(), party.home, 0, count);
  }
  // Passes on what its first waiter that was told did not come for, as if it had been told long ago.
  void pass_on_long_afterwards() {
    for (TicketIndex i = party.home.object->queue_head; region().ticket(i) != nullptr;
         i = region().ticket(i)->next) {
      TicketRecord& ticket = *region().ticket(i);
      if (state_of(ticket) != TicketState::Woken) continue;
      ticket.told_ns = 0;
      break;
    }
    static_cast<void>(pass_on(region(), party.home.object_index));
  }
  int32_t act(Action action, uint32_t units = 0) {
    return holdfast::act(region(), party.home, &party.waiter, action, units);
  }
  int32_t ask(Question question) { return holdfast::ask(region(), party.home, question); }
};

using Step = std::function<void(Actor&)>;

struct Cut {
  Kind kind;
  Parameters parameters;
  const char* point;
  int nth;
  Step victim_before;    // the victim prepares
  Step survivor_before;  // then the survivor
  // In here. Empty: it is killed from outside, and one who reaps it dies at the point, at the `nth` pass and, in rounds of
  // their own, at each pass after it: the first may be at a seat of the dead that nothing depends on.
  Step victim_dies;
  Step survivor_after;  // when all dead are reaped
};

Actor make_actor(const std::string& name_space, const Cut& cut) {
  Actor actor;
  actor.member = new fixture::Member(name_space);  // NOLINT: a region is never unmapped
  CHECK_EQ(actor.member->status(), Status::Ok);
  actor.party = join(actor.region(), "object", cut.kind, cut.parameters);
  return actor;
}

// A step of the victim's, of which it dies only in the last part.
Step at_last(const char* point, const Step& first, const Step& last, int nth = 1) {
  return [=](Actor& a) {
    arm_fault(nullptr, FaultAction::Kill);
    first(a);
    arm_fault(point, FaultAction::Kill, nth);
    last(a);
  };
}

// Blocks without an end, as a waiter of another process: only a wake ends it.
Outcome wait_sync(Region& region, Party& party, uint32_t role = 0, uint32_t units = 1) {
  return attempt_sync(region, wants(party, role, units, OrElse::Queue), Deadline::never(),
                      Deadline::never());
}

// False: whoever was to die did not get there.
bool run_round(const Cut& cut) {
  const fixture::NameSpace place;
  processes::Signal victim_ready;
  processes::Signal survivor_ready;
  processes::Signal victim_may;
  processes::Signal survivor_may;
  const pid_t survivor = processes::spawn([&] {
    victim_ready.await();
    Actor self = make_actor(place.name(), cut);
    if (cut.survivor_before) cut.survivor_before(self);
    survivor_ready.raise();
    survivor_may.await();
    fixture::reap_all(self.region());
    check_whole(self.region(), *self.party.home.object, self.party.home.object_index);
    cut.survivor_after(self);
    check_whole(self.region(), *self.party.home.object, self.party.home.object_index);
    CHECK_EQ(self.party.home.object->tickets, 2u);  // its own
  });
  const pid_t victim = processes::spawn([&] {
    Actor self = make_actor(place.name(), cut);
    if (cut.victim_before) cut.victim_before(self);
    victim_ready.raise();
    victim_may.await();
    if (cut.victim_dies) {
      arm_fault(cut.point, FaultAction::Kill, cut.nth);
      cut.victim_dies(self);
    } else {
      ::raise(SIGKILL);
    }
  });
  survivor_ready.await();
  victim_may.raise();
  const bool killed = processes::wait_for(victim).killed();
  bool ok = CHECK(killed);
  bool died = killed;
  if (!cut.victim_dies) {
    const pid_t reaper = processes::spawn([&] {
      fixture::Member& member = *new fixture::Member(place.name());  // NOLINT
      arm_fault(cut.point, FaultAction::Kill, cut.nth);
      fixture::reap_all(member.region());
    });
    const processes::End end = processes::wait_for(reaper);
    died = end.killed();
    ok = CHECK(died || end.well()) && ok;
  }
  survivor_may.raise();
  ok = CHECK(processes::wait_for(survivor).well()) && ok;
  if (!ok)
    std::fprintf(stderr, "  kind %u, at %s, pass %d\n", static_cast<unsigned>(cut.kind), cut.point,
                 cut.nth);
  return died && ok;
}

void run_cut(Cut cut) {
  const bool died = CHECK(run_round(cut));
  while (died && !cut.victim_dies) {
    ++cut.nth;
    if (!run_round(cut)) break;
  }
}

// More waiters of the survivor's, each with its own seat.
struct Waiters {
  std::vector<Party> parties;

  void queue(Actor& actor, int count, uint32_t role = 0, uint32_t units = 1) {
    for (int i = 0; i < count; ++i) {
      Party party = actor.party;
      CHECK_EQ(Registry(actor.region()).open_another(party.home, &party.waiter), Status::Ok);
      parties.push_back(party);
      CHECK_EQ(attempt(actor.region(), wants(parties.back(), role, units, OrElse::Queue)),
               Outcome::Pending);
    }
  }
  // Agents of their own: what one does not come for goes on to another agent only.
  void queue_apart(Actor& actor, int count, uint32_t role = 0, uint32_t units = 1) {
    const ObjectRecord& object = *actor.party.home.object;
    for (int i = 0; i < count; ++i) {
      parties.push_back(join(actor.region(), "object", object.kind, object.parameters));
      CHECK_EQ(attempt(actor.region(), wants(parties.back(), role, units, OrElse::Queue)),
               Outcome::Pending);
    }
  }
  Outcome look(Actor& actor, size_t which) {
    return attempt(actor.region(), wants(parties[which], 0, 0, OrElse::Queue));
  }
  void close(Actor& actor) {
    const auto close_seat = [&](Seat& seat) {
      static_cast<void>(retire_seat(actor.region(), seat));
      static_cast<void>(Registry(actor.region()).close(seat.agent, seat.ticket_index));
    };
    for (Party& party : parties) {
      close_seat(party.waiter);
      if (party.home.ticket != actor.party.home.ticket) close_seat(party.home);
    }
    parties.clear();
  }
};

constexpr const char* kEnqueuePoints[] = {"enqueue.numbered", "enqueue.published",
                                          "enqueue.linked"};

}  // namespace

TEST(semaphore_owned__a_death_between_any_two_steps__permits_are_exact) {
  static Waiters waiters;
  static Party other;  // another agent of the victim's process
  const Parameters three = {3, 1};
  const Step all_back = [](Actor& a) {
    CHECK_EQ(a.ask(Question::Value), 3);
    CHECK_EQ(a.queue(0, 3), Outcome::Taken);
    CHECK_EQ(a.act(Action::Release, 3), kOk);
  };
  const Step two_take = [](Actor& a) {
    CHECK_EQ(waiters.look(a, 0), Outcome::Taken);
    CHECK_EQ(waiters.look(a, 1), Outcome::Taken);
    CHECK_EQ(a.ask(Question::Value), 1);
    CHECK_EQ(a.act(Action::Release, 2), kOk);
    waiters.close(a);
  };
  const Step two_wait = [](Actor& a) { waiters.queue(a, 2); };
  const Step take_all = [](Actor& a) { CHECK_EQ(a.queue(0, 3), Outcome::Taken); };
  const Step try_one = [](Actor& a) { static_cast<void>(a.queue()); };
  constexpr const char* kTakingPoints[] = {"guard.entered", "semaphore.taking", "semaphore.taken",
                                           "leave.retracted", "guard.leaving"};
  for (const char* point : kTakingPoints) {
    run_cut({Kind::Semaphore, three, point, 1, {}, {}, try_one, all_back});
  }
  for (const char* point : kEnqueuePoints) {
    const Step too_many = [](Actor& a) { static_cast<void>(a.queue(0, 3)); };
    run_cut({Kind::Semaphore,
             three,
             point,
             1,
             {},
             [](Actor& a) { CHECK_EQ(a.queue(0, 1), Outcome::Taken); },
             too_many,
             [](Actor& a) {
               CHECK_EQ(a.ask(Question::Waiting), 0);
               CHECK_EQ(a.ask(Question::Value), 2);
               CHECK_EQ(a.act(Action::Release, 1), kOk);
             }});
  }
  const Step give_all = [](Actor& a) { static_cast<void>(a.act(Action::Release, 3)); };
  for (const char* point : {"semaphore.returned", "guard.leaving", "wake.ring"}) {
    run_cut({Kind::Semaphore, three, point, 1, take_all, two_wait, give_all, two_take});
  }
  for (int nth = 1; nth <= 2; ++nth) {
    run_cut(
        {Kind::Semaphore, three, "semaphore.told", nth, take_all, two_wait, give_all, two_take});
  }
  for (const char* point :
       {"semaphore.reaped", "leave.retracted", "semaphore.told", "reap.ticket-freed"}) {
    run_cut({Kind::Semaphore, three, point, 1, take_all, two_wait, {}, two_take});
  }
  // One that was told dies when it comes: it had nothing, or holds it.
  const Step another_holds = [](Actor& a) {
    other = join(a.region(), "object", Kind::Semaphore, {3, 1});
    CHECK_EQ(attempt(a.region(), wants(other, 0, 1, OrElse::Queue)), Outcome::Taken);
    CHECK_EQ(a.queue(0, 3), Outcome::Pending);
  };
  const Step is_told = [](Actor& a) {
    CHECK_EQ(semaphore::release(a.region(), other.home, 1), Status::Ok);
  };
  for (const char* point : kTakingPoints) {
    run_cut({Kind::Semaphore, three, point, 1, another_holds, two_wait,
             at_last(point, is_told, try_one), two_take});
  }
  // Or never comes.
  for (const char* point : {"leave.retracted", "reap.ticket-freed"}) {
    run_cut({Kind::Semaphore,
             three,
             point,
             1,
             [=](Actor& a) {
               another_holds(a);
               is_told(a);
             },
             {},
             {},
             all_back});
  }
  // Who passes on what another did not come for.
  run_cut({Kind::Semaphore, three, "pass.marked", 1, take_all, two_wait,
           at_last(
               "pass.marked", [](Actor& a) { CHECK_EQ(a.act(Action::Release, 1), kOk); },
               [](Actor& a) { a.pass_on_long_afterwards(); }),
           two_take});
  const Step two_agents_wait = [](Actor& a) { waiters.queue_apart(a, 2); };
  const Step two_agents_take = [](Actor& a) {
    for (size_t i = 0; i < 2; ++i) {
      CHECK_EQ(waiters.look(a, i), Outcome::Taken);
      CHECK_EQ(act(a.region(), waiters.parties[i].home, nullptr, Action::Release, 1), kOk);
    }
    waiters.close(a);
  };
  run_cut({Kind::Semaphore, three, "semaphore.told", 1, take_all, two_agents_wait,
           at_last(
               "semaphore.told", [](Actor& a) { CHECK_EQ(a.act(Action::Release, 1), kOk); },
               [](Actor& a) { a.pass_on_long_afterwards(); }),
           two_agents_take});
  // Who gives up, at the head of smaller ones.
  for (const char* point : {"leave.retracted", "semaphore.told"}) {
    run_cut({Kind::Semaphore, three, point, 1,
             [](Actor& a) {
               CHECK_EQ(a.queue(0, 1), Outcome::Taken);
               CHECK_EQ(a.queue(0, 3), Outcome::Pending);
             },
             two_wait, [](Actor& a) { static_cast<void>(a.cancel()); }, two_take});
  }
}

TEST(semaphore_plain__a_death_between_any_two_steps__no_permit_is_doubled_or_lost_on_its_way) {
  static Waiters waiters;
  const Parameters none = {0, 0};
  const Step three_wait = [](Actor& a) { waiters.queue(a, 3, 0, 2); };
  const Step release = [](Actor& a) { static_cast<void>(a.act(Action::Release, 5)); };
  const Step two_take = [](Actor& a) {
    CHECK_EQ(a.ask(Question::Value), 1);
    CHECK_EQ(a.ask(Question::Waiting), 3);
    CHECK_EQ(waiters.look(a, 0), Outcome::Taken);
    CHECK_EQ(waiters.look(a, 1), Outcome::Taken);
    CHECK_EQ(a.ask(Question::Value), 1);
    CHECK_EQ(a.act(Action::Release, 1), kOk);
    CHECK_EQ(waiters.look(a, 2), Outcome::Taken);
    CHECK_EQ(a.ask(Question::Value), 0);
    waiters.close(a);
  };
  for (const char* point : {"semaphore.told", "guard.leaving", "wake.ring"}) {
    run_cut({Kind::Semaphore, none, point, 1, {}, three_wait, release, two_take});
  }
  run_cut({Kind::Semaphore, none, "semaphore.told", 2, {}, three_wait, release, two_take});
  // One that was told died before it came, and who reaps it dies too.
  const Step wait_for_two = [](Actor& a) { CHECK_EQ(a.queue(0, 2), Outcome::Pending); };
  const Step wait_and_release = [](Actor& a) {
    waiters.queue(a, 1, 0, 2);
    CHECK_EQ(a.act(Action::Release, 3), kOk);
  };
  const auto left = [](int permits) {
    return [=](Actor& a) {
      CHECK_EQ(waiters.look(a, 0), Outcome::Taken);
      CHECK_EQ(a.ask(Question::Value), permits);
      waiters.close(a);
    };
  };
  for (const char* point : {"leave.retracted", "semaphore.told", "reap.ticket-freed"}) {
    run_cut({Kind::Semaphore, none, point, 1, wait_for_two, wait_and_release, {}, left(1)});
  }
  // It comes, and takes what nobody gives back, or nothing.
  const Step come = [](Actor& a) { static_cast<void>(a.queue(0, 2)); };
  const Step release_more = [](Actor& a) {
    waiters.queue(a, 1, 0, 2);
    CHECK_EQ(a.act(Action::Release, 4), kOk);
  };
  for (const char* point : {"guard.entered", "semaphore.taking"}) {
    run_cut({Kind::Semaphore, none, point, 1, wait_for_two, release_more, come, left(2)});
  }
  for (const char* point : {"semaphore.taken", "leave.retracted", "guard.leaving"}) {
    run_cut({Kind::Semaphore, none, point, 1, wait_for_two, release_more, come, left(0)});
  }
}

TEST(event__a_death_between_any_two_steps__set_wakes_all_before_a_clear) {
  static Waiters waiters;
  const Step three_wait = [](Actor& a) { waiters.queue(a, 3); };
  const Step set = [](Actor& a) { static_cast<void>(a.act(Action::Set)); };
  const Step all_told = [](Actor& a) {
    CHECK_EQ(a.act(Action::Clear), 0);
    for (size_t i = 0; i < 3; ++i) CHECK_EQ(waiters.look(a, i), Outcome::Taken);
    waiters.close(a);
  };
  const Step all_told_by_asking_first = [&](Actor& a) {
    CHECK_EQ(a.ask(Question::Waiting), 0);
    all_told(a);
  };
  for (const Step& after : {all_told, all_told_by_asking_first}) {
    run_cut({Kind::Event, {}, "event.set", 1, {}, three_wait, set, after});
    for (int nth = 1; nth <= 3; ++nth) {
      run_cut({Kind::Event, {}, "grant.told", nth, {}, three_wait, set, after});
    }
  }
  run_cut({Kind::Event, {}, "guard.leaving", 1, {}, three_wait, set, all_told});
  run_cut({Kind::Event, {}, "wake.ring", 1, {}, three_wait, set, all_told});
  for (const char* point : kEnqueuePoints) {
    run_cut({Kind::Event,
             {},
             point,
             1,
             {},
             {},
             [](Actor& a) { static_cast<void>(a.queue()); },
             [](Actor& a) { CHECK_EQ(a.act(Action::Set), 0); }});
  }
  run_cut({Kind::Event,
           {},
           "leave.retracted",
           1,
           [](Actor& a) { CHECK_EQ(a.queue(), Outcome::Pending); },
           three_wait,
           {},
           [](Actor& a) {
             CHECK_EQ(a.act(Action::Set), 3);
             waiters.close(a);
           }});
}

// Sleepers in other processes: told, and not woken by who died. Who comes next wakes them.
TEST(event__sleepers_of_a_setter_that_died__wake) {
  for (const char* point : {"event.set", "grant.told", "guard.leaving", "wake.ring"}) {
    const fixture::NameSpace place;
    const Cut cut = {Kind::Event, {}, point, 1, {}, {}, {}, {}};
    std::array<pid_t, 2> sleepers{};
    for (pid_t& sleeper : sleepers) {
      sleeper = processes::spawn([&] {
        Actor self = make_actor(place.name(), cut);
        CHECK_EQ(wait_sync(self.region(), self.party), Outcome::Taken);
      });
    }
    const pid_t setter = processes::spawn([&] {
      Actor self = make_actor(place.name(), cut);
      while (self.ask(Question::Waiting) < 2) ::sched_yield();
      arm_fault(point, FaultAction::Kill, 1);
      static_cast<void>(self.act(Action::Set));
    });
    CHECK(processes::wait_for(setter).killed());
    const pid_t clearer = processes::spawn([&] {
      Actor self = make_actor(place.name(), cut);
      fixture::reap_all(self.region());
      CHECK_EQ(self.act(Action::Clear), 0);
    });
    CHECK(processes::wait_for(clearer).well());
    for (const pid_t sleeper : sleepers) CHECK(processes::wait_for(sleeper).well());
  }
}

TEST(notification__a_death_between_any_two_steps__it_is_passed_on) {
  static Waiters waiters;
  const Step wait = [](Actor& a) { CHECK_EQ(a.queue(), Outcome::Pending); };
  const Step look = [](Actor& a) { static_cast<void>(a.queue()); };
  const Step two_wait = [](Actor& a) { waiters.queue_apart(a, 2); };
  const Step notify = [](Actor& a) { static_cast<void>(a.notify(1)); };
  const Step two_wait_and_notify = [](Actor& a) {
    waiters.queue_apart(a, 2);
    CHECK_EQ(a.notify(1), 1);  // the victim
  };
  const auto take_note = [](Actor& a, size_t which) {
    CHECK_EQ(waiters.look(a, which), Outcome::Taken);
    if (a.party.home.object->kind != Kind::Condition) return;
    CHECK_EQ(attempt(a.region(), wants(waiters.parties[which], 0, 0, OrElse::Cancel)),
             Outcome::Taken);
  };
  const Step both = [=](Actor& a) {
    take_note(a, 0);
    take_note(a, 1);
    waiters.close(a);
  };
  const Step first_at_least = [=](Actor& a) {
    take_note(a, 0);
    static_cast<void>(a.notify(2));
    take_note(a, 1);
    waiters.close(a);
  };
  const Step none = [=](Actor& a) {
    CHECK_EQ(a.party.home.object->woken.load(), 0u);
    CHECK_EQ(a.notify(5), 2);
    both(a);
  };
  for (const Kind kind : {Kind::Condition, Kind::SharedValue}) {
    const Parameters of_it = kind == Kind::Condition ? Parameters{} : kElement;
    const char* passed_on = kind == Kind::Condition ? "condition.passed-on" : "memory.passed-on";
    // The notified one dies; who reaps it dies as well.
    for (const char* point : {"notify.told", passed_on, "leave.retracted", "wake.ring"}) {
      run_cut({kind, of_it, point, 1, wait, two_wait_and_notify, {}, first_at_least});
    }
    // It comes for its notification, which stays on a condition's ticket until note is taken.
    run_cut({kind, of_it, "guard.entered", 1, wait, two_wait_and_notify, look, first_at_least});
    if (kind == Kind::Condition) {
      for (const char* point : {"leave.retracted", "guard.leaving"}) {
        run_cut({kind, of_it, point, 1, wait, two_wait_and_notify, look, first_at_least});
      }
    }
    // A notifier dies.
    for (const char* point : {"notify.told", "guard.leaving", "wake.ring"}) {
      run_cut({kind, of_it, point, 1, {}, two_wait, notify, first_at_least});
    }
    for (int nth = 1; nth <= 2; ++nth) {
      run_cut({kind,
               of_it,
               "notify.told",
               nth,
               {},
               two_wait,
               [](Actor& a) { static_cast<void>(a.notify(2)); },
               first_at_least});
    }
    // Who passes it on dies: both have it.
    run_cut({kind,
             of_it,
             "notify.passing",
             1,
             {},
             two_wait,
             at_last("notify.passing", notify, [](Actor& a) { a.pass_on_long_afterwards(); }),
             both});
    // So does who comes back for its own: one has it that it has told, one that its reaper tells.
    const Step loses_it = [](Actor& a) {
      CHECK_EQ(a.notify(1), 1);
      a.pass_on_long_afterwards();
    };
    run_cut({kind, of_it, "notify.taking-back", 1, wait, two_wait,
             at_last("notify.taking-back", loses_it, look), both});
    // One that has passed it on and dies passes nothing on.
    for (const char* point : {"leave.retracted", passed_on}) {
      run_cut({kind, of_it, point, 1, wait, two_wait, at_last("guard.entered", loses_it, look),
               [=](Actor& a) {
                 take_note(a, 0);
                 CHECK_EQ(a.party.home.object->woken.load(), 0u);
                 CHECK_EQ(a.notify(1), 1);
                 take_note(a, 1);
                 waiters.close(a);
               }});
    }
    // An unnotified one dies: nobody is told.
    for (const char* point : {"leave.retracted", passed_on}) {
      run_cut({kind, of_it, point, 1, wait, two_wait, {}, none});
    }
  }
}

TEST(rwlock__a_death_between_any_two_steps__never_a_writer_beside_anyone) {
  static Waiters waiters;
  const Parameters none = {};
  const Step read = [](Actor& a) { CHECK_EQ(a.queue(kRead), Outcome::Taken); };
  const Step write = [](Actor& a) { CHECK_EQ(a.queue(kWrite), Outcome::Taken); };
  static Party other;  // another agent of the victim's process
  const Step free_abandoned = [](Actor& a) {
    CHECK_EQ(a.ask(Question::Value), 0);
    CHECK_EQ(a.queue(kWrite), Outcome::TakenAbandoned);
    CHECK_EQ(a.act(Action::Release, kWrite), kOk);
  };
  const Step free_unabandoned = [](Actor& a) {
    CHECK_EQ(a.ask(Question::Value), 0);
    CHECK_EQ(a.queue(kWrite), Outcome::Taken);
    CHECK_EQ(a.act(Action::Release, kWrite), kOk);
  };
  for (const uint32_t role : {kRead, kWrite}) {
    const Step take = [=](Actor& a) { static_cast<void>(a.queue(role)); };
    const Step& afterwards = role == kRead ? free_unabandoned : free_abandoned;
    run_cut({Kind::RWLock, none, "rwlock.taking", 1, {}, {}, take, free_unabandoned});
    for (const char* point : {"rwlock.taken", "leave.retracted", "guard.leaving"}) {
      run_cut({Kind::RWLock, none, point, 1, {}, {}, take, afterwards});
    }
    // One that was told comes, or never does: no death before it comes is an abandonment.
    const Step waits_behind_another = [=](Actor& a) {
      other = join(a.region(), "object", Kind::RWLock, {});
      CHECK_EQ(attempt(a.region(), wants(other, kWrite, 1, OrElse::Queue)), Outcome::Taken);
      CHECK_EQ(a.queue(role), Outcome::Pending);
    };
    const Step is_told = [](Actor& a) {
      CHECK_EQ(rwlock::release(a.region(), other.home, kWrite), Status::Ok);
    };
    for (const char* point : {"guard.entered", "rwlock.taking"}) {
      run_cut({Kind::RWLock,
               none,
               point,
               1,
               waits_behind_another,
               {},
               at_last(point, is_told, take),
               free_unabandoned});
    }
    for (const char* point : {"rwlock.taken", "leave.retracted"}) {
      run_cut({Kind::RWLock,
               none,
               point,
               1,
               waits_behind_another,
               {},
               at_last(point, is_told, take),
               afterwards});
    }
    for (const char* point : {"leave.retracted", "rwlock.reaping", "rwlock.reaped"}) {
      run_cut({Kind::RWLock,
               none,
               point,
               1,
               [=](Actor& a) {
                 waits_behind_another(a);
                 is_told(a);
               },
               {},
               {},
               free_unabandoned});
    }
    for (const char* point : kEnqueuePoints) {
      run_cut({Kind::RWLock, none, point, 1, {}, write, take, [](Actor& a) {
                 CHECK_EQ(a.ask(Question::Waiting), 0);
                 CHECK_EQ(a.act(Action::Release, kWrite), kOk);
               }});
    }
  }
  // Releases, with a reader and a writer waiting.
  const Step writer_and_reader_wait = [](Actor& a) {
    waiters.queue(a, 1, kWrite);
    waiters.queue(a, 1, kRead);
  };
  const auto writer_then_reader = [](bool may_be_abandoned) {
    return [=](Actor& a) {
      const Outcome outcome = waiters.look(a, 0);
      CHECK(outcome == Outcome::Taken || (may_be_abandoned && outcome == Outcome::TakenAbandoned));
      CHECK_EQ(waiters.look(a, 1), Outcome::Pending);
      CHECK_EQ(a.act(Action::Release, kWrite), kOk);
      CHECK_EQ(waiters.look(a, 1), Outcome::Taken);
      CHECK_EQ(a.act(Action::Release, kRead), kOk);
      waiters.close(a);
    };
  };
  for (const char* point : {"rwlock.returned", "rwlock.told", "guard.leaving", "wake.ring"}) {
    run_cut({Kind::RWLock, none, point, 1, write, writer_and_reader_wait,
             [](Actor& a) { static_cast<void>(a.act(Action::Release, kWrite)); },
             writer_then_reader(false)});
    run_cut({Kind::RWLock, none, point, 1, read, writer_and_reader_wait,
             [](Actor& a) { static_cast<void>(a.act(Action::Release, kRead)); },
             writer_then_reader(false)});
  }
  // Who reaps dies: a dead writer is told of, a dead reader is not.
  for (const char* point : {"rwlock.reaping", "rwlock.reaped", "leave.retracted", "rwlock.told"}) {
    run_cut({Kind::RWLock, none, point, 1, write, writer_and_reader_wait, {}, [&](Actor& a) {
               CHECK_EQ(a.party.home.object->rwlock.abandoned, 1u);
               writer_then_reader(true)(a);
             }});
    run_cut({Kind::RWLock,
             none,
             point,
             1,
             read,
             writer_and_reader_wait,
             {},
             writer_then_reader(false)});
  }
  // Who passes on what another did not come for.
  run_cut({Kind::RWLock, none, "pass.marked", 1, write, writer_and_reader_wait,
           at_last(
               "pass.marked", [](Actor& a) { CHECK_EQ(a.act(Action::Release, kWrite), kOk); },
               [](Actor& a) { a.pass_on_long_afterwards(); }),
           [=](Actor& a) {
             CHECK_EQ(state_of(*waiters.parties[1].waiter.ticket), TicketState::Woken);
             writer_then_reader(false)(a);
           }});
  // A downgrade beside a waiting reader.
  const Step reader_waits = [](Actor& a) { waiters.queue(a, 1, kRead); };
  const Step reader_has_it = [](Actor& a) {
    CHECK_EQ(waiters.look(a, 0), Outcome::Taken);
    CHECK_EQ(a.ask(Question::Value), 1);
    CHECK_EQ(a.party.home.object->rwlock.abandoned, 0u);
    CHECK_EQ(a.act(Action::Release, kRead), kOk);
    waiters.close(a);
  };
  for (const char* point : {"rwlock.downgraded", "rwlock.told"}) {
    run_cut({Kind::RWLock, none, point, 1, write, reader_waits,
             [](Actor& a) { static_cast<void>(a.act(Action::Downgrade)); }, reader_has_it});
  }
  // An upgrade: of one alone, of one that was told, and of one that waits for another reader.
  run_cut({Kind::RWLock,
           none,
           "rwlock.taking",
           1,
           read,
           {},
           [](Actor& a) { static_cast<void>(a.queue(kUpgrade)); },
           free_unabandoned});
  for (const char* point : {"rwlock.taken", "leave.retracted", "guard.leaving"}) {
    run_cut({Kind::RWLock,
             none,
             point,
             1,
             read,
             {},
             [](Actor& a) { static_cast<void>(a.queue(kUpgrade)); },
             free_abandoned});
  }
  const Step upgrade_waits = [](Actor& a) {
    other = join(a.region(), "object", Kind::RWLock, {});
    CHECK_EQ(attempt(a.region(), wants(other, kRead, 1, OrElse::Queue)), Outcome::Taken);
    CHECK_EQ(a.queue(kRead), Outcome::Taken);
    CHECK_EQ(a.queue(kUpgrade), Outcome::Pending);
  };
  const Step upgrade_is_told = [](Actor& a) {
    CHECK_EQ(rwlock::release(a.region(), other.home, kRead), Status::Ok);
  };
  const Step upgrade = [](Actor& a) { static_cast<void>(a.queue(kUpgrade)); };
  for (const char* point : {"rwlock.told", "guard.leaving", "wake.ring"}) {
    run_cut({Kind::RWLock, none, point, 1, upgrade_waits, {}, upgrade_is_told, free_unabandoned});
  }
  for (const char* point : {"guard.entered", "rwlock.taking"}) {
    run_cut({Kind::RWLock,
             none,
             point,
             1,
             upgrade_waits,
             {},
             at_last(point, upgrade_is_told, upgrade),
             free_unabandoned});
  }
  for (const char* point : {"rwlock.taken", "leave.retracted"}) {
    run_cut({Kind::RWLock,
             none,
             point,
             1,
             upgrade_waits,
             {},
             at_last(point, upgrade_is_told, upgrade),
             free_abandoned});
  }
  for (const char* point : {"rwlock.reaping", "rwlock.reaped", "leave.retracted"}) {
    run_cut({Kind::RWLock, none, point, 1, upgrade_waits, reader_waits, {}, reader_has_it});
    run_cut({Kind::RWLock,
             none,
             point,
             1,
             [=](Actor& a) {
               upgrade_waits(a);
               upgrade_is_told(a);
             },
             {},
             {},
             free_unabandoned});
  }
}

TEST(barrier__a_death_between_any_two_steps__a_round_is_complete_or_broken) {
  static Waiters waiters;
  static Party mate;  // other agents of the victim's process
  static Party runner;
  const Parameters three = {3, 0};
  const Step two_wait = [](Actor& a) { waiters.queue(a, 2); };
  const Step come = [](Actor& a) { static_cast<void>(a.queue()); };
  const Step run = [](Actor& a) { CHECK_EQ(a.queue(), Outcome::RunAction); };
  const auto both = [](Outcome first, Outcome second) {
    return [=](Actor& a) {
      CHECK_EQ(waiters.look(a, 0), first);
      CHECK_EQ(waiters.look(a, 1), second);
      waiters.close(a);
      CHECK_EQ(a.ask(Question::State), first == Outcome::Broken ? 1 : 0);
      CHECK_EQ(a.act(Action::Reset), 0);
      CHECK_EQ(a.queue(), Outcome::Pending);
      CHECK_EQ(a.cancel(), Outcome::Cancelled);
    };
  };
  const auto broken = both(Outcome::Broken, Outcome::Broken);
  const auto complete = both(index_outcome(0), index_outcome(1));
  // The last one comes, and dies before it is in: the others still wait.
  for (const char* point : {"guard.entered", "barrier.full"}) {
    run_cut({Kind::Barrier, three, point, 1, {}, two_wait, come, [](Actor& a) {
               CHECK_EQ(a.ask(Question::State), 0);
               CHECK_EQ(a.queue(), Outcome::RunAction);
               CHECK_EQ(a.act(Action::ActionDone), static_cast<int32_t>(index_outcome(2)));
               CHECK_EQ(waiters.look(a, 0), index_outcome(0));
               CHECK_EQ(waiters.look(a, 1), index_outcome(1));
               waiters.close(a);
             }});
  }
  // ... or before it has run, or while it runs, the action.
  run_cut({Kind::Barrier, three, "guard.leaving", 1, {}, two_wait, come, broken});
  // The runner is done.
  static const Step done = [](Actor& a) {
    arm_fault(nullptr, FaultAction::Kill);
    CHECK_EQ(a.queue(), Outcome::RunAction);
  };
  for (const char* point : {"barrier.acted", "barrier.marked", "barrier.draining", "grant.told",
                            "barrier.granted", "wake.ring"}) {
    for (const bool fails : {false, true}) {
      const std::string name = point;
      if (fails && name != "grant.told" && name != "wake.ring") continue;
      const bool committed = name != "barrier.acted" && name != "barrier.marked";
      for (int nth = 1; nth <= (name == "grant.told" || name == "barrier.granted" ? 2 : 1); ++nth) {
        run_cut({Kind::Barrier,
                 three,
                 point,
                 nth,
                 {},
                 two_wait,
                 [=](Actor& a) {
                   done(a);
                   arm_fault(point, FaultAction::Kill, nth);
                   static_cast<void>(a.act(fails ? Action::ActionFailed : Action::ActionDone));
                 },
                 committed && !fails ? complete : broken});
      }
    }
  }
  run_cut({Kind::Barrier,
           three,
           "barrier.broken",
           1,
           {},
           two_wait,
           [](Actor& a) {
             CHECK_EQ(a.queue(), Outcome::RunAction);
             static_cast<void>(a.act(Action::ActionFailed));
           },
           broken});
  // A waiter dies; gives up and dies; who reaps it dies.
  const Parameters four = {4, 0};
  const Step wait = [](Actor& a) { CHECK_EQ(a.queue(), Outcome::Pending); };
  for (const char* point : {"barrier.broken", "grant.told", "barrier.left"}) {
    run_cut({Kind::Barrier, four, point, 1, wait, two_wait,
             [](Actor& a) { static_cast<void>(a.cancel()); }, broken});
  }
  for (const char* point : {"barrier.broken", "barrier.reaped", "grant.told", "leave.retracted"}) {
    run_cut({Kind::Barrier, four, point, 1, wait, two_wait, {}, broken});
  }
  // Who resets or aborts dies.
  for (const Action action : {Action::Abort, Action::Reset}) {
    for (const char* point : {"barrier.broken", "grant.told", "barrier.resetting"}) {
      if (action == Action::Abort && point[8] == 'r') continue;
      run_cut({Kind::Barrier,
               four,
               point,
               1,
               {},
               two_wait,
               [=](Actor& a) { static_cast<void>(a.act(action)); },
               broken});
    }
  }
  // The next round is full: who tells it dies.
  const Step mate_waits_and_runs = [](Actor& a) {
    mate = join(a.region(), "object", Kind::Barrier, {2, 0});
    CHECK_EQ(attempt(a.region(), wants(mate, 0, 0, OrElse::Queue)), Outcome::Pending);
    CHECK_EQ(a.queue(), Outcome::RunAction);
  };
  const Step let_go = [](Actor& a) { static_cast<void>(a.act(Action::ActionDone)); };
  const Step full_round = [](Actor& a) {
    CHECK_EQ(waiters.look(a, 1), Outcome::RunAction);
    CHECK_EQ(act(a.region(), a.party.home, &waiters.parties[1].waiter, Action::ActionDone, 0),
             static_cast<int32_t>(index_outcome(1)));
    CHECK_EQ(waiters.look(a, 0), index_outcome(0));
    waiters.close(a);
  };
  for (const char* point :
       {"barrier.draining", "grant.told", "barrier.granted", "barrier.told", "wake.ring"}) {
    run_cut({Kind::Barrier, {2, 0}, point, 1, mate_waits_and_runs, two_wait, let_go, full_round});
  }
  run_cut({Kind::Barrier,
           {2, 0},
           "barrier.told",
           2,
           mate_waits_and_runs,
           two_wait,
           let_go,
           full_round});
  // A party of it comes first, to run the action, and dies.
  const Step mates_wait_and_run = [](Actor& a) {
    mate = join(a.region(), "object", Kind::Barrier, {2, 0});
    runner = join(a.region(), "object", Kind::Barrier, {2, 0});
    CHECK_EQ(attempt(a.region(), wants(mate, 0, 0, OrElse::Queue)), Outcome::Pending);
    CHECK_EQ(attempt(a.region(), wants(runner, 0, 0, OrElse::Queue)), Outcome::RunAction);
  };
  const Step is_told = [](Actor& a) {
    CHECK_EQ(a.queue(), Outcome::Pending);
    CHECK_EQ(act(a.region(), runner.home, &runner.waiter, Action::ActionDone, 0),
             static_cast<int32_t>(index_outcome(1)));
  };
  for (const char* point :
       {"guard.entered", "barrier.full", "barrier.acting", "leave.retracted", "guard.leaving"}) {
    run_cut({Kind::Barrier,
             {2, 0},
             point,
             1,
             mates_wait_and_run,
             [](Actor& a) { waiters.queue(a, 1); },
             at_last(point, is_told, come),
             [](Actor& a) {
               CHECK_EQ(waiters.look(a, 0), Outcome::Broken);
               CHECK_EQ(a.ask(Question::State), 1);
               waiters.close(a);
             }});
  }
}

TEST(unlink__who_ends_the_object_dies__waiters_hear_it) {
  static Waiters waiters;
  for (const Kind kind :
       {Kind::Semaphore, Kind::Event, Kind::Condition, Kind::Barrier, Kind::SharedValue}) {
    const Parameters parameters = kind == Kind::Barrier       ? Parameters{9, 0}
                                  : kind == Kind::SharedValue ? kElement
                                                              : Parameters{0, 0};
    run_cut({kind,
             parameters,
             "unlink.marked",
             1,
             {},
             [](Actor& a) { waiters.queue(a, 2); },
             [](Actor& a) { static_cast<void>(unlink_object(a.region(), a.party.home)); },
             [](Actor& a) {
               CHECK_EQ(a.queue(), Outcome::Unlinked);
               CHECK_EQ(waiters.look(a, 0), Outcome::Unlinked);
               CHECK_EQ(waiters.look(a, 1), Outcome::Unlinked);
               waiters.close(a);
             }});
  }
}

// ---- Crews with keepers, deaths by lot ----

namespace {

constexpr unsigned kMembers = 5;
constexpr uint32_t kPermits = 3;

// What a member is inside with: permits, 1 a reader, 2 a writer; 0 while it is in the core. Each change makes another
// word of it, so that who finds the same word twice knows that it stood all the time.
struct Inside {
  std::atomic<uint64_t> word;  // changes, units

  void store(uint32_t units) { word.store(((word.load() >> 32) + 1) << 32 | units); }
  [[nodiscard]] uint32_t load() const { return units_of(word.load()); }
  static uint32_t units_of(uint64_t word) { return static_cast<uint32_t>(word); }
};
struct Mark {
  Inside inside;
  std::atomic<AgentSlot> agent;
  std::atomic<bool> over;  // its work is done
};
struct Board {
  std::atomic<int> broken;
  std::atomic<int64_t>
      balance;  // of permits that are not owned: released less taken, as far as is known
  std::atomic<int> given[2];      // of a barrier of two: how often each index
  std::atomic<uint64_t> element;  // of shared memory
  Mark marks[kMembers];
};

struct Crewman {
  Keeper& keeper;
  Party party;
  unsigned number;
  Board& board;
  Random random;

  Region& region() { return keeper.region(); }
  Outcome wait(uint32_t role = 0, uint32_t units = 1) {
    return wait_sync(region(), party, role, units);
  }
  // Gives up after a moment that may be none at all.
  Outcome wait_shortly(uint32_t role, uint32_t units) {
    return attempt_sync(region(), wants(party, role, units, OrElse::Queue),
                        Deadline::after_ns(random.below(300'000)), Deadline::never());
  }
  int32_t act(Action action, uint32_t units = 0) {
    return holdfast::act(region(), party.home, &party.waiter, action, units);
  }
  Mark& mark() { return board.marks[number]; }
  // What another is inside with. Of one that died, be it by its keeper's thread, nothing: that was given back.
  uint32_t inside(unsigned other) {
    const Mark& mark = board.marks[other];
    const uint32_t units = mark.inside.load();
    return units != 0 && lives(other) ? units : 0;
  }
  // What all were inside with at one moment.
  bool all_inside(uint32_t* units) {
    const auto collect = [this] {
      std::array<uint64_t, kMembers> words{};
      for (unsigned other = 0; other < kMembers; ++other) {
        const uint64_t word = board.marks[other].inside.word.load();
        words[other] = lives(other) ? word : 0;
      }
      return words;
    };
    const auto first = collect();
    if (collect() != first) return false;
    *units = 0;
    for (const uint64_t word : first) *units += Inside::units_of(word);
    return true;
  }
  // Who has left may have ended inside of the guard: whoever enters then makes the state whole.
  void repair() {
    if (fixture::is_free(party.home.object->guard)) return;
    static_cast<void>(party.home.kind == Kind::SharedValue
                          ? shared_memory::notify(region(), party.home, 0, 0)
                          : ask(region(), party.home, Question::Waiting));
  }
  // Nobody waits, and nobody else is here.
  void check_idle() {
    ObjectRecord& object = *party.home.object;
    const Guard guard(region(), object.guard);
    CHECK(guard.entered() && !guard.needs_repair());
    check_state(region(), object, party.home.object_index);
    CHECK_EQ(object.tickets, 2u);
    CHECK_EQ(object.queue_head, kNone);
  }
  bool lives(unsigned other) {
    const AgentSlot agent = board.marks[other].agent.load();
    const ProcessRecord* process = region().process_of(agent);
    return process != nullptr && process->state.load() == ProcessState::Live &&
           !is_dying(region(), agent);
  }
  // All others have done their work, or died.
  bool alone() {
    for (unsigned other = 0; other < kMembers; ++other) {
      if (other != number && !board.marks[other].over.load() && lives(other)) return false;
    }
    return true;
  }
};

struct Crew {
  Kind kind;
  Parameters parameters;
  std::vector<const char*> points;
  std::function<void(Crewman&)> work;    // a member's
  std::function<void(Crewman&)> verify;  // a fresh process', when all others have ended
  unsigned victims = 2;
};

// For a moment, and no more than one turn of theirs where the machine is busy.
void let_others_on(int64_t ns) {
  const Deadline until = Deadline::after_ns(ns);
  do {
    ::sched_yield();
  } while (!until.passed());
}

// Returns how many died.
unsigned run_crew(const Crew& crew, uint64_t seed) {
  const fixture::NameSpace place;
  processes::Shared<Board> board;
  processes::Gate gate;
  Random random(seed);
  const auto start = [&](unsigned number, uint64_t own_seed) -> Crewman& {
    auto& keeper = *new Keeper;  // NOLINT: its thread outlives every scope
    std::string detail;
    CHECK_EQ(keeper.start(place.name(), 0600, &detail), Status::Ok);
    return *new Crewman{keeper,
                        join(keeper.region(), "object", crew.kind, crew.parameters),  // NOLINT
                        number, *board, Random(own_seed)};
  };
  std::string text = "seed " + std::to_string(seed);
  pid_t pids[kMembers];
  for (unsigned number = 0; number < kMembers; ++number) {
    const char* point = crew.points[random.below(static_cast<uint32_t>(crew.points.size()))];
    const int nth = 1 + static_cast<int>(random.below(8));
    const uint64_t own_seed = random.next();
    if (number < crew.victims) text += std::string(", ") + point + " " + std::to_string(nth);
    pids[number] = processes::spawn([&] {
      Crewman& self = start(number, own_seed);
      self.mark().agent.store(self.party.home.agent);
      gate.pass();
      if (number < crew.victims) arm_fault(point, FaultAction::Kill, nth);
      crew.work(self);
      arm_fault(nullptr, FaultAction::Kill);
      self.mark().over.store(true);
      reap_agent(self.region(), self.party.home.agent);
    });
  }
  gate.open_for(kMembers);
  bool ok = true;
  unsigned deaths = 0;
  for (unsigned number = 0; number < kMembers; ++number) {
    const processes::End end = processes::wait_for(pids[number]);
    ok = CHECK(end.well() || (end.killed() && number < crew.victims)) && ok;
    if (end.killed()) ++deaths;
    if (end.hung()) text += ", member " + std::to_string(number) + " hung";
  }
  const pid_t fresh = processes::spawn([&] {
    Crewman& self = start(0, 0);
    for (ProcessIndex i = 0; i < self.region().process_limit(); ++i) {
      if (i == self.region().self().index) continue;
      while (self.region().process(i)->state.load() != ProcessState::Free) ::sched_yield();
    }
    self.repair();
    self.check_idle();
    crew.verify(self);
  });
  ok = CHECK(processes::wait_for(fresh).well()) && ok;
  ok = CHECK_EQ(board->broken.load(), 0) && ok;
  if (!ok) std::fprintf(stderr, "  kind %u: %s\n", static_cast<unsigned>(crew.kind), text.c_str());
  return deaths;
}

void run_crews(const Crew& crew, int rounds) {
  Random seeds(processes::base_seed() + static_cast<uint64_t>(crew.kind) * 7919 +
               crew.parameters.second);
  const int before = harness::failures();
  unsigned deaths = 0;
  for (int i = 0; i < rounds && harness::failures() == before; ++i)
    deaths += run_crew(crew, seeds.next());
  if (std::getenv("HOLDFAST_VERBOSE") != nullptr) {
    std::fprintf(stderr, "  %u deaths in %d rounds\n", deaths, rounds);
  }
  CHECK(deaths > 0 || harness::failures() > before);
}

std::vector<const char*> with_common(std::vector<const char*> points) {
  for (const char* point :
       {"guard.entered", "guard.leaving", "enqueue.numbered", "enqueue.published", "enqueue.linked",
        "leave.retracted", "grant.told", "pass.marked", "wake.ring", "reap.begun", "reap.withdrawn",
        "reap.ticket-freed"}) {
    points.push_back(point);
  }
  return points;
}

}  // namespace

TEST(crew_at_owned_permits__never_more_than_there_are__all_back_at_the_end) {
  const auto work = [](Crewman& self) {
    for (int i = 0; i < 150; ++i) {
      const uint32_t units = 1 + self.random.below(kPermits);
      const Outcome outcome =
          self.random.one_in(3) ? self.wait_shortly(0, units) : self.wait(0, units);
      if (outcome == Outcome::TimedOut) continue;
      CHECK_EQ(outcome, Outcome::Taken);
      self.mark().inside.store(units);
      uint32_t inside = 0;
      if (self.all_inside(&inside) && inside > kPermits) self.board.broken.fetch_add(1);
      if (self.random.one_in(4)) ::sched_yield();
      self.mark().inside.store(0);
      CHECK_EQ(self.act(Action::Release, units), kOk);
    }
  };
  const auto verify = [](Crewman& self) {
    CHECK_EQ(ask(self.region(), self.party.home, Question::Value), static_cast<int>(kPermits));
  };
  run_crews({Kind::Semaphore,
             {kPermits, 1},
             with_common({"semaphore.told", "semaphore.taking", "semaphore.taken",
                          "semaphore.returned", "semaphore.reaped"}),
             work,
             verify},
            100);
}

// Each takes and puts back; what one who died was about to move may have been moved or not, and nothing else.
TEST(crew_at_plain_permits__none_is_doubled) {
  const auto work = [](Crewman& self) {
    for (int i = 0; i < 100; ++i) {
      self.mark().inside.store(1);  // a release is on its way
      CHECK_EQ(self.act(Action::Release, 2), kOk);
      self.board.balance.fetch_add(2);
      self.mark().inside.store(2);  // a taking is
      const Outcome outcome = self.wait_shortly(0, 2);
      if (outcome == Outcome::Taken) self.board.balance.fetch_sub(2);
      self.mark().inside.store(0);
    }
  };
  const auto verify = [](Crewman& self) {
    int64_t least = self.board.balance.load();
    int64_t most = least;
    for (const Mark& mark : self.board.marks) {
      // Of what it was at when it died nothing is known.
      if (mark.inside.load() == 1) most += 2;
      if (mark.inside.load() == 2) least -= 2;
    }
    const int64_t free = ask(self.region(), self.party.home, Question::Value);
    CHECK(free >= least);
    CHECK(free <= most);
  };
  run_crews({Kind::Semaphore,
             {0, 0},
             with_common({"semaphore.told", "semaphore.taking", "semaphore.taken"}),
             work,
             verify},
            100);
}

TEST(crew_at_a_rwlock__never_a_writer_beside_anyone) {
  const auto enter = [](Crewman& self, uint32_t as) {
    self.mark().inside.store(as);
    for (unsigned i = 0; i < kMembers; ++i) {
      const uint32_t other = i == self.number ? 0 : self.inside(i);
      if (other == 2 || (as == 2 && other != 0)) self.board.broken.fetch_add(1);
    }
    if (self.random.one_in(4)) ::sched_yield();
  };
  const auto had = [](Outcome outcome) {
    return outcome == Outcome::Taken || outcome == Outcome::TakenAbandoned;
  };
  const auto work = [=](Crewman& self) {
    for (int i = 0; i < 120; ++i) {
      uint32_t role = self.random.one_in(2) ? kRead : kWrite;
      const Outcome outcome = self.random.one_in(4) ? self.wait_shortly(role, 1) : self.wait(role);
      if (outcome == Outcome::TimedOut) continue;
      CHECK(had(outcome));
      enter(self, role == kRead ? 1 : 2);
      if (role == kRead && self.random.one_in(2)) {
        self.mark().inside.store(0);
        if (had(self.random.one_in(2) ? self.wait(kUpgrade) : self.wait_shortly(kUpgrade, 1))) {
          role = kWrite;
        }
        enter(self, role == kRead ? 1 : 2);
      }
      if (role == kWrite && self.random.one_in(2)) {
        self.mark().inside.store(0);
        CHECK_EQ(self.act(Action::Downgrade), kOk);
        role = kRead;
        enter(self, 1);
      }
      self.mark().inside.store(0);
      CHECK_EQ(self.act(Action::Release, role), kOk);
    }
  };
  const auto verify = [=](Crewman& self) {
    CHECK_EQ(ask(self.region(), self.party.home, Question::Value), 0);
    CHECK(had(self.wait(kWrite)));
    CHECK_EQ(self.act(Action::Release, kWrite), kOk);
  };
  run_crews({Kind::RWLock,
             {},
             with_common({"rwlock.told", "rwlock.taking", "rwlock.taken", "rwlock.returned",
                          "rwlock.downgraded", "rwlock.reaping", "rwlock.reaped"}),
             work,
             verify},
            100);
}

// Every round ends for every survivor, complete or broken. Who dies before it has come is missed by nobody, so the
// last member breaks and mends the barrier now and then.
TEST(crew_at_a_barrier__every_generation_is_complete_or_broken) {
  const auto come = [](Crewman& self) {
    Outcome outcome = self.random.one_in(5) ? self.wait_shortly(0, 0) : self.wait();
    if (outcome == Outcome::RunAction) {
      if (self.random.one_in(2)) ::sched_yield();
      const bool fails = self.random.one_in(6);
      outcome = static_cast<Outcome>(self.act(fails ? Action::ActionFailed : Action::ActionDone));
      if (fails) CHECK_EQ(outcome, Outcome::Broken);
    }
    if (outcome == Outcome::Broken || outcome == Outcome::TimedOut) {
      static_cast<void>(self.act(Action::Reset));
      return;
    }
    CHECK(outcome == index_outcome(0) || outcome == index_outcome(1));
    self.board.given[outcome == index_outcome(1) ? 1 : 0].fetch_add(1);
  };
  const auto work = [=](Crewman& self) {
    if (self.number == kMembers - 1) {
      while (!self.alone()) {
        static_cast<void>(self.act(self.random.one_in(2) ? Action::Abort : Action::Reset));
        let_others_on(100'000);
      }
      return;
    }
    for (int i = 0; i < 80; ++i) come(self);
  };
  const auto verify = [](Crewman& self) {
    static_cast<void>(self.act(Action::Reset));
    CHECK_EQ(ask(self.region(), self.party.home, Question::State), 0);
    CHECK_EQ(ask(self.region(), self.party.home, Question::Value), 0);
    // Each complete round gave each index once; but for those who died before they could tell.
    const int difference = self.board.given[0].load() - self.board.given[1].load();
    CHECK(difference >= -2);
    CHECK(difference <= 2);
  };
  run_crews({Kind::Barrier,
             {2, 0},
             with_common({"barrier.full", "barrier.acting", "barrier.acted", "barrier.marked",
                          "barrier.draining", "barrier.broken", "barrier.told", "barrier.granted",
                          "barrier.left", "barrier.resetting", "barrier.reaped"}),
             work,
             verify},
            100);
}

// As many notifications as there are survivors: each of them wakes, although those who were notified first die.
TEST(crew_at_a_condition__notified_ones_die__no_notification_is_lost) {
  const auto work = [](Crewman& self) {
    const unsigned waiters = kMembers - 1;
    if (self.number == kMembers - 1) {
      while (ask(self.region(), self.party.home, Question::Waiting) < static_cast<int>(waiters))
        ::sched_yield();
      for (unsigned i = 0; i < waiters - 2; ++i) CHECK_EQ(self.act(Action::Notify, 1), 1);
      for (const unsigned survivor : {2, 3}) {
        while (!self.board.marks[survivor].over.load()) ::sched_yield();
      }
      // A victim that was slow has passed its notification on, and waits yet.
      while (!self.alone()) {
        static_cast<void>(self.act(Action::Notify, 1));
        ::sched_yield();
      }
      return;
    }
    // The victims are the first in line.
    const int before = static_cast<int>(self.number);
    while (ask(self.region(), self.party.home, Question::Waiting) < before) ::sched_yield();
    const bool dies = self.number < 2;
    if (dies) arm_fault("test.notified", FaultAction::Kill);
    CHECK_EQ(self.wait(), Outcome::Taken);
    HOLDFAST_POINT("test.notified");
    CHECK_EQ(attempt(self.region(), self.party.wants(0, 0, OrElse::Cancel)), Outcome::Taken);
  };
  run_crews({Kind::Condition, {}, {"none"}, work, [](Crewman&) {}}, 15);
}

// One sets and clears at once, again and again; each waiter goes on as often as it has to, though two of them die.
// A waiter that one of them forgot would wait for ever.
TEST(crew_at_an_event__set_and_clear_wakes_all_who_wait) {
  const auto work = [](Crewman& self) {
    if (self.number == kMembers - 1) {
      while (!self.alone()) {
        static_cast<void>(self.act(Action::Set));
        CHECK_EQ(self.act(Action::Clear), 0);
        let_others_on(10'000);
      }
      return;
    }
    for (int i = 0; i < 60; ++i) {
      const Outcome outcome = self.random.one_in(3) ? self.wait_shortly(0, 0) : self.wait();
      CHECK(outcome == Outcome::Taken || outcome == Outcome::TimedOut);
      // Those who are to die set it too, so that some of them die at that.
      if (self.number < 2 && self.random.one_in(3)) static_cast<void>(self.act(Action::Set));
    }
  };
  run_crews({Kind::Event,
             {},
             with_common({"event.set"}),
             work,
             [](Crewman& self) { static_cast<void>(self.act(Action::Clear)); }},
            100);
}

// One changes the element and notifies one waiter at a time, as long as anybody works. A waiter that was forgotten
// would wait for ever.
TEST(crew_at_an_element__who_waits_is_notified) {
  const auto work = [](Crewman& self) {
    const auto store_and_notify = [&] {
      self.board.element.fetch_add(1);
      static_cast<void>(shared_memory::notify(self.region(), self.party.home, 0, 1));
    };
    if (self.number == kMembers - 1) {
      while (!self.alone()) {
        store_and_notify();
        let_others_on(10'000);
      }
      return;
    }
    for (int i = 0; i < 60; ++i) {
      Attempt wanted = self.party.wants(0, 0, OrElse::Queue);
      wanted.element = {reinterpret_cast<std::byte*>(&self.board.element), sizeof(uint64_t),
                        self.board.element.load()};
      const Deadline deadline = self.random.one_in(3)
                                    ? Deadline::after_ns(self.random.below(300'000))
                                    : Deadline::never();
      const Outcome outcome = attempt_sync(self.region(), wanted, deadline, Deadline::never());
      CHECK(outcome == Outcome::Taken || outcome == Outcome::NotEqual ||
            outcome == Outcome::TimedOut);
      // Those who are to die notify too, so that some of them die at that.
      if (self.number < 2 && self.random.one_in(3)) store_and_notify();
    }
  };
  run_crews(
      {Kind::SharedValue, kElement,
       with_common({"notify.told", "notify.passing", "notify.taking-back", "memory.passed-on"}),
       work, [](Crewman&) {}},
      60);
}
