#include "posix/robust_mutex.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace holdfast {
namespace {

RobustMutex::Lock lock_of(int error) {
  switch (error) {
    case 0:
      return RobustMutex::Lock::Held;
    case EOWNERDEAD:
      return RobustMutex::Lock::OwnerDied;
    case EBUSY:
    case ETIMEDOUT:
      return RobustMutex::Lock::Busy;
    case ENOTRECOVERABLE:
      return RobustMutex::Lock::NotRecoverable;
    default:
      errno = error;
      return RobustMutex::Lock::Failed;
  }
}

}  // namespace

bool RobustMutex::init() {
  pthread_mutexattr_t attributes;
  if (pthread_mutexattr_init(&attributes) != 0) return false;
  const bool ok = pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED) == 0 &&
                  pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST) == 0 &&
                  pthread_mutex_init(&mutex_, &attributes) == 0;
  pthread_mutexattr_destroy(&attributes);
  return ok;
}

RobustMutex::Lock RobustMutex::lock() { return lock_of(pthread_mutex_lock(&mutex_)); }

RobustMutex::Lock RobustMutex::lock(Deadline deadline) {
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 30)
  const timespec until = deadline.to_timespec();
  return lock_of(pthread_mutex_clocklock(&mutex_, CLOCK_MONOTONIC, &until));
#else
  // The wall clock: callers come with a short slice at a time, so that a step of it does little harm.
  const int64_t left = deadline.ns() - monotonic_ns();
  if (left <= 0) return try_lock();
  timespec until;
  clock_gettime(CLOCK_REALTIME, &until);
  const int64_t ns = until.tv_nsec + left;
  until.tv_sec += static_cast<time_t>(ns / 1'000'000'000);
  until.tv_nsec = static_cast<long>(ns % 1'000'000'000);
  return lock_of(pthread_mutex_timedlock(&mutex_, &until));
#endif
}

RobustMutex::Lock RobustMutex::try_lock() { return lock_of(pthread_mutex_trylock(&mutex_)); }

bool RobustMutex::unlock() {
  const int error = pthread_mutex_unlock(&mutex_);
  errno = error;
  return error == 0;
}

bool RobustMutex::consistent() {
  const int error = pthread_mutex_consistent(&mutex_);
  errno = error;
  return error == 0;
}

ptrdiff_t RobustMutex::futex_word_offset() const {
  robust_list_head* head = nullptr;
  size_t length = 0;
  if (::syscall(SYS_get_robust_list, 0, &head, &length) != 0 || head == nullptr) return -1;
  const uintptr_t entry =
      reinterpret_cast<uintptr_t>(head->list.next) & ~uintptr_t{1};  // bit 0: PI
  const auto self = reinterpret_cast<uintptr_t>(this);
  if (entry < self || entry >= self + sizeof *this) return -1;
  const uintptr_t word = entry + static_cast<uintptr_t>(head->futex_offset);
  if (word < self || word + sizeof(uint32_t) > self + sizeof *this) return -1;
  return static_cast<ptrdiff_t>(word - self);
}

bool robust_mutexes_work() {
  RobustMutex mutex;
  if (!mutex.init()) return false;
  pthread_t thread;
  const auto die_holding_it = [](void* argument) -> void* {
    static_cast<void>(static_cast<RobustMutex*>(argument)->lock());
    return nullptr;
  };
  if (pthread_create(&thread, nullptr, die_holding_it, &mutex) != 0) return false;
  pthread_join(thread, nullptr);
  const bool told = mutex.try_lock() == RobustMutex::Lock::OwnerDied;
  if (told && mutex.consistent()) mutex.unlock();
  return told;
}

}  // namespace holdfast
