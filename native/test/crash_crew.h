// A round of a crash test: some members, which of them die where, and what must be true when all have ended.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "crash_member.h"

namespace crash {

// A member for the life of its process: its keeper's thread outlives every scope.
inline Member& make_member(const Round& round, Board& board, unsigned number) {
  return *new Member(round, board, number);  // NOLINT: never destroyed
}

// Until all who died are reaped. Somebody is at it: this process' keeper began before start()
// returned.
inline void settle(Region& region) {
  for (ProcessIndex index = 0; index < region.process_limit(); ++index) {
    if (index == region.self().index) continue;
    while (region.process(index)->state.load() != ProcessState::Free) ::sched_yield();
  }
}

// A fresh process: everything must have been given back. Takes part as the last member.
inline void verify(const Round& round, Board& board) {
  Member& member = make_member(round, board, kMaxMembers - 1);
  if (!member.join()) return;
  member.say("settle");
  Region& region = member.region();
  settle(region);
  ObjectRecord& object = *member.seat().object;
  // Who has left may have ended inside of the guard: whoever enters then makes the state whole.
  if (object.guard.word.load() != 0) static_cast<void>(lock::holder(region, member.seat()));
  {
    const Guard guard(region, object.guard);
    CHECK(guard.entered() && !guard.needs_repair());
    CHECK_EQ(object.word.load() & ~lock_word::kAbandoned, 0u);
    CHECK_EQ(object.queue_head, kNone);
    CHECK_EQ(object.queue_tail, kNone);
    CHECK_EQ(object.woken.load(), 0u);
    CHECK_EQ(object.passed, 0u);
    CHECK_EQ(object.first_waiting, kNone);
    CHECK_EQ(object.tickets, 1u);
  }
  for (ObjectIndex i = 0; i < Region::count(region.header().objects); ++i) {
    const ObjectRecord& other = *region.object(i);
    if (&other == &object || other.state.load() == ObjectState::Free) continue;
    CHECK(std::string(other.name, other.name_bytes) != "lock");  // nothing left of those unlinked
  }
  const Outcome outcome = lock::try_acquire(region, member.seat());
  CHECK(outcome == Outcome::Taken || outcome == Outcome::TakenAbandoned);
  CHECK_EQ(object.word.load(), member.agent());
  if (outcome == Outcome::TakenAbandoned) member.mark().told.fetch_add(1);
  member.section(outcome == Outcome::TakenAbandoned);
  CHECK_EQ(lock::release(region, member.seat(), lock::Release::Plain), Status::Ok);
  CHECK_EQ(object.word.load(), 0u);
  for (TicketIndex i = 0; i < Region::count(region.header().tickets); ++i) {
    const AgentSlot agent = region.ticket(i)->agent.load();
    if (agent != 0) CHECK_EQ(agent, member.agent());
  }
  for (AgentSlot i = 1; i < Region::count(region.header().agents); ++i) {
    const uint32_t process = region.agent(i)->process.load();
    if (process != 0) CHECK_EQ(i, member.agent());
  }
}

inline bool driver_check(bool ok, const char* what, const Round& round) {
  if (ok) return true;
  std::fprintf(stderr, "  %s. %s\n", what, round.text().c_str());
  return CHECK(ok);
}

// Children of one round, and what is to be seen when all have ended.
class Crew {
 public:
  explicit Crew(const Round& round) : round_(round) {}

  template <typename Body>
  void add(Body body) {
    const auto number = static_cast<unsigned>(pids_.size());
    pids_.push_back(processes::spawn([&, number] { body(number); }));
  }
  [[nodiscard]] pid_t pid(unsigned member) const { return pids_[member]; }
  [[nodiscard]] bool died(unsigned member) const { return ends_[member].killed(); }
  [[nodiscard]] unsigned deaths() const {
    return static_cast<unsigned>(
        std::count_if(ends_.begin(), ends_.end(), [](const End& e) { return e.killed(); }));
  }

  // Waits for it to be stopped; false where it ended instead.
  bool stops(unsigned member) {
    ends_.resize(pids_.size());
    ends_[member] = processes::wait_for(pids_[member], WUNTRACED);
    return ends_[member].stopped;
  }
  // Only who was to die may have died, and all others must have left well.
  void join_one(unsigned member) {
    ends_.resize(pids_.size());
    End& end = ends_[member];
    end = processes::wait_for(pids_[member]);
    const bool armed = std::any_of(round_.arms.begin(), round_.arms.end(),
                                   [member](const Arm& arm) { return arm.member == member; });
    if (end.hung()) some_hung = true;
    driver_check(end.well() || (end.killed() && armed),
                 end.hung() ? "a member hung" : "a member failed", round_);
  }
  void join() {
    for (unsigned i = 0; i < pids_.size(); ++i) join_one(i);
  }
  void join_all_but(unsigned member) {
    for (unsigned i = 0; i < pids_.size(); ++i) {
      if (i != member) join_one(i);
    }
  }

 private:
  const Round& round_;
  std::vector<pid_t> pids_;
  std::vector<End> ends_;
};

// After a crew's end: the fresh process, the counts. `told` at least `least`, at most `most`.
inline void inspect(const Round& round, Board& board, const Crew& crew, int least, int most) {
  const pid_t fresh = processes::spawn([&] { verify(round, board); });
  const End end = processes::wait_for(fresh);
  if (end.hung()) some_hung = true;
  driver_check(end.well(), "a fresh process did not find everything right", round);
  driver_check(board.broken.load() == 0, "exclusivity was broken", round);
  uint32_t completed = 0;
  uint32_t slack = 0;
  int told = 0;
  for (unsigned i = 0; i < kMaxMembers; ++i) {
    const Mark& mark = board.marks[i];
    completed += mark.completed.load();
    told += mark.told.load();
    if (i < round.members && crew.died(i) && mark.completing.load()) ++slack;
  }
  driver_check(
      board.counter.load() >= completed - slack && board.counter.load() <= completed + slack,
      "sections were lost", round);
  if (!driver_check(told >= least && told <= most, "abandonments told: not as many as there were",
                    round)) {
    std::fprintf(stderr, "  told %d, expected %d to %d\n", told, least, most);
  }
}

inline Owns owns_at(const char* point) {
  for (const Point& p : kPoints) {
    if (std::string(p.name) == point) return p.owns;
  }
  return Owns::Either;
}

// One round of a crew at one lock. Returns how many died.
inline unsigned run_round(const Round& round) {
  if (some_hung) return 0;
  processes::Shared<Board> shared;
  Board& board = *shared;
  processes::Gate gate;
  processes::Rest rest;
  Crew crew(round);
  for (unsigned i = 0; i < round.members; ++i) {
    crew.add([&](unsigned number) {
      Member& member = make_member(round, board, number);
      if (round.arm_before_joining) member.arm();
      const bool joined = member.join();
      if (!round.arm_before_joining) gate.pass();
      if (!joined) return;
      if (!round.arm_before_joining) member.arm();
      member.run_sections(round.sections);
      rest.rest();
      member.leave();
    });
  }
  if (!round.arm_before_joining) gate.open_for(round.members);
  rest.end_when_nobody_works(round.members);
  crew.join();
  // With one death it is known whether its owner died; with several, that each may have been told,
  // and that each who knew itself to be inside was.
  const unsigned deaths = crew.deaths();
  int least = 0;
  int most = static_cast<int>(deaths);
  for (unsigned i = 0; i < round.members; ++i) {
    if (crew.died(i) && board.marks[i].holds.load()) ++least;
  }
  if (deaths == 1 && round.arms.size() == 1 && least == 0) {
    const Owns owns = owns_at(round.arms[0].point);
    if (owns == Owns::Yes) least = 1;
    if (owns == Owns::No) most = 0;
  }
  if (round.unlinks) least = 0;  // an unlinked object's mark goes with it
  inspect(round, board, crew, least, most);
  return deaths;
}

// Rounds until the point has fired so often; `make` draws each.
template <typename Make>
inline void fire(const char* point, unsigned often, unsigned deaths_needed, Make make) {
  if (kForksAreSlow && !Random(next_seed()).one_in(6)) return;  // another run, another point
  unsigned fired = 0;
  unsigned made = 0;
  for (; made < 60 && fired < rounds(often) && !some_hung; ++made) {
    Random random(next_seed());
    Round round = make(random);
    round.seed = random.next();
    if (run_round(round) >= deaths_needed) ++fired;
  }
  if (some_hung) return;
  if (std::getenv("HOLDFAST_VERBOSE") != nullptr) {
    std::fprintf(stderr, "  %-18s fired in %u of %u rounds\n", point, fired, made);
  }
  if (!CHECK(fired > 0)) std::fprintf(stderr, "  %s did not fire in %u rounds\n", point, made);
}

template <size_t N>
inline const char* any_of(const char* const (&points)[N], Random& random) {
  return points[random.below(N)];
}

// Which of the others: `skip` members are taken.
inline unsigned other_than(unsigned member, unsigned members, Random& random) {
  return (member + 1 + random.below(members - 1)) % members;
}

inline Round one_death(const Place& place, const char* point, Random& random) {
  Round round;
  round.name_space = place.name();
  round.arms = {{random.below(round.members), point, 1 + static_cast<int>(random.below(5))}};
  return round;
}

// The first dies at `first`; two others of the four are armed at `second`.
inline Round deaths_in_turn(const Place& place, const char* first, const char* second,
                            Random& random) {
  Round round;
  round.name_space = place.name();
  const unsigned victim = random.below(round.members);
  const unsigned spared = other_than(victim, round.members, random);
  round.arms = {{victim, first, 1 + static_cast<int>(random.below(3))}};
  for (unsigned i = 0; i < round.members; ++i) {
    if (i != victim && i != spared) round.arms.push_back({i, second});
  }
  return round;
}

inline constexpr const char* kOwnersDeaths[] = {"test.critical", "look.taken", "wake.chosen",
                                                "look.dequeued"};
// What the reaper has to do after them: give back, choose the next one, wake who was told and not woken.
inline constexpr const char* kFirstDeaths[] = {"test.critical", "look.taken", "wake.chosen",
                                               "wake.ring",     "wake.freed", "offer.freed",
                                               "offer.chosen"};
inline constexpr const char* kDeathsInsideTheGuard[] = {
    "guard.entered",     "guard.leaving",  "leave.retracted", "look.taken",      "enqueue.numbered",
    "enqueue.published", "enqueue.linked", "look.noted",      "cancel.unlinked", "offer.chosen",
    "offer.freed",       "wake.chosen",    "wake.freed"};

}  // namespace crash
