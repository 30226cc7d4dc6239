// The guard: words that name one who is not inside, and one who is inside for too long. Members are as good as processes
// (fixture.h); where somebody must be stopped or has a keeper it is a process.
#include "region/guard.h"

#include <atomic>
#include <thread>
#include <vector>

#include "fixture.h"
#include "region/region.h"
#include "sync/attempt.h"
#include "sync/lock_word.h"
#include "wait/keeper.h"
#include "wait/stay.h"

namespace {

using namespace holdfast;
using fixture::Child;
using fixture::Member;
using fixture::NameSpace;
using fixture::seat_at;

constexpr int64_t kShortNs = 150'000'000;

// As the process' own word.
uint32_t name_of(ProcessId id) { return (id.generation & kGuardGeneration) << 16 | (id.index + 1); }

struct Scene {
  Scene() { seat = seat_at(member.region(), member.claim_agent(), "guarded"); }
  Region& region() { return member.region(); }
  FutexWord& word() { return seat.object->guard.word; }

  NameSpace name_space;
  Member member{name_space.name()};
  Seat seat;
};

// A process with a keeper, which says who it is and then does nothing.
struct Told {
  std::atomic<uint32_t> name{0};
  std::atomic<int> pid{0};
};
void be_another(const NameSpace& name_space, Told& told) {
  auto& keeper = *new Keeper;  // never deleted: its thread goes on
  std::string detail;
  CHECK_EQ(keeper.start(name_space.name(), 0600, &detail), Status::Ok);
  told.name.store(name_of(keeper.region().self()));
  told.pid.store(::getpid());
  for (;;) ::pause();
}

// One that has joined by now.
class Another {
 public:
  explicit Another(const NameSpace& name_space)
      : child_([this, &name_space] { be_another(name_space, *told_); }) {
    while (told_->pid.load() == 0) std::this_thread::yield();
  }
  // As its own word.
  [[nodiscard]] uint32_t name() { return told_->name.load(); }
  [[nodiscard]] int pid() { return told_->pid.load(); }
  void stop() {
    child_.signal(SIGSTOP);
    CHECK(child_.stopped());
  }
  void go_on() { child_.signal(SIGCONT); }

 private:
  processes::Shared<Told> told_;
  Child child_;
};

}  // namespace

TEST_IN_A_PROCESS(word_names_this_process__and_nobody_is_inside__is_taken_and_repaired) {
  Scene s;
  s.word().store(name_of(s.region().self()));
  const Guard guard(s.region(), s.seat.object->guard);
  CHECK(guard.entered());
  CHECK(guard.needs_repair());
}

TEST_IN_A_PROCESS(word_names_this_process__of_the_registry__the_same) {
  Scene s;
  s.region().header().registry.word.store(name_of(s.region().self()) | 0x80000000);
  Seat seat;
  CHECK_EQ(fixture::open_seat(s.region(), s.seat.agent, "guarded", &seat), Status::Ok);
}

TEST_IN_A_PROCESS(word_names_this_process__several_threads_wait__all_get_in) {
  Scene s;
  s.word().store(name_of(s.region().self()));
  std::vector<std::thread> threads;
  std::atomic<int> entered{0};
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      const Guard guard(s.region(), s.seat.object->guard);
      if (guard.entered()) entered.fetch_add(1);
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK_EQ(entered.load(), 4);
  CHECK(fixture::is_free(s.seat.object->guard));
}

TEST_IN_A_PROCESS(word_names_another_that_lives__it_is_asked__and_says_no) {
  const NameSpace name_space;
  Another other(name_space);
  const Member member(name_space.name());
  Region& region = member.region();
  Seat seat = seat_at(region, member.claim_agent(), "guarded");
  for (const uint32_t bits : {0u, 0x80000000u, 0x40000000u}) {
    seat.object->guard.word.store(other.name() | bits);
    CHECK_EQ(lock::try_acquire(region, seat), Outcome::Taken);
    CHECK_EQ(lock::release(region, seat, lock::Release::Plain), Status::Ok);
    region.header().registry.word.store(other.name() | bits);
    CHECK(Registry(region).knows("guarded"));
  }
}

TEST_IN_A_PROCESS(word_lies_and_no_table_can_be_read__the_same) {
  const NameSpace name_space;
  Another other(name_space);
  const Member member(name_space.name());
  Region& region = member.region();
  const Seat seat = seat_at(region, member.claim_agent(), "guarded");
  region.header().objects.page[0].store(0);
  for (const uint32_t name : {name_of(region.self()), other.name()}) {
    seat.object->guard.word.store(name);
    const Guard guard(region, seat.object->guard);
    CHECK(guard.entered());
    CHECK(guard.needs_repair());
  }
}

TEST_IN_A_PROCESS(who_disputes_dies__the_next_one_repairs) {
  const NameSpace name_space;
  Child other([&] {
    const Member member(name_space.name());
    Region& region = member.region();
    Seat seat = seat_at(region, member.claim_agent(), "guarded");
    seat.object->guard.word.store(name_of(region.self()));
    arm_fault("guard.disputed", FaultAction::Kill);
    const Guard guard(region, seat.object->guard);
  });
  CHECK(other.wait().killed());
  const Member member(name_space.name());
  Seat seat = seat_at(member.region(), member.claim_agent(), "guarded");
  const Guard guard(member.region(), seat.object->guard);
  CHECK(guard.entered());
  CHECK(guard.needs_repair());
}

TEST_IN_A_PROCESS(word_names_nobody_that_there_is__is_taken_and_repaired) {
  Scene s;
  for (const uint32_t word :
       {0xffffu, 0x3fffffffu, 0x40000000u, 0x80000000u, 0xffffffffu, 0x7fff0001u}) {
    s.word().store(word);
    const Guard guard(s.region(), s.seat.object->guard);
    CHECK(guard.entered());
    CHECK(guard.needs_repair());
  }
}

TEST_IN_A_PROCESS(who_is_inside_is_asked__and_keeps_it) {
  Scene s;
  const Member other(s.name_space.name());
  other.region().guard_use().patience_ns.store(kShortNs);
  std::atomic<bool> over{false};
  {
    const Guard inside(s.region(), s.seat.object->guard);
    std::thread waits([&] {
      const Guard guard(other.region(), s.seat.object->guard);
      CHECK(!guard.entered());
      CHECK_EQ(Guard::take_stuck_pid(), ::getpid());
      CHECK_EQ(Guard::take_stuck_pid(), 0);
      over.store(true);
    });
    while (!over.load()) Guard::answer(s.region());
    waits.join();
    CHECK_EQ(s.word().load() & 0xffff, s.region().self().index + 1);
  }
  const Guard guard(other.region(), s.seat.object->guard);
  CHECK(guard.entered());
  CHECK(!guard.needs_repair());
}

// Whoever asks, however often: it is taken from nobody.
TEST_IN_A_PROCESS(asked_all_the_time__nobody_is_taken_for_gone) {
  constexpr int kThreads = 3;
  constexpr int kRounds = 20'000;
  Scene s;
  const Member other(s.name_space.name());
  const uint32_t number = s.region().number_of(s.seat.object->guard);
  std::atomic<bool> over{false};
  std::thread answers([&] {
    while (!over.load()) {
      s.region().self_record().asked.store(number);
      Guard::answer(s.region());
      other.region().self_record().asked.store(number);
      Guard::answer(other.region());
    }
  });
  int64_t counted = 0;  // under the guard
  std::atomic<int> repairs{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    Region& region = i % 2 == 0 ? s.region() : other.region();
    threads.emplace_back([&] {
      for (int round = 0; round < kRounds; ++round) {
        const Guard guard(region, s.seat.object->guard);
        if (!guard.entered() || guard.needs_repair()) repairs.fetch_add(1);
        counted = counted + 1;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  over.store(true);
  answers.join();
  CHECK_EQ(counted, int64_t{kThreads} * kRounds);
  CHECK_EQ(repairs.load(), 0);
}

TEST_IN_A_PROCESS(inside_is_one_that_is_stopped__corrupt_and_nothing_is_changed) {
  const NameSpace name_space;
  Another other(name_space);
  other.stop();
  const Member member(name_space.name());
  Region& region = member.region();
  region.guard_use().patience_ns.store(kShortNs);
  const AgentSlot agent = member.claim_agent();
  Seat held = seat_at(region, agent, "held");
  Seat waits = seat_at(region, member.claim_agent(), "held");
  CHECK_EQ(lock::try_acquire(region, held), Outcome::Taken);
  CHECK_EQ(lock::look(region, waits, WaitMode::Async), Outcome::Pending);
  std::string detail;
  Seat permits;
  const Registry::OpenOptions options{.parameters = {2, 1}};
  CHECK_EQ(Registry(region).open(agent, "permits", Kind::Semaphore, options, &permits, &detail),
           Status::Ok);
  Attempt wanted;
  wanted.home = wanted.waiter = &permits;
  CHECK_EQ(attempt(region, wanted), Outcome::Taken);
  const auto kCorrupt = static_cast<int32_t>(Status::Corrupt);

  held.object->guard.word.store(other.name());
  CHECK_EQ(lock::try_acquire(region, waits), Outcome::Corrupt);
  CHECK_EQ(Guard::take_stuck_pid(), other.pid());
  CHECK_EQ(lock::release(region, held, lock::Release::Plain), Status::Corrupt);
  CHECK_EQ(lock_word::owner(held.object->word.load()), held.agent);
  CHECK(!reap_agent(region, waits.agent));
  permits.object->guard.word.store(other.name());
  CHECK_EQ(act(region, permits, nullptr, Action::Release, 1), kCorrupt);
  CHECK_EQ(permits.ticket->held, 1u);
  CHECK_EQ(attempt(region, wanted), Outcome::Corrupt);
  CHECK_EQ(ask(region, permits, Question::Value), kCorrupt);
  CHECK_EQ(unlink_object(region, permits), Status::Corrupt);
  CHECK_EQ(permits.ticket->held, 1u);
  region.header().registry.word.store(other.name());
  CHECK_EQ(fixture::open_seat(region, agent, "another", &waits), Status::Corrupt);
  CHECK(!Registry(region).knows("held"));
  CHECK_EQ(Registry(region).unlink(held.object_index), Status::Corrupt);

  // It goes on, and is not inside of any.
  other.go_on();
  while (lock::release(region, held, lock::Release::Plain) != Status::Ok) std::this_thread::yield();
  while (act(region, permits, nullptr, Action::Release, 1) != 0) std::this_thread::yield();
  while (!Registry(region).knows("held")) std::this_thread::yield();
  CHECK_EQ(permits.ticket->held, 0u);
  while (!reap_agent(region, waits.agent)) std::this_thread::yield();
}

// Who can come again gives up early, and that is no reason for others to.
TEST_IN_A_PROCESS(keeper_has_given_up__the_others_wait_in_full) {
  Scene s;
  const Member other(s.name_space.name());
  other.region().guard_use().patience_ns.store(2 * kShortNs);
  const Guard inside(s.region(), s.seat.object->guard);
  std::thread([&] {
    const Guard::ShortPatience comes_again;
    CHECK(!Guard(other.region(), s.seat.object->guard).entered());
  }).join();
  const int64_t begin_ns = monotonic_ns();
  CHECK(!Guard(other.region(), s.seat.object->guard).entered());
  CHECK(monotonic_ns() - begin_ns >= 2 * kShortNs);
}

TEST_IN_A_PROCESS(reaper_meets_a_guard_that_is_not_to_be_had__comes_again) {
  const NameSpace name_space;
  Another other(name_space);
  other.stop();
  const Member member(name_space.name());
  Member dead(name_space.name());
  Region& region = member.region();
  Seat held = seat_at(dead.region(), dead.claim_agent(), "held");
  Seat waits = seat_at(region, member.claim_agent(), "held");
  CHECK_EQ(lock::try_acquire(dead.region(), held), Outcome::Taken);
  dead.die();
  held.object->guard.word.store(other.name());
  CHECK(reap_dead_processes(region));
  CHECK(reap_dead_processes(region));
  other.go_on();
  while (reap_dead_processes(region)) std::this_thread::yield();
  CHECK_EQ(lock::try_acquire(region, waits), Outcome::TakenAbandoned);
}

// What the dead one and the ended agent had elsewhere is given back all the same.
TEST_IN_A_PROCESS(reaper_meets_a_guard_that_is_not_to_be_had__goes_on_with_the_other_objects) {
  const NameSpace name_space;
  Another other(name_space);
  other.stop();
  const Member member(name_space.name());
  Member dead(name_space.name());
  Region& region = member.region();
  const AgentSlot agent = member.claim_agent();
  const AgentSlot dead_agent = dead.claim_agent();
  const AgentSlot ended = member.claim_agent();
  Seat stuck = seat_at(dead.region(), dead_agent, "stuck");
  Seat held = seat_at(dead.region(), dead_agent, "of the dead");
  Seat stuck_too = seat_at(region, ended, "stuck");
  Seat held_too = seat_at(region, ended, "of the ended");
  CHECK_EQ(lock::try_acquire(dead.region(), stuck), Outcome::Taken);
  CHECK_EQ(lock::try_acquire(dead.region(), held), Outcome::Taken);
  CHECK_EQ(lock::try_acquire(region, held_too), Outcome::Taken);
  Seat first = seat_at(region, agent, "of the dead");
  Seat second = seat_at(region, agent, "of the ended");
  Seat third = seat_at(region, agent, "stuck");
  CHECK_EQ(stuck_too.object_index, third.object_index);
  dead.die();
  third.object->guard.word.store(other.name());
  CHECK(!reap_agent(region, ended));
  CHECK_EQ(lock::try_acquire(region, second), Outcome::TakenAbandoned);
  CHECK(reap_dead_processes(region, Deadline::never()));
  CHECK_EQ(lock::try_acquire(region, first), Outcome::TakenAbandoned);
  other.go_on();
  while (reap_dead_processes(region)) std::this_thread::yield();
  while (!reap_agent(region, ended)) std::this_thread::yield();
  CHECK_EQ(lock::try_acquire(region, third), Outcome::TakenAbandoned);
}

TEST_IN_A_PROCESS(record_of_one_that_lives_says_dead__nothing_is_taken_from_it) {
  const NameSpace name_space;
  const Member lives(name_space.name());
  const Member member(name_space.name());
  Region& region = member.region();
  Seat held = seat_at(lives.region(), lives.claim_agent(), "held");
  Seat waits = seat_at(region, member.claim_agent(), "held");
  CHECK_EQ(lock::try_acquire(lives.region(), held), Outcome::Taken);
  auto& state = lives.region().self_record().state;
  for (const uint32_t scribbled : {0u, 2u, 99u}) {
    state.store(static_cast<ProcessState>(scribbled));
    CHECK(fixture::is_alive(region, lives.region().self()));
    static_cast<void>(reap_dead_processes(region, Deadline::never()));
    CHECK_EQ(lock::try_acquire(region, waits), Outcome::Pending);
    CHECK_EQ(lock_word::owner(held.object->word.load()), held.agent);
    CHECK(lives.region().mend_own_life());
    CHECK_EQ(state.load(), ProcessState::Live);
  }
}

// A record that was freed and used again for another kind, between the look at it and the guard.
TEST_IN_A_PROCESS(record_is_of_another_kind_by_now__the_repair_is_left_to_the_next) {
  Scene s;
  fixture::leave_dead_inside(s.region(), s.seat.object->guard);
  Seat wrong = s.seat;
  wrong.kind = Kind::Semaphore;
  wrong.parameters = {1, 1};
  CHECK_EQ(act(s.region(), wrong, nullptr, Action::Release, 1),
           static_cast<int32_t>(Status::Corrupt));
  CHECK(s.word().load() != 0);
  const Guard guard(s.region(), s.seat.object->guard);
  CHECK(guard.needs_repair());
}
