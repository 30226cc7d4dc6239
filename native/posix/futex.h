// Futexes, always SHARED: a private futex is keyed by address space and wakes nobody in another process.
#pragma once

#include <atomic>
#include <cstdint>
#include <span>

#include "posix/deadline.h"

namespace holdfast {

using FutexWord = std::atomic<uint32_t>;
static_assert(sizeof(FutexWord) == 4 && FutexWord::is_always_lock_free);

enum class FutexWake : uint8_t {
  Look,      // woken, the value differed, or a signal came: look at the word again
  TimedOut,  // the deadline has passed
  Unsupported,
};

// Sleeps while `word` holds `expected`, at most until `deadline`. Spurious returns are Look.
FutexWake futex_wait(const FutexWord& word, uint32_t expected, Deadline deadline);

// Wakes at most `count` sleepers on `word`.
void futex_wake(const FutexWord& word, int count);

struct FutexWatch {
  const FutexWord* word;
  uint32_t expected;
};

inline constexpr size_t kMaxFutexWatches = 128;  // FUTEX_WAITV_MAX

// Sleeps while every word holds what is expected of it (futex_waitv, Linux 5.16). Unsupported where the
// kernel has none or a seccomp filter forbids it; the caller then polls.
FutexWake futex_wait_any(std::span<const FutexWatch> watches, Deadline deadline);

}  // namespace holdfast
