// What a process notes of its own use of guards, in its own memory: so that it can tell whether it is inside of one that
// names it. Table and proof in region/guard.h.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>

#include "posix/deadline.h"
#include "region/layout.h"

namespace holdfast {

class GuardUse {
 public:
  struct alignas(kCacheLine) Counter {
    std::atomic<uint32_t> inside{
        0};  // threads in, or on their way into, a guard; guards may share it

    // Of a guard that was not to be had a moment ago: the one that shares the counter may overwrite it. What those with
    // little patience have found is for their like alone.
    void note_stuck(uint32_t number, uint32_t process, bool in_short) {
      (in_short ? in_short_ : in_full_).set(number, process);
    }
    [[nodiscard]] bool is_stuck(uint32_t number, uint32_t process, bool in_short) const {
      return in_full_.is_of(number, process) || (in_short && in_short_.is_of(number, process));
    }

   private:
    // So that of 1,000 waits at one object only the first waits in full.
    static constexpr int64_t kStuckForNs = 1'000'000'000;
    class Note {
     public:
      // relaxed, all of it: a hint
      void set(uint32_t number, uint32_t process) {
        which_.store(uint64_t{number} << 32 | process, std::memory_order_relaxed);
        noted_ns_.store(monotonic_ns(), std::memory_order_relaxed);
      }
      [[nodiscard]] bool is_of(uint32_t number, uint32_t process) const {
        return which_.load(std::memory_order_relaxed) == (uint64_t{number} << 32 | process) &&
               monotonic_ns() - noted_ns_.load(std::memory_order_relaxed) < kStuckForNs;
      }

     private:
      std::atomic<uint64_t> which_{0};
      std::atomic<int64_t> noted_ns_{0};
    };
    Note in_full_;
    Note in_short_;
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
