// One process of a crash test, and what it shares with the others. The driver forks processes that use one region, kills or stops some of them at a
// named point of the core (posix/fault.h), and looks whether the others go on: nobody hangs, nobody shares the
// critical section, the next owner of what a dead one held is told once, and a fresh process finds everything
// given back.
//
// Waits here have no time-out of their own wherever the core is to wake them: a lost wake is a hang, and the
// watchdog tells of it with the point and the seed. HOLDFAST_SEED repeats the draws of a run, not its schedule;
// HOLDFAST_VERBOSE tells how often each point fired.
#pragma once

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <string>
#include <vector>

#include "harness.h"
#include "posix/fault.h"
#include "processes.h"
#include "region/registry.h"
#include "sync/lock.h"
#include "sync/lock_word.h"
#include "wait/keeper.h"
#include "wait/reaper.h"

namespace crash {

using namespace holdfast;  // NOLINT: test code, and only in this namespace
using processes::End;
using processes::Random;

inline constexpr unsigned kMaxMembers = 8;
// A fork of a process under ThreadSanitizer takes a hundred times as long.
#if defined(__SANITIZE_THREAD__)
inline constexpr bool kForksAreSlow = true;
#else
inline constexpr bool kForksAreSlow = false;
#endif
// So many rounds, or as many as a slow build has the time for.
constexpr unsigned rounds(unsigned wanted) { return kForksAreSlow ? 1 + wanted / 50 : wanted; }
inline constexpr int64_t kSliceNs = 60'000'000;

// Points of region, registry, keeper, reaper and lock: this table must have every HOLDFAST_POINT of these (grep
// for them), for each is made to fire by the test of its scene, which fails where it never did. Those of the other
// objects are objects_crash_test.cc's.
enum class Scene : uint8_t {
  Lock,      // on the way of one who acquires, cancels, releases
  Pass,      // while a wake is passed on: needs one that was told and is stopped
  Reap,      // while the dead are reaped: needs one that died before
  Repair,    // while an object is repaired: needs one that died inside its guard
  Unlink,    // while an object is ended
  Registry,  // while names and agents come and go
  Join,      // while a process joins
  Grow,      // while a table grows
};
// Is who dies there the lock's owner? The next one is told exactly then.
enum class Owns : uint8_t { No, Yes, Either };
struct Point {
  const char* name;
  Scene scene;
  Owns owns;
};
inline constexpr Point kPoints[] = {
    {"test.critical", Scene::Lock, Owns::Yes},  // this file's own
    {"guard.entered", Scene::Lock, Owns::Either},
    {"guard.leaving", Scene::Lock, Owns::Either},
    {"leave.retracted", Scene::Lock, Owns::Either},
    {"look.taken", Scene::Lock, Owns::Yes},
    {"look.dequeued", Scene::Lock, Owns::Yes},
    {"look.noted", Scene::Lock, Owns::No},  // whatever it is told afterwards: it never came
    {"enqueue.numbered", Scene::Lock, Owns::No},
    {"enqueue.published", Scene::Lock, Owns::No},
    {"enqueue.linked", Scene::Lock, Owns::No},
    {"cancel.unlinked", Scene::Lock, Owns::No},
    {"offer.chosen", Scene::Lock, Owns::Yes},
    {"offer.freed", Scene::Lock, Owns::No},
    {"wake.chosen", Scene::Lock, Owns::Yes},
    {"wake.freed", Scene::Lock, Owns::No},
    {"wake.ring", Scene::Lock, Owns::Either},  // its keeper rings too, for what it passes on
    {"wake.numbered", Scene::Lock, Owns::Either},
    {"pass.marked", Scene::Pass, Owns::Either},
    {"reap.ended", Scene::Reap, Owns::Either},
    {"reap.begun", Scene::Reap, Owns::Either},
    {"reap.found", Scene::Reap, Owns::Either},
    {"reap.withdrawn", Scene::Reap, Owns::Either},
    {"reap.retracted", Scene::Reap, Owns::Either},
    {"reap.released", Scene::Reap, Owns::Either},
    {"reap.given-back", Scene::Reap, Owns::Either},
    {"reap.ticket-freed", Scene::Reap, Owns::Either},
    {"reap.rung", Scene::Reap, Owns::Either},
    {"reap.agent-done", Scene::Reap, Owns::Either},
    {"reap.freed", Scene::Reap, Owns::Either},
    {"fix.chosen", Scene::Reap, Owns::Either},
    {"repair.dequeued", Scene::Repair, Owns::Either},
    {"unlink.marked", Scene::Unlink, Owns::No},
    {"ticket.claiming", Scene::Registry, Owns::No},
    {"ticket.claimed", Scene::Registry, Owns::No},
    {"ticket.freed", Scene::Registry, Owns::No},
    {"object.making", Scene::Registry, Owns::No},
    {"object.made", Scene::Registry, Owns::No},
    {"agent.claiming", Scene::Registry, Owns::No},
    {"process.claiming", Scene::Join, Owns::No},
    {"region.building", Scene::Join, Owns::No},
    {"region.growing", Scene::Grow, Owns::No},
};

// What a member of a round leaves for the others and the driver to see.
struct Mark {
  std::atomic<ProcessIndex> process;
  std::atomic<AgentSlot> agent;
  std::atomic<bool> armed;
  std::atomic<bool> holds;       // it knows that it is the owner
  std::atomic<bool> completing;  // `counter` may have been stored, `completed` not
  std::atomic<uint32_t> completed;
  std::atomic<int> told;
};

struct Board {
  std::atomic<uint32_t> inside;   // member + 1
  std::atomic<uint32_t> counter;  // read, worked, written: by who is inside alone
  std::atomic<int> broken;
  std::atomic<bool> go;  // waits that the driver or another member ends
  Mark marks[kMaxMembers];
};

struct Arm {
  unsigned member;
  const char* point;
  int nth = 1;
  FaultAction action = FaultAction::Kill;
};

struct Round {
  std::string name_space;
  uint64_t seed = 0;
  std::vector<Arm> arms;
  unsigned members = 4;  // the last one waits as an event loop does
  int sections = 20;     // each completes so many
  bool slices = false;   // sync waiters look for themselves: where who was to wake them is stopped
  bool forbid_waitv = false;  // and so do keepers
  bool patient = false;       // no fair releases and no cancelling
  bool unlinks = false;
  bool arm_before_joining = false;

  [[nodiscard]] std::string text() const {
    std::string out = "seed " + std::to_string(seed);
    for (const Arm& arm : arms) {
      out += ", member " + std::to_string(arm.member) +
             (arm.action == FaultAction::Kill ? " dies at " : " stops at ") + arm.point + " #" +
             std::to_string(arm.nth);
    }
    return out;
  }
};

// In the driver: what is left of the run is skipped, it would only wait for more watchdogs.
inline bool some_hung = false;

inline uint64_t next_seed() {
  static Random seeds(processes::base_seed());
  return seeds.next();
}

// A namespace for one test; its file is removed with it.
class Place {
 public:
  Place() {
    static int count = 0;
    name_ = "crash-" + std::to_string(::getpid()) + "-" + std::to_string(++count);
  }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;
  ~Place() {
    std::string detail;
    const Status status = Region::remove(name_, 0600, &detail);
    if (!CHECK(status == Status::Ok || status == Status::NotFound)) {
      std::fprintf(stderr, "  %s is used by %s\n", name_.c_str(), detail.c_str());
    }
  }
  [[nodiscard]] const std::string& name() const { return name_; }

 private:
  std::string name_;
};

// One process of a round: its keeper, its agent, its seat at the lock "lock".
class Member {
 public:
  Member(const Round& round, Board& board, unsigned number)
      : round_(round), board_(board), number_(number), random_(round.seed * 31 + number) {
    self_ = this;
    processes::tell_of_hang = [] { self_->tell_of_hang(); };
  }

  bool join() {
    doing_ = "join";
    if (round_.forbid_waitv) keeper_.forbid_futex_waitv();
    std::string detail;
    if (!CHECK_EQ(keeper_.start(round_.name_space, 0600, &detail), Status::Ok)) return false;
    if (is_async()) {
      keeper_.add_loop(loop_);
      wait_.seat = &seat_;
    }
    return sit_down();
  }
  // By this thread alone: what it tells is passed on by nobody here, and it reaps nobody.
  bool join_without_keeper() {
    doing_ = "join";
    std::string detail;
    if (!CHECK_EQ(region().open(round_.name_space, 0600, &detail), Status::Ok)) return false;
    if (!CHECK_EQ(region().claim_process(), Status::Ok)) return false;
    region().joined();
    return sit_down();
  }

  void arm() const {
    for (const Arm& arm : round_.arms) {
      if (arm.member != number_) continue;
      mark().armed.store(true);
      arm_fault(arm.point, arm.action, arm.nth);
    }
  }

  void run_sections(int count) {
    for (int i = 0; i < count; ++i) {
      run_section(acquire());
    }
  }
  void run_section(bool told) {
    section(told);
    release();
    check_word();
    if (round_.unlinks && random_.one_in(6)) unlink();
  }

  // True where it was told that the last owner died.
  bool acquire() {
    return acquire_by([this] { return attempt(); });
  }
  // By one wait, without a deadline or slices: once it is queued it comes to the guard no more before it is told.
  bool acquire_patiently() {
    return acquire_by([this] {
      return is_async() ? wait_async(false)
                        : lock::acquire_sync(region(), seat_,
                                             {Deadline::never(), Deadline::never(), false});
    });
  }

  void section(bool told) {
    mark().holds.store(true);
    const uint32_t before = board_.inside.exchange(number_ + 1);
    // Who died inside is found there by the one that is told (or by the first at a new object of
    // that name).
    if (before != 0 && !((told || round_.unlinks) && board_.marks[before - 1].armed.load())) {
      fail("not alone inside");
    }
    const uint32_t counter = board_.counter.load(std::memory_order_relaxed);
    work();
    fault_point("test.critical");
    mark().completing.store(true);
    board_.counter.store(counter + 1, std::memory_order_relaxed);
    mark().completed.fetch_add(1);
    mark().completing.store(false);
    if (board_.inside.exchange(0) != number_ + 1) fail("another came inside");
    mark().holds.store(false);
  }

  void release() {
    doing_ = "release";
    const uint32_t way = random_.below(4);
    if (way == 0 && !round_.patient) {
      CHECK_EQ(lock::release(region(), seat_, lock::Release::Fair), Status::Ok);
    } else if (way == 1 || !fast_release()) {
      CHECK_EQ(lock::release(region(), seat_, lock::Release::Plain), Status::Ok);
    }
  }

  // A thread's end, an object closed before it, or simply gone: all must do.
  void leave() {
    doing_ = "leave";
    const uint32_t way = random_.below(3);
    if (way == 0) reap_agent(region(), agent_);
    if (way == 1) {
      static_cast<void>(lock::retire(region(), seat_));
      Registry registry(region());
      static_cast<void>(registry.close(agent_, seat_.ticket_index));
      registry.free_agent(agent_);
    }
    doing_ = "left";
  }

  // As lib/lock-word.ts does them.
  bool fast_acquire() {
    uint32_t word = seat_.object->word.load();
    while ((word & lock_word::kBlocksFastAcquire) == 0) {
      if (seat_.object->word.compare_exchange_weak(word, lock_word::with_owner(word, agent_)))
        return true;
    }
    return false;
  }
  bool fast_release() {
    uint32_t word = seat_.object->word.load();
    while (lock_word::fast_release_allowed(word)) {
      if (seat_.object->word.compare_exchange_weak(word, lock_word::with_owner(word, 0)))
        return true;
    }
    return false;
  }

  // Whether another one, that is stopped, is where nobody may be for long: the owner, or inside of a guard.
  [[nodiscard]] bool is_held_up_by(unsigned other) {
    const Mark& stopped = board_.marks[other];
    const auto is_inside = [&](const GuardRecord& guard) {
      return (guard.word.load() & 0xffff) == stopped.process.load() + 1;  // region/guard.cc
    };
    return lock_word::owner(seat_.object->word.load()) == stopped.agent.load() ||
           is_inside(seat_.object->guard) || is_inside(region().header().registry);
  }

  [[nodiscard]] Region& region() { return keeper_.region(); }
  [[nodiscard]] Seat& seat() { return seat_; }
  [[nodiscard]] AgentSlot agent() const { return agent_; }
  [[nodiscard]] Mark& mark() const { return board_.marks[number_]; }
  void say(const char* doing) { doing_ = doing; }

 private:
  [[nodiscard]] bool is_async() const { return number_ + 1 == round_.members; }

  bool sit_down() {
    Registry registry(region());
    if (!CHECK_EQ(registry.claim_agent(0, &agent_), Status::Ok) || !open(registry)) return false;
    mark().process.store(region().self().index);
    mark().agent.store(agent_);
    return true;
  }
  bool open(Registry& registry) {
    std::string detail;
    return CHECK_EQ(registry.open(agent_, "lock", Kind::Lock, {}, &seat_, &detail), Status::Ok);
  }

  template <typename Way>
  bool acquire_by(Way way) {
    for (;;) {
      switch (const Outcome outcome = way()) {
        case Outcome::Taken:
          return false;
        case Outcome::TakenAbandoned:
          if (random_.one_in(3)) {
            doing_ = "pass on an abandonment";
            CHECK_EQ(lock::release(region(), seat_, lock::Release::Untold), Status::Ok);
            continue;
          }
          mark().told.fetch_add(1);
          return true;
        case Outcome::Unlinked: {
          static_cast<void>(lock::retire(region(), seat_));
          Registry registry(region());
          static_cast<void>(registry.close(agent_, seat_.ticket_index));
          if (!open(registry)) ::_exit(1);
          continue;
        }
        default:
          if (outcome == Outcome::Corrupt || outcome == Outcome::Misuse) {
            CHECK_EQ(outcome, Outcome::Taken);
            ::_exit(1);
          }
      }
    }
  }

  Outcome attempt() {
    check_word();
    const uint32_t way = random_.below(round_.patient ? 5 : 8);
    if (way == 0) {
      doing_ = "fast acquire";
      return fast_acquire() ? Outcome::Taken : Outcome::Pending;
    }
    if (way == 1) {
      doing_ = "try_acquire";
      return lock::try_acquire(region(), seat_);
    }
    const bool gives_up = way >= 5;
    if (is_async()) return wait_async(gives_up);
    return wait_sync(gives_up ? Deadline::after_ns(random_.below(400'000)) : Deadline::never());
  }

  Outcome wait_sync(Deadline deadline) {
    for (;;) {
      doing_ = "acquire_sync";
      const Outcome outcome = lock::acquire_sync(
          region(), seat_,
          {deadline, round_.slices ? Deadline::after_ns(kSliceNs) : Deadline::never(), false});
      if (outcome != Outcome::Pending) return outcome;
    }
  }

  // As an event loop: asks the keeper to be told, looks, does something else until it is.
  Outcome wait_async(bool gives_up) {
    keeper_.watch(loop_, wait_);
    Outcome outcome;
    for (;;) {
      doing_ = "look, async";
      keeper_.take_up(loop_, &due_);
      outcome = lock::look(region(), seat_, WaitMode::Async);
      if (outcome != Outcome::Pending) break;
      doing_ = "asleep in the event loop";
      if (!gives_up) {
        delivered_.await();
        continue;
      }
      if (random_.one_in(2)) ::sched_yield();
      doing_ = "last_look";
      outcome = lock::last_look(region(), seat_);
      break;
    }
    keeper_.unwatch(loop_, wait_);
    return outcome;
  }

  void unlink() {
    doing_ = "unlink";
    AgentSlot holder = 0;
    const Status status = lock::unlink(region(), seat_, &holder);
    if (status == Status::InUse) return;
    if (!CHECK_EQ(status, Status::Ok)) return;
    Registry registry(region());
    static_cast<void>(registry.unlink(seat_.object_index));
  }

  // I4, I5, I7, I8 of sync/lock_word.h hold at any moment, whoever died.
  void check_word() {
    const uint32_t word = seat_.object->word.load();
    const bool owned = lock_word::owner(word) != 0;
    if ((word & lock_word::kStarving) != 0 && !owned) fail("STARVING without an owner");
    if ((word & lock_word::kAbandoned) != 0 && owned) fail("ABANDONED with an owner");
    if (lock_word::is_unlinked(word) && owned) fail("UNLINKED with an owner");
    if ((word & lock_word::kOffered) != 0 && owned) fail("OFFERED with an owner");
  }

  // Mostly short; sometimes long enough that others starve, or with the processor given away.
  void work() {
    doing_ = "inside";
    if (random_.one_in(12)) {
      const Deadline end = Deadline::after_ns(1'200'000);
      while (!end.passed()) ::sched_yield();
    } else {
      const Deadline end = Deadline::after_ns(random_.below(30'000));
      if (random_.one_in(3)) ::sched_yield();
      while (!end.passed()) {
      }
    }
  }

  void fail(const char* what) {
    board_.broken.fetch_add(1);
    std::fprintf(stderr, "  member %u: %s. %s\n", number_, what, round_.text().c_str());
  }

  void tell_of_hang() {
    char text[600];
    const ObjectRecord* object = seat_.object;
    const int length = std::snprintf(
        text, sizeof text,
        "  HANG: member %u%s, agent %u, %s: word %#x, its ticket's state %d, queue %d..%d, guard "
        "%#x, "
        "registry's guard %#x. %s\n",
        number_, is_async() ? " (async)" : "", agent_, doing_,
        object != nullptr ? object->word.load() : 0,
        seat_.ticket != nullptr ? static_cast<int>(seat_.ticket->state.load()) : -1,
        object != nullptr ? static_cast<int>(object->queue_head) : -1,
        object != nullptr ? static_cast<int>(object->queue_tail) : -1,
        object != nullptr ? object->guard.word.load() : 0,
        object != nullptr ? region().header().registry.word.load() : 0, round_.text().c_str());
    if (length > 0) {
      static_cast<void>(!::write(2, text, std::min(sizeof text - 1, static_cast<size_t>(length))));
    }
  }

  static inline Member* self_ = nullptr;

  const Round& round_;
  Board& board_;
  unsigned number_;
  Random random_;
  const char* doing_ = "";
  Keeper keeper_;
  AgentSlot agent_ = 0;
  Seat seat_;
  processes::Signal delivered_;
  LoopAgent loop_{[](void* signal) {
                    static_cast<processes::Signal*>(signal)->raise();
                    return true;
                  },
                  &delivered_};
  AsyncWait wait_;
  std::vector<AsyncWait*> due_;
};

}  // namespace crash
