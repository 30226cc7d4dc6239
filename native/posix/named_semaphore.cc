#include "posix/named_semaphore.h"

#include <fcntl.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string>

#include "posix/failure.h"
#include "posix/shm.h"

namespace holdfast {
namespace {

// What errno comes to in a call on an open one.
Status status_of_use(const char* call) {
  switch (errno) {
    case EAGAIN:
    case ETIMEDOUT:
      return Status::TimedOut;
    case EOVERFLOW:
      return Status::Full;
    default:
      return failed(Status::System, call, errno);
  }
}

using Words = std::array<uint32_t, sizeof(sem_t) / sizeof(uint32_t)>;

Words words_of(const sem_t& semaphore) {
  Words words;
  std::memcpy(words.data(), &semaphore, sizeof words);
  return words;
}

// Whether it is one between processes, as libc makes them: glibc ends the process where it says neither that nor the
// opposite. Found by comparing with two that are made for it, in those words alone in which that shows.
bool is_one(const sem_t& semaphore) {
  static const std::array<Words, 2> made = [] {
    std::array<Words, 2> both{};
    for (const int shared : {0, 1}) {
      sem_t one{};
      ::sem_init(&one, shared, 0);
      both[static_cast<size_t>(shared)] = words_of(one);
    }
    return both;
  }();
  const Words here = words_of(semaphore);
  for (size_t i = 0; i < here.size(); ++i) {
    if (made[0][i] != made[1][i] && here[i] != made[1][i]) return false;
  }
  return true;
}

#if defined(__GLIBC__)
constexpr char kPrefix[] = "/sem.";
#else
constexpr char kPrefix[] = "/";
#endif

std::string file_of(const char* name) {
  return std::string(kShmFolder) + kPrefix + (name[0] == '/' ? name + 1 : name);
}

// Where there is none there is nobody to mistrust.
bool has_trusted_owner(const char* name) {
  struct stat file{};
  return name[0] != '/' || ::lstat(file_of(name).c_str(), &file) != 0 || is_of_trusted_owner(file);
}

#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 30)
int wait_until(sem_t* semaphore, Deadline deadline) {
  const timespec until = deadline.to_timespec();
  return ::sem_clockwait(semaphore, CLOCK_MONOTONIC, &until);
}
#else
// sem_timedwait follows the wall clock. A short slice at a time, so that a stepped clock shifts the end
// by one slice's error and not by the step.
int wait_until(sem_t* semaphore, Deadline deadline) {
  constexpr int64_t kSliceNs = 50'000'000;
  for (;;) {
    const int64_t left = deadline.ns() - monotonic_ns();
    if (left <= 0) return ::sem_trywait(semaphore) == 0 ? 0 : (errno = ETIMEDOUT, -1);
    timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    const int64_t ns = until.tv_nsec + (left < kSliceNs ? left : kSliceNs);
    until.tv_sec += static_cast<time_t>(ns / 1'000'000'000);
    until.tv_nsec = static_cast<long>(ns % 1'000'000'000);
    if (::sem_timedwait(semaphore, &until) == 0) return 0;
    if (errno != ETIMEDOUT) return -1;
  }
}
#endif

}  // namespace

Status NamedSemaphore::open(const char* name, Create create, mode_t mode, unsigned initial) {
  close();
  int flags = 0;
  if (create != Create::Never) flags |= O_CREAT;
  if (create == Create::Exclusively) flags |= O_EXCL;
  semaphore_ = ::sem_open(name, flags, mode, initial);
  if (semaphore_ != SEM_FAILED) return Status::Ok;
  const std::string path = file_of(name);
  if (errno == EINVAL || errno == ENAMETOOLONG) {
    return failed(Status::BadArgument, "sem_open", errno, path);
  }
  // What is missing is the folder.
  return errno == ENOENT && create != Create::Never
             ? failed(Status::System, "sem_open", errno, path)
             : failed("sem_open", path);
}

Status NamedSemaphore::open_trusted(const char* name, Create create, mode_t mode,
                                    unsigned initial) {
  if (!has_trusted_owner(name)) return Status::Access;
  const Status status = open(name, create, mode, initial);
  if (status != Status::Ok || has_trusted_owner(name)) return status;
  close();
  return Status::Access;
}

Status NamedSemaphore::usable() const {
  if (semaphore_ == SEM_FAILED) return Status::BadHandle;
  return is_one(*semaphore_) ? Status::Ok : Status::Corrupt;
}

Status NamedSemaphore::post() {
  if (const Status status = usable(); status != Status::Ok) return status;
  return ::sem_post(semaphore_) == 0 ? Status::Ok : status_of_use("sem_post");
}

Status NamedSemaphore::try_wait() {
  if (const Status status = usable(); status != Status::Ok) return status;
  return ::sem_trywait(semaphore_) == 0 ? Status::Ok : status_of_use("sem_trywait");
}

Status NamedSemaphore::wait(Deadline deadline) {
  if (const Status status = usable(); status != Status::Ok) return status;
  int result;
  do {
    result = deadline.is_never() ? ::sem_wait(semaphore_) : wait_until(semaphore_, deadline);
  } while (result != 0 && errno == EINTR);
  return result == 0 ? Status::Ok : status_of_use("sem_clockwait");
}

Status NamedSemaphore::value(int* out) const {
  if (semaphore_ == SEM_FAILED) return Status::BadHandle;
  return ::sem_getvalue(semaphore_, out) == 0 ? Status::Ok : status_of_use("sem_getvalue");
}

void NamedSemaphore::close() {
  if (semaphore_ != SEM_FAILED) ::sem_close(semaphore_);
  semaphore_ = SEM_FAILED;
}

Status NamedSemaphore::unlink(const char* name) {
  return ::sem_unlink(name) == 0 ? Status::Ok : failed("sem_unlink", file_of(name));
}

}  // namespace holdfast
