#include "posix/robust_mutex.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <vector>

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

struct Attributes {
  int shared;
  int robust;
  int type;
  int protocol;
};

// No type was asked for: glibc tells the normal one from it.
constexpr int kAnyType = -1;

struct Made {
  alignas(pthread_mutex_t) std::array<unsigned char, sizeof(pthread_mutex_t)> bytes;
  bool fits;  // is robust and process-shared
};

bool make(const Attributes& wanted, Made* out) {
  pthread_mutexattr_t attributes;
  if (pthread_mutexattr_init(&attributes) != 0) return false;
  const bool ok =
      pthread_mutexattr_setpshared(&attributes, wanted.shared) == 0 &&
      pthread_mutexattr_setrobust(&attributes, wanted.robust) == 0 &&
      (wanted.type == kAnyType || pthread_mutexattr_settype(&attributes, wanted.type) == 0) &&
      pthread_mutexattr_setprotocol(&attributes, wanted.protocol) == 0 &&
      pthread_mutex_init(reinterpret_cast<pthread_mutex_t*>(out->bytes.data()), &attributes) == 0;
  pthread_mutexattr_destroy(&attributes);
  out->fits = wanted.shared == PTHREAD_PROCESS_SHARED && wanted.robust == PTHREAD_MUTEX_ROBUST;
  return ok;
}

// One with each combination of attributes that this system has. They are never locked, so as good as bytes.
std::vector<Made> make_all() {
  constexpr int kTypes[] = {kAnyType, PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_RECURSIVE,
                            PTHREAD_MUTEX_ERRORCHECK};
  std::vector<Made> all;
  for (const int type : kTypes) {
    for (const int protocol : {PTHREAD_PRIO_NONE, PTHREAD_PRIO_INHERIT}) {
      for (const int shared : {PTHREAD_PROCESS_PRIVATE, PTHREAD_PROCESS_SHARED}) {
        for (const int robust : {PTHREAD_MUTEX_STALLED, PTHREAD_MUTEX_ROBUST}) {
          Made made{};
          if (make({shared, robust, type, protocol}, &made)) all.push_back(made);
        }
      }
    }
  }
  return all;
}

}  // namespace

bool RobustMutex::is_one() const {
  static const std::vector<Made>& all = *new std::vector<Made>(make_all());
  const auto* here = reinterpret_cast<const unsigned char*>(&mutex_);
  const auto shows_attributes = [](size_t byte) {
    for (const Made& made : all) {
      if (made.bytes[byte] != all.front().bytes[byte]) return true;
    }
    return false;
  };
  const auto looks_like = [&](const Made& made) {
    for (size_t byte = 0; byte < made.bytes.size(); ++byte) {
      if (shows_attributes(byte) && here[byte] != made.bytes[byte]) return false;
    }
    return true;
  };
  for (const Made& made : all) {
    if (made.fits && looks_like(made)) return true;
  }
  return false;
}

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
