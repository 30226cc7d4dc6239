// The core's clock, for this thread, stands still where a test wants it to: so nothing lapses or starves because a
// busy machine kept the test from running. It takes the place of libc's function in the executable.
#pragma once

#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>
#include <ctime>

namespace stopped_clock {

inline thread_local int64_t stands_at_ns = -1;  // -1: it runs

// While it lives, CLOCK_MONOTONIC is `at_ns` in this thread.
class Stop {
 public:
  explicit Stop(int64_t at_ns) : before_ns_(stands_at_ns) { stands_at_ns = at_ns; }
  Stop(const Stop&) = delete;
  Stop& operator=(const Stop&) = delete;
  ~Stop() { stands_at_ns = before_ns_; }

 private:
  int64_t before_ns_;
};

}  // namespace stopped_clock

// NOLINTNEXTLINE(misc-definitions-in-headers): one executable includes this once
extern "C" int clock_gettime(clockid_t clock, timespec* now) noexcept {
  if (clock == CLOCK_MONOTONIC && stopped_clock::stands_at_ns >= 0) {
    now->tv_sec = static_cast<time_t>(stopped_clock::stands_at_ns / 1'000'000'000);
    now->tv_nsec = static_cast<long>(stopped_clock::stands_at_ns % 1'000'000'000);
    return 0;
  }
  return static_cast<int>(::syscall(SYS_clock_gettime, clock, now));
}
