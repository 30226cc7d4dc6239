// A robust, process-shared pthread mutex that lives in shared memory. What only the kernel can do for us:
// when the thread that holds it dies, the next one to ask is told (Lock::OwnerDied), however the thread died.
//
// The bytes of a RobustMutex stay a RobustMutex for ever: the kernel may write to a mutex that was just
// unlocked by a thread that dies at that moment (glibc BZ 14485).
#pragma once

#include <pthread.h>

#include <array>
#include <cstddef>
#include <cstdint>

#include "posix/deadline.h"
#include "status.h"

namespace holdfast {

class RobustMutex {
 public:
  enum class Lock : uint8_t {
    Held,       // this thread has it
    OwnerDied,  // this thread has it; the owner before died: make the state right, then consistent()
    Busy,       // try_lock: another has it; lock: the deadline has passed
    NotRecoverable,  // an owner unlocked after a death without consistent()
    Corrupt,         // not a mutex (any more) that libc can be asked for: nothing was done
    Failed,          // errno says what
  };

  // In memory that nobody uses yet. Not for a mutex that was ever locked.
  [[nodiscard]] bool init();
  // Whether somebody made a robust, process-shared mutex here, of whatever type and in whatever state. Found by comparing
  // with mutexes that are made for it, in those bytes alone in which attributes show: no libc changes them in use.
  // Another's bytes may look the same by chance. (To glibc every robust one is process-shared.)
  [[nodiscard]] bool is_one() const;
  // The same, and with the attributes that init() gives it.
  [[nodiscard]] bool is_as_made() const;

  // libc believes what stands in a mutex: of some kinds it fails an assertion, of others it executes instructions that the
  // processor does not have. So each of these looks first, and refuses what somebody scribbled over. (In between somebody
  // still can.)
  Lock lock();
  Lock lock(Deadline deadline);
  Lock try_lock();
  // False where this thread does not own it, or as can_be_unlocked() says.
  bool unlock();
  bool consistent();
  // Of one that this thread has locked. libc takes it out of the thread's list by the pointers in it: false where they
  // lead elsewhere. Then it stays on that list, and must stay mapped.
  [[nodiscard]] bool can_be_unlocked() const;

  // Its bytes, and whether any of them but the futex word had to be put back.
  using Image = std::array<uint32_t, sizeof(pthread_mutex_t) / sizeof(uint32_t)>;
  [[nodiscard]] Image image() const;
  bool restore(const Image& image, size_t word_offset);

  // Distance in bytes from the mutex to its futex word, found through the robust list of the calling
  // thread, which must have locked this mutex just now (and holds no other). The kernel's contract, the
  // same for every libc: list entry + futex_offset = the word. Negative: not found; where the list cannot be had, that is
  // noted as the last failure, with Unsupported.
  [[nodiscard]] ptrdiff_t futex_word_offset() const;

 private:
  [[nodiscard]] bool can_be_locked() const;

  pthread_mutex_t mutex_;
};

inline constexpr uint32_t kFutexWaitersBit =
    0x80000000;  // FUTEX_WAITERS: the kernel wakes at death
inline constexpr uint32_t kFutexOwnerDiedBit = 0x40000000;  // FUTEX_OWNER_DIED
inline constexpr uint32_t kFutexTidMask = 0x3fffffff;       // FUTEX_TID_MASK

// Proves on this machine that a thread's death with a robust mutex is told to the next one. Else Unsupported; System where
// there is no thread to be had.
Status prove_robust_mutexes();

}  // namespace holdfast
