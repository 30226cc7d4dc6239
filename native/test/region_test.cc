// The region: how processes find, make and join it, how it grows, what it is when it was cut,
// scribbled on or made by another version, and how its slots are used again.
#include "region/region.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <set>
#include <vector>

#include "fixture.h"
#include "posix/fault.h"
#include "region/registry.h"
#include "sync/attempt.h"
#include "sync/lock.h"
#include "sync/lock_word.h"
#include "wait/queue.h"
#include "wait/reaper.h"
#include "wait/ring.h"

namespace {

using namespace holdfast;
using fixture::Child;
using fixture::ends_well;
using fixture::Member;
using fixture::NameSpace;
using fixture::seat_at;
using processes::Shared;

constexpr Registry::OpenOptions kExisting{.create = false};

// The region's file as anybody may find or leave it, past all of the core.
class RawFile {
 public:
  explicit RawFile(const NameSpace& name_space)
      : fd_(::shm_open(name_space.file().c_str(), O_RDWR | O_CREAT, 0600)) {}
  RawFile(const RawFile&) = delete;
  RawFile& operator=(const RawFile&) = delete;
  ~RawFile() { ::close(fd_); }

  [[nodiscard]] uint64_t bytes() const { return static_cast<uint64_t>(stat().st_size); }
  [[nodiscard]] uint64_t reserved() const { return static_cast<uint64_t>(stat().st_blocks) * 512; }
  void cut_to(uint64_t bytes) const { CHECK_EQ(::ftruncate(fd_, static_cast<off_t>(bytes)), 0); }
  template <typename T>
  void write(size_t offset, const T& value) const {
    CHECK_EQ(::pwrite(fd_, &value, sizeof value, static_cast<off_t>(offset)),
             static_cast<ssize_t>(sizeof value));
  }

 private:
  [[nodiscard]] struct stat stat() const {
    struct stat file{};
    CHECK_EQ(::fstat(fd_, &file), 0);
    return file;
  }
  int fd_;
};

// A process that is in the region until it is killed.
struct Living {
  explicit Living(const std::string& name_space)
      : process([&, name_space] {
          Region region;
          std::string detail;
          CHECK_EQ(region.open(name_space, 0600, &detail), Status::Ok);
          CHECK_EQ(region.claim_process(), Status::Ok);
          region.joined();
          in.raise();
          for (;;) ::pause();
        }) {
    in.await();
  }
  [[nodiscard]] std::string pid() const { return std::to_string(process.pid()); }
  processes::Signal in;
  Child process;
};

// Names an object, so that it can be told later whether the region is still the same one.
void leave_a_mark(const NameSpace& name_space) {
  const Member member(name_space.name());
  REQUIRE(member.status() == Status::Ok);
  seat_at(member.region(), member.claim_agent(), "mark");
}
bool has_the_mark(const Member& member) {
  Seat seat;
  const AgentSlot agent = member.claim_agent();
  return fixture::open_seat(member.region(), agent, "mark", &seat, kExisting) == Status::Ok;
}

}  // namespace

// ---- Joining ----

TEST(join__by_8_processes_at_once__one_region_and_an_identity_each) {
  constexpr unsigned kProcesses = 8;
  struct Seen {
    ProcessId process;
    AgentSlot agent;
    ObjectIndex object;
    double token;
  };
  struct All {
    Seen seen[kProcesses];
  };
  for (int round = 0; round < 10; ++round) {
    const NameSpace name_space;
    Shared<All> all;
    processes::Gate start;
    processes::Gate end;
    std::vector<Child> children;
    for (unsigned i = 0; i < kProcesses; ++i) {
      children.emplace_back([&, i] {
        start.pass();
        Region region;
        std::string detail;
        CHECK_EQ(region.open(name_space.name(), 0600, &detail), Status::Ok);
        CHECK_EQ(region.claim_process(), Status::Ok);
        region.joined();
        const AgentSlot agent = fixture::claim_agent(region);
        Seat seat = seat_at(region, agent, "same");
        CHECK(lock::acquire_sync(region, seat, {Deadline::never(), Deadline::never()}) ==
              Outcome::Taken);
        seat.object->token += 1;
        all->seen[i] = {region.self(), agent, seat.object_index, seat.object->token};
        CHECK_EQ(lock::release(region, seat, lock::Release::Plain), Status::Ok);
        end.pass();  // nobody's slot is free for another before all have joined
      });
    }
    start.open_for(kProcesses);
    end.open_for(kProcesses);
    for (Child& child : children) CHECK(child.wait().well());
    std::set<uint32_t> processes;
    std::set<AgentSlot> agents;
    std::set<double> tokens;
    for (const Seen& seen : all->seen) {
      processes.insert(seen.process.index);
      agents.insert(seen.agent);
      tokens.insert(seen.token);
      CHECK_EQ(seen.process.generation, 1u);
      CHECK(seen.agent >= 1 && seen.agent <= 65535);
      CHECK_EQ(seen.object, all->seen[0].object);
    }
    CHECK_EQ(processes.size(), size_t{kProcesses});
    CHECK_EQ(agents.size(), size_t{kProcesses});
    CHECK((tokens == std::set<double>{1, 2, 3, 4, 5, 6, 7, 8}));
  }
}

TEST(join__two_namespaces__are_apart) {
  const NameSpace names[2];
  const Member members[2] = {Member(names[0].name()), Member(names[1].name())};
  Seat seats[2];
  for (int i = 0; i < 2; ++i) {
    seats[i] = seat_at(members[i].region(), members[i].claim_agent(), "same");
    CHECK_EQ(lock::try_acquire(members[i].region(), seats[i]), Outcome::Taken);
    CHECK_EQ(members[i].region().name_space(), names[i].name());
  }
  CHECK_EQ(seats[0].agent, seats[1].agent);  // each is the first of its own region
}

TEST(join__with_a_wider_file_than_asked__is_access_and_names_the_file) {
  const NameSpace name_space;
  leave_a_mark(name_space);
  CHECK_EQ(::chmod(("/dev/shm" + name_space.file()).c_str(), 0666), 0);
  const Member member(name_space.name());
  CHECK_EQ(member.status(), Status::Access);
  CHECK_EQ(member.detail(), "/dev/shm" + name_space.file());
}

TEST(join__a_failure__lets_the_next_one_in) {
  const NameSpace name_space;
  leave_a_mark(name_space);
  const std::string path = "/dev/shm" + name_space.file();
  CHECK_EQ(::chmod(path.c_str(), 0666), 0);
  CHECK_EQ(Member(name_space.name()).status(), Status::Access);
  CHECK_EQ(::chmod(path.c_str(), 0600), 0);
  const Member member(name_space.name());
  CHECK_EQ(member.status(), Status::Ok);
  CHECK(has_the_mark(member));
}

// Growing is not under the creation lock: whoever joins may come in the middle of it.
TEST(join__while_others_grow__is_never_corrupt) {
#if defined(__SANITIZE_THREAD__)
  constexpr int kObjects = 3'000;  // each join maps its shadow memory anew
#else
  constexpr int kObjects = 20'000;  // about 90 chunks, 12 MiB
#endif
  const NameSpace name_space;
  Shared<std::atomic<bool>> done;
  processes::Signal in;
  Child grows([&] {
    const Member member(name_space.name());
    const AgentSlot agent = member.claim_agent();
    in.raise();
    for (int i = 0; i < kObjects; ++i) {
      Seat seat;
      const Status status = fixture::open_seat(member.region(), agent, std::to_string(i), &seat);
      if (status != Status::Ok) CHECK_EQ(status, Status::NoSpace);
      if (status != Status::Ok) break;
    }
    done->store(true);
  });
  in.await();
  int refused = 0;
  constexpr int kJoins = 2'000;  // each takes 1 GiB of address space, for good
  for (int i = 0; i < kJoins && !done->load(); ++i) {
    refused += Member(name_space.name()).status() != Status::Ok ? 1 : 0;
  }
  CHECK_EQ(refused, 0);
  CHECK(grows.wait().well());
}

// Room that was taken, by one who died before it was reserved: address space lost, and nothing else.
TEST(join__after_a_death_in_the_middle_of_growing) {
  for (const bool alive : {true, false}) {
    const NameSpace name_space;
    leave_a_mark(name_space);
    Living living(name_space.name());
    {
      const Member member(name_space.name());
      member.region().header().bytes.fetch_add(TicketTable::chunk_bytes);
    }
    if (!alive) CHECK(living.process.end(SIGKILL).killed());
    const Member member(name_space.name());
    REQUIRE(member.status() == Status::Ok);
    CHECK(has_the_mark(member));
  }
}

// ---- Growing ----

TEST(grow__the_file_is_small_at_first_and_all_of_it_reserved) {
  const NameSpace name_space;
  const Member member(name_space.name());
  const RawFile file(name_space);
  CHECK(file.bytes() <= 1 << 20);
  CHECK(file.reserved() >= file.bytes());
  CHECK_EQ(file.bytes(), member.region().header().bytes.load());
}

TEST(grow__objects_and_tickets_beyond_a_chunk) {
  const NameSpace name_space;
  const Member member(name_space.name());
  const Member early(name_space.name());  // mapped before the growth
  const RawFile file(name_space);
  const uint64_t at_first = file.bytes();
  const AgentSlot agent = member.claim_agent();
  std::vector<Seat> seats;
  constexpr uint32_t kObjects = ObjectTable::per_chunk * 2 + 1;
  constexpr uint32_t kTickets = TicketTable::per_chunk + 1;
  for (uint32_t i = 0; i < kTickets; ++i) {
    seats.push_back(seat_at(member.region(), agent, std::to_string(i % kObjects)));
  }
  CHECK_EQ(file.bytes(), at_first + 2 * ObjectTable::chunk_bytes + TicketTable::chunk_bytes);
  CHECK_EQ(file.bytes(), member.region().header().bytes.load());
  CHECK(file.reserved() >= file.bytes());
  std::set<TicketIndex> tickets;
  std::set<ObjectIndex> objects;
  for (const Seat& seat : seats) {
    tickets.insert(seat.ticket_index);
    objects.insert(seat.object_index);
    // The same records by another mapping.
    const TicketRecord* ticket = early.region().ticket(seat.ticket_index);
    if (!CHECK(ticket != nullptr)) continue;
    CHECK_EQ(ticket->agent.load(), agent);
    CHECK_EQ(ticket->object.load(), seat.object_index);
  }
  CHECK_EQ(tickets.size(), size_t{kTickets});
  CHECK_EQ(objects.size(), size_t{kObjects});
  CHECK(early.region().object(kObjects - 1) != nullptr);
  CHECK(early.region().object(3 * ObjectTable::per_chunk) == nullptr);
  CHECK(early.region().ticket(2 * TicketTable::per_chunk) == nullptr);
  // And they work: a lock of the last chunk, from both sides.
  Seat theirs = seat_at(early.region(), early.claim_agent(), std::to_string(kObjects - 1));
  CHECK_EQ(lock::try_acquire(early.region(), theirs), Outcome::Taken);
  CHECK_EQ(lock::try_acquire(member.region(), seats[kObjects - 1]), Outcome::Pending);
}

TEST(grow__agents_beyond_a_chunk_and_up_to_the_last_of_16_bits) {
  const NameSpace name_space;
  const Member member(name_space.name());
  AgentSlot highest = 0;
  uint32_t claimed = 0;
  Status status = Status::Ok;
  Registry registry(member.region());
  while (status == Status::Ok && claimed <= 70'000) {
    AgentSlot agent = 0;
    status = registry.claim_agent(0, &agent);
    if (status != Status::Ok) break;
    ++claimed;
    highest = std::max(highest, agent);
    if (agent == 0 || agent > 65535) break;
  }
  CHECK_EQ(status, Status::Full);
  CHECK_EQ(claimed, 65535u);
  CHECK_EQ(highest, 65535u);
  CHECK_EQ(registry.agents_of(member.region().self().index), 65535u);
  registry.free_agent(30'000);
  AgentSlot agent = 0;
  CHECK_EQ(registry.claim_agent(0, &agent), Status::Ok);
  CHECK_EQ(agent, 30'000u);
}

TEST(grow__processes_beyond_a_chunk) {
  constexpr uint32_t kProcesses = ProcessTable::per_chunk + 5;
  const NameSpace name_space;
  struct Taken {
    std::atomic<uint32_t> by[kProcesses];
  };
  Shared<Taken> taken;
  processes::Signal in;
  std::vector<Child> children;
  for (uint32_t i = 0; i < kProcesses; ++i) {
    children.emplace_back([&] {
      Region region;
      std::string detail;
      CHECK_EQ(region.open(name_space.name(), 0600, &detail), Status::Ok);
      CHECK_EQ(region.claim_process(), Status::Ok);
      region.joined();
      if (CHECK(region.self().index < kProcesses)) taken->by[region.self().index].fetch_add(1);
      in.raise();
      for (;;) ::pause();
    });
    in.await();
  }
  for (const auto& by : taken->by) CHECK_EQ(by.load(), 1u);
}

// ---- Versions ----

namespace {

struct Difference {
  const char* what;
  size_t offset;
  uint32_t value;
};

const Difference differences[] = {
    {"layout version", offsetof(RegionPrologue, layout_version), kLayoutVersion + 1},
    {"byte order", offsetof(RegionPrologue, byte_order), 0x04030201},
    {"pointer width", offsetof(RegionPrologue, pointer_bytes), sizeof(void*) == 8 ? 4 : 8},
    {"mutex size", offsetof(RegionPrologue, mutex_bytes), sizeof(RobustMutex) + 8},
    {"libc kind", offsetof(RegionPrologue, libc_kind), 9},
    {"magic", offsetof(RegionPrologue, magic), 0x21212121},
};

}  // namespace

TEST(mismatch__with_somebody_alive__is_an_error_that_names_the_pid) {
  for (const Difference& difference : differences) {
    const NameSpace name_space;
    const Living living(name_space.name());
    RawFile(name_space).write(difference.offset, difference.value);
    const Member member(name_space.name());
    CHECK_EQ(member.status(), Status::Mismatch);
    CHECK_EQ(member.detail(), living.pid());
    // Nothing was changed under the living one.
    CHECK_EQ(Member(name_space.name()).status(), Status::Mismatch);
  }
}

TEST(mismatch__with_nobody_alive__is_made_anew) {
  for (const Difference& difference : differences) {
    const NameSpace name_space;
    leave_a_mark(name_space);
    RawFile(name_space).write(difference.offset, difference.value);
    const Member member(name_space.name());
    CHECK_EQ(member.status(), Status::Ok);
    CHECK(!has_the_mark(member));
    const RegionPrologue& prologue = member.region().header().prologue;
    CHECK_EQ(prologue.layout_version, kLayoutVersion);
    CHECK_EQ(prologue.byte_order, kByteOrderMark);
    CHECK_EQ(prologue.state.load(), RegionState::Ready);
  }
}

TEST(mismatch__after_the_living_one_was_killed__is_made_anew) {
  const NameSpace name_space;
  Living living(name_space.name());
  RawFile(name_space).write(offsetof(RegionPrologue, layout_version), kLayoutVersion + 1);
  CHECK_EQ(Member(name_space.name()).status(), Status::Mismatch);
  CHECK(living.process.end(SIGKILL).killed());
  CHECK_EQ(Member(name_space.name()).status(), Status::Ok);
}

TEST(nobody_alive__the_same_layout__keeps_what_is_there) {
  const NameSpace name_space;
  leave_a_mark(name_space);
  const Member member(name_space.name());
  CHECK(has_the_mark(member));
}

// ---- Half-made ----

TEST(half_made__still_Building__is_made_anew) {
  const NameSpace name_space;
  leave_a_mark(name_space);
  RawFile(name_space).write(offsetof(RegionPrologue, state), RegionState::Building);
  const Member member(name_space.name());
  CHECK_EQ(member.status(), Status::Ok);
  CHECK(!has_the_mark(member));
}

TEST(half_made__empty__is_made) {
  const NameSpace name_space;
  CHECK_EQ(RawFile(name_space).bytes(), 0u);
  const Member member(name_space.name());
  CHECK_EQ(member.status(), Status::Ok);
  CHECK(!has_the_mark(member));
}

TEST(half_made__only_zeros_as_long_as_the_header__is_made) {
  const NameSpace name_space;
  RawFile(name_space).cut_to(kHeaderBytes);
  const Member member(name_space.name());
  CHECK_EQ(member.status(), Status::Ok);
  CHECK(!has_the_mark(member));
}

TEST(half_made__of_another_length__is_made) {
  for (const uint64_t bytes : {uint64_t{1}, uint64_t{sizeof(RegionPrologue)}, uint64_t{kPage},
                               uint64_t{kHeaderBytes} + 1, uint64_t{5} << 20}) {
    const NameSpace name_space;
    RawFile(name_space).cut_to(bytes);
    const Member member(name_space.name());
    CHECK_EQ(member.status(), Status::Ok);
    CHECK(!has_the_mark(member));
  }
}

TEST(cut_short__with_nobody_alive__is_made_anew) {
  for (const uint64_t bytes :
       {uint64_t{10}, uint64_t{sizeof(RegionPrologue)}, uint64_t{kPage}, uint64_t{kHeaderBytes} - 1,
        uint64_t{kHeaderBytes}, uint64_t{kHeaderBytes} + kPage}) {
    const NameSpace name_space;
    leave_a_mark(name_space);
    RawFile(name_space).cut_to(bytes);
    CHECK(ends_well([&] {  // a SIGBUS would end it
      const Member member(name_space.name());
      REQUIRE(member.status() == Status::Ok);
      CHECK(!has_the_mark(member));
    }));
  }
}

TEST(cut_short__with_somebody_alive__is_corrupt_and_says_how_long_it_is) {
  for (const uint64_t bytes :
       {uint64_t{0}, uint64_t{10}, uint64_t{sizeof(RegionPrologue)} - 1, uint64_t{kPage},
        uint64_t{kHeaderBytes} - 1, uint64_t{kHeaderBytes}, uint64_t{kHeaderBytes} + kPage}) {
    const NameSpace name_space;
    const Living living(name_space.name());
    RawFile(name_space).cut_to(bytes);
    CHECK(ends_well([&] {
      const Member member(name_space.name());
      CHECK_EQ(member.status(), Status::Corrupt);
      CHECK(member.detail().find(std::to_string(bytes)) != std::string::npos);
    }));
  }
}

// ---- Removing ----

TEST(remove__while_somebody_has_it_open__is_in_use_and_names_the_pid) {
  const NameSpace name_space;
  Living living(name_space.name());
  std::string detail;
  CHECK_EQ(fixture::remove_region(name_space.name(), &detail), Status::InUse);
  CHECK_EQ(detail, living.pid());
  CHECK(living.process.end(SIGKILL).killed());
  CHECK_EQ(fixture::remove_region(name_space.name(), &detail), Status::Ok);
  CHECK_EQ(fixture::remove_region(name_space.name(), &detail), Status::NotFound);
}

TEST(remove__never_made__is_not_found) {
  std::string detail;
  CHECK_EQ(fixture::remove_region(fixture::fresh_name(), &detail), Status::NotFound);
}

TEST(remove_own__while_another_has_it_open__is_in_use) {
  const NameSpace name_space;
  const Member member(name_space.name());
  Living living(name_space.name());
  std::string detail;
  CHECK_EQ(member.region().remove_own(&detail), Status::InUse);
  CHECK_EQ(detail, living.pid());
  CHECK(living.process.end(SIGKILL).killed());
  CHECK_EQ(member.region().remove_own(&detail), Status::Ok);
  CHECK_EQ(member.region().header().prologue.state.load(), RegionState::Gone);
}

TEST(remove_own__the_name_is_free_for_another_region) {
  const NameSpace name_space;
  const Member old(name_space.name());
  seat_at(old.region(), old.claim_agent(), "mark");
  std::string detail;
  CHECK_EQ(old.region().remove_own(&detail), Status::Ok);
  const Member fresh(name_space.name());
  CHECK_EQ(fresh.status(), Status::Ok);
  CHECK(!has_the_mark(fresh));
}

// "rm /dev/shm/...", or systemd's RemoveIPC: the name may belong to another region by now.
TEST(remove_own__after_somebody_removed_the_file__leaves_the_new_region_alone) {
  const NameSpace name_space;
  const Member old(name_space.name());
  CHECK_EQ(::shm_unlink(name_space.file().c_str()), 0);
  leave_a_mark(name_space);
  const Living living(name_space.name());
  std::string detail;
  CHECK(old.region().remove_own(&detail) != Status::Ok);
  const Member fresh(name_space.name());
  CHECK_EQ(fresh.status(), Status::Ok);
  CHECK(has_the_mark(fresh));
}

// ---- Slots used again ----

TEST(slots__of_a_living_process__are_nobody_elses) {
  const NameSpace name_space;
  const Member a(name_space.name());
  const Member b(name_space.name());
  CHECK(a.region().self().index != b.region().self().index);
  CHECK(fixture::is_alive(a.region(), b.region().self()));
  CHECK(fixture::is_alive(b.region(), a.region().self()));
  CHECK(!fixture::is_alive(a.region(), {b.region().self().index, 99}));
  CHECK(!fixture::is_alive(a.region(), {12, 1}));
  CHECK(!fixture::is_alive(a.region(), {kNone, 1}));
}

TEST(slots__of_a_dead_process__not_before_it_was_reaped) {
  const NameSpace name_space;
  const Member keeps(name_space.name());
  Member dies(name_space.name());
  const ProcessId dead = dies.region().self();
  const AgentSlot agent = dies.claim_agent();
  dies.die();
  CHECK(!fixture::is_alive(keeps.region(), dead));
  const Member early(name_space.name());
  CHECK(early.region().self().index != dead.index);
  CHECK(keeps.claim_agent() != agent);
  CHECK_EQ(keeps.region().process(dead.index)->state.load(), ProcessState::Live);
  fixture::reap_all(keeps.region());
  CHECK_EQ(keeps.region().process(dead.index)->state.load(), ProcessState::Free);
  const Member late(name_space.name());
  CHECK_EQ(late.region().self().index, dead.index);
}

TEST(slots__used_again__have_another_generation) {
  const NameSpace name_space;
  const Member keeps(name_space.name());
  ProcessId before{};
  AgentSlot agent_before = 0;
  uint32_t agent_generation = 0;
  for (uint32_t round = 1; round <= 5; ++round) {
    Member member(name_space.name());
    REQUIRE(member.status() == Status::Ok);
    const ProcessId self = member.region().self();
    CHECK_EQ(self.generation, round);
    CHECK(fixture::is_alive(keeps.region(), self));
    if (round > 1) {
      CHECK_EQ(self.index, before.index);
      CHECK(!fixture::is_alive(keeps.region(), before));
    }
    keeps.region().header().agents.hint.store(
        1);  // so that the same agent's slot is looked at first
    const AgentSlot agent = member.claim_agent(round);
    const AgentRecord& record = *keeps.region().agent(agent);
    if (round > 1) {
      CHECK_EQ(agent, agent_before);
      CHECK_EQ(record.generation, agent_generation + 1);
    }
    CHECK_EQ(record.thread, round);
    CHECK_EQ(keeps.region().process_of(agent), keeps.region().process(self.index));
    before = self;
    agent_before = agent;
    agent_generation = record.generation;
    member.die();
    fixture::reap_all(keeps.region());
    CHECK(keeps.region().process_of(agent) == nullptr);
  }
}

TEST(slots__of_one_that_died_while_it_joined__are_free) {
  const NameSpace name_space;
  const Member keeps(name_space.name());
  for (const char* point : {"process.claiming", "region.growing"}) {
    Child joiner([&] {
      arm_fault(point, FaultAction::Kill);
      Region region;
      std::string detail;
      CHECK_EQ(region.open(name_space.name(), 0600, &detail), Status::Ok);
      CHECK_EQ(region.claim_process(), Status::Ok);
      ::raise(SIGKILL);  // or before it let others in
    });
    CHECK(joiner.wait().killed());
  }
  fixture::reap_all(keeps.region());
  const Member member(name_space.name());
  CHECK_EQ(member.status(), Status::Ok);
  CHECK_EQ(member.region().self().index, 1u);
}

TEST(reap__gives_back_all_agents_tickets_and_locks) {
  const NameSpace name_space;
  const Member keeps(name_space.name());
  Member dies(name_space.name());
  Seat held = seat_at(dies.region(), dies.claim_agent(), "held");
  Seat waits = seat_at(dies.region(), dies.claim_agent(), "held");
  CHECK_EQ(lock::try_acquire(dies.region(), held), Outcome::Taken);
  CHECK_EQ(lock::look(dies.region(), waits, WaitMode::Sync), Outcome::Pending);
  Seat mine = seat_at(keeps.region(), keeps.claim_agent(), "held");
  CHECK_EQ(lock::look(keeps.region(), mine, WaitMode::Sync), Outcome::Pending);
  const ProcessIndex index = dies.region().self().index;
  dies.die();
  fixture::reap_all(keeps.region());
  CHECK_EQ(mine.object->tickets, 1u);
  CHECK_EQ(keeps.region().ticket(held.ticket_index)->agent.load(), 0u);
  CHECK_EQ(keeps.region().ticket(waits.ticket_index)->agent.load(), 0u);
  CHECK_EQ(Registry(keeps.region()).agents_of(index), 0u);
  CHECK_EQ(keeps.region().process(index)->state.load(), ProcessState::Free);
  CHECK_EQ(lock::look(keeps.region(), mine, WaitMode::Sync), Outcome::TakenAbandoned);
}

// ---- Scribbled on ----

namespace {

// A region with something of everything, of which a test destroys a part. Lives in a process of its
// own, for what is asked here is that it does not die of it, nor hangs.
struct Victim {
  explicit Victim(const NameSpace& name_space)
      : ns(name_space.name()), member(ns), other(ns), region(member.region()) {
    for (AgentSlot& agent : agents) agent = member.claim_agent();
    for (int i = 0; i < 20; ++i)
      idle.push_back(seat_at(region, agents[0], "idle-" + std::to_string(i)));
    for (const AgentSlot agent : agents) held.push_back(seat_at(region, agent, "held"));
    for (const AgentSlot agent : agents) free.push_back(seat_at(region, agent, "free"));
    for (const auto& seats : {&held, &free}) {
      CHECK_EQ(lock::try_acquire(region, (*seats)[0]), Outcome::Taken);
      for (size_t i = 1; i < std::size(agents); ++i) {
        CHECK_EQ(lock::look(region, (*seats)[i], WaitMode::Sync), Outcome::Pending);
      }
    }
    CHECK_EQ(lock::release(region, free[0], lock::Release::Plain),
             Status::Ok);  // its head is woken
  }

  Status open(const std::string& name, bool create) {
    Seat seat;
    return fixture::open_seat(region, agents[0], name, &seat, {.create = create});
  }
  ObjectRecord& object() { return *held[0].object; }
  RegionHeader& header() { return region.header(); }

  // All that one can do to a region. Whatever comes out of it: it comes to an end.
  void do_everything() {
    static_cast<void>(open("held", false));
    static_cast<void>(open("idle-3", false));
    static_cast<void>(open("missing", false));
    static_cast<void>(open("new", true));
    for (auto* seats : {&held, &free}) {
      for (Seat& seat : *seats) {
        static_cast<void>(lock::holder(region, seat));
        static_cast<void>(lock::try_acquire(region, seat));
        static_cast<void>(lock::look(region, seat, WaitMode::Async));
        static_cast<void>(
            lock::acquire_sync(region, seat, {Deadline::at_ns(1), Deadline::at_ns(1)}));
      }
      Seat& last = seats->back();
      static_cast<void>(lock::release(region, (*seats)[0], lock::Release::Plain));
      static_cast<void>(lock::release(region, (*seats)[1], lock::Release::Fair));
      static_cast<void>(lock::last_look(region, last));
      lock::withdraw(region, {(*seats)[1], {}});
      lock::reap(region, {(*seats)[1], {}});
      AgentSlot holder = 0;
      static_cast<void>(lock::unlink(region, last, &holder));
    }
    for (const auto* seats : {&held, &free}) {
      for (const Seat& seat : *seats) seat.ticket->told_ns = 0;
      static_cast<void>(pass_on(region, (*seats)[0].object_index));
    }
    static_cast<void>(pass_on(region, kNone));
    for (const Seat& seat : held) {
      Seat another;
      static_cast<void>(Registry(region).open_another(seat, &another));
    }
    static_cast<void>(Registry(region).knows("held"));
    for (Seat& seat : idle) fixture::close_seat(region, seat);
    ring_all_told(region);
    {
      Registry registry(region);
      AgentSlot agent = 0;
      static_cast<void>(registry.claim_agent(0, &agent));
      static_cast<void>(registry.agents_of(region.self().index));
      static_cast<void>(registry.unlink(held[0].object_index));
      static_cast<void>(registry.unlink(held[0].object_index + 1));
    }
    static_cast<void>(open("held", true));
    other.die();
    static_cast<void>(reap_dead_processes(region));
    for (const AgentSlot agent : agents) reap_agent(region, agent);
    fixture::leave_dead_inside(region, header().registry);
    static_cast<void>(open("held", true));  // rebuilds the directory
    fixture::leave_dead_inside(region, object().guard);
    static_cast<void>(lock::try_acquire(region, held[2]));  // rebuilds the queue
    const Member late(ns);
  }

  std::string ns;
  Member member;
  Member other;
  Region& region;
  AgentSlot agents[4] = {};
  std::vector<Seat> idle;
  std::vector<Seat> held;  // [0] holds, the others wait
  std::vector<Seat> free;  // [0] held it, [1] was woken
};

// `scribble` destroys, `expect` tells what is asked of what is left; then everything else is tried.
template <typename Scribble, typename Expect>
bool survives(Scribble scribble, Expect expect, int line = __builtin_LINE()) {
  const NameSpace name_space;
  const bool well = ends_well([&] {
    Victim victim(name_space);
    scribble(victim);
    expect(victim);
    victim.do_everything();
  });
  return harness::check(well, __FILE__, line, "survives");
}
template <typename Scribble>
bool survives(Scribble scribble, int line = __builtin_LINE()) {
  return survives(scribble, [](Victim&) {}, line);
}

constexpr uint32_t kGarbage[] = {kNone, kNone - 1, 0x80000000, 0x7fffffff, 1'000'000, 70'000};

}  // namespace

TEST(scribbled__nothing__everything_works) {
  survives([](Victim&) {},
           [](Victim& victim) {
             CHECK_EQ(victim.open("held", false), Status::Ok);
             CHECK_EQ(victim.open("missing", false), Status::NotFound);
           });
}

TEST(scribbled__bucket_out_of_range__names_are_found_all_the_same) {
  for (const uint32_t garbage : kGarbage) {
    survives(
        [=](Victim& victim) {
          for (auto& bucket : victim.header().buckets) bucket.store(garbage);
        },
        [=](Victim& victim) {
          // None is no garbage: an empty bucket.
          const Status found = garbage == kNone ? Status::NotFound : Status::Ok;
          CHECK_EQ(victim.open("held", false), found);
          CHECK_EQ(victim.open("missing", false), Status::NotFound);
        });
  }
}

TEST(scribbled__bucket_chain_into_itself__ends) {
  survives(
      [](Victim& victim) {
        for (auto& bucket : victim.header().buckets) bucket.store(victim.held[0].object_index);
        victim.object().bucket_next = victim.held[0].object_index;
      },
      [](Victim& victim) {
        CHECK_EQ(victim.open("missing", false), Status::NotFound);
        CHECK_EQ(victim.open("held", false), Status::Ok);
      });
}

TEST(scribbled__bucket_chain_loop_over_several__ends) {
  survives(
      [](Victim& victim) {
        for (auto& bucket : victim.header().buckets) bucket.store(victim.idle[0].object_index);
        for (size_t i = 0; i < victim.idle.size(); ++i) {
          victim.idle[i].object->bucket_next =
              victim.idle[(i + 1) % victim.idle.size()].object_index;
        }
      },
      [](Victim& victim) { CHECK_EQ(victim.open("missing", false), Status::NotFound); });
}

TEST(scribbled__bucket_next_out_of_range) {
  for (const uint32_t garbage : kGarbage) {
    survives([=](Victim& victim) {
      for (const Seat& seat : victim.idle) seat.object->bucket_next = garbage;
      victim.object().bucket_next = garbage;
    });
  }
}

TEST(scribbled__name_length_beyond_the_name__not_found) {
  for (const uint32_t garbage : {uint32_t{256}, uint32_t{100'000}, kNone}) {
    survives([=](Victim& victim) { victim.object().name_bytes = garbage; },
             [](Victim& victim) { CHECK_EQ(victim.open("held", false), Status::NotFound); });
  }
}

TEST(scribbled__kind__is_a_mismatch_of_kinds) {
  survives([](Victim& victim) { victim.object().kind = static_cast<Kind>(77); },
           [](Victim& victim) { CHECK_EQ(victim.open("held", false), Status::KindMismatch); });
}

TEST(scribbled__object_state) {
  survives([](Victim& victim) { victim.object().state.store(static_cast<ObjectState>(9)); },
           [](Victim& victim) { CHECK_EQ(victim.open("held", false), Status::NotFound); });
}

TEST(scribbled__object_ticket_count) {
  for (const uint32_t garbage : {0u, 1u, kNone}) {
    survives([=](Victim& victim) {
      victim.object().tickets = garbage;
      victim.object().anonymous = 1;
      for (const Seat& seat : victim.idle) seat.object->tickets = garbage;
    });
  }
}

TEST(scribbled__queue_ends_out_of_range) {
  for (const uint32_t garbage : kGarbage) {
    survives([=](Victim& victim) {
      victim.held[0].object->queue_head = garbage;
      victim.free[0].object->queue_tail = garbage;
    });
    survives([=](Victim& victim) {
      victim.held[0].object->queue_tail = garbage;
      victim.free[0].object->queue_head = garbage;
    });
  }
}

TEST(scribbled__queue_links_out_of_range) {
  for (const uint32_t garbage : kGarbage) {
    for (const bool next : {true, false}) {
      survives([=](Victim& victim) {
        for (const auto* seats : {&victim.held, &victim.free}) {
          for (const Seat& seat : *seats)
            (next ? seat.ticket->next : seat.ticket->previous) = garbage;
        }
      });
    }
  }
}

TEST(scribbled__queue_in_a_circle__ends) {
  survives([](Victim& victim) {
    for (const auto* seats : {&victim.held, &victim.free}) {
      for (size_t i = 1; i < seats->size(); ++i) {
        (*seats)[i].ticket->next = (*seats)[i % 3 + 1].ticket_index;
        (*seats)[i].ticket->previous = (*seats)[(i + 1) % 3 + 1].ticket_index;
      }
    }
  });
  survives([](Victim& victim) {
    for (const auto* seats : {&victim.held, &victim.free}) {
      for (const Seat& seat : *seats) seat.ticket->next = seat.ticket->previous = seat.ticket_index;
    }
  });
}

TEST(scribbled__queue_of_tickets_of_another_object__ends) {
  survives([](Victim& victim) {
    victim.held[0].object->queue_head = victim.free[1].ticket_index;
    victim.free[0].object->queue_head = victim.idle[0].ticket_index;
  });
}

TEST(scribbled__queue__unlinking_ends) {
  for (int variant = 0; variant < 4; ++variant) {
    survives([=](Victim& victim) {
      const std::vector<Seat>& seats = victim.free;
      TicketRecord& head = *seats[1].ticket;
      if (variant == 0) head.next = seats[1].ticket_index;
      if (variant == 1) seats[2].ticket->previous = seats[3].ticket_index;
      if (variant == 2) seats[3].ticket->next = seats[1].ticket_index;
      if (variant == 3) seats[0].object->queue_tail = kNone;
      if (variant == 3) head.next = kNone;
      AgentSlot holder = 0;
      Seat seat = seats[0];
      static_cast<void>(lock::unlink(victim.region, seat, &holder));
      CHECK((seat.object->word.load() & lock_word::kUnlinked) != 0);
    });
  }
}

TEST(scribbled__counts_of_the_queue) {
  for (const uint32_t garbage : kGarbage) {
    survives([=](Victim& victim) {
      for (const auto* seats : {&victim.held, &victim.free}) {
        ObjectRecord& object = *(*seats)[0].object;
        object.woken.store(garbage);
        object.passed = garbage;
        object.first_waiting = garbage;
        object.lock.offered = garbage;
      }
    });
  }
  survives([](Victim& victim) {
    victim.held[0].object->first_waiting = victim.free[2].ticket_index;  // of another object
    victim.free[0].object->first_waiting = victim.idle[0].ticket_index;  // of none that waits
    victim.free[0].object->woken.store(0);
  });
}

TEST(scribbled__offered_to_nobody__unlinking_and_reaping_end_it) {
  for (const uint32_t garbage : kGarbage) {
    survives([=](Victim& victim) {
      victim.free[0].object->word.fetch_or(lock_word::kOffered);
      victim.free[0].object->lock.offered = garbage;
    });
  }
}

TEST(scribbled__ticket_state) {
  for (const uint32_t garbage : {5u, 6u, 77u, kNone}) {
    survives([=](Victim& victim) {
      for (const auto* seats : {&victim.held, &victim.free}) {
        for (const Seat& seat : *seats) seat.ticket->state.store(garbage);
      }
    });
  }
}

TEST(scribbled__ticket_agent__never_an_owner_that_cannot_be) {
  for (const uint32_t garbage : kGarbage) {
    survives([=](Victim& victim) { victim.held[1].ticket->agent.store(garbage); },
             [](Victim& victim) {
               // The offer goes to nobody who could not come; the flags are no part of a slot.
               static_cast<void>(lock::release(victim.region, victim.held[0], lock::Release::Fair));
               CHECK_EQ(
                   victim.object().word.load() & (lock_word::kUnlinked | lock_word::kAbandoned),
                   0u);
               CHECK_EQ(victim.object().word.load() >> 22, 0u);
             });
  }
}

TEST(scribbled__ticket_object__out_of_range) {
  for (const uint32_t garbage : kGarbage) {
    survives([=](Victim& victim) {
      for (const auto* seats : {&victim.held, &victim.idle}) {
        for (const Seat& seat : *seats) seat.ticket->object.store(garbage);
      }
    });
  }
}

TEST(scribbled__agent_process__out_of_range) {
  for (const uint32_t garbage : kGarbage) {
    survives([=](Victim& victim) {
      for (const AgentSlot agent : victim.agents)
        victim.region.agent(agent)->process.store(garbage);
    });
  }
}

TEST(scribbled__lock_word) {
  for (const uint32_t garbage : {0xffffffffu, 0xffffu, lock_word::kWaiters, lock_word::kWoken,
                                 lock_word::kStarving, lock_word::kUnlinked, 0xffe00000u}) {
    survives([=](Victim& victim) {
      victim.held[0].object->word.store(garbage);
      victim.free[0].object->word.store(garbage);
    });
  }
}

TEST(scribbled__counts__too_large) {
  for (const uint32_t garbage : kGarbage) {
    survives([=](Victim& victim) { victim.header().objects.count.store(garbage); });
    survives([=](Victim& victim) { victim.header().tickets.count.store(garbage); });
    survives([=](Victim& victim) { victim.header().agents.count.store(garbage); });
    survives([=](Victim& victim) { victim.header().processes.count.store(garbage); });
  }
}

TEST(scribbled__counts__too_small) {
  for (const uint32_t garbage : {0u, 1u, 3u}) {
    survives([=](Victim& victim) { victim.header().objects.count.store(garbage); });
    survives([=](Victim& victim) { victim.header().tickets.count.store(garbage); });
    survives([=](Victim& victim) { victim.header().agents.count.store(garbage); });
    survives([=](Victim& victim) { victim.header().processes.count.store(garbage); });
  }
}

// The records are where they were: what is counted too low comes back with the next growth, and none is lost.
TEST(scribbled__counts__too_small__what_there_was_is_there_again) {
  survives(
      [](Victim& victim) {
        victim.header().objects.count.store(0);
        victim.header().tickets.count.store(0);
        victim.header().agents.count.store(0);
      },
      [](Victim& victim) {
        const uint32_t page = victim.header().tickets.page[0].load();
        AgentSlot agent = 0;
        CHECK_EQ(Registry(victim.region).claim_agent(0, &agent), Status::Ok);
        Seat seat;
        CHECK_EQ(Registry(victim.region).open_another(victim.held[0], &seat), Status::Ok);
        CHECK_EQ(victim.header().tickets.page[0].load(), page);
        CHECK(seat.ticket_index > victim.held[3].ticket_index);
        CHECK_EQ(victim.open("new", true), Status::Ok);
        CHECK_EQ(victim.open("held", false), Status::Ok);
      });
}

TEST(scribbled__hints) {
  for (const uint32_t garbage : kGarbage) {
    survives(
        [=](Victim& victim) {
          victim.header().objects.hint.store(garbage);
          victim.header().tickets.hint.store(garbage);
          victim.header().agents.hint.store(garbage);
          victim.header().processes.hint.store(garbage);
        },
        [](Victim& victim) { CHECK_EQ(victim.open("held", false), Status::Ok); });
  }
}

// Pages before the tables, past the mapping, and between: mapped, but beyond the file's end, where
// SIGBUS lives.
TEST(scribbled__page_numbers) {
  for (const uint32_t garbage : {0u, 1u, 200'000u, uint32_t{kMappedRange / kPage},
                                 uint32_t{kMappedRange / kPage} - 1, 0x80000000u, kNone}) {
    survives([=](Victim& victim) { victim.header().objects.page[0].store(garbage); },
             [](Victim& victim) {
               const Status status = victim.open("held", false);
               CHECK(status == Status::NotFound || status == Status::Corrupt);
             });
    survives([=](Victim& victim) { victim.header().tickets.page[0].store(garbage); });
    survives([=](Victim& victim) { victim.header().agents.page[0].store(garbage); });
    survives([=](Victim& victim) { victim.header().processes.page[0].store(garbage); });
  }
}

TEST(scribbled__reserved_bytes__growing_is_refused) {
  // Also where there is a table already, whose records would be two things at once.
  for (const uint64_t garbage : {uint64_t{0}, uint64_t{kPage}, uint64_t{kHeaderBytes} + 1,
                                 uint64_t{kHeaderBytes}, uint64_t{kHeaderBytes} + 3 * kPage,
                                 ~uint64_t{0}, uint64_t{kMappedRange} + kPage, uint64_t{1} << 63}) {
    survives([=](Victim& victim) { victim.header().bytes.store(garbage); },
             [](Victim& victim) {
               Status status = Status::Ok;
               for (int i = 0; i < 300 && status == Status::Ok; ++i) {
                 status = victim.open("more-" + std::to_string(i), true);
               }
               CHECK_EQ(status, Status::Corrupt);
             });
  }
}

TEST(scribbled__life_word_offset) {
  for (const uint32_t garbage : {1u, 3u, 38u, 40u, 1000u, kNone}) {
    survives([=](Victim& victim) { victim.header().life_word_offset = garbage; },
             [](Victim& victim) {
               // Wherever it looks: inside of the mutex, and aligned as an atomic must be.
               ProcessRecord& process = *victim.region.process(0);
               const auto word = reinterpret_cast<uintptr_t>(&victim.region.life_word(process));
               const auto mutex = reinterpret_cast<uintptr_t>(&process.life);
               CHECK(word >= mutex && word + sizeof(FutexWord) <= mutex + sizeof(RobustMutex));
               CHECK_EQ(word % alignof(FutexWord), 0u);
             });
  }
}

TEST(scribbled__process_state) {
  for (const uint32_t garbage : {0u, 2u, 9u, kNone}) {
    survives([=](Victim& victim) {
      victim.region.process(victim.other.region().self().index)
          ->state.store(static_cast<ProcessState>(garbage));
    });
  }
}

// Anything, anywhere, but for mutexes and guards (whom they sleep on is theirs to say) and for
// pages that are others' (a mutex made of a name). The same everywhere: seeded.
TEST(scribbled__at_random) {
  constexpr int kRounds = 150;
  for (uint64_t seed = 1; seed <= kRounds; ++seed) {
    const bool ok = survives([=](Victim& victim) {
      processes::Random random(seed);
      const auto some = [&]() -> uint32_t {
        const uint32_t dice = random.below(4);
        if (dice == 0) return kGarbage[random.below(std::size(kGarbage))];
        return dice == 1 ? static_cast<uint32_t>(random.next()) : random.below(64);
      };
      for (int hits = 0; hits < 12; ++hits) {
        const std::vector<Seat>& seats = random.one_in(2) ? victim.held : victim.free;
        const Seat& seat = seats[random.below(4)];
        switch (random.below(20)) {
          case 0:
            seat.object->word.store(some());
            break;
          case 1:
            seat.object->queue_head = some();
            break;
          case 2:
            seat.object->queue_tail = some();
            break;
          case 3:
            seat.object->next_seq = some();
            break;
          case 4:
            seat.object->bucket_next = some();
            break;
          case 5:
            seat.object->tickets = some();
            break;
          case 6:
            seat.object->name_bytes = some();
            break;
          case 7:
            seat.ticket->state.store(some() % 8);
            break;
          case 8:
            seat.ticket->agent.store(some());
            break;
          case 9:
            seat.ticket->object.store(some());
            break;
          case 10:
            seat.ticket->next = some();
            break;
          case 11:
            seat.ticket->previous = some();
            break;
          case 12:
            seat.ticket->seq = some();
            break;
          case 13:
            victim.header().buckets[random.below(kBuckets)].store(some());
            break;
          case 14:
            victim.region.agent(seat.agent)->process.store(some());
            break;
          case 15:
            seat.object->woken.store(some());
            break;
          case 16:
            seat.object->passed = some();
            break;
          case 17:
            seat.object->first_waiting = some();
            break;
          case 18:
            seat.object->lock.offered = some();
            break;
          default:
            victim.header().tickets.hint.store(some());
            break;
        }
      }
    });
    if (!ok) std::fprintf(stderr, "with seed %d\n", static_cast<int>(seed));
  }
}
