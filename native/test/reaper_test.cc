// Reaping: several reapers at one dead process, of which any may be stopped or die anywhere, while the others go on
// and the records are used again.
#include "wait/reaper.h"

#include <memory>
#include <string>
#include <vector>

#include "fixture.h"
#include "posix/fault.h"
#include "sync/attempt.h"
#include "sync/lock.h"
#include "sync/lock_word.h"
#include "wait/ring.h"

namespace {

using namespace holdfast;
using fixture::Child;
using fixture::Member;
using fixture::NameSpace;
using fixture::seat_at;

// Outside of every guard: who is stopped inside of one keeps it.
constexpr const char* kPoints[] = {"reap.ended",     "reap.found",      "reap.begun",
                                   "reap.withdrawn", "reap.given-back", "reap.ticket-freed",
                                   "reap.rung",      "reap.freed"};

struct Facts {
  std::atomic<ProcessIndex> process;
  std::atomic<AgentSlot> agent;
  std::atomic<TicketIndex> ticket;
};

// A region in a process of its own, whose thread is its life.
void join(Region& region, const NameSpace& name_space) {
  std::string detail;
  CHECK_EQ(region.open(name_space.name(), 0600, &detail), Status::Ok);
  CHECK_EQ(region.claim_process(), Status::Ok);
  region.joined();
}

// Holds "x", and has waited for "y". Killed from outside.
struct Victim {
  explicit Victim(const NameSpace& name_space)
      : process([&] {
          Region region;
          join(region, name_space);
          const AgentSlot agent = fixture::claim_agent(region);
          Seat held = seat_at(region, agent, "x");
          CHECK_EQ(lock::try_acquire(region, held), Outcome::Taken);
          Seat waits = seat_at(region, agent, "y");
          CHECK_EQ(lock::look(region, waits, WaitMode::Async), Outcome::Pending);
          facts->process.store(region.self().index);
          facts->agent.store(agent);
          facts->ticket.store(held.ticket_index);
          in.raise();
          for (;;) ::pause();
        }) {}
  processes::Shared<Facts> facts;
  processes::Signal in;
  Child process;
};

// Reaps when it is let, and is stopped or dies at the point.
struct Reaper {
  Reaper(const NameSpace& name_space, const char* point, FaultAction action, int nth = 1)
      : process([&, point, action, nth] {
          Region region;
          join(region, name_space);
          in.raise();
          go.await();
          arm_fault(point, action, nth);
          fixture::reap_all(region);
        }) {}
  processes::Signal in;
  processes::Signal go;
  Child process;
};

// Everybody else: holds "y" from the beginning, goes on without the reaper, and has the dead one's records used again.
void others(const NameSpace& name_space, const Facts& dead, processes::Signal& ready,
            processes::Signal& go, processes::Signal& used_again, processes::Signal& over) {
  const Member heir(name_space.name());
  Region& region = heir.region();
  const AgentSlot me = heir.claim_agent();
  Seat y = seat_at(region, me, "y");
  CHECK_EQ(lock::try_acquire(region, y), Outcome::Taken);
  Seat x = seat_at(region, me, "x");
  ready.raise();
  go.await();
  fixture::reap_all(region);
  CHECK_EQ(lock::try_acquire(region, x), Outcome::TakenAbandoned);
  CHECK_EQ(lock::release(region, x, lock::Release::Plain), Status::Ok);
  CHECK_EQ(region.process(dead.process)->state.load(), ProcessState::Free);

  std::unique_ptr<Member> filler;  // in the reaper's record, should that be dead too
  if (region.process(0)->state.load() == ProcessState::Free) {
    filler = std::make_unique<Member>(name_space.name());
  }
  const Member fresh(name_space.name());
  CHECK_EQ(fresh.region().self().index, dead.process.load());
  region.header().agents.hint.store(dead.agent);
  const AgentSlot agent = fresh.claim_agent();
  CHECK_EQ(agent, dead.agent.load());
  region.header().tickets.hint.store(dead.ticket);
  Seat again = seat_at(fresh.region(), agent, "x");
  CHECK_EQ(again.ticket_index, dead.ticket.load());
  CHECK_EQ(lock::try_acquire(fresh.region(), again), Outcome::Taken);
  used_again.raise();
  over.await();
  fixture::reap_all(region);
  CHECK(fixture::is_alive(region, fresh.region().self()));
  CHECK_EQ(region.process(dead.process)->state.load(), ProcessState::Live);
  CHECK_EQ(again.ticket->agent.load(), agent);
  CHECK_EQ(again.ticket->object.load(), again.object_index);
  CHECK_EQ(region.agent(agent)->process.load(), dead.process + 1);
  CHECK_EQ(lock_word::owner(again.object->word.load()), agent);
  CHECK_EQ(lock::release(fresh.region(), again, lock::Release::Plain), Status::Ok);
}

void a_reaper_does_not_get_on(const char* point, FaultAction action) {
  const NameSpace name_space;
  processes::Signal ready;
  processes::Signal go;
  processes::Signal used_again;
  processes::Signal over;
  processes::Shared<Facts> facts;
  // Before the victim, so that its record is the highest: the next one takes it and no other.
  Reaper reaper(name_space, point, action);
  reaper.in.await();
  Child rest([&] { others(name_space, *facts, ready, go, used_again, over); });
  ready.await();
  Victim victim(name_space);
  victim.in.await();
  facts->process.store(victim.facts->process);
  facts->agent.store(victim.facts->agent);
  facts->ticket.store(victim.facts->ticket);
  CHECK(victim.process.end(SIGKILL).killed());
  reaper.go.raise();
  if (action == FaultAction::Stop) {
    CHECK(reaper.process.stopped());
  } else {
    CHECK(reaper.process.wait().killed());
  }
  go.raise();
  used_again.await();
  if (action == FaultAction::Stop) {
    reaper.process.signal(SIGCONT);
    CHECK(reaper.process.wait().well());
  }
  over.raise();
  CHECK(rest.wait().well());
}

}  // namespace

TEST(a_reaper_is_stopped__others_go_on_without_it__and_what_is_used_again_is_not_its_own) {
  for (const char* point : kPoints) {
    const int before = harness::failures();
    a_reaper_does_not_get_on(point, FaultAction::Stop);
    if (harness::failures() > before) std::fprintf(stderr, "  at %s\n", point);
  }
}

TEST(a_reaper_dies__others_go_on_without_it) {
  for (const char* point : kPoints) {
    const int before = harness::failures();
    a_reaper_does_not_get_on(point, FaultAction::Kill);
    if (harness::failures() > before) std::fprintf(stderr, "  at %s\n", point);
  }
}

namespace {

// The first reaper is stopped before it gives back or closes a seat; the second does it, and is stopped as well; the
// ticket is a living one's then, although the dead one is not yet done with.
void a_third_takes_the_ticket(const char* point, int nth) {
  const NameSpace name_space;
  Reaper first(name_space, point, FaultAction::Stop, nth);
  Reaper second(name_space, "reap.ticket-freed", FaultAction::Stop);
  first.in.await();
  second.in.await();
  processes::Signal ready;
  processes::Signal go;
  processes::Signal waits;
  processes::Signal over;
  processes::Shared<Facts> facts;
  Child rest([&] {
    const Member heir(name_space.name());
    Region& region = heir.region();
    Seat y = seat_at(region, heir.claim_agent(), "y");
    CHECK_EQ(lock::try_acquire(region, y), Outcome::Taken);
    ready.raise();
    go.await();
    region.header().tickets.hint.store(facts->ticket + 1);
    Seat x = seat_at(region, heir.claim_agent(), "x");
    CHECK_EQ(lock::try_acquire(region, x), Outcome::TakenAbandoned);
    region.header().tickets.hint.store(facts->ticket);
    Seat third = seat_at(region, heir.claim_agent(), "x");
    CHECK_EQ(third.ticket_index, facts->ticket.load());
    CHECK_EQ(lock::look(region, third, WaitMode::Async), Outcome::Pending);
    waits.raise();
    over.await();
    CHECK_EQ(third.ticket->object.load(), third.object_index);
    CHECK_EQ(third.ticket->agent.load(), third.agent);
    CHECK_EQ(third.object->queue_head, third.ticket_index);
    CHECK_EQ(lock::release(region, x, lock::Release::Fair), Status::Ok);
    CHECK_EQ(lock::look(region, third, WaitMode::Async), Outcome::Taken);
  });
  ready.await();
  Victim victim(name_space);
  victim.in.await();
  facts->ticket.store(victim.facts->ticket);
  CHECK(victim.process.end(SIGKILL).killed());
  first.go.raise();
  CHECK(first.process.stopped());
  second.go.raise();
  CHECK(second.process.stopped());
  go.raise();
  waits.await();
  first.process.signal(SIGCONT);
  CHECK(first.process.wait().well());
  second.process.signal(SIGCONT);
  CHECK(second.process.wait().well());
  over.raise();
  CHECK(rest.wait().well());
}

}  // namespace

TEST(a_reaper_is_stopped_before_it_gives_back__what_another_gives_back_and_a_third_takes) {
  constexpr int kThird = 3;  // both seats are withdrawn before
  a_third_takes_the_ticket("reap.found", kThird);
}

TEST(a_reaper_is_stopped_before_it_closes__what_another_closes_and_a_third_takes) {
  a_third_takes_the_ticket("reap.given-back", 1);
}

namespace {

struct Party {
  Seat home;
  Seat waiter;
  Attempt wants(OrElse or_else) {
    Attempt attempt;
    attempt.home = &home;
    attempt.waiter = &waiter;
    attempt.or_else = or_else;
    return attempt;
  }
};

Party at_semaphore(Region& region, AgentSlot agent) {
  Party party;
  std::string detail;
  CHECK_EQ(Registry(region).open(agent, "s", Kind::Semaphore, {.parameters = {1, 1}}, &party.home,
                                 &detail),
           Status::Ok);
  CHECK_EQ(Registry(region).open_another(party.home, &party.waiter), Status::Ok);
  return party;
}

}  // namespace

// One permit, held by one who waits for it twice more; a living one stands behind.
TEST(a_reaper_gives_nothing_to_the_dead_one_itself) {
  const NameSpace name_space;
  Member dies(name_space.name());
  const Member lives(name_space.name());
  const AgentSlot agent = dies.claim_agent();
  Party first = at_semaphore(dies.region(), agent);
  CHECK_EQ(attempt(dies.region(), first.wants(OrElse::Queue)), Outcome::Taken);
  Party more[2] = {at_semaphore(dies.region(), agent), at_semaphore(dies.region(), agent)};
  for (Party& one : more) {
    CHECK_EQ(attempt(dies.region(), one.wants(OrElse::Queue)), Outcome::Pending);
  }
  Party behind = at_semaphore(lives.region(), lives.claim_agent());
  CHECK_EQ(attempt(lives.region(), behind.wants(OrElse::Queue)), Outcome::Pending);
  dies.die();
  // Who reaps is stopped when it tells somebody for the first time.
  processes::Signal go;
  Child reaper([&] {
    Region region;
    join(region, name_space);
    arm_fault("wake.numbered", FaultAction::Stop);
    fixture::reap_all(region);
  });
  CHECK(reaper.stopped());
  CHECK_EQ(static_cast<TicketState>(behind.waiter.ticket->state.load()), TicketState::Woken);
  reaper.signal(SIGCONT);
  CHECK(reaper.wait().well());
  CHECK_EQ(attempt(lives.region(), behind.wants(OrElse::Queue)), Outcome::Taken);
}

// Event loops come by here.
TEST(a_helper_whose_time_is_up__leaves_the_rest_to_its_keeper) {
  const NameSpace name_space;
  const Member lives(name_space.name());
  Member dies(name_space.name());
  const ProcessIndex dead = dies.region().self().index;
  const AgentSlot agent = dies.claim_agent();
  constexpr int kSeats = 40;
  std::vector<TicketIndex> tickets;
  for (int i = 0; i < kSeats; ++i) {
    Seat seat = seat_at(dies.region(), agent, "lock-" + std::to_string(i));
    CHECK_EQ(lock::try_acquire(dies.region(), seat), Outcome::Taken);
    tickets.push_back(seat.ticket_index);
  }
  dies.die();
  const uint32_t rung = lives.region().self_record().doorbell.load();
  CHECK(reap_dead_processes(lives.region(), Deadline::at_ns(0)));
  CHECK(lives.region().self_record().doorbell.load() != rung);
  CHECK_EQ(lives.region().process(dead)->state.load(), ProcessState::Dead);
  int left = 0;
  for (const TicketIndex index : tickets) {
    if (lives.region().ticket(index)->agent.load() == agent) ++left;
  }
  CHECK_EQ(left, kSeats);
  // Nobody is kept waiting by one who has left off.
  CHECK(!reap_dead_processes(lives.region(), Deadline::never()));
  CHECK_EQ(lives.region().process(dead)->state.load(), ProcessState::Free);
}

// They have one less to watch over, and are to take another.
TEST(who_watched_over_a_dead_one_is_rung_when_it_is_reaped) {
  const NameSpace name_space;
  std::vector<std::unique_ptr<Member>> all;
  constexpr uint32_t kAll = kWatchedLives + 5;
  for (uint32_t i = 0; i < kAll; ++i) all.push_back(std::make_unique<Member>(name_space.name()));
  constexpr uint32_t kDead = 2;  // so that the ring is gone round
  all[kDead]->die();
  CHECK(!reap_dead_processes(all[0]->region(), Deadline::never()));
  for (uint32_t before = 1; before < kAll; ++before) {
    const uint32_t index = (kDead + kAll - before) % kAll;
    CHECK_EQ(all[index]->region().self_record().doorbell.load(), before <= kWatchedLives ? 1u : 0u);
  }
}
