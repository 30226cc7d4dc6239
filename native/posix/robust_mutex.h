// A robust, process-shared pthread mutex that lives in shared memory. What only the kernel can do for us:
// when the thread that holds it dies, the next one to ask is told (Lock::OwnerDied), however the thread died.
//
// The bytes of a RobustMutex stay a RobustMutex for ever: the kernel may write to a mutex that was just
// unlocked by a thread that dies at that moment (glibc BZ 14485).
#pragma once

#include <pthread.h>

#include <cstddef>
#include <cstdint>

#include "posix/deadline.h"

namespace holdfast {

class RobustMutex {
 public:
  enum class Lock : uint8_t {
    Held,       // this thread has it
    OwnerDied,  // this thread has it; the owner before died: make the state right, then consistent()
    Busy,       // try_lock: another has it; lock: the deadline has passed
    NotRecoverable,  // an owner unlocked after a death without consistent()
    Failed,          // errno says what
  };

  // In memory that nobody uses yet. Not for a mutex that was ever locked.
  [[nodiscard]] bool init();
  // Whether somebody made a robust, process-shared mutex here, of whatever type and in whatever state. Found by comparing
  // with mutexes that are made for it, in those bytes alone in which attributes show: no libc changes them in use.
  // Another's bytes may look the same by chance. (To glibc every robust one is process-shared.)
  [[nodiscard]] bool is_one() const;

  Lock lock();
  Lock lock(Deadline deadline);
  Lock try_lock();
  // False where this thread does not own it.
  bool unlock();
  bool consistent();

  // Distance in bytes from the mutex to its futex word, found through the robust list of the calling
  // thread, which must have locked this mutex just now (and holds no other). The kernel's contract, the
  // same for every libc: list entry + futex_offset = the word. Negative: not found.
  [[nodiscard]] ptrdiff_t futex_word_offset() const;

 private:
  pthread_mutex_t mutex_;
};

inline constexpr uint32_t kFutexWaitersBit =
    0x80000000;  // FUTEX_WAITERS: the kernel wakes at death
inline constexpr uint32_t kFutexOwnerDiedBit = 0x40000000;  // FUTEX_OWNER_DIED

// Proves on this machine that a thread's death with a robust mutex is told to the next one.
[[nodiscard]] bool robust_mutexes_work();

}  // namespace holdfast
