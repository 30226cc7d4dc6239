// What a process notes of its own use of guards, in its own memory: so that it can tell whether it is inside of one that
// names it. Table and proof in region/guard.h.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>

#include "region/layout.h"

namespace holdfast {

class GuardUse {
 public:
  struct alignas(kCacheLine) Counter {
    std::atomic<uint32_t> inside{
        0};  // threads in, or on their way into, a guard; guards may share it

    // Of a guard that was not to be had a moment ago: the one that shares the counter may overwrite it.
    void note_stuck(uint32_t number, uint32_t process, int64_t now_ns) {
      stuck_.store(uint64_t{number} << 32 | process, std::memory_order_relaxed);  // relaxed: a hint
      stuck_ns_.store(now_ns, std::memory_order_relaxed);
    }
    [[nodiscard]] bool is_stuck(uint32_t number, uint32_t process, int64_t now_ns) const {
      return stuck_.load(std::memory_order_relaxed) == (uint64_t{number} << 32 | process) &&
             now_ns - stuck_ns_.load(std::memory_order_relaxed) < kStuckForNs;
    }

   private:
    // So that of 1,000 waits at one object only the first waits in full.
    static constexpr int64_t kStuckForNs = 1'000'000'000;
    std::atomic<uint64_t> stuck_{0};
    std::atomic<int64_t> stuck_ns_{0};
  };

  [[nodiscard]] Counter& of(uint32_t number) { return counters_[number % kCounters]; }

  std::mutex disputes;  // one at a time; never waited for
  // For so long a guard is waited for in which somebody living is. Tests set it.
  std::atomic<int64_t> patience_ns{10'000'000'000};

 private:
  static constexpr size_t kCounters = 64;
  std::array<Counter, kCounters> counters_;
};

}  // namespace holdfast
