#include "posix/futex.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <climits>

namespace holdfast {
namespace {

// From <linux/futex.h> of 5.16; older headers lack them.
constexpr long kSysFutexWaitv = 449;  // the same on every architecture
constexpr uint32_t kFutex32 = 2;
struct FutexWaitv {
  uint64_t value;
  uint64_t address;
  uint32_t flags;
  uint32_t reserved;
};
static_assert(sizeof(FutexWaitv) == 24);

FutexWake wake_of(long result) {
  if (result >= 0) return FutexWake::Look;
  switch (errno) {
    case ETIMEDOUT:
      return FutexWake::TimedOut;
    case EAGAIN:  // the value differed
    case EINTR:   // a signal
      return FutexWake::Look;
    default:  // ENOSYS; EPERM, EACCES or whatever a seccomp filter says; no memory
      return FutexWake::Unsupported;
  }
}

}  // namespace

FutexWake futex_wait(const FutexWord& word, uint32_t expected, Deadline deadline) {
  const timespec until = deadline.to_timespec();
  // WAIT_BITSET and not WAIT: its time-out is absolute, on CLOCK_MONOTONIC.
  return wake_of(::syscall(SYS_futex, &word, FUTEX_WAIT_BITSET, expected,
                           deadline.is_never() ? nullptr : &until, nullptr,
                           FUTEX_BITSET_MATCH_ANY));
}

void futex_wake(const FutexWord& word, int count) {
  ::syscall(SYS_futex, &word, FUTEX_WAKE, count, nullptr, nullptr, 0);
}

FutexWake futex_wait_any(std::span<const FutexWatch> watches, Deadline deadline) {
  FutexWaitv entries[kMaxFutexWatches];
  if (watches.size() > kMaxFutexWatches) watches = watches.first(kMaxFutexWatches);
  for (size_t i = 0; i < watches.size(); ++i) {
    entries[i] = {watches[i].expected, reinterpret_cast<uintptr_t>(watches[i].word), kFutex32, 0};
  }
  const timespec until = deadline.to_timespec();
  return wake_of(::syscall(kSysFutexWaitv, entries, static_cast<unsigned>(watches.size()), 0,
                           deadline.is_never() ? nullptr : &until, CLOCK_MONOTONIC));
}

}  // namespace holdfast
