#include "posix/robust_mutex.h"

#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <vector>

#include "posix/failure.h"
#include "posix/futex.h"

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

constexpr Attributes kOurs{PTHREAD_PROCESS_SHARED, PTHREAD_MUTEX_ROBUST, kAnyType,
                           PTHREAD_PRIO_NONE};

struct Made {
  alignas(pthread_mutex_t) std::array<unsigned char, sizeof(pthread_mutex_t)> bytes;
  bool fits;      // is robust and process-shared
  bool inherits;  // a priority: the kernel looks up the owner by its TID
};

bool make(const Attributes& wanted, pthread_mutex_t* out) {
  pthread_mutexattr_t attributes;
  if (pthread_mutexattr_init(&attributes) != 0) return false;
  const bool ok =
      pthread_mutexattr_setpshared(&attributes, wanted.shared) == 0 &&
      pthread_mutexattr_setrobust(&attributes, wanted.robust) == 0 &&
      (wanted.type == kAnyType || pthread_mutexattr_settype(&attributes, wanted.type) == 0) &&
      pthread_mutexattr_setprotocol(&attributes, wanted.protocol) == 0 &&
      pthread_mutex_init(out, &attributes) == 0;
  pthread_mutexattr_destroy(&attributes);
  return ok;
}

bool make(const Attributes& wanted, Made* out) {
  out->fits = wanted.shared == PTHREAD_PROCESS_SHARED && wanted.robust == PTHREAD_MUTEX_ROBUST;
  out->inherits = wanted.protocol == PTHREAD_PRIO_INHERIT;
  return make(wanted, reinterpret_cast<pthread_mutex_t*>(out->bytes.data()));
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

// The list of what the calling thread holds, which libc keeps for the kernel. nullptr: it cannot be had, and errno says why.
const robust_list_head* list_of_this_thread() {
  thread_local robust_list_head* list = nullptr;
  size_t length = 0;
  if (list == nullptr && ::syscall(SYS_get_robust_list, 0, &list, &length) != 0) list = nullptr;
  return list;
}

uintptr_t address(const void* pointer) {
  return reinterpret_cast<uintptr_t>(pointer) & ~uintptr_t{1};  // bit 0: PI
}

// What was found out of this libc's mutexes.
struct Known {
  std::vector<size_t> telling;  // bytes in which attributes show
  std::vector<Made> fitting;
  Made ours{};
  // From a mutex to its place in the list, and to its futex word; negative: cannot be told.
  ptrdiff_t entry = -1;
  ptrdiff_t word = -1;

  Known() {
    const std::vector<Made> all = make_all();
    for (size_t byte = 0; byte < sizeof(pthread_mutex_t); ++byte) {
      for (const Made& made : all) {
        if (made.bytes[byte] == all.front().bytes[byte]) continue;
        telling.push_back(byte);
        break;
      }
    }
    for (const Made& made : all) {
      if (made.fits) fitting.push_back(made);
    }
    make(kOurs, &ours);
    find_places();
  }

  [[nodiscard]] bool looks_like(const Made& made, const pthread_mutex_t& mutex) const {
    const auto* here = reinterpret_cast<const unsigned char*>(&mutex);
    for (const size_t byte : telling) {
      if (here[byte] != made.bytes[byte]) return false;
    }
    return true;
  }
  // nullptr: it is none.
  [[nodiscard]] const Made* made_as(const pthread_mutex_t& mutex) const {
    for (const Made& made : fitting) {
      if (looks_like(made, mutex)) return &made;
    }
    return nullptr;
  }

 private:
  void find_places() {
    pthread_mutex_t mutex;
    if (!make(kOurs, &mutex) || pthread_mutex_lock(&mutex) != 0) return;
    // Now: musl tells the kernel of a thread's list at the first robust mutex.
    const robust_list_head* list = list_of_this_thread();
    const uintptr_t first = list != nullptr ? address(list->list.next) : 0;
    const auto self = reinterpret_cast<uintptr_t>(&mutex);
    if (list != nullptr && first >= self + sizeof(void*) &&
        first <= self + sizeof mutex - sizeof(void*)) {
      entry = static_cast<ptrdiff_t>(first - self);
      word = entry + list->futex_offset;
    }
    pthread_mutex_unlock(&mutex);
  }
};

const Known& known() {
  static const Known& known = *new Known;
  return known;
}

// What a pointer of somebody else's says: it may lead anywhere. False: nowhere.
bool read_pointer(uintptr_t from, uintptr_t* out) {
  iovec into{out, sizeof *out};
  // NOLINTNEXTLINE(performance-no-int-to-ptr): the kernel reads there, or says that it cannot
  iovec there{reinterpret_cast<void*>(from), sizeof *out};
  return ::process_vm_readv(::getpid(), &into, 1, &there, 1, 0) ==
             static_cast<ssize_t>(sizeof *out) ||
         errno != EFAULT;
}

bool leads_back(uintptr_t from, uintptr_t to) {
  uintptr_t found = to;  // where it cannot be told
  return read_pointer(from, &found) && (found & ~uintptr_t{1}) == to;
}

}  // namespace

bool RobustMutex::is_one() const { return known().made_as(mutex_) != nullptr; }

bool RobustMutex::is_as_made() const { return known().looks_like(known().ours, mutex_); }

bool RobustMutex::can_be_locked() const {
  const Made* made = known().made_as(mutex_);
  if (made == nullptr) return false;
  if (!made->inherits || known().word < 0) return true;
  // The kernel knows no owner with this TID, and glibc has an assertion that it does. Who died is no such: its TID goes
  // from the word before the kernel forgets it.
  const auto& word = *reinterpret_cast<const FutexWord*>(
      reinterpret_cast<const std::byte*>(&mutex_) + known().word);
  const uint32_t seen =
      word.load(std::memory_order_relaxed);  // relaxed: nothing else is read after it
  const auto owner = static_cast<pid_t>(seen & FUTEX_TID_MASK);
  return owner == 0 || ::sched_getscheduler(owner) >= 0 || errno != ESRCH ||
         word.load(std::memory_order_relaxed) != seen;
}

bool RobustMutex::can_be_unlocked() const {
  if (!is_one()) return false;
  const robust_list_head* list = list_of_this_thread();
  // Where a pointer has another size there is no way back in the list, and nothing is written through it.
  if (sizeof(void*) != 8 || list == nullptr || known().entry < 0) return true;
  const auto* entry =
      reinterpret_cast<void* const*>(reinterpret_cast<const std::byte*>(&mutex_) + known().entry);
  const uintptr_t self = address(entry);
  const uintptr_t head = address(&list->list);
  const uintptr_t next = address(entry[0]);
  const uintptr_t previous = address(entry[-1]);
  const bool is_first = previous == head && address(list->list.next) == self;
  return (is_first || (previous != head && leads_back(previous, self))) &&
         (next == head || leads_back(next - sizeof(void*), self));
}

RobustMutex::Image RobustMutex::image() const {
  Image image;
  const auto* words = reinterpret_cast<const FutexWord*>(&mutex_);
  for (size_t i = 0; i < image.size(); ++i) image[i] = words[i].load(std::memory_order_relaxed);
  return image;
}

// relaxed, all of it: nobody reads them but libc in a thread that has just locked the mutex, and the kernel.
bool RobustMutex::restore(const Image& image, size_t word_offset) {
  auto* words = reinterpret_cast<FutexWord*>(&mutex_);
  bool was_whole = true;
  for (size_t i = 0; i < image.size(); ++i) {
    if (i == word_offset / sizeof(FutexWord)) continue;
    if (words[i].load(std::memory_order_relaxed) == image[i]) continue;
    words[i].store(image[i], std::memory_order_relaxed);
    was_whole = false;
  }
  return !was_whole;
}

bool RobustMutex::init() { return make(kOurs, &mutex_); }

RobustMutex::Lock RobustMutex::lock() {
  return can_be_locked() ? lock_of(pthread_mutex_lock(&mutex_)) : Lock::Corrupt;
}

RobustMutex::Lock RobustMutex::lock(Deadline deadline) {
  if (!can_be_locked()) return Lock::Corrupt;
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

RobustMutex::Lock RobustMutex::try_lock() {
  return can_be_locked() ? lock_of(pthread_mutex_trylock(&mutex_)) : Lock::Corrupt;
}

bool RobustMutex::unlock() {
  const int error = can_be_unlocked() ? pthread_mutex_unlock(&mutex_) : EINVAL;
  errno = error;
  return error == 0;
}

bool RobustMutex::consistent() {
  const int error = is_one() ? pthread_mutex_consistent(&mutex_) : EINVAL;
  errno = error;
  return error == 0;
}

ptrdiff_t RobustMutex::futex_word_offset() const {
  const robust_list_head* head = list_of_this_thread();
  if (head == nullptr) {
    static_cast<void>(failed(Status::Unsupported, "get_robust_list", errno));
    return -1;
  }
  const uintptr_t entry = address(head->list.next);
  const auto self = reinterpret_cast<uintptr_t>(this);
  if (entry < self || entry >= self + sizeof *this) return -1;
  const uintptr_t word = entry + static_cast<uintptr_t>(head->futex_offset);
  if (word < self || word + sizeof(uint32_t) > self + sizeof *this) return -1;
  return static_cast<ptrdiff_t>(word - self);
}

Status prove_robust_mutexes() {
  RobustMutex mutex;
  if (!mutex.init()) return Status::Unsupported;
  pthread_t thread;
  const auto die_holding_it = [](void* argument) -> void* {
    static_cast<void>(static_cast<RobustMutex*>(argument)->lock());
    return nullptr;
  };
  if (const int error = pthread_create(&thread, nullptr, die_holding_it, &mutex); error != 0) {
    return failed(Status::System, "pthread_create", error);
  }
  pthread_join(thread, nullptr);
  if (mutex.try_lock() != RobustMutex::Lock::OwnerDied) return Status::Unsupported;
  if (mutex.consistent()) mutex.unlock();
  return Status::Ok;
}

}  // namespace holdfast
