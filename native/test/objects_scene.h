// One object of any kind and some agents that one thread drives in turn, so that each order of events is a fixed
// one. After every step what the headers promise is checked: the queue is its tickets in order, what is counted is
// what the tickets say, and who may go on has been told. A test says what it expects as a picture:
//
//   "2k 3w 5p / 1g 4x"   the queue, head first: 2 is woKen, 3 Waits, 5 is Passed; out of the queue: 1 was Granted, 4
//                        was told that the object is over
//
// Agents are numbered 1 ... as the test made them. Each has a home seat and one waiter. In a step the clock stands
// still; advance() moves it.
#pragma once

#include <algorithm>
#include <string>
#include <type_traits>
#include <vector>

#include "fixture.h"
#include "stopped_clock.h"
#include "sync/attempt.h"
#include "sync/barrier.h"
#include "sync/condition.h"
#include "sync/event.h"
#include "sync/lock_word.h"
#include "sync/rwlock.h"
#include "sync/semaphore.h"
#include "sync/shared_memory.h"
#include "wait/queue.h"
#include "wait/reaper.h"
#include "wait/stay.h"

namespace objects_scene {

using namespace holdfast;  // NOLINT: test code, and only in this namespace
using rwlock::kRead;
using rwlock::kUpgrade;
using rwlock::kWrite;

inline Outcome index_outcome(uint32_t index) {
  return static_cast<Outcome>(static_cast<uint32_t>(Outcome::FirstIndex) + index);
}

// An agent's two seats at an object.
struct Party {
  Seat home;
  Seat waiter;

  Attempt wants(uint32_t role, uint32_t units, OrElse or_else) {
    Attempt wanted;
    wanted.home = &home;
    wanted.waiter = &waiter;
    wanted.role = role;
    wanted.units = units;
    wanted.or_else = or_else;
    return wanted;
  }
};

inline Party join(Region& region, std::string_view name, Kind kind, Parameters parameters,
                  bool anonymous = false) {
  Party party;
  std::string detail;
  const AgentSlot agent = fixture::claim_agent(region);
  Registry registry(region);
  CHECK_EQ(registry.open(agent, name, kind,
                         {.create = true, .anonymous = anonymous, .parameters = parameters},
                         &party.home, &detail),
           Status::Ok);
  CHECK_EQ(registry.open_another(party.home, &party.waiter), Status::Ok);
  return party;
}

// What the tickets of an object say, those that are about to be reaped among them.
struct Tickets {
  std::vector<TicketIndex> queued;  // in the order in which they came
  uint32_t woken = 0;
  uint32_t passed = 0;
  TicketIndex first_waiting = kNone;
  UnitSums sums = {};
  uint32_t held = 0;
  uint32_t shares = 0;
  uint32_t writers = 0;
  uint32_t runners = 0;
  TicketIndex upgrade = kNone;
};

inline Tickets look_through_tickets(Region& region, ObjectIndex object) {
  Tickets all;
  for (TicketIndex i = 0; i < Region::count(region.header().tickets); ++i) {
    const TicketRecord& ticket = *region.ticket(i);
    if (ticket.agent.load() == 0 || ticket.object.load() != object) continue;
    if (WaitQueue::is_queued(ticket)) all.queued.push_back(i);
    all.held += ticket.held;
    all.shares += ticket.held & 0x7fffffff;
    if ((ticket.held & 0x80000000) != 0) ++all.writers;
    if (ticket.held != 0) ++all.runners;
  }
  std::sort(all.queued.begin(), all.queued.end(), [&](TicketIndex a, TicketIndex b) {
    return region.ticket(a)->seq < region.ticket(b)->seq;
  });
  for (const TicketIndex i : all.queued) {
    const TicketRecord& ticket = *region.ticket(i);
    const TicketState state = state_of(ticket);
    if (state == TicketState::Woken) ++all.woken;
    if (state == TicketState::Woken) all.sums.woken += ticket.units;
    if (state == TicketState::Passed) ++all.passed;
    if (state != TicketState::Passed) all.sums.to_come += ticket.units;
    if (state == TicketState::Waiting && all.first_waiting == kNone) all.first_waiting = i;
    if (ticket.role == kUpgrade) all.upgrade = i;
  }
  return all;
}

inline void check_sums(const UnitSums& sums, const Tickets& tickets) {
  CHECK_EQ(sums.woken, tickets.sums.woken);
  CHECK_EQ(sums.to_come, tickets.sums.to_come);
}

// `next`: the first that waits, and may have to be told; nullptr: nobody, or not for certain.
inline void check_semaphore(const ObjectRecord& object, const Tickets& all,
                            const TicketRecord* next) {
  const SemaphoreState& state = object.semaphore;
  check_sums(state.sums, all);
  if (object.parameters.second != 0) CHECK_EQ(state.free + all.held, object.parameters.first);
  CHECK(next == nullptr || all.sums.woken + next->units > state.free);
}

inline void check_rwlock(Region& region, const ObjectRecord& object, const Tickets& all,
                         const TicketRecord* next) {
  const RWLockState& state = object.rwlock;
  check_sums(state.sums, all);
  CHECK_EQ(state.readers, all.shares);
  CHECK_EQ(state.writer != 0, all.writers == 1);
  CHECK(all.writers == 0 || (all.writers == 1 && all.shares == 0));
  CHECK_EQ(state.upgrade, all.upgrade == kNone ? 0 : all.upgrade + 1);
  if (state.writer != 0) return;
  if (all.upgrade != kNone && state_of(*region.ticket(all.upgrade)) != TicketState::Passed) {
    CHECK(state.readers > 1 || state_of(*region.ticket(all.upgrade)) == TicketState::Woken);
    return;
  }
  if (next == nullptr || all.sums.woken != 0) return;
  CHECK(next->role == kWrite && (state.readers != 0 || all.woken != 0));
}

inline void check_barrier(Region& region, const ObjectRecord& object, const Tickets& all) {
  const uint32_t parties = object.parameters.first;
  switch (static_cast<barrier::Phase>(object.barrier.phase)) {
    case barrier::Phase::Filling:
      CHECK_EQ(all.runners, 0u);
      if (all.queued.size() < parties) break;
      for (uint32_t i = 0; i < parties; ++i) {  // a full round: whoever of it comes first runs
        CHECK_EQ(state_of(*region.ticket(all.queued[i])), TicketState::Woken);
      }
      break;
    case barrier::Phase::Acting:
      CHECK_EQ(all.runners, 1u);
      CHECK(all.queued.size() + 1 >= parties);
      break;
    case barrier::Phase::Broken:
      CHECK(all.queued.empty());
      break;
    default:
      CHECK(false);
  }
}

// What must be true of an object whenever nobody else is inside of its guard. `dying`: some of its agents may be dead,
// and not reaped.
inline void check_state(Region& region, ObjectRecord& object, ObjectIndex index,
                        bool dying = false) {
  const Tickets all = look_through_tickets(region, index);
  std::vector<TicketIndex> listed;
  for (TicketIndex i = object.queue_head; region.ticket(i) != nullptr; i = region.ticket(i)->next) {
    if (!CHECK(listed.size() <= all.queued.size())) break;
    listed.push_back(i);
  }
  CHECK(listed == all.queued);
  CHECK_EQ(object.queue_tail, all.queued.empty() ? kNone : all.queued.back());
  CHECK_EQ(object.woken.load(), all.woken);
  CHECK_EQ(object.passed, all.passed);
  CHECK_EQ(object.first_waiting, all.first_waiting);
  if (lock_word::is_unlinked(object.word.load())) CHECK(all.queued.empty());
  const TicketRecord* next = dying ? nullptr : region.ticket(all.first_waiting);
  switch (object.kind) {
    case Kind::Semaphore:
      check_semaphore(object, all, next);
      break;
    case Kind::Event:
      CHECK((object.word.load() & event::kSet) == 0 || all.queued.empty());
      CHECK_EQ(all.woken, 0u);
      CHECK_EQ(all.passed, 0u);
      break;
    case Kind::RWLock:
      check_rwlock(region, object, all, next);
      break;
    case Kind::Barrier:
      CHECK_EQ(all.passed, 0u);
      check_barrier(region, object, all);
      break;
    default:
      break;
  }
}

// And nobody is inside at all.
inline void check_whole(Region& region, ObjectRecord& object, ObjectIndex index,
                        bool dying = false) {
  CHECK(fixture::is_free(object.guard));
  check_state(region, object, index, dying);
}

struct World {
  fixture::NameSpace name_space;
  fixture::Member member{name_space.name()};
};

inline Region& region() {
  static World world;
  return world.member.region();
}

class Scene {
 public:
  Scene(Kind kind, int agents, Parameters parameters = {}) : kind_(kind), parameters_(parameters) {
    for (int i = 0; i < agents; ++i) {
      parties_.push_back(join(region(), name_, kind_, parameters_, true));
    }
  }
  Scene(const Scene&) = delete;
  Scene& operator=(const Scene&) = delete;
  ~Scene() {
    for (const Party& party : parties_) reap_agent(region(), party.home.agent);
  }

  Party& party(int who) { return parties_[static_cast<size_t>(who - 1)]; }
  TicketRecord& ticket(int who) { return *party(who).waiter.ticket; }
  TicketRecord& home(int who) { return *party(who).home.ticket; }
  ObjectRecord& object() { return *parties_[0].home.object; }
  uint32_t free() { return object().semaphore.free; }

  // The steps.
  Outcome queue(int who, uint32_t role = 0, uint32_t units = 1) {
    return try_as(who, role, units, OrElse::Queue);
  }
  Outcome try_it(int who, uint32_t role = 0, uint32_t units = 1) {
    return try_as(who, role, units, OrElse::Leave);
  }
  Outcome cancel(int who, uint32_t role = 0, uint32_t units = 1) {
    return try_as(who, role, units, OrElse::Cancel);
  }
  int32_t act(int who, Action action, uint32_t units = 0) {
    return step([&] {
      return holdfast::act(region(), party(who).home, &party(who).waiter, action, units);
    });
  }
  int32_t release(int who, uint32_t units = 1) { return act(who, Action::Release, units); }
  // At shared memory, of those who wait for the element.
  int32_t notify(int who, uint32_t element, uint32_t count) {
    return step([&] { return shared_memory::notify(region(), party(who).home, element, count); });
  }
  int32_t ask(int who, Question question) {
    return step([&] { return holdfast::ask(region(), party(who).home, question); });
  }
  int64_t pass_on() {
    return step([&] { return holdfast::pass_on(region(), parties_[0].home.object_index); });
  }
  Status unlink(int who) {
    return step([&] { return unlink_object(region(), party(who).home); });
  }
  // Its agent is gone, with all its seats. The number stays.
  void reap(int who) {
    step([&] {
      reap_agent(region(), party(who).home.agent);
      return 0;
    });
  }
  // In the place of one that was reaped.
  void join_anew(int who) { party(who) = join(region(), name_, kind_, parameters_, true); }
  // The first half of a reaping: its waiter is out of the queue. Who is next is told in the second.
  void withdraw(int who) {
    const stopped_clock::Stop stop(now_ns_);
    withdraw_seat(region(), {party(who).waiter, {}});
  }

  [[nodiscard]] int64_t now() const { return now_ns_; }
  void advance(int64_t ns) { now_ns_ += ns; }
  // `who` was told too long ago, and nobody has seen it yet.
  void lapse(int who) { ticket(who).told_ns = now_ns_ - kLongLapsedNs; }
  // ... is Passed: it was told, and did not come in time.
  void pass_by(int who) {
    lapse(who);
    pass_on();
    CHECK_EQ(state(who), TicketState::Passed);
  }

  // Leaves the object as one who died inside of the guard, after `cut` changed what it had time to. The next step
  // repairs.
  template <typename Cut>
  void die_inside(Cut cut) {
    fixture::leave_dead_inside(region(), object().guard);
    cut();
  }

  void check() { check_whole(region(), object(), parties_[0].home.object_index); }

  TicketState state(int who) { return state_of(ticket(who)); }
  bool is_there(int who) { return ticket(who).agent.load() == party(who).home.agent; }

  std::string picture() {
    std::string text;
    TicketIndex index = object().queue_head;
    while (const TicketRecord* queued = region().ticket(index)) {
      text += std::to_string(number_of(queued->agent.load())) +
              "?wkgxp"[static_cast<int>(state_of(*queued))] + " ";
      index = queued->next;
    }
    std::string told;
    for (int who = 1; who <= static_cast<int>(parties_.size()); ++who) {
      if (!is_there(who)) continue;  // reaped
      if (state(who) == TicketState::Granted) told += " " + std::to_string(who) + "g";
      if (state(who) == TicketState::Gone) told += " " + std::to_string(who) + "x";
    }
    if (!told.empty()) text += "/" + told;
    while (!text.empty() && text.back() == ' ') text.pop_back();
    return text;
  }

  // What the values of SharedValue, or the elements that are waited for, hold.
  uint64_t memory[4] = {};

 private:
  template <typename Step>
  std::invoke_result_t<Step> step(Step step) {
    const stopped_clock::Stop stop(now_ns_);
    const auto result = step();
    check();
    return result;
  }
  Outcome try_as(int who, uint32_t role, uint32_t units, OrElse or_else) {
    Attempt wanted = party(who).wants(role, units, or_else);
    wanted.element = {reinterpret_cast<std::byte*>(memory), sizeof memory, 0};
    return step([&] { return attempt(region(), wanted); });
  }
  int number_of(AgentSlot slot) const {
    for (size_t i = 0; i < parties_.size(); ++i) {
      if (parties_[i].home.agent == slot) return static_cast<int>(i + 1);
    }
    return -1;
  }

  int64_t now_ns_ = monotonic_ns();
  std::string name_ = fixture::fresh_name();
  Kind kind_;
  Parameters parameters_;
  std::vector<Party> parties_;
};

#define IS(scene, text) CHECK_EQ((scene).picture(), std::string(text))

constexpr auto kOk = static_cast<int32_t>(Status::Ok);
constexpr auto kNotOwner = static_cast<int32_t>(Status::NotOwner);

}  // namespace objects_scene
