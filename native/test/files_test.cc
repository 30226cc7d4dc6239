// The files of shared memory: that each is the one which was opened, whatever other code of the process does to its
// descriptors; that big ones are reserved under signals, and freed outside of the guards.
#include <dirent.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cstddef>
#include <fstream>
#include <vector>

#include "fixture.h"
#include "posix/fault.h"
#include "posix/named_mutex.h"
#include "posix/shared_file.h"
#include "posix/unnamed_file.h"
#include "region/data_file.h"
#include "region/registry.h"
#include "sync/attempt.h"

namespace {

using namespace holdfast;
using fixture::Child;
using fixture::ends_well;
using fixture::fresh_name;
using fixture::Member;
using fixture::NameSpace;

void skip(const char* why) { std::fprintf(stderr, "  skipped: %s\n", why); }

struct FileName {
  std::string text = "/" + fresh_name();
  ~FileName() { ::shm_unlink(text.c_str()); }
};

bool is_there(const std::string& name) { return ::access(("/dev/shm" + name).c_str(), F_OK) == 0; }

// Ends one descriptor of this process for a file, as a careless close() does, and gives its number to another.
bool take_the_descriptor(const std::string& name, int instead) {
  struct stat file{};
  if (::stat(("/dev/shm" + name).c_str(), &file) != 0) return false;
  for (int fd = 3; fd < 1024; ++fd) {
    struct stat open{};
    if (::fstat(fd, &open) != 0 || open.st_ino != file.st_ino || open.st_dev != file.st_dev) {
      continue;
    }
    return ::dup2(instead, fd) == fd;
  }
  return false;
}

// A file of the application's own, which nobody else must touch.
class Precious {
 public:
  Precious() : fd_(::memfd_create("precious", MFD_CLOEXEC)) {
    CHECK_EQ(::write(fd_, "precious", 8), 8);
  }
  Precious(const Precious&) = delete;
  Precious& operator=(const Precious&) = delete;
  ~Precious() { ::close(fd_); }
  [[nodiscard]] int fd() const { return fd_; }
  [[nodiscard]] bool is_untouched() const {
    struct stat file{};
    char text[9] = "";
    return ::fstat(fd_, &file) == 0 && file.st_size == 8 && ::pread(fd_, text, 8, 0) == 8 &&
           std::strcmp(text, "precious") == 0;
  }
  // Whoever locks a byte of it, by whatever open file.
  [[nodiscard]] bool is_locked() const {
    const int other = ::open(("/proc/self/fd/" + std::to_string(fd_)).c_str(), O_RDWR | O_CLOEXEC);
    struct flock range{};
    range.l_type = F_WRLCK;
    const bool locked = ::fcntl(other, F_OFD_GETLK, &range) != 0 || range.l_type != F_UNLCK;
    ::close(other);
    return locked;
  }

 private:
  int fd_;
};

Status open_array(Region& region, AgentSlot agent, std::string_view name, uint32_t elements,
                  Seat* seat, bool anonymous = false) {
  UnnamedFile data;
  const Parameters parameters{1, elements};  // of int8
  if (const Status status = data.make(0600, elements); status != Status::Ok) return status;
  std::string detail;
  Registry registry(region);
  return registry.open(agent, name, Kind::SharedArray,
                       {.anonymous = anonymous, .parameters = parameters, .data = &data}, seat,
                       &detail);
}

}  // namespace

// ---- The region's descriptor, closed by other code ----

TEST_IN_A_PROCESS(descriptor__taken_by_other_code__growing_leaves_the_others_file_alone) {
  const NameSpace name_space;
  const Member member(name_space.name());
  const AgentSlot agent = member.claim_agent();
  const Precious precious;
  REQUIRE(take_the_descriptor(name_space.file(), precious.fd()));
  // Beyond several chunks. It finds its file by its name.
  for (int i = 0; i < 1000; ++i) {
    Seat seat;
    CHECK_EQ(fixture::open_seat(member.region(), agent, std::to_string(i), &seat), Status::Ok);
  }
  CHECK(member.region().has_its_name());
  CHECK(precious.is_untouched());
  CHECK(!precious.is_locked());
}

TEST_IN_A_PROCESS(descriptor__taken_and_the_name_removed__growing_is_an_error) {
  const NameSpace name_space;
  const Member member(name_space.name());
  const AgentSlot agent = member.claim_agent();
  const Precious precious;
  REQUIRE(take_the_descriptor(name_space.file(), precious.fd()));
  CHECK_EQ(::shm_unlink(name_space.file().c_str()), 0);
  CHECK(!member.region().has_its_name());
  Status status = Status::Ok;
  for (int i = 0; i < 1000 && status == Status::Ok; ++i) {
    Seat seat;
    status = fixture::open_seat(member.region(), agent, std::to_string(i), &seat);
  }
  CHECK_EQ(status, Status::System);
  CHECK(precious.is_untouched());
  Seat seat;
  CHECK_EQ(fixture::open_seat(member.region(), agent, "0", &seat), Status::Ok);
}

TEST_IN_A_PROCESS(descriptor__taken_by_other_code__life_is_not_judged_by_the_others_file) {
  const NameSpace name_space;
  processes::Signal in;
  Child living([&] {
    const Member member(name_space.name());
    CHECK_EQ(member.status(), Status::Ok);
    in.raise();
    for (;;) ::pause();
  });
  in.await();
  const Member member(name_space.name());
  const ProcessIndex index = 1 - member.region().self().index;
  const Precious precious;
  CHECK(!member.region().has_ended(index));
  REQUIRE(take_the_descriptor(name_space.file(), precious.fd()));
  CHECK(!member.region().has_ended(index));
  CHECK(living.end(SIGKILL).killed());
  CHECK(member.region().has_ended(index));
  // Nothing to judge by: not ended.
  CHECK_EQ(::shm_unlink(name_space.file().c_str()), 0);
  CHECK(!member.region().has_ended(index));
}

namespace {

void taken_descriptor_stays_open(void (SharedFile::*close)()) {
  const FileName name;
  const Precious precious;
  SharedFile file;
  CHECK_EQ(file.open_locked(name.text, 0600, true), Status::Ok);
  const int kept = ::dup(precious.fd());
  REQUIRE(take_the_descriptor(name.text, precious.fd()));
  (file.*close)();
  int open = 0;
  for (int fd = 3; fd < 1024; ++fd) {
    struct stat its{};
    struct stat mine{};
    if (::fstat(fd, &its) == 0 && ::fstat(kept, &mine) == 0 && its.st_ino == mine.st_ino &&
        its.st_dev == mine.st_dev) {
      ++open;
    }
  }
  CHECK_EQ(open, 3);
}

}  // namespace

TEST_IN_A_PROCESS(descriptor__taken_by_other_code__a_close_leaves_it_open) {
  taken_descriptor_stays_open(&SharedFile::close);
}

// Which may be about to exec a program that is to have it.
TEST_IN_A_PROCESS(descriptor__taken_by_other_code__a_forked_child_leaves_it_open) {
  taken_descriptor_stays_open(&SharedFile::close_in_child);
}

// A closed one's number is given to the next file that is opened: a low one soon is.
TEST(descriptor__has_a_number_that_is_not_used_next) {
  const FileName name;
  SharedFile file;
  CHECK_EQ(file.open_locked(name.text, 0600, true), Status::Ok);
  struct stat mine{};
  CHECK_EQ(::stat(("/dev/shm" + name.text).c_str(), &mine), 0);
  for (int fd = 3; fd < 100; ++fd) {
    struct stat open{};
    CHECK(::fstat(fd, &open) != 0 || open.st_ino != mine.st_ino || open.st_dev != mine.st_dev);
  }
}

// ---- Reserving under signals ----

namespace {

// What kernels do that give up a reservation at a signal, where signals come faster than it ends.
enum class Signals : uint8_t { None, ThatMayBeBlocked, ThatMayNot };
std::atomic<Signals> signals_come{Signals::None};

}  // namespace

// In place of libc's.
extern "C" int posix_fallocate(int fd, off_t from, off_t bytes) {
  sigset_t blocked;
  pthread_sigmask(SIG_BLOCK, nullptr, &blocked);
  const Signals come = signals_come.load();
  const bool interrupted = come == Signals::ThatMayNot || (come == Signals::ThatMayBeBlocked &&
                                                           sigismember(&blocked, SIGPROF) == 0);
  if (interrupted) return EINTR;
  return ::fallocate(fd, 0, from, bytes) == 0 ? 0 : errno;
}

TEST_IN_A_PROCESS(reserve__under_a_profilers_signals__ends) {
  signals_come = Signals::ThatMayBeBlocked;
  UnnamedFile data;
  CHECK_EQ(data.make(0600, 40 << 20), Status::Ok);
  const FileName name;
  SharedFile file;
  CHECK_EQ(file.open_locked(name.text, 0600, true), Status::Ok);
  CHECK_EQ(file.reserve(1 << 20), Status::Ok);
  sigset_t blocked;
  pthread_sigmask(SIG_BLOCK, nullptr, &blocked);
  CHECK_EQ(sigismember(&blocked, SIGPROF), 0);
}

TEST_IN_A_PROCESS(reserve__cut_short_without_end__is_an_error) {
  signals_come = Signals::ThatMayNot;
  UnnamedFile data;
  CHECK_EQ(data.make(0600, 1 << 20), Status::System);
  const FileName name;
  SharedFile file;
  CHECK_EQ(file.open_locked(name.text, 0600, true), Status::Ok);
  CHECK_EQ(file.reserve(1 << 20), Status::System);
  CHECK_EQ(errno, EINTR);
}

// ---- Freeing ----

TEST(removed_data__is_freed_when_the_guard_is_left) {
  const NameSpace name_space;
  Child remover([&] {
    const Member other(name_space.name());
    Seat seat;
    CHECK_EQ(open_array(other.region(), other.claim_agent(), "array", 1 << 20, &seat), Status::Ok);
    const std::string file =
        data_file_name(other.region(), seat.object_index, seat.object->generation);
    CHECK(is_there(file));
    arm_fault("data.freeing", FaultAction::Stop);
    static_cast<void>(Registry(other.region()).unlink(seat.object_index));
    CHECK(!is_there(file));
  });
  REQUIRE(remover.stopped());
  const Member member(name_space.name());
  // Its memory is not free yet; the guard is: this would wait for as long as the other is stopped.
  Seat seat;
  CHECK_EQ(fixture::open_seat(member.region(), member.claim_agent(), "any", &seat), Status::Ok);
  remover.signal(SIGCONT);
  CHECK(remover.wait().well());
}

// ---- Deaths (region/data_file.h) ----

namespace {

// The data files of the namespace.
std::vector<std::string> data_files(const NameSpace& name_space) {
  std::vector<std::string> found;
  const std::string prefix = name_space.file().substr(1) + ".";
  DIR* folder = ::opendir("/dev/shm");
  while (const dirent* entry = folder != nullptr ? ::readdir(folder) : nullptr) {
    if (std::strncmp(entry->d_name, prefix.c_str(), prefix.size()) == 0) {
      found.emplace_back(entry->d_name);
    }
  }
  if (folder != nullptr) ::closedir(folder);
  return found;
}

}  // namespace

TEST(data__named_and_its_maker_dies__the_next_one_removes_it) {
  const NameSpace name_space;
  Child maker([&] {
    const Member other(name_space.name());
    const AgentSlot agent = other.claim_agent();
    arm_fault("object.data-named", FaultAction::Kill);
    Seat seat;
    static_cast<void>(open_array(other.region(), agent, "array", 4096, &seat));
  });
  CHECK(maker.wait().killed());
  CHECK_EQ(data_files(name_space).size(), 1u);
  CHECK(ends_well([&] {
    const Member member(name_space.name());
    Seat seat;
    CHECK_EQ(fixture::open_seat(member.region(), member.claim_agent(), "any", &seat), Status::Ok);
    CHECK(data_files(name_space).empty());
    CHECK_EQ(open_array(member.region(), seat.agent, "array", 4096, &seat), Status::Ok);
    CHECK_EQ(data_files(name_space).size(), 1u);
    CHECK_EQ(Registry(member.region()).unlink(seat.object_index), Status::Ok);
  }));
  CHECK(data_files(name_space).empty());
}

TEST(data__removed_and_its_remover_dies__the_object_is_over) {
  for (const bool by_closing : {false, true}) {
    const NameSpace name_space;
    Child remover([&] {
      const Member other(name_space.name());
      Seat seat;
      REQUIRE(open_array(other.region(), other.claim_agent(), "array", 4096, &seat, by_closing) ==
              Status::Ok);
      CHECK_EQ(data_files(name_space).size(), 1u);
      if (!by_closing) CHECK_EQ(unlink_object(other.region(), seat), Status::Ok);
      arm_fault("object.data-removed", FaultAction::Kill);
      if (by_closing) {
        fixture::close_seat(other.region(), seat);
      } else {
        static_cast<void>(Registry(other.region()).unlink(seat.object_index));
      }
    });
    CHECK(remover.wait().killed());
    CHECK(data_files(name_space).empty());
    CHECK(ends_well([&] {
      const Member member(name_space.name());
      Region& region = member.region();
      const AgentSlot agent = member.claim_agent();
      fixture::reap_all(region);
      Seat seat;
      CHECK_EQ(fixture::open_seat(region, agent, "array", &seat, {.create = false}),
               Status::NotFound);
      CHECK_EQ(open_array(region, agent, "array", 4096, &seat), Status::Ok);
      CHECK_EQ(data_files(name_space).size(), 1u);
      CHECK_EQ(Registry(region).unlink(seat.object_index), Status::Ok);
    }));
  }
}

namespace {

// How many mappings of its file this process has. By its inode: it was mapped before it had its name.
int mappings_of(const std::string& name) {
  struct stat file{};
  if (::stat(("/dev/shm" + name).c_str(), &file) != 0) return -1;
  std::ifstream maps("/proc/self/maps");
  const std::string inode = " " + std::to_string(file.st_ino) + " ";
  int found = 0;
  for (std::string line; std::getline(maps, line);) {
    if (line.find(inode) != std::string::npos && line.find("/dev/shm/") != std::string::npos) {
      ++found;
    }
  }
  return found;
}

}  // namespace

TEST_IN_A_PROCESS(named_mutex__closed_by_all__is_unmapped) {
  const FileName name;
  {
    NamedMutex one;
    NamedMutex other;
    CHECK_EQ(one.open(name.text, {CreateFile::IfMissing, 0600}), Status::Ok);
    CHECK_EQ(other.open(name.text, {CreateFile::IfMissing, 0600}), Status::Ok);
    CHECK_EQ(mappings_of(name.text), 1);
    CHECK_EQ(one.try_lock(), NamedMutex::Result::Held);
    CHECK_EQ(one.unlock(), Status::Ok);
    one = NamedMutex();
    CHECK_EQ(mappings_of(name.text), 1);
    CHECK_EQ(other.try_lock(), NamedMutex::Result::Held);
    CHECK_EQ(other.unlock(), Status::Ok);
  }
  CHECK_EQ(mappings_of(name.text), 0);
}

// The kernel walks the list of what a thread holds when it ends.
TEST_IN_A_PROCESS(
    named_mutex__closed_while_it_is_held__stays_mapped_until_its_holders_end_was_told) {
  const FileName name;
  std::thread([&] {
    NamedMutex mutex;
    CHECK_EQ(mutex.open(name.text, {CreateFile::IfMissing, 0600}), Status::Ok);
    CHECK_EQ(mutex.try_lock(), NamedMutex::Result::Held);
  }).join();
  CHECK_EQ(mappings_of(name.text), 1);
  {
    NamedMutex mutex;
    CHECK_EQ(mutex.open(name.text, {CreateFile::Never, 0600}), Status::Ok);
    CHECK_EQ(mutex.try_lock(), NamedMutex::Result::OwnerDied);
    CHECK_EQ(mutex.consistent(), Status::Ok);
    CHECK_EQ(mutex.unlock(), Status::Ok);
  }
  CHECK_EQ(mappings_of(name.text), 0);
}

TEST_IN_A_PROCESS(named_mutex__what_is_none__is_refused) {
  const auto make = [](const std::string& name, auto fill) {
    UnnamedFile file;
    std::shared_ptr<Mapping> memory;
    CHECK_EQ(file.make(0600, sizeof(pthread_mutex_t)), Status::Ok);
    CHECK_EQ(file.map(&memory), Status::Ok);
    fill(reinterpret_cast<pthread_mutex_t*>(memory->base()));
    CHECK_EQ(file.publish(name), Status::Ok);
  };
  struct Made {
    int shared;
    int robust;
    int type;
    Status expected;
  };
  constexpr int kShared = PTHREAD_PROCESS_SHARED;
  constexpr int kRobust = PTHREAD_MUTEX_ROBUST;
  for (const Made made :
       {Made{kShared, kRobust, PTHREAD_MUTEX_NORMAL, Status::Ok},
        Made{kShared, kRobust, PTHREAD_MUTEX_RECURSIVE, Status::Ok},
        Made{kShared, kRobust, PTHREAD_MUTEX_ERRORCHECK, Status::Ok},
        Made{PTHREAD_PROCESS_PRIVATE, PTHREAD_MUTEX_STALLED, PTHREAD_MUTEX_NORMAL,
             Status::KindMismatch},
        Made{kShared, PTHREAD_MUTEX_STALLED, PTHREAD_MUTEX_NORMAL, Status::KindMismatch}}) {
    const FileName name;
    make(name.text, [&](pthread_mutex_t* mutex) {
      pthread_mutexattr_t attributes;
      pthread_mutexattr_init(&attributes);
      pthread_mutexattr_setpshared(&attributes, made.shared);
      pthread_mutexattr_setrobust(&attributes, made.robust);
      pthread_mutexattr_settype(&attributes, made.type);
      CHECK_EQ(pthread_mutex_init(mutex, &attributes), 0);
      pthread_mutexattr_destroy(&attributes);
    });
    NamedMutex mutex;
    CHECK_EQ(mutex.open(name.text, {CreateFile::IfMissing, 0600}), made.expected);
  }
  for (const int byte : {0, 0x5a, 0xff}) {
    const FileName name;
    make(name.text, [&](pthread_mutex_t* mutex) { std::memset(mutex, byte, sizeof *mutex); });
    NamedMutex mutex;
    CHECK_EQ(mutex.open(name.text, {CreateFile::IfMissing, 0600}), Status::KindMismatch);
  }
}

// Locked, orphaned, made consistent or not: it stays one.
TEST_IN_A_PROCESS(named_mutex__in_any_state__is_opened) {
  const FileName name;
  NamedMutex mutex;
  const auto opens = [&] {
    return ends_well([&] {
      NamedMutex again;
      CHECK_EQ(again.open(name.text, {CreateFile::Never, 0600}), Status::Ok);
    });
  };
  CHECK_EQ(mutex.open(name.text, {CreateFile::IfMissing, 0600}), Status::Ok);
  CHECK_EQ(mutex.try_lock(), NamedMutex::Result::Held);
  CHECK(opens());
  CHECK_EQ(mutex.unlock(), Status::Ok);
  CHECK(opens());
  std::thread([&] { CHECK_EQ(mutex.try_lock(), NamedMutex::Result::Held); }).join();
  CHECK(opens());
  CHECK_EQ(mutex.try_lock(), NamedMutex::Result::OwnerDied);
  CHECK(opens());
  CHECK_EQ(mutex.unlock(), Status::Ok);
  CHECK_EQ(mutex.try_lock(), NamedMutex::Result::NotRecoverable);
  CHECK(opens());
}

// ---- Naming without /proc ----

namespace {

// A /proc with nothing in it, for this process alone. The reason why not.
const char* without_proc() {
  if (::unshare(CLONE_NEWNS) != 0) return "no mount namespace may be made here";
  if (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return "mounts stay shared";
  if (::mount("tmpfs", "/proc", "tmpfs", 0, nullptr) != 0) return "no tmpfs may be mounted";
  return nullptr;
}

// As an older kernel without the right to link by descriptor.
bool forbid_empty_paths() {
  sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_linkat, 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, args[4])),
      BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, AT_EMPTY_PATH, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOENT),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog filter{sizeof program / sizeof program[0], program};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

// What lies in /dev/shm under the names of files that have none yet.
int makeshift_files() {
  DIR* folder = ::opendir("/dev/shm");
  const std::string mine = "holdfast-new." + std::to_string(::getpid()) + ".";
  int found = 0;
  while (const dirent* entry = ::readdir(folder)) {
    if (std::string_view(entry->d_name).starts_with(mine)) ++found;
  }
  ::closedir(folder);
  return found;
}

void publish_one() {
  const FileName name;
  {
    UnnamedFile file;
    std::shared_ptr<Mapping> memory;
    CHECK_EQ(file.make(0600, 100), Status::Ok);
    CHECK_EQ(file.map(&memory), Status::Ok);
    memory->base()[99] = std::byte{42};
    CHECK_EQ(file.publish(name.text), Status::Ok);
    CHECK_EQ(file.publish(name.text), Status::Exists);
  }
  std::shared_ptr<Mapping> found;
  CHECK_EQ(Mapping::open(name.text, {.least_bytes = 100}, &found), Status::Ok);
  REQUIRE(found != nullptr);
  CHECK_EQ(found->base()[99], std::byte{42});
  CHECK_EQ(makeshift_files(), 0);
}

}  // namespace

TEST(unnamed_file__gets_its_name__with_proc_and_without_and_without_links_by_descriptor) {
  publish_one();
  processes::Shared<std::atomic<const char*>> why_not;
  CHECK(ends_well([&] {
    why_not->store(without_proc());
    if (why_not->load() != nullptr) return;
    publish_one();
    if (!forbid_empty_paths()) return why_not->store("no system call may be forbidden");
    publish_one();
  }));
  if (why_not->load() != nullptr) skip(why_not->load());
}

// ---- Cutting ----

namespace {

uint64_t length_of(const std::string& name) {
  struct stat file{};
  return ::stat(("/dev/shm" + name).c_str(), &file) == 0 ? static_cast<uint64_t>(file.st_size) : 0;
}

}  // namespace

// What was cut off would come back as zeros: free locks, in the hands of those who hold them.
TEST_IN_A_PROCESS(cut__a_region__is_not_grown_over_the_cut) {
  const NameSpace name_space;
  const Member member(name_space.name());
  const AgentSlot agent = member.claim_agent();
  for (int i = 0; i < 300; ++i) {
    Seat seat;
    CHECK_EQ(fixture::open_seat(member.region(), agent, std::to_string(i), &seat), Status::Ok);
  }
  const uint64_t left = length_of(name_space.file()) - kPage;
  CHECK_EQ(::truncate(("/dev/shm" + name_space.file()).c_str(), static_cast<off_t>(left)), 0);
  std::string detail;
  CHECK_EQ(member.region().check_file(&detail), Status::Corrupt);
  CHECK_EQ(detail, "the file was cut to " + std::to_string(left) + " bytes");
  CHECK_EQ(member.region().grow(member.region().header().agents), Status::Corrupt);
  CHECK_EQ(length_of(name_space.file()), left);
  REQUIRE(::truncate(("/dev/shm" + name_space.file()).c_str(), static_cast<off_t>(left + kPage)) ==
          0);
  CHECK_EQ(member.region().check_file(&detail), Status::Ok);
}

namespace {

// Another process grows the file, and another thread of this one uses what is new.
struct Growth {
  Region& region;
  Region& other;
};
void grow_and_use(void* context) {
  const auto& [region, other] = *static_cast<Growth*>(context);
  CHECK_EQ(other.grow(other.header().agents), Status::Ok);
  CHECK(region.agent(Region::count(region.header().agents) - 1) != nullptr);
}

}  // namespace

TEST_IN_A_PROCESS(cut__a_region_that_grows_while_it_is_looked_at__is_not) {
  const NameSpace name_space;
  const Member member(name_space.name());
  const Member other(name_space.name());
  Region& region = member.region();
  Growth growth{region, other.region()};
  std::string detail;
  arm_fault("region.looked", grow_and_use, &growth);
  CHECK_EQ(region.check_file(&detail), Status::Ok);
  arm_fault("region.looked", grow_and_use, &growth);
  CHECK(!region.is_cut());
  arm_fault("region.looked", grow_and_use, &growth);
  CHECK_EQ(region.grow(region.header().tickets), Status::Ok);
}

TEST_IN_A_PROCESS(cut__a_region_without_its_name__is_gone) {
  const NameSpace name_space;
  const Member member(name_space.name());
  CHECK_EQ(::shm_unlink(name_space.file().c_str()), 0);
  std::string detail;
  CHECK_EQ(member.region().check_file(&detail), Status::Gone);
}
