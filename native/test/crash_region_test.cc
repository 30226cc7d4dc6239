// Processes die while they join, while names come and go, and while tables grow.

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "crash_crew.h"

using namespace crash;

TEST(a_member_dies_while_it_joins) {
  for (const Point& point : kPoints) {
    if (point.scene != Scene::Join && point.scene != Scene::Grow) continue;
    unsigned nth = 0;
    std::unique_ptr<Place> fresh;
    fire(point.name, 8, 1, [&](Random& random) {
      fresh.reset();
      fresh = std::make_unique<Place>();
      Round round = one_death(*fresh, point.name, random);
      round.arm_before_joining = true;
      round.arms[0].nth = point.scene == Scene::Grow ? 1 + static_cast<int>(nth++ % 4) : 1;
      round.arms.push_back({other_than(round.arms[0].member, round.members, random), point.name});
      return round;
    });
  }
}

namespace {

// Names that come and go. The first kLasting stay once they are made, the others go with their last
// user.
constexpr uint32_t kLasting = 12;
constexpr uint32_t kNames = 16;

struct Names {
  Board board;
  std::atomic<uint32_t> object[kLasting];  // index + 1, the same for all who ever open it
  std::atomic<uint32_t> inside[kNames];    // member + 1
};

std::string name_of(uint32_t number) {
  return (number < kLasting ? "lasting-" : "passing-") + std::to_string(number);
}

struct Use {
  Seat seat;
  uint32_t name = 0;
};

bool open_one(Member& member, AgentSlot agent, uint32_t name, Names& names, Seat* seat) {
  std::string detail;
  Registry registry(member.region());
  if (!CHECK_EQ(registry.open(agent, name_of(name), Kind::Lock,
                              {.create = true, .anonymous = name >= kLasting}, seat, &detail),
                Status::Ok)) {
    return false;
  }
  if (name < kLasting) {
    uint32_t known = 0;
    if (!names.object[name].compare_exchange_strong(known, seat->object_index + 1)) {
      CHECK_EQ(known, seat->object_index + 1);
    }
  }
  return true;
}

void use_one(Member& member, unsigned number, Use& use, Names& names) {
  member.say("acquire a name");
  const Outcome outcome =
      lock::acquire_sync(member.region(), use.seat, {Deadline::never(), Deadline::never(), false});
  const bool told = outcome == Outcome::TakenAbandoned;
  CHECK(told || outcome == Outcome::Taken);
  const uint32_t before = names.inside[use.name].exchange(number + 1);
  // An object that goes with its last user takes the mark of his death along.
  const bool may_be_told_nothing = use.name >= kLasting;
  CHECK(before == 0 ||
        ((told || may_be_told_nothing) && names.board.marks[before - 1].armed.load()));
  ::sched_yield();
  CHECK_EQ(names.inside[use.name].exchange(0), number + 1);
  CHECK_EQ(lock::release(member.region(), use.seat, lock::Release::Plain), Status::Ok);
}

// Opens, uses, closes; some of it as further agents of this process.
void come_and_go(Member& member, unsigned number, Names& names, Random& random) {
  std::vector<Use> uses;
  for (int i = 0; i < 60; ++i) {
    member.say("come and go");
    if (uses.size() == 4 || (!uses.empty() && random.one_in(3))) {
      Use gone = uses[random.below(static_cast<uint32_t>(uses.size()))];
      std::erase_if(uses, [&](const Use& use) { return use.seat.ticket == gone.seat.ticket; });
      static_cast<void>(lock::retire(member.region(), gone.seat));
      static_cast<void>(Registry(member.region()).close(gone.seat.agent, gone.seat.ticket_index));
      if (gone.seat.agent != member.agent()) reap_agent(member.region(), gone.seat.agent);
      continue;
    }
    Use use{.seat = {}, .name = random.below(kNames)};
    AgentSlot agent = member.agent();
    const bool open_already = std::any_of(uses.begin(), uses.end(), [&](const Use& other) {
      return other.name == use.name && other.seat.agent == agent;
    });
    if (open_already || random.one_in(4)) {
      Registry registry(member.region());
      if (!CHECK_EQ(registry.claim_agent(1, &agent), Status::Ok)) return;
    }
    if (!open_one(member, agent, use.name, names, &use.seat)) return;
    use_one(member, number, use, names);
    uses.push_back(use);
  }
}

// A fresh process: no name lost, none twice, nothing that should have gone.
void verify_names(const Round& round, Names& names) {
  Member& member = make_member(round, names.board, kMaxMembers - 1);
  if (!member.join()) return;
  member.say("settle");
  Region& region = member.region();
  settle(region);
  {
    const Registry registry(region);  // whole from here on
  }
  std::set<std::string> seen;
  for (ObjectIndex i = 0; i < Region::count(region.header().objects); ++i) {
    const ObjectRecord& object = *region.object(i);
    if (object.state.load() == ObjectState::Free) continue;
    CHECK_EQ(object.state.load(), ObjectState::Live);
    CHECK_EQ(object.anonymous, 0u);
    CHECK(seen.insert(std::string(object.name, object.name_bytes)).second);
    CHECK_EQ(object.tickets, &object == member.seat().object ? 1u : 0u);
  }
  for (uint32_t name = 0; name < kLasting; ++name) {
    const bool made = seen.count(name_of(name)) != 0;
    if (names.object[name].load() != 0) CHECK(made);
    Seat seat;
    std::string detail;
    CHECK_EQ(Registry(region).open(member.agent(), name_of(name), Kind::Lock,
                                   {.create = false, .anonymous = false}, &seat, &detail),
             made ? Status::Ok : Status::NotFound);
    if (!made) continue;
    if (names.object[name].load() != 0) CHECK_EQ(names.object[name].load(), seat.object_index + 1);
    static_cast<void>(lock::retire(region, seat));
    static_cast<void>(Registry(region).close(member.agent(), seat.ticket_index));
  }
}

unsigned run_names(const Round& round) {
  processes::Shared<Names> names;
  processes::Gate gate;
  Crew crew(round);
  for (unsigned i = 0; i < round.members; ++i) {
    crew.add([&](unsigned number) {
      Random random(round.seed * 37 + number);
      Member& member = make_member(round, names->board, number);
      const bool joined = member.join();
      gate.pass();
      if (!joined) return;
      member.arm();
      come_and_go(member, number, *names, random);
      if (random.one_in(2)) reap_agent(member.region(), member.agent());
    });
  }
  gate.open_for(round.members);
  crew.join();
  const End end = processes::wait_for(processes::spawn([&] { verify_names(round, *names); }));
  if (end.hung()) some_hung = true;
  driver_check(end.well(), "a fresh process did not find the names right", round);
  return crew.deaths();
}

// More of one kind of record than a chunk has. All members at once.
enum class Fill : uint8_t { Objects, Agents, Tickets };

void fill(Member& member, Fill what) {
  member.say("fill a table");
  const unsigned agents = what == Fill::Agents ? 1100 : what == Fill::Tickets ? 7 : 1;
  const unsigned names = what == Fill::Agents ? 1 : 300;
  std::string detail;
  for (unsigned i = 0; i < agents; ++i) {
    AgentSlot agent = 0;
    Registry registry(member.region());
    if (!CHECK_EQ(registry.claim_agent(1, &agent), Status::Ok)) return;
    for (unsigned name = 0; name < names; ++name) {
      Seat seat;
      if (!CHECK_EQ(
              registry.open(agent, "fill-" + std::to_string(name), Kind::Lock, {}, &seat, &detail),
              Status::Ok)) {
        return;
      }
      const Outcome outcome =
          name % 50 == 0 ? lock::try_acquire(member.region(), seat) : Outcome::Pending;
      if (outcome == Outcome::Taken || outcome == Outcome::TakenAbandoned) {
        CHECK_EQ(lock::release(member.region(), seat, lock::Release::Plain), Status::Ok);
      }
    }
  }
}

template <typename Table>
void check_chunks(const Table& table, std::set<uint32_t>& pages) {
  const uint32_t chunks = table.count.load() / Table::per_chunk;
  CHECK_EQ(table.count.load() % Table::per_chunk, 0u);
  for (uint32_t chunk = 0; chunk < chunks; ++chunk) {
    for (uint32_t i = 0; i < Table::chunk_bytes / kPage; ++i) {
      CHECK(pages.insert(table.page[chunk].load() + i).second);
    }
  }
}

unsigned run_fill(const Round& round, Fill what) {
  processes::Shared<Board> board;
  processes::Gate gate;
  Crew crew(round);
  for (unsigned i = 0; i < round.members; ++i) {
    crew.add([&](unsigned number) {
      Member& member = make_member(round, *board, number);
      const bool joined = member.join();
      gate.pass();
      if (!joined) return;
      member.arm();
      fill(member, what);
    });
  }
  gate.open_for(round.members);
  crew.join();
  inspect(round, *board, crew, 0, 0);
  const auto look_at_chunks = [&] {
    Member& member = make_member(round, *board, kMaxMembers - 1);
    if (!member.join()) return;
    const RegionHeader& header = member.region().header();
    std::set<uint32_t> pages;
    check_chunks(header.processes, pages);
    check_chunks(header.agents, pages);
    check_chunks(header.objects, pages);
    check_chunks(header.tickets, pages);
    CHECK(!pages.empty() && *pages.rbegin() < header.bytes.load() / kPage);
  };
  const End end = processes::wait_for(processes::spawn(look_at_chunks));
  driver_check(end.well(), "the tables did not grow well", round);
  return crew.deaths();
}

}  // namespace

TEST(a_death_while_names_come_and_go) {
  const Place place;
  for (const Point& point : kPoints) {
    if (point.scene != Scene::Registry) continue;
    unsigned fired = 0;
    for (unsigned i = 0; i < rounds(12) || (fired == 0 && i < 60); ++i) {
      if (some_hung) return;
      Random random(next_seed());
      Round round = one_death(place, point.name, random);
      round.seed = random.next();
      // Sometimes a second one, to die while the directory is rebuilt and used.
      if (random.one_in(2)) {
        round.arms.push_back({other_than(round.arms[0].member, round.members, random), point.name,
                              1 + static_cast<int>(random.below(20))});
      }
      fired += run_names(round);
    }
    if (!some_hung && !CHECK(fired > 0)) std::fprintf(stderr, "  %s did not fire\n", point.name);
  }
}

TEST(a_death_while_a_table_grows) {
  for (const Fill what : {Fill::Objects, Fill::Agents, Fill::Tickets}) {
    unsigned fired = 0;
    for (int i = 0; i < 20 && fired < 2 && !some_hung; ++i) {
      const Place place;
      Round round;
      round.name_space = place.name();
      round.seed = next_seed();
      round.members = 3;
      round.arms = {{0, "region.growing"}, {1, "region.growing"}};
      fired += run_fill(round, what);
    }
    CHECK(some_hung || fired > 0);
  }
}

// Whoever joins at that moment finds a whole region.
TEST(others_open_the_region_while_a_table_grows) {
  for (unsigned i = 0; i < rounds(10) && !some_hung; ++i) {
    const Place place;
    Round round;
    round.name_space = place.name();
    round.seed = next_seed();
    round.members = 2;
    processes::Shared<Board> board;
    processes::Gate gate;
    Crew crew(round);
    crew.add([&](unsigned number) {
      Member& self = make_member(round, *board, number);
      const bool joined = self.join();
      gate.pass();
      std::string detail;
      for (unsigned name = 0; joined && name < 30 * ObjectTable::per_chunk; ++name) {
        Seat seat;
        Registry registry(self.region());
        CHECK_EQ(registry.open(self.agent(), "grow-" + std::to_string(name), Kind::Lock,
                               {.create = true, .anonymous = true}, &seat, &detail),
                 Status::Ok);
      }
      board->go.store(true);
    });
    crew.add([&](unsigned) {
      gate.pass();
      while (!board->go.load()) {
        Region region;
        std::string detail;
        const Status status = region.open(round.name_space, 0600, &detail);
        region.give_up();
        if (!CHECK_EQ(status, Status::Ok)) {
          std::fprintf(stderr, "  %s\n", detail.c_str());
          return;
        }
      }
    });
    gate.open_for(round.members);
    crew.join();
    inspect(round, *board, crew, 0, 0);
  }
}

namespace {

// Processes that are in the region and do nothing until they are told to leave.
class Crowd {
 public:
  Crowd(const Round& round, Board& board) : round_(round), board_(board) {}
  void add(bool acquires = false) {
    pids_.push_back(processes::spawn([&] {
      Member& self = make_member(round_, board_, kMaxMembers - 1);
      const bool ok = self.join();
      if (ok && acquires) CHECK(!self.acquire());
      joined_.raise();
      ::alarm(0);  // it has nothing to do but to outlast the others
      if (ok) leave_.await();
    }));
    ::setpgid(pids_.back(), pids_.front());
    joined_.await();
  }
  [[nodiscard]] size_t size() const { return pids_.size(); }
  void leave() {
    leave_.raise(pids_.size());
    for (const pid_t pid : pids_) CHECK(processes::wait_for(pid).well());
  }
  // All at once: who is stopped cannot reap another before it dies itself.
  void kill() {
    ::kill(-pids_.front(), SIGSTOP);
    for (const pid_t pid : pids_) CHECK(processes::wait_for(pid, WUNTRACED).stopped);
    ::kill(-pids_.front(), SIGKILL);
    for (const pid_t pid : pids_) CHECK(processes::wait_for(pid).killed());
  }

 private:
  const Round& round_;
  Board& board_;
  processes::Signal joined_;
  processes::Signal leave_;
  std::vector<pid_t> pids_;
};

// Finds all records of the first chunk of processes taken, and dies while it makes room for itself.
void fill_the_process_table(const Round& round, Board& board, Crowd& crowd) {
  while (crowd.size() < ProcessTable::per_chunk) crowd.add();
  const End end = processes::wait_for(processes::spawn([&] {
    Member& self = make_member(round, board, 0);
    self.arm();
    self.join();
  }));
  driver_check(end.killed(), "region.growing did not fire for processes", round);
}

// 0 dies inside, while 1 sleeps without a time-out.
void run_holder_and_waiter(const Round& round, Board& board) {
  processes::Signal held;
  processes::Signal waiting;
  const pid_t holder = processes::spawn([&] {
    Member& self = make_member(round, board, 0);
    const bool ok = self.join();
    self.mark().armed.store(true);
    const bool told = ok && self.acquire();
    held.raise();
    if (!ok) return;
    waiting.await();
    arm_fault("test.critical", FaultAction::Kill);
    self.section(told);
  });
  held.await();
  const pid_t waiter = processes::spawn([&] {
    Member& self = make_member(round, board, 1);
    const bool ok = self.join();
    waiting.raise();
    if (!ok) return;
    CHECK_EQ(lock::acquire_sync(self.region(), self.seat(),
                                {Deadline::never(), Deadline::never(), false}),
             Outcome::TakenAbandoned);
    self.section(true);
    self.release();
  });
  CHECK(processes::wait_for(holder).killed());
  const End end = processes::wait_for(waiter);
  if (end.hung()) some_hung = true;
  driver_check(end.well(), "the waiter was not told", round);
}

}  // namespace

// More processes than one keeper can watch, and than the first chunk of process records holds.
TEST(deaths_among_many_processes) {
  if (some_hung || kForksAreSlow) return;  // hundreds of forks
  const Place place;
  Round round;
  round.name_space = place.name();
  round.seed = next_seed();
  round.arms = {{0, "region.growing"}};
  processes::Shared<Board> board;
  Crowd crowd(round, *board);
  fill_the_process_table(round, *board, crowd);
  crowd.add();
  crowd.add();
  for (int i = 0; i < 4 && !some_hung; ++i) run_holder_and_waiter(round, *board);
  crowd.leave();
}

// Nobody is left who could reap for the next one to find a free record.
TEST(all_die_with_the_process_table_full) {
  if (some_hung || kForksAreSlow) return;  // hundreds of forks
  const Place place;
  Round round;
  round.name_space = place.name();
  round.seed = next_seed();
  round.arms = {{0, "region.growing"}};
  processes::Shared<Board> board;
  Crowd crowd(round, *board);
  crowd.add(true);
  fill_the_process_table(round, *board, crowd);
  crowd.kill();
  // The next one gets the first record, whose dead process was the lock's owner.
  const End end = processes::wait_for(processes::spawn([&] {
    Member& self = make_member(round, *board, 0);
    if (!self.join()) return;
    CHECK_EQ(lock::acquire_sync(self.region(), self.seat(),
                                {Deadline::never(), Deadline::never(), false}),
             Outcome::TakenAbandoned);
    self.section(true);
    self.release();
  }));
  if (end.hung()) some_hung = true;
  driver_check(end.well(), "the next one did not find the region right", round);
  run_holder_and_waiter(round, *board);
  round.arms.clear();
  CHECK_EQ(run_round(round), 0u);
}
