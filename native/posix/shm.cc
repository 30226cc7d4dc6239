#include "posix/shm.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "posix/failure.h"
#include "posix/fault.h"

namespace holdfast {

FileOwner FileOwner::me() { return {::geteuid(), ::getegid()}; }

bool is_of_trusted_owner(const struct stat& file) {
  return file.st_uid == ::geteuid() || file.st_uid == 0;
}

int open_shm(const std::string& name, int flags, mode_t mode) {
  return ::open((kShmFolder + name).c_str(), flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, mode);
}

Status reserve_file(int fd, uint64_t from, uint64_t bytes) {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  // What no mask keeps out (a stop, a debugger) can still cut it short.
  constexpr int kAttempts = 1000;
  int error = EINTR;
  for (int i = 0; i < kAttempts && error == EINTR; ++i) {
    error = ::posix_fallocate(fd, static_cast<off_t>(from), static_cast<off_t>(bytes));
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (error == 0) return Status::Ok;
  // Memory that there is none of is no room for it, too.
  if (error == ENOMEM) return failed(Status::NoSpace, "fallocate", error, kShmFolder);
  errno = error;
  return failed("fallocate", kShmFolder);
}

void RemovedFiles::remove(const std::string& name) {
  if (count_ < held_.size()) {
    // O_PATH: it needs no permission, and keeps the memory all the same.
    const int fd = ::open((kShmFolder + name).c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) return;
    if (fd >= 0) held_[count_++] = fd;
  }
  ::shm_unlink(name.c_str());
}

void RemovedFiles::free() {
  if (count_ == 0) return;
  const int error = errno;
  HOLDFAST_POINT("data.freeing");
  while (count_ > 0) ::close(held_[--count_]);
  errno = error;
}

}  // namespace holdfast
