// What the system refuses: that the status is the right one, and which call and errno are noted with it, on the thread
// that asked.
#include "posix/failure.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <cstddef>
#include <vector>

#include "fixture.h"
#include "posix/named_semaphore.h"
#include "posix/unnamed_file.h"
#include "region/region.h"
#include "wait/keeper.h"

namespace {

using namespace holdfast;
using fixture::ends_well;
using fixture::Member;
using fixture::NameSpace;
using processes::Shared;

void skip(const char* why) { std::fprintf(stderr, "  skipped: %s\n", why); }

// `number` fails with `error` in this process from now on; of fcntl, with the commands of open-file-description locks.
bool forbid(unsigned number, unsigned error) {
  std::vector<sock_filter> program = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  if (number == SYS_fcntl) {
    program.insert(program.end(),
                   {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, args[1])),
                    BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, F_OFD_GETLK, 0, 1),
                    BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, F_OFD_SETLKW, 0, 1),
                    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)});
  }
  program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error));
  const sock_fprog filter{static_cast<unsigned short>(program.size()), program.data()};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

struct Expected {
  Status status;
  const char* call;
  int error;
};

void check_failure(Status status, const Expected& expected) {
  CHECK_EQ(status, expected.status);
  const Failure& failure = last_failure();
  CHECK_EQ(failure.status, expected.status);
  CHECK_EQ(std::string(failure.call), expected.call);
  CHECK_EQ(failure.error, expected.error);
}

// In a process of its own, which `refuse` prepares: what the first or the next process that joins is told.
template <typename Refuse>
void check_joining(Refuse refuse, const Expected& expected, bool is_first) {
  const NameSpace name_space;
  if (!is_first) CHECK(ends_well([&] { Member(name_space.name()); }));
  Shared<bool> cannot;
  CHECK(ends_well([&] {
    if (!refuse()) {
      *cannot = true;
      return;
    }
    auto& keeper = *new Keeper;  // never deleted, as its header says
    std::string detail;
    check_failure(keeper.start(name_space.name(), 0600, &detail), expected);
  }));
  if (*cannot) skip("it cannot be refused here");
  // It let go of everything: the next one is in.
  CHECK(ends_well([&] { CHECK_EQ(Member(name_space.name()).status(), Status::Ok); }));
}

}  // namespace

TEST(failed__notes_the_call_and_keeps_errno) {
  errno = EMFILE;
  CHECK_EQ(failed("open", "/dev/shm/x"), Status::System);
  CHECK_EQ(errno, EMFILE);
  check_failure(Status::System, {Status::System, "open", EMFILE});
  CHECK_EQ(std::string(last_failure().path), "/dev/shm/x");
  CHECK_EQ(failed(Status::Unsupported, "mmap", EPERM, std::string(1000, 'x')), Status::Unsupported);
  CHECK_EQ(std::string(last_failure().path), std::string(sizeof last_failure().path - 1, 'x'));
  std::thread([] { CHECK_EQ(last_failure().status, Status::Ok); }).join();
}

TEST(join__a_call_that_is_forbidden__is_named) {
  for (const bool is_first : {true, false}) {
    check_joining([] { return forbid(SYS_flock, ENOSYS); }, {Status::System, "flock", ENOSYS},
                  is_first);
    check_joining([] { return forbid(SYS_fcntl, EPERM); }, {Status::System, "fcntl", EPERM},
                  is_first);
  }
  check_joining([] { return forbid(SYS_fallocate, ENOSPC); },
                {Status::NoSpace, "fallocate", ENOSPC}, true);
}

// It is asked for on the keeper's thread, and told on the one that joins.
TEST(join__without_get_robust_list__is_unsupported_and_says_so) {
  for (const bool is_first : {true, false}) {
    check_joining([] { return forbid(SYS_get_robust_list, EPERM); },
                  {Status::Unsupported, "get_robust_list", EPERM}, is_first);
  }
}

TEST(join__without_room_in_the_address_space__is_not_a_full_dev_shm) {
  const auto refuse = [] {
    const rlimit limit{rlim_t{1} << 29, rlim_t{1} << 29};
    return ::setrlimit(RLIMIT_AS, &limit) == 0;
  };
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // their shadow is larger
  for (const bool is_first : {true, false}) {
    check_joining(refuse, {Status::System, "mmap", ENOMEM}, is_first);
  }
#endif
  static_cast<void>(refuse);
}

TEST(join__without_a_thread_to_be_had__is_not_unsupported) {
  // A user of its own where there may be one: the limit is not root's. Its namespace as well.
  const auto refuse = [] {
    const rlimit limit{1, 1};
    return ::setrlimit(RLIMIT_NPROC, &limit) == 0;
  };
  const NameSpace mine;
  for (const bool is_first : {true, false}) {
    CHECK(ends_well([&] {
      if (::geteuid() == 0) CHECK_EQ(::setresuid(54'321, 54'321, 54'321), 0);
      if (!is_first) CHECK(ends_well([&] { Member(mine.name()); }));
      CHECK(refuse());
      auto& keeper = *new Keeper;
      std::string detail;
      check_failure(keeper.start(mine.name(), 0600, &detail),
                    {Status::System, "pthread_create", EAGAIN});
      ::shm_unlink(region_file_name(mine.name(), 0600).c_str());
    }));
  }
}

TEST(shared_memory__a_call_that_is_refused__is_named) {
  CHECK(ends_well([] {
    if (!forbid(SYS_fallocate, ENOMEM)) return skip("it cannot be refused here");
    UnnamedFile file;
    check_failure(file.make(0600, 100), {Status::NoSpace, "fallocate", ENOMEM});
  }));
  CHECK(ends_well([] {
    if (!forbid(SYS_mmap, ENOMEM)) return skip("it cannot be refused here");
    UnnamedFile file;
    std::shared_ptr<Mapping> memory;
    CHECK_EQ(file.make(0600, 100), Status::Ok);
    check_failure(file.map(&memory), {Status::System, "mmap", ENOMEM});
  }));
}

TEST(named_semaphore__a_folder_in_the_way__is_named) {
#if defined(__GLIBC__)
  const std::string name = fixture::fresh_name();
  const std::string folder = "/dev/shm/sem." + name;
  CHECK_EQ(::mkdir(folder.c_str(), 0700), 0);
  NamedSemaphore semaphore;
  check_failure(semaphore.open(("/" + name).c_str(), NamedSemaphore::Create::IfMissing, 0600, 0),
                {Status::System, "sem_open", EISDIR});
  CHECK_EQ(::rmdir(folder.c_str()), 0);
#endif
}
