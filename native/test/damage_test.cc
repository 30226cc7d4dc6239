// Bytes that nobody wrote on purpose, in the records of objects of every kind: whatever stands in a link, a count or a
// number, every verb comes to its end, and what the tickets say is made whole again from them.
#include <iterator>
#include <vector>

#include "objects_scene.h"

namespace {

using namespace objects_scene;  // NOLINT: test code
using fixture::Child;

// What the watchdog tells where something hangs.
struct Doing {
  const char* kind = "";
  const char* damage = "";
  const char* verb = "";
} doing;
void tell_what_hangs() {
  std::fprintf(stderr, "HANG: %s, %s, %s\n", doing.kind, doing.damage, doing.verb);
}

// An object, of which 1 holds what there is to hold; 2, 3 and 4 wait.
struct Bad {
  static constexpr int kParties = 5;

  explicit Bad(Kind kind) : kind(kind) {
    constexpr auto kInt32 = 5u;  // lib/element-type.ts
    Parameters parameters = {};
    if (kind == Kind::Semaphore) parameters = {3, 1};
    if (kind == Kind::Barrier) parameters = {4, 0};
    if (kind == Kind::SharedValue) parameters = {kInt32, 1};
    // Other processes of this test have been in the same region.
    const std::string name = fixture::fresh_name() + "-" + std::to_string(::getpid());
    for (int i = 0; i < kParties; ++i) {
      parties.push_back(join(region(), name, kind, parameters));
    }
    if (kind == Kind::Semaphore) CHECK_EQ(tries(1, 0, 3), Outcome::Taken);
    if (kind == Kind::RWLock) CHECK_EQ(tries(1, kWrite, 1), Outcome::Taken);
    if (is_lock(kind)) CHECK_EQ(lock::try_acquire(region(), home(1)), Outcome::Taken);
    for (int who = 2; who <= 4; ++who) CHECK_EQ(queue(who), Outcome::Pending);
  }
  Bad(const Bad&) = delete;
  Bad& operator=(const Bad&) = delete;
  ~Bad() {
    for (const Party& party : parties) reap_agent(region(), party.home.agent);
  }

  Seat& home(int who) { return parties[static_cast<size_t>(who - 1)].home; }
  // What waits: of a lock the home seat itself.
  Seat& seat(int who) {
    return is_lock(kind) ? home(who) : parties[static_cast<size_t>(who - 1)].waiter;
  }
  TicketRecord& ticket(int who) { return *seat(who).ticket; }
  ObjectRecord& object() { return *home(1).object; }

  Outcome tries(int who, uint32_t role, uint32_t units, OrElse or_else = OrElse::Leave) {
    Attempt wanted = parties[static_cast<size_t>(who - 1)].wants(role, units, or_else);
    wanted.element = {reinterpret_cast<std::byte*>(memory), sizeof memory, 0};
    return attempt(region(), wanted);
  }
  Outcome queue(int who, OrElse or_else = OrElse::Queue) {
    if (is_lock(kind)) {
      return or_else == OrElse::Cancel ? lock::last_look(region(), home(who))
                                       : lock::look(region(), home(who), WaitMode::Async);
    }
    return tries(who, kind == Kind::RWLock ? kRead : 0, 1, or_else);
  }
  // Lets all go on that wait.
  void let_go() {
    switch (kind) {
      case Kind::Semaphore:
        act(1, Action::Release, 3);
        break;
      case Kind::RWLock:
        act(1, Action::Release, kWrite);
        break;
      case Kind::Event:
        act(1, Action::Set, 0);
        break;
      case Kind::Condition:
        act(1, Action::Notify, 10);
        break;
      case Kind::Barrier:
        if (queue(1) == Outcome::RunAction) act(1, Action::ActionDone, 0);
        break;
      case Kind::SharedValue:
        static_cast<void>(shared_memory::notify(region(), home(1), 0, 10));
        break;
      default:
        static_cast<void>(lock::release(region(), home(1), lock::Release::Plain));
        break;
    }
  }
  int32_t act(int who, Action action, uint32_t units) {
    return holdfast::act(region(), home(who), &parties[static_cast<size_t>(who - 1)].waiter, action,
                         units);
  }
  // The next who enters takes nothing for granted. Then all is as the tickets say.
  void check_repaired() {
    fixture::leave_dead_inside(region(), object().guard);
    if (kind == Kind::Barrier) {
      static_cast<void>(ask(region(), home(5), Question::Value));
    } else {
      static_cast<void>(queue(5));
    }
    check_whole(region(), object(), home(1).object_index);
  }

  Kind kind;
  uint32_t memory[4] = {};
  std::vector<Party> parties;
};

struct Damage {
  const char* name;
  void (*to)(Bad& bad);
};
const Damage kDamages[] = {
    {"next is itself", [](Bad& bad) { bad.ticket(2).next = bad.seat(2).ticket_index; }},
    {"the second's next is itself",
     [](Bad& bad) { bad.ticket(3).next = bad.seat(3).ticket_index; }},
    {"the last one's next is itself",
     [](Bad& bad) { bad.ticket(4).next = bad.seat(4).ticket_index; }},
    {"next is previous", [](Bad& bad) { bad.ticket(3).next = bad.seat(2).ticket_index; }},
    {"the last one's next is the head",
     [](Bad& bad) { bad.ticket(4).next = bad.seat(2).ticket_index; }},
    {"previous is itself", [](Bad& bad) { bad.ticket(3).previous = bad.seat(3).ticket_index; }},
    {"all are each other's",
     [](Bad& bad) {
       for (int who = 2; who <= 4; ++who) {
         bad.ticket(who).next = bad.seat(who == 4 ? 2 : who + 1).ticket_index;
         bad.ticket(who).previous = bad.seat(who == 2 ? 4 : who - 1).ticket_index;
       }
     }},
    {"head is garbage", [](Bad& bad) { bad.object().queue_head = 0x7fffffff; }},
    {"head is none", [](Bad& bad) { bad.object().queue_head = kNone; }},
    {"tail is garbage", [](Bad& bad) { bad.object().queue_tail = 0x12345678; }},
    {"tail is none", [](Bad& bad) { bad.object().queue_tail = kNone; }},
    {"tail is the head", [](Bad& bad) { bad.object().queue_tail = bad.object().queue_head; }},
    {"head is one who does not wait",
     [](Bad& bad) { bad.object().queue_head = bad.seat(5).ticket_index; }},
    {"links are garbage",
     [](Bad& bad) {
       for (int who = 2; who <= 4; ++who)
         bad.ticket(who).next = bad.ticket(who).previous = 0x80000001;
     }},
    {"places are equal",
     [](Bad& bad) {
       for (int who = 2; who <= 4; ++who) bad.ticket(who).seq = 7;
       bad.object().next_seq = 7;
     }},
    {"places are at the end of numbers",
     [](Bad& bad) {
       bad.ticket(4).seq = ~uint64_t{0};
       bad.object().next_seq = ~uint64_t{0};
     }},
    {"counts are none",
     [](Bad& bad) {
       bad.object().woken.store(0);
       bad.object().passed = 0;
       bad.object().first_waiting = kNone;
     }},
    {"counts are garbage",
     [](Bad& bad) {
       bad.object().woken.store(kNone);
       bad.object().passed = 0x7fffffff;
       bad.object().first_waiting = bad.seat(5).ticket_index;
     }},
    {"the kind's own state is garbage",
     [](Bad& bad) { std::memset(bad.object().kind_state, 0x6b, sizeof bad.object().kind_state); }},
    {"the kind's own state is all ones",
     [](Bad& bad) { std::memset(bad.object().kind_state, 0xff, sizeof bad.object().kind_state); }},
};

struct Verb {
  const char* name;
  void (*run)(Bad& bad);
};
const Verb kVerbs[] = {
    {"let go", [](Bad& bad) { bad.let_go(); }},
    {"try", [](Bad& bad) { static_cast<void>(bad.queue(5, OrElse::Leave)); }},
    {"queue", [](Bad& bad) { static_cast<void>(bad.queue(5)); }},
    {"look",
     [](Bad& bad) {
       for (int who = 2; who <= 4; ++who) static_cast<void>(bad.queue(who));
     }},
    {"cancel the first", [](Bad& bad) { static_cast<void>(bad.queue(2, OrElse::Cancel)); }},
    {"cancel the second", [](Bad& bad) { static_cast<void>(bad.queue(3, OrElse::Cancel)); }},
    {"cancel the last", [](Bad& bad) { static_cast<void>(bad.queue(4, OrElse::Cancel)); }},
    {"let go, lapse, pass on",
     [](Bad& bad) {
       bad.let_go();
       for (int who = 2; who <= 4; ++who) bad.ticket(who).told_ns = 0;
       static_cast<void>(pass_on(region(), bad.home(1).object_index));
       for (int who = 2; who <= 4; ++who) static_cast<void>(bad.queue(who));
     }},
    {"every other verb",
     [](Bad& bad) {
       for (const Question question : {Question::Value, Question::State, Question::Waiting}) {
         if (!is_lock(bad.kind)) static_cast<void>(ask(region(), bad.home(2), question));
       }
       if (bad.kind == Kind::Barrier) bad.act(2, Action::Abort, 0);
       if (bad.kind == Kind::Barrier) bad.act(2, Action::Reset, 0);
       if (bad.kind == Kind::Event) bad.act(2, Action::Clear, 0);
       if (bad.kind == Kind::RWLock) bad.act(1, Action::Downgrade, 0);
       if (is_lock(bad.kind)) {
         static_cast<void>(lock::release(region(), bad.home(1), lock::Release::Fair));
         static_cast<void>(lock::holder(region(), bad.home(2)));
       }
     }},
    {"unlink",
     [](Bad& bad) {
       AgentSlot holder = 0;
       bad.let_go();
       static_cast<void>(is_lock(bad.kind) ? lock::unlink(region(), bad.home(1), &holder)
                                           : unlink_object(region(), bad.home(1)));
     }},
    {"reap who waits", [](Bad& bad) { reap_agent(region(), bad.home(3).agent); }},
    {"reap who holds", [](Bad& bad) { reap_agent(region(), bad.home(1).agent); }},
    {"die inside", [](Bad& bad) { fixture::leave_dead_inside(region(), bad.object().guard); }},
};

constexpr Kind kKinds[] = {Kind::Lock,      Kind::RLock,   Kind::Semaphore, Kind::Event,
                           Kind::Condition, Kind::Barrier, Kind::RWLock,    Kind::SharedValue};

// Every verb in a process of its own, which ends where it hangs.
void every_verb_ends(Kind kind) {
  for (const Damage& damage : kDamages) {
    static_cast<void>(fixture::fresh_name());  // a region of its own for each
    const processes::End end = processes::wait_for(processes::spawn([&] {
      processes::tell_of_hang = tell_what_hangs;
      doing = {kind_name(kind), damage.name, ""};
      for (const Verb& verb : kVerbs) {
        doing.verb = verb.name;
        Bad bad(kind);
        damage.to(bad);
        verb.run(bad);
        // Truth that is lost cannot be found again; but for it, all is.
        bad.check_repaired();
        if (harness::failures() == 0) continue;
        std::fprintf(stderr, "%s, %s, %s\n", doing.kind, doing.damage, doing.verb);
        break;
      }
      ::shm_unlink(region().file_name().c_str());
    }));
    CHECK(end.well());
  }
}

// Who waits gets what is let go, whatever stands in the links and counts.
void all_go_on(Kind kind) {
  for (const Damage& damage : kDamages) {
    if (std::strstr(damage.name, "kind's own state") != nullptr) continue;  // truth, to some
    doing = {kind_name(kind), damage.name, "all go on"};
    Bad bad(kind);
    damage.to(bad);
    bad.let_go();
    for (int round = 0; round < 3 && is_lock(kind); ++round) {
      int holder = 0;
      for (int who = 2; who <= 4 && holder == 0; ++who) {
        if (WaitQueue::is_queued(bad.ticket(who)) && bad.queue(who) == Outcome::Taken) holder = who;
      }
      CHECK(holder != 0);
      if (holder != 0) {
        CHECK_EQ(lock::release(region(), bad.home(holder), lock::Release::Plain), Status::Ok);
      }
    }
    for (int who = 2; who <= 4 && !is_lock(kind); ++who) {
      const Outcome outcome = bad.queue(who);
      CHECK(kind == Kind::Barrier ? outcome >= index_outcome(0) : outcome == Outcome::Taken);
    }
    if (harness::failures() == 0) continue;
    std::fprintf(stderr, "%s, %s\n", doing.kind, doing.damage);
    return;
  }
}

}  // namespace

TEST_IN_A_PROCESS(damaged_links_and_counts__all_who_wait_go_on) {
  processes::tell_of_hang = tell_what_hangs;
  for (const Kind kind : kKinds) all_go_on(kind);
}
// What an open object is was copied when it was opened: its record is never taken for another kind's.
TEST_IN_A_PROCESS(damaged_kind__verbs_are_refused_and_touch_nothing) {
  for (const Kind kind : kKinds) {
    for (uint32_t garbage = 0; garbage < 12; ++garbage) {
      if (garbage == static_cast<uint32_t>(kind)) continue;
      doing = {kind_name(kind), kind_name(static_cast<Kind>(garbage)), "any verb"};
      Bad bad(kind);
      ObjectRecord before;
      std::memcpy(static_cast<void*>(&before), static_cast<void*>(&bad.object()), sizeof before);
      bad.object().kind = static_cast<Kind>(garbage);
      CHECK_EQ(bad.queue(5), Outcome::Corrupt);
      CHECK_EQ(bad.queue(2, OrElse::Cancel), Outcome::Corrupt);
      bad.let_go();
      static_cast<void>(pass_on(region(), bad.home(1).object_index));
      CHECK_EQ(is_lock(kind) ? lock::retire(region(), bad.home(5))
                             : unlink_object(region(), bad.home(5)),
               Status::Corrupt);
      bad.object().kind = kind;
      CHECK_EQ(std::memcmp(&before, static_cast<void*>(&bad.object()), sizeof before), 0);
      if (harness::failures() == 0) continue;
      std::fprintf(stderr, "%s as %s\n", doing.kind, doing.damage);
      return;
    }
  }
}

TEST_IN_A_PROCESS(damaged_parameters__what_was_opened_stays_what_it_was) {
  Bad permits(Kind::Semaphore);
  Bad parties(Kind::Barrier);
  Bad value(Kind::SharedValue);
  constexpr uint32_t kInt64 = 7;
  for (Bad* bad : {&permits, &parties, &value}) bad->object().parameters = {kInt64, 0};
  CHECK_EQ(ask(region(), permits.home(1), Question::First), 3);
  CHECK_EQ(ask(region(), permits.home(1), Question::Second), 1);
  CHECK_EQ(ask(region(), parties.home(1), Question::First), 4);
  CHECK_EQ(unlink_object(region(), permits.home(1)), Status::InUse);
  CHECK_EQ(parties.queue(1), Outcome::RunAction);
  // Of 4 bytes, as it was opened: of 8, the last would lie beyond the memory.
  value.memory[3] = 1;
  CHECK_EQ(value.tries(5, 3, 1), Outcome::NotEqual);
  CHECK_EQ(value.tries(5, 4, 1), Outcome::Misuse);
}

TEST_IN_A_PROCESS(damaged_ticket__of_another_agent__its_seat_is_refused) {
  for (const Kind kind : kKinds) {
    Bad bad(kind);
    const AgentSlot agent = bad.ticket(5).agent.exchange(bad.seat(4).agent);
    CHECK_EQ(bad.queue(5), Outcome::Corrupt);
    bad.ticket(5).agent.store(agent);
    CHECK(bad.queue(5) != Outcome::Corrupt);
  }
}

TEST(damaged_lock__every_verb_ends) { every_verb_ends(Kind::Lock); }
TEST(damaged_rlock__every_verb_ends) { every_verb_ends(Kind::RLock); }
TEST(damaged_semaphore__every_verb_ends) { every_verb_ends(Kind::Semaphore); }
TEST(damaged_event__every_verb_ends) { every_verb_ends(Kind::Event); }
TEST(damaged_condition__every_verb_ends) { every_verb_ends(Kind::Condition); }
TEST(damaged_barrier__every_verb_ends) { every_verb_ends(Kind::Barrier); }
TEST(damaged_rwlock__every_verb_ends) { every_verb_ends(Kind::RWLock); }
TEST(damaged_shared_value__every_verb_ends) { every_verb_ends(Kind::SharedValue); }
