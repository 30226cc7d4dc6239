// A lock and some agents that one thread drives in turn, so that each order of events is a fixed one; after every
// step the invariants I1 to I8 of sync/lock_word.h are checked, and that what is counted is what the tickets say. A
// test says what it expects as a picture:
//
//   "1 WS: 2w* 3k / 4x"    agent 1 has the lock ("-": nobody); the word's flags, in the order W K S A U O (Waiters,
//                          woKen, Starving, Abandoned, Unlinked, Offered); the queue, head first: 2 is Waiting and
//                          starved, 3 is woKen ("p": Passed; "!": the lock is offered to it); out of the queue: 4 is
//                          Gone
//
// Agents are numbered 1 ... as the test made them. In a step the clock stands still; advance() moves it.
#pragma once

#include <algorithm>
#include <string>
#include <type_traits>
#include <vector>

#include "fixture.h"
#include "stopped_clock.h"
#include "sync/attempt.h"
#include "sync/lock.h"
#include "sync/lock_word.h"
#include "wait/queue.h"
#include "wait/reaper.h"
#include "wait/stay.h"

namespace lock_scene {

using namespace holdfast;
using fixture::Member;
using lock::Release;

constexpr int64_t kHourNs = 3'600'000'000'000;
constexpr int64_t kMsNs = 1'000'000;

struct World {
  fixture::NameSpace name_space;
  Member member{name_space.name()};
};

inline Region& region() {
  static World world;
  return world.member.region();
}

// One lock and some agents, each with a seat at it.
class Scene {
 public:
  explicit Scene(int agents) : name_(fixture::fresh_name()) {
    for (int i = 0; i < agents; ++i) join();
  }
  Scene(const Scene&) = delete;
  Scene& operator=(const Scene&) = delete;
  ~Scene() {
    for (const Seat& seat : seats_) reap_agent(region(), seat.agent);
  }

  void join() {
    seats_.push_back(fixture::seat_at(region(), fixture::claim_agent(region()), name_,
                                      {.create = true, .anonymous = true}));
  }

  Seat& seat(int who) { return seats_[static_cast<size_t>(who - 1)]; }
  TicketRecord& ticket(int who) { return *seat(who).ticket; }
  ObjectRecord& object() { return *seats_[0].object; }
  std::atomic<uint32_t>& word() { return object().word; }

  // The steps.

  Outcome try_acquire(int who) {
    return step([&] { return lock::try_acquire(region(), seat(who)); });
  }
  Outcome look(int who, WaitMode mode = WaitMode::Sync) {
    return step([&] { return lock::look(region(), seat(who), mode); });
  }
  Outcome last_look(int who) {
    return step([&] { return lock::last_look(region(), seat(who)); });
  }
  Status release(int who, Release how = Release::Plain) {
    return step([&] { return lock::release(region(), seat(who), how); });
  }
  int64_t pass_on() {
    return step([&] { return holdfast::pass_on(region(), seats_[0].object_index); });
  }
  lock::Holder holder(int who) {
    return step([&] { return lock::holder(region(), seat(who)); });
  }
  // The first half of a reaping: nobody is told yet, so I6 waits for the second.
  void withdraw(int who) {
    const stopped_clock::Stop stop(now_ns_);
    withdraw_seat(region(), {seat(who), {}});
    check_invariants(NobodyTold::Yet);
  }
  // The ticket is of the object's again for what comes next: in a test the agent lives on.
  void reap(int who) {
    step([&] {
      reap_seat(region(), {seat(who), {}});
      return 0;
    });
    CHECK_EQ(ticket(who).object.load(), seat(who).object_index | kRetired);
    ticket(who).object.store(seat(who).object_index);
  }
  Status unlink(int who, AgentSlot* holder) {
    return step([&] { return lock::unlink(region(), seat(who), holder); });
  }

  // As JavaScript does them: one compare-and-swap, where the word that was read allows it.
  bool fast_acquire(int who) {
    uint32_t seen = word().load(std::memory_order_relaxed);
    if ((seen & lock_word::kBlocksFastAcquire) != 0) return done(false);
    return done(word().compare_exchange_strong(seen, lock_word::with_owner(seen, agent(who))));
  }
  bool fast_release(int who) {
    uint32_t seen = word().load(std::memory_order_relaxed);
    if (lock_word::owner(seen) != agent(who) || !lock_word::fast_release_allowed(seen)) {
      return done(false);
    }
    return done(word().compare_exchange_strong(seen, lock_word::with_owner(seen, 0)));
  }

  [[nodiscard]] int64_t now() const { return now_ns_; }
  void advance(int64_t ns) { now_ns_ += ns; }
  // From now on `who`, which is queued, has waited too long.
  void starve(int who) {
    ticket(who).since_ns = now_ns_ - kHourNs;
    object().lock.handed_over_ns = 0;
  }
  // ... was told too long ago, and nobody has seen it yet.
  void lapse(int who) { ticket(who).told_ns = now_ns_ - kLongLapsedNs; }
  // ... is Passed: it was told, and did not come in time.
  void pass_by(int who) {
    lapse(who);
    pass_on();
    CHECK_EQ(state(who), TicketState::Passed);
  }

  // Leaves the object as one who died inside of the guard, after `cut` changed what it had time to.
  template <typename Cut>
  void die_inside(Cut cut) {
    fixture::leave_dead_inside(region(), object().guard);
    cut();
  }

  AgentSlot agent(int who) { return seat(who).agent; }
  // 0: nobody's, -1: a stranger's.
  int number_of(AgentSlot slot) const {
    if (slot == 0) return 0;
    for (size_t i = 0; i < seats_.size(); ++i) {
      if (seats_[i].agent == slot) return static_cast<int>(i + 1);
    }
    return -1;
  }

  // The queue as its list says.
  std::vector<int> queue() {
    std::vector<int> order;
    TicketIndex before = kNone;
    TicketIndex index = object().queue_head;
    while (const TicketRecord* ticket = region().ticket(index)) {
      if (!CHECK(order.size() <= seats_.size())) break;
      CHECK_EQ(ticket->previous, before);
      order.push_back(number_of(ticket->agent.load()));
      before = index;
      index = ticket->next;
    }
    CHECK_EQ(object().queue_tail, before);
    return order;
  }

  TicketState state(int who) { return static_cast<TicketState>(ticket(who).state.load()); }

  std::string picture() {
    const uint32_t seen = word().load();
    const int owner = number_of(lock_word::owner(seen));
    std::string text = owner == 0 ? "-" : std::to_string(owner);
    std::string flags;
    for (int bit = 16; bit < 32; ++bit) {
      if ((seen >> bit & 1) != 0) flags += bit < 22 ? "WKSAUO"[bit - 16] : '?';
    }
    if (!flags.empty()) text += " " + flags;
    std::string list;
    for (const int who : queue()) {
      list += " " + std::to_string(who) + "?wkgxp"[static_cast<int>(state(who))];
      if (ticket(who).starved != 0) list += "*";
      if (is_offered(who)) list += "!";
    }
    if (!list.empty()) text += ":" + list;
    std::string told;
    for (int who = 1; who <= static_cast<int>(seats_.size()); ++who) {
      if (state(who) == TicketState::Granted) told += " " + std::to_string(who) + "g";
      if (state(who) == TicketState::Gone) told += " " + std::to_string(who) + "x";
    }
    return told.empty() ? text : text + " /" + told;
  }

  enum class NobodyTold : uint8_t { Never, Yet };

  // I1 to I8, for a moment when the guard is free.
  void check_invariants(NobodyTold allowed = NobodyTold::Never) {
    const uint32_t seen = word().load();
    const AgentSlot owner = lock_word::owner(seen);
    CHECK(fixture::is_free(object().guard));
    std::vector<int> queued;
    uint32_t waiting = 0;
    uint32_t woken = 0;
    uint32_t passed = 0;
    bool offeree_woken = false;
    for (int who = 1; who <= static_cast<int>(seats_.size()); ++who) {
      const bool in_line = WaitQueue::is_queued(ticket(who));
      if (in_line) queued.push_back(who);
      if (in_line) CHECK(ticket(who).agent.load() != owner);  // I1
      if (state(who) == TicketState::Waiting) ++waiting;
      if (state(who) == TicketState::Woken) ++woken;
      if (state(who) == TicketState::Passed) ++passed;
      if (is_offered(who) && state(who) == TicketState::Woken) offeree_woken = true;
      CHECK(state(who) != TicketState::Granted);
      if (state(who) == TicketState::None) CHECK_EQ(ticket(who).starved, 0u);
    }
    std::sort(queued.begin(), queued.end(),
              [this](int a, int b) { return ticket(a).seq < ticket(b).seq; });
    CHECK(queue() == queued);  // the list is the tickets, first come first
    CHECK_EQ(object().woken.load(), woken);
    CHECK_EQ(object().passed, passed);
    const auto first = std::find_if(queued.begin(), queued.end(),
                                    [this](int who) { return state(who) == TicketState::Waiting; });
    CHECK_EQ(object().first_waiting, first == queued.end() ? kNone : seat(*first).ticket_index);
    CHECK_EQ((seen & lock_word::kWaiters) != 0, !queued.empty());         // I2, no slack used
    CHECK((seen & lock_word::kWoken) == 0 || woken > 0 || waiting == 0);  // I3
    CHECK((seen & lock_word::kStarving) == 0 || owner != 0);              // I4
    CHECK((seen & lock_word::kAbandoned) == 0 || owner == 0);             // I5
    CHECK(owner != 0 || waiting == 0 || woken > 0 || allowed == NobodyTold::Yet);              // I6
    CHECK(!lock_word::is_unlinked(seen) || (seen == lock_word::kUnlinked && queued.empty()));  // I7
    CHECK(!was_unlinked_ || lock_word::is_unlinked(seen));                      // I7, for ever
    CHECK((seen & lock_word::kOffered) == 0 || (owner == 0 && offeree_woken));  // I8
    CHECK_EQ(seen >> 22, 0u);
    was_unlinked_ = lock_word::is_unlinked(seen);
  }

 private:
  template <typename Step>
  std::invoke_result_t<Step> step(Step step) {
    const stopped_clock::Stop stop(now_ns_);
    const auto result = step();
    check_invariants();
    return result;
  }
  template <typename Result>
  Result done(Result result) {
    check_invariants();
    return result;
  }
  bool is_offered(int who) {
    return (word().load() & lock_word::kOffered) != 0 &&
           object().lock.offered == seat(who).ticket_index;
  }

  int64_t now_ns_ = monotonic_ns();
  std::string name_;
  std::vector<Seat> seats_;
  bool was_unlinked_ = false;
};

#define IS(scene, text) CHECK_EQ((scene).picture(), std::string(text))

// 1 holds, the others wait in order.
inline void line_up(Scene& scene, int agents) {
  CHECK_EQ(scene.try_acquire(1), Outcome::Taken);
  for (int who = 2; who <= agents; ++who) CHECK_EQ(scene.look(who), Outcome::Pending);
}

// ... and 1 has let go, so that 2 was woken and the lock stands free.
inline void line_up_and_wake(Scene& scene, int agents) {
  line_up(scene, agents);
  CHECK_EQ(scene.release(1), Status::Ok);
}

// ... and 1 has offered it to 2.
inline void line_up_and_offer(Scene& scene, int agents) {
  line_up(scene, agents);
  CHECK_EQ(scene.release(1, Release::Fair), Status::Ok);
}

}  // namespace lock_scene
