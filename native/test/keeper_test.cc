// The keeper: what it tells event loops, and how a process' death is noticed by those that are asleep.
//
// A keeper's thread never ends, and nobody forks with threads about: so every test runs in a process of its own,
// and forks whom it needs before it starts its keeper.
#include "wait/keeper.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <memory>
#include <vector>

#include "fixture.h"
#include "posix/fault.h"
#include "posix/futex.h"
#include "sync/lock.h"
#include "sync/lock_word.h"
#include "wait/reaper.h"
#include "wait/ring.h"

namespace {

using namespace holdfast;
using fixture::Child;
using fixture::ends_well;
using fixture::NameSpace;
using fixture::seat_at;

// One event loop, awake only when it is told.
class Loop {
 public:
  explicit Loop(Keeper& keeper) : keeper_(keeper) { keeper_.add_loop(agent_); }
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;
  ~Loop() {
    keeper_.remove_loop(agent_);
    ::close(messages_);
  }

  LoopAgent& agent() { return agent_; }
  // Sleeps until a message is there; returns how many there are.
  uint64_t await() {
    uint64_t count = 0;
    while (::read(messages_, &count, sizeof count) < 0 && errno == EINTR) {
    }
    return count;
  }
  // How many there are by now, without sleeping.
  uint64_t pending() {
    const int flags = ::fcntl(messages_, F_GETFL);
    ::fcntl(messages_, F_SETFL, flags | O_NONBLOCK);
    uint64_t count = 0;
    if (::read(messages_, &count, sizeof count) < 0) count = 0;
    ::fcntl(messages_, F_SETFL, flags);
    return count;
  }
  std::vector<AsyncWait*> take_up() {
    std::vector<AsyncWait*> due;
    keeper_.take_up(agent_, &due);
    return due;
  }
  // The next `times` messages cannot be posted.
  void refuse(int times) { refusals_.store(times); }
  int refused() const { return refused_.load(); }

 private:
  static bool deliver(void* context) {
    Loop& loop = *static_cast<Loop*>(context);
    if (loop.refusals_.load() > 0) {
      loop.refusals_.fetch_sub(1);
      loop.refused_.fetch_add(1);
      return false;
    }
    const uint64_t one = 1;
    return ::write(loop.messages_, &one, sizeof one) == sizeof one;
  }

  Keeper& keeper_;
  int messages_ = ::eventfd(0, EFD_CLOEXEC);
  std::atomic<int> refusals_{0};
  std::atomic<int> refused_{0};
  LoopAgent agent_{&Loop::deliver, this};
};

// A lock that one agent of this process holds, and a loop's seat at it.
struct Contended {
  Contended(Keeper& keeper, const std::string& name)
      : keeper(keeper),
        held(seat_at(keeper.region(), fixture::claim_agent(keeper.region()), name)),
        mine(seat_at(keeper.region(), fixture::claim_agent(keeper.region()), name)) {
    wait.seat = &mine;
    CHECK_EQ(lock::try_acquire(keeper.region(), held), Outcome::Taken);
  }
  Contended(const Contended&) = delete;
  Contended& operator=(const Contended&) = delete;

  void wait_for_it(Loop& loop) {
    keeper.watch(loop.agent(), wait);
    CHECK_EQ(lock::look(keeper.region(), mine, WaitMode::Async), Outcome::Pending);
  }
  // Hands over, and rings.
  void tell() { CHECK_EQ(lock::release(keeper.region(), held, lock::Release::Fair), Status::Ok); }
  void take(Loop& loop) {
    CHECK(wait.was_told());
    CHECK_EQ(lock::look(keeper.region(), mine, WaitMode::Async), Outcome::Taken);
    keeper.unwatch(loop.agent(), wait);
  }

  Keeper& keeper;
  Seat held;
  Seat mine;
  AsyncWait wait;
};

// Tells when the keeper has been round: it goes through the loops newest first, so this one is older than those
// that it is asked about.
class Probe {
 public:
  explicit Probe(Keeper& keeper) : keeper_(keeper), loop_(keeper) {}
  void await_a_round() {
    Contended told(keeper_, "probe-" + std::to_string(rounds_++));
    told.wait_for_it(loop_);
    told.tell();
    static_cast<void>(loop_.await());
    // What the keeper finds before that is no message of the next round's.
    told.take(loop_);
    loop_.take_up();
  }

 private:
  Keeper& keeper_;
  Loop loop_;
  int rounds_ = 0;
};

// Never deleted: its thread goes on until the process ends.
Keeper& start_keeper(const NameSpace& name_space, bool waitv = true, bool looks = true) {
  auto& keeper = *new Keeper;
  if (!looks) keeper.forbid_looking();
  if (!waitv) keeper.forbid_futex_waitv();
  std::string detail;
  CHECK_EQ(keeper.start(name_space.name(), 0600, &detail), Status::Ok);
  return keeper;
}

// A process that joins when it is let, by one thread and without a keeper; takes lock "x" and dies with it.
struct Victim {
  explicit Victim(const NameSpace& name_space)
      : process([&] {
          go.await();
          Region region;
          std::string detail;
          CHECK_EQ(region.open(name_space.name(), 0600, &detail), Status::Ok);
          CHECK_EQ(region.claim_process(), Status::Ok);
          region.joined();
          for (uint32_t i = 0; i < region.process_limit(); ++i) {  // as Keeper::start()
            if (region.process(i)->state.load() == ProcessState::Live)
              ring_doorbell(*region.process(i));
          }
          Seat seat = seat_at(region, fixture::claim_agent(region), "x");
          CHECK(lock::try_acquire(region, seat) != Outcome::Pending);
          id->store(region.self().index);
          in.raise();
          for (;;) ::pause();
        }) {}
  ProcessIndex join() {
    go.raise();
    in.await();
    return id->load();
  }
  processes::Signal go;
  processes::Signal in;
  processes::Shared<std::atomic<ProcessIndex>> id;
  Child process;
};

// A process with a keeper of its own, and nothing to do.
struct Bystander {
  explicit Bystander(const NameSpace& name_space)
      : process([&] {
          go.await();
          Keeper& keeper = start_keeper(name_space);
          id->store(keeper.region().self().index);
          in.raise();
          for (;;) ::pause();
        }) {}
  ProcessIndex join() {
    go.raise();
    in.await();
    return id->load();
  }
  processes::Signal go;
  processes::Signal in;
  processes::Shared<std::atomic<ProcessIndex>> id;
  Child process;
};

// Someone else's doing: this only looks, and a watchdog ends it if nobody does it.
void await_state(Region& region, ProcessIndex index, ProcessState state) {
  while (region.process(index)->state.load() != state) std::this_thread::yield();
}

bool has_futex_waitv() {
  const FutexWord word{1};
  const FutexWatch watch{&word, 0};
  return futex_wait_any({&watch, 1}, Deadline::never()) != FutexWake::Unsupported;
}

bool skip_without_futex_waitv() {
  static const bool has = has_futex_waitv();
  if (!has) std::fprintf(stderr, "skipped: no futex_waitv here\n");
  return !has;
}

}  // namespace

// ---- Telling loops ----

TEST_IN_A_PROCESS(deliver__a_batch__is_one_message) {
  const NameSpace name_space;
  Keeper& keeper = start_keeper(name_space);
  Probe probe(keeper);
  Loop loop(keeper);
  Contended locks[3] = {{keeper, "a"}, {keeper, "b"}, {keeper, "c"}};
  for (Contended& lock : locks) lock.wait_for_it(loop);
  for (Contended& lock : locks) lock.tell();
  probe.await_a_round();
  CHECK_EQ(loop.pending(), 1u);
  probe.await_a_round();
  CHECK_EQ(loop.pending(), 0u);
  loop.take_up();
  for (Contended& lock : locks) lock.take(loop);
}

TEST_IN_A_PROCESS(deliver__after_taken_up__what_is_told_then_is_another_message) {
  const NameSpace name_space;
  Keeper& keeper = start_keeper(name_space);
  Loop loop(keeper);
  Contended a(keeper, "a");
  Contended b(keeper, "b");
  a.wait_for_it(loop);
  b.wait_for_it(loop);
  a.tell();
  CHECK_EQ(loop.await(), 1u);
  loop.take_up();
  a.take(loop);
  b.tell();
  CHECK_EQ(loop.await(), 1u);
  loop.take_up();
  b.take(loop);
}

TEST_IN_A_PROCESS(deliver__told_before_taken_up_and_not_looked_at__is_another_message) {
  const NameSpace name_space;
  Keeper& keeper = start_keeper(name_space);
  Probe probe(keeper);
  Loop loop(keeper);
  Contended a(keeper, "a");
  a.wait_for_it(loop);
  a.tell();
  CHECK_EQ(loop.await(), 1u);
  loop.take_up();  // and then it does not look: the keeper does, now and then
  CHECK_EQ(loop.await(), 1u);
  a.take(loop);
  loop.take_up();
  probe.await_a_round();
  CHECK_EQ(loop.pending(), 0u);
}

TEST_IN_A_PROCESS(deliver__goes_to_the_loop_whose_wait_it_is) {
  const NameSpace name_space;
  Keeper& keeper = start_keeper(name_space);
  Probe probe(keeper);
  Loop first(keeper);
  Loop second(keeper);
  Contended a(keeper, "a");
  Contended b(keeper, "b");
  a.wait_for_it(first);
  b.wait_for_it(second);
  b.tell();
  probe.await_a_round();
  CHECK_EQ(first.pending(), 0u);
  CHECK_EQ(second.pending(), 1u);
}

TEST_IN_A_PROCESS(deliver__that_could_not_be_posted__is_tried_again) {
  const NameSpace name_space;
  Keeper& keeper = start_keeper(name_space);
  Loop loop(keeper);
  Contended a(keeper, "a");
  loop.refuse(2);
  a.wait_for_it(loop);
  a.tell();
  CHECK_EQ(loop.await(), 1u);
  CHECK_EQ(loop.refused(), 2);
  loop.take_up();
  a.take(loop);
}

TEST_IN_A_PROCESS(deliver__a_sync_ticket__is_its_sleepers_alone) {
  const NameSpace name_space;
  Keeper& keeper = start_keeper(name_space);
  Probe probe(keeper);
  Loop loop(keeper);
  Contended a(keeper, "a");
  CHECK_EQ(lock::look(keeper.region(), a.mine, WaitMode::Sync), Outcome::Pending);
  a.tell();
  probe.await_a_round();
  CHECK_EQ(loop.pending(), 0u);
  CHECK_EQ(lock::look(keeper.region(), a.mine, WaitMode::Sync), Outcome::Taken);
}

TEST_IN_A_PROCESS(watch__what_was_told_before__is_delivered) {
  const NameSpace name_space;
  Keeper& keeper = start_keeper(name_space);
  Loop loop(keeper);
  Contended a(keeper, "a");
  CHECK_EQ(lock::look(keeper.region(), a.mine, WaitMode::Async), Outcome::Pending);
  a.tell();
  keeper.watch(loop.agent(), a.wait);
  CHECK_EQ(loop.await(), 1u);
}

TEST_IN_A_PROCESS(unwatch__what_is_told_then__is_not_delivered) {
  const NameSpace name_space;
  Keeper& keeper = start_keeper(name_space);
  Probe probe(keeper);
  Loop loop(keeper);
  Contended a(keeper, "a");
  a.wait_for_it(loop);
  keeper.unwatch(loop.agent(), a.wait);
  a.tell();
  probe.await_a_round();
  CHECK_EQ(loop.pending(), 0u);
  keeper.watch(loop.agent(), a.wait);
  CHECK_EQ(loop.await(), 1u);
}

TEST_IN_A_PROCESS(watch_and_unwatch__twice_and_in_any_order__keep_the_list_whole) {
  const NameSpace name_space;
  Keeper& keeper = start_keeper(name_space);
  Probe probe(keeper);
  for (int gone = 0; gone < 3; ++gone) {
    Loop loop(keeper);
    const std::string prefix = std::to_string(gone);
    Contended locks[3] = {{keeper, prefix + "a"}, {keeper, prefix + "b"}, {keeper, prefix + "c"}};
    for (Contended& lock : locks) lock.wait_for_it(loop);
    for (Contended& lock : locks) keeper.watch(loop.agent(), lock.wait);
    keeper.unwatch(loop.agent(), locks[gone].wait);
    keeper.unwatch(loop.agent(), locks[gone].wait);
    CHECK(!locks[gone].wait.listed);
    int listed = 0;
    for (const AsyncWait* wait = loop.agent().first(); wait != nullptr; wait = wait->next) {
      CHECK(wait != &locks[gone].wait);
      CHECK(wait->next == nullptr || wait->next->previous == wait);
      ++listed;
    }
    CHECK_EQ(listed, 2);
    locks[gone].tell();
    probe.await_a_round();
    CHECK_EQ(loop.pending(), 0u);
    for (int other = 0; other < 3; ++other) {
      if (other == gone) continue;
      locks[other].tell();
      CHECK_EQ(loop.await(), 1u);
      loop.take_up();
      locks[other].take(loop);
    }
    CHECK(loop.agent().first() == nullptr);
  }
}

TEST_IN_A_PROCESS(remove_loop__from_any_place__is_told_nothing_more) {
  const NameSpace name_space;
  Keeper& keeper = start_keeper(name_space);
  Probe probe(keeper);
  for (int gone = 0; gone < 3; ++gone) {
    const std::string prefix = std::to_string(gone);
    Contended locks[3] = {{keeper, prefix + "a"}, {keeper, prefix + "b"}, {keeper, prefix + "c"}};
    std::unique_ptr<Loop> loops[3];
    for (int i = 0; i < 3; ++i) {
      loops[i] = std::make_unique<Loop>(keeper);
      locks[i].wait_for_it(*loops[i]);
    }
    loops[gone].reset();
    for (Contended& lock : locks) lock.tell();
    probe.await_a_round();
    for (int i = 0; i < 3; ++i) {
      if (i != gone) CHECK_EQ(loops[i]->pending(), 1u);
    }
  }
}

TEST_IN_A_PROCESS(async_wait__was_told_and_worth_a_look) {
  const NameSpace name_space;
  Keeper& keeper = start_keeper(name_space);
  Contended a(keeper, "a");
  CHECK(!a.wait.was_told());  // does not wait
  CHECK(!a.wait.worth_a_look());
  CHECK_EQ(lock::look(keeper.region(), a.mine, WaitMode::Async), Outcome::Pending);
  CHECK(!a.wait.was_told());
  CHECK(!a.wait.worth_a_look());
  CHECK_EQ(lock::release(keeper.region(), a.held, lock::Release::Plain), Status::Ok);  // woken
  CHECK(a.wait.was_told());
  CHECK(a.wait.worth_a_look());
  CHECK_EQ(lock::look(keeper.region(), a.mine, WaitMode::Async), Outcome::Taken);
  CHECK(!a.wait.was_told());
}

TEST_IN_A_PROCESS(take_up__only_what_was_told__in_the_order_in_which_the_waits_began) {
  const NameSpace name_space;
  Keeper& keeper = start_keeper(name_space, true, false);
  Probe probe(keeper);
  Loop loop(keeper);
  Contended locks[4] = {{keeper, "a"}, {keeper, "b"}, {keeper, "c"}, {keeper, "d"}};
  for (const int i : {2, 0, 3, 1}) locks[i].wait_for_it(loop);
  for (const int i : {0, 1, 2}) locks[i].tell();
  probe.await_a_round();
  CHECK_EQ(loop.pending(), 1u);
  const std::vector<AsyncWait*> due = loop.take_up();
  REQUIRE(due.size() == 3);
  CHECK(due[0] == &locks[2].wait && due[1] == &locks[0].wait && due[2] == &locks[1].wait);
  CHECK(loop.take_up().empty());
}

TEST_IN_A_PROCESS(deliver__more_than_there_are_slots__none_is_missed) {
  const NameSpace name_space;
  Keeper& keeper = start_keeper(name_space, true, false);
  Loop loop(keeper);
  std::vector<std::unique_ptr<Contended>> locks;
  for (uint32_t i = 0; i < 4 * kToldSlots; ++i) {
    locks.push_back(std::make_unique<Contended>(keeper, "lock-" + std::to_string(i)));
    locks.back()->wait_for_it(loop);
  }
  for (auto& lock : locks) lock->tell();
  for (size_t taken = 0; taken < locks.size();) {
    static_cast<void>(loop.await());
    for (AsyncWait* wait : loop.take_up()) {
      CHECK_EQ(lock::look(keeper.region(), *wait->seat, WaitMode::Async), Outcome::Taken);
      keeper.unwatch(loop.agent(), *wait);
      ++taken;
    }
  }
}

// Its number was taken, and no entry follows; and the entry of another teller, a round late.
TEST_IN_A_PROCESS(deliver__a_teller_died_between_its_number_and_its_entry__none_is_missed) {
  const NameSpace name_space;
  Keeper& keeper = start_keeper(name_space, true, false);
  Loop loop(keeper);
  ProcessRecord& self = keeper.region().self_record();
  for (const bool late : {false, true}) {
    Contended a(keeper, late ? "late" : "never");
    a.wait_for_it(loop);
    a.mine.ticket->state.store(static_cast<uint32_t>(TicketState::Woken));
    const uint32_t number = self.told_count.load();
    if (late) self.told[number % kToldSlots].store(told_entry(number - kToldSlots, 0));
    self.told_count.fetch_add(1);
    ring_doorbell(self);
    CHECK_EQ(loop.await(), 1u);
    CHECK_EQ(loop.take_up().size(), 1u);
    keeper.unwatch(loop.agent(), a.wait);
  }
}

// Whoever was woken for the lock is stopped: a keeper whose loops wait looks for itself.
TEST_IN_A_PROCESS(deliver__nobody_told__but_the_lock_stands_free) {
  const NameSpace name_space;
  Keeper& keeper = start_keeper(name_space);
  Loop loop(keeper);
  Contended a(keeper, "a");
  a.wait_for_it(loop);
  a.held.object->word.fetch_and(0xffff0000);  // free, and no word to anybody
  CHECK_EQ(loop.await(), 1u);
  CHECK(!a.wait.was_told());
  CHECK_EQ(lock::look(keeper.region(), a.mine, WaitMode::Async), Outcome::Taken);
}

// ---- Deaths ----

// Nobody waits, so the keeper sleeps without a time-out: the kernel's wake is all there is.
TEST_IN_A_PROCESS(death__while_nobody_waits__is_noticed_without_anybody_polling) {
  if (skip_without_futex_waitv()) return;
  const NameSpace name_space;
  Victim victims[3] = {Victim(name_space), Victim(name_space), Victim(name_space)};
  Keeper& keeper = start_keeper(name_space);
  for (Victim& victim : victims) {  // each joins while the keeper is asleep
    const ProcessIndex index = victim.join();
    CHECK_EQ(keeper.region().process(index)->state.load(), ProcessState::Live);
    CHECK(victim.process.end(SIGKILL).killed());
    await_state(keeper.region(), index, ProcessState::Free);
  }
  CHECK(keeper.watches_lives());
}

namespace {

// A loop waits for what another process holds; that one is killed, and the loop gets it.
void a_loop_gets_what_a_dead_process_held(Victim& victim, Keeper& keeper) {
  const ProcessIndex index = victim.join();
  Loop loop(keeper);
  Seat mine = seat_at(keeper.region(), fixture::claim_agent(keeper.region()), "x");
  AsyncWait wait;
  wait.seat = &mine;
  keeper.watch(loop.agent(), wait);
  CHECK_EQ(lock::look(keeper.region(), mine, WaitMode::Async), Outcome::Pending);
  CHECK(victim.process.end(SIGKILL).killed());
  Outcome outcome = Outcome::Pending;
  while (outcome == Outcome::Pending) {
    static_cast<void>(loop.await());
    loop.take_up();
    outcome = lock::look(keeper.region(), mine, WaitMode::Async);
  }
  CHECK_EQ(outcome, Outcome::TakenAbandoned);
  keeper.unwatch(loop.agent(), wait);
  await_state(keeper.region(), index, ProcessState::Free);
}

}  // namespace

TEST_IN_A_PROCESS(death__of_a_holder__a_waiting_loop_is_told) {
  const NameSpace name_space;
  Victim victim(name_space);
  Keeper& keeper = start_keeper(name_space);
  a_loop_gets_what_a_dead_process_held(victim, keeper);
}

TEST_IN_A_PROCESS(death__of_a_holder__a_waiting_loop_is_told_without_futex_waitv) {
  const NameSpace name_space;
  Victim victim(name_space);
  Keeper& keeper = start_keeper(name_space, false);
  CHECK(!keeper.watches_lives());
  a_loop_gets_what_a_dead_process_held(victim, keeper);
  CHECK(!keeper.watches_lives());
}

// A container's seccomp filter that does not know futex_waitv.
TEST(death__of_a_holder__a_waiting_loop_is_told_where_futex_waitv_is_forbidden) {
  for (const uint32_t error : {EPERM, ENOSYS, EACCES}) {
    CHECK(ends_well([=] {
      const NameSpace name_space;
      Victim victim(name_space);
      sock_filter code[] = {
          BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
          BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 449, 0, 1),
          BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
          BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
      };
      const sock_fprog program{std::size(code), code};
      CHECK_EQ(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
      CHECK_EQ(::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
      Keeper& keeper = start_keeper(name_space);
      a_loop_gets_what_a_dead_process_held(victim, keeper);
      // Found out at its first sleep, which may come after this thread reaped for itself.
      while (keeper.watches_lives()) std::this_thread::yield();
    }));
  }
}

TEST(death__of_one_of_more_processes_than_can_be_watched__each_is_noticed) {
  if (skip_without_futex_waitv()) return;
  constexpr size_t kProcesses = kMaxFutexWatches + 12;
  CHECK(ends_well([] {
    const NameSpace name_space;
    std::vector<std::unique_ptr<Bystander>> all;
    for (size_t i = 0; i < kProcesses; ++i) all.push_back(std::make_unique<Bystander>(name_space));
    std::vector<ProcessIndex> index;
    for (auto& one : all) index.push_back(one->join());
    // This process only looks: it has no keeper, and reaps nobody. Nobody waits: the kernel's wakes are all.
    const fixture::Member observer(name_space.name());
    // From the far end of the ring, then here and there; one is left to notice the last death.
    std::vector<size_t> order;
    for (size_t i = kProcesses; i-- > kProcesses - 6;) order.push_back(i);
    for (size_t i = 0; i < kProcesses - 6; i += 5) order.push_back(i);
    for (const size_t i : order) {
      CHECK_EQ(observer.region().process(index[i])->state.load(), ProcessState::Live);
      CHECK(all[i]->process.end(SIGKILL).killed());
      await_state(observer.region(), index[i], ProcessState::Free);
    }
  }));
}

TEST_IN_A_PROCESS(death__while_another_watcher_is_stopped__is_noticed) {
  const NameSpace name_space;
  Bystander stopped[2] = {Bystander(name_space), Bystander(name_space)};
  Victim victim(name_space);
  for (Bystander& one : stopped) one.join();
  Keeper& keeper = start_keeper(name_space);
  for (const Bystander& one : stopped) {
    one.process.signal(SIGSTOP);
    CHECK(one.process.stopped());
  }
  a_loop_gets_what_a_dead_process_held(victim, keeper);
}

// The kernel knows who locks a mutex by its TID alone, which another has in another pid namespace: the death of that
// one marks a life that goes on.
TEST_IN_A_PROCESS(a_mark_on_a_living_process__is_no_death__and_is_mended) {
  const NameSpace name_space;
  Bystander other(name_space);
  other.join();
  Keeper& keeper = start_keeper(name_space);
  Region& region = keeper.region();
  Probe probe(keeper);
  Seat held = seat_at(region, fixture::claim_agent(region), "x");
  CHECK_EQ(lock::try_acquire(region, held), Outcome::Taken);
  FutexWord& life = region.life_word(region.self_record());
  const uint32_t alive = life.exchange(kFutexWaitersBit | kFutexOwnerDiedBit);
  futex_wake(life, 1);
  CHECK(fixture::is_alive(region, region.self()));
  CHECK(!is_dying(region, held.agent));
  static_cast<void>(reap_dead_processes(region));
  ring_doorbell(region.self_record());
  while (life.load() != alive) std::this_thread::yield();
  probe.await_a_round();
  CHECK_EQ(region.self_record().state.load(), ProcessState::Live);
  CHECK_EQ(lock_word::owner(held.object->word.load()), held.agent);
  CHECK_EQ(lock::release(region, held, lock::Release::Plain), Status::Ok);
}

// Nothing rings the one that was marked but those who found the mark.
TEST_IN_A_PROCESS(a_mark_on_a_living_process__is_mended_however_little_it_has_to_do) {
  if (skip_without_futex_waitv()) return;
  const NameSpace name_space;
  Bystander marked(name_space);
  const ProcessIndex index = marked.join();
  Keeper& keeper = start_keeper(name_space);
  Region& region = keeper.region();
  FutexWord& life = region.life_word(*region.process(index));
  const uint32_t alive = life.exchange(kFutexWaitersBit | kFutexOwnerDiedBit);
  futex_wake(life, 1);
  while (life.load() != alive) std::this_thread::yield();
  CHECK_EQ(region.process(index)->state.load(), ProcessState::Live);
  CHECK(marked.process.end(SIGKILL).killed());
  await_state(region, index, ProcessState::Free);
}

// Killed in the middle of reaping another: both are given back.
TEST_IN_A_PROCESS(death__of_a_reaper__the_next_one_reaps_both) {
  if (skip_without_futex_waitv()) return;
  const NameSpace name_space;
  Victim victim(name_space);
  processes::Signal go;
  processes::Signal in;
  processes::Shared<std::atomic<ProcessIndex>> id;
  Child reaper([&] {
    go.await();
    Keeper& keeper = start_keeper(name_space);
    id->store(keeper.region().self().index);
    arm_fault("reap.begun", FaultAction::Kill);
    in.raise();
    for (;;) ::pause();
  });
  const ProcessIndex dead = victim.join();
  go.raise();
  in.await();
  CHECK(victim.process.end(SIGKILL).killed());
  CHECK(reaper.wait().killed());
  Keeper& keeper = start_keeper(name_space);
  await_state(keeper.region(), dead, ProcessState::Free);
  await_state(keeper.region(), id->load(), ProcessState::Free);
}

// ---- Starting ----

TEST_IN_A_PROCESS(start__rings_those_who_are_to_watch_over_it_and_nobody_else) {
  const NameSpace name_space;
  std::vector<std::unique_ptr<fixture::Member>> all;
  constexpr uint32_t kOthers = kWatchedLives + 5;
  for (uint32_t i = 0; i < kOthers; ++i) {
    all.push_back(std::make_unique<fixture::Member>(name_space.name()));
  }
  const Keeper& keeper = start_keeper(name_space);
  static_cast<void>(keeper);
  for (uint32_t i = 0; i < kOthers; ++i) {
    const bool before_it = i >= kOthers - kWatchedLives;
    CHECK_EQ(all[i]->region().self_record().doorbell.load(), before_it ? 1u : 0u);
  }
}

TEST_IN_A_PROCESS(start__reaps_who_died_before) {
  const NameSpace name_space;
  Victim victim(name_space);
  const ProcessIndex index = victim.join();
  CHECK(victim.process.end(SIGKILL).killed());
  Keeper& keeper = start_keeper(name_space);
  await_state(keeper.region(), index, ProcessState::Free);
  Seat seat = seat_at(keeper.region(), fixture::claim_agent(keeper.region()), "x");
  CHECK_EQ(lock::try_acquire(keeper.region(), seat), Outcome::TakenAbandoned);
}

TEST_IN_A_PROCESS(start__that_fails__lets_the_next_one_in) {
  const NameSpace name_space;
  const int fd = ::shm_open(name_space.file().c_str(), O_RDWR | O_CREAT, 0600);
  CHECK_EQ(::ftruncate(fd, 1), 0);
  CHECK_EQ(::fchmod(fd, 0666), 0);
  auto& refused = *new Keeper;  // never deleted, as its header says
  std::string detail;
  CHECK_EQ(refused.start(name_space.name(), 0600, &detail), Status::Access);
  CHECK_EQ(::fchmod(fd, 0600), 0);
  start_keeper(name_space);
}

TEST_IN_A_PROCESS(start__its_thread_takes_no_signals) {
  const NameSpace name_space;
  static std::atomic<int> handled_by{0};
  struct sigaction action{};
  action.sa_handler = [](int) { handled_by.store(static_cast<int>(::syscall(SYS_gettid))); };
  ::sigaction(SIGUSR1, &action, nullptr);
  sigset_t usr1;
  sigset_t before;
  ::sigemptyset(&usr1);
  ::sigaddset(&usr1, SIGUSR1);
  start_keeper(name_space);
  ::pthread_sigmask(SIG_SETMASK, nullptr, &before);
  CHECK_EQ(::sigismember(&before, SIGUSR1), 0);  // this thread's mask is as it was
  ::pthread_sigmask(SIG_BLOCK, &usr1, &before);
  ::kill(::getpid(), SIGUSR1);  // to whatever thread takes it: none
  CHECK_EQ(handled_by.load(), 0);
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  CHECK_EQ(handled_by.load(), ::getpid());  // the main thread's tid is the pid
}

// A region that somebody scribbles on while the keeper sleeps: it does not take its host along.
TEST(scribbled__process_table__the_keeper_goes_on) {
  for (const uint32_t garbage : {0u, 200'000u, kNone}) {
    CHECK(ends_well([=] {
      const NameSpace name_space;
      Keeper& keeper = start_keeper(name_space);
      Probe probe(keeper);
      probe.await_a_round();
      ProcessRecord& self = *keeper.region().process(keeper.region().self().index);
      Contended a(keeper, "a");
      Loop loop(keeper);
      keeper.region().header().processes.page[0].store(garbage);
      keeper.watch(loop.agent(), a.wait);  // rings its own doorbell
      for (int i = 0; i < 100; ++i) {
        ring_doorbell(self);
        std::this_thread::yield();
      }
      keeper.region().header().processes.page[0].store(
          static_cast<uint32_t>((reinterpret_cast<std::byte*>(&self) -
                                 reinterpret_cast<std::byte*>(&keeper.region().header())) /
                                kPage));
      probe.await_a_round();  // it is still there
    }));
  }
}
