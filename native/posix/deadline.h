// One deadline type: absolute, CLOCK_MONOTONIC, so that neither a stepped wall clock nor a retry moves it.
#pragma once

#include <cstdint>
#include <ctime>
#include <limits>

namespace holdfast {

inline int64_t monotonic_ns() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

class Deadline {
 public:
  static constexpr Deadline never() { return Deadline(std::numeric_limits<int64_t>::max()); }
  static constexpr Deadline at_ns(int64_t monotonic) { return Deadline(monotonic); }
  static Deadline after_ns(int64_t duration_ns) {
    const int64_t now = monotonic_ns();
    return duration_ns >= std::numeric_limits<int64_t>::max() - now ? never()
                                                                    : Deadline(now + duration_ns);
  }
  // `monotonic_ms` as JavaScript has it: Infinity, and what does not fit, is never.
  static Deadline at_ms(double monotonic_ms) {
    if (monotonic_ms >= 9.0e12) return never();
    return Deadline(monotonic_ms > 0 ? static_cast<int64_t>(monotonic_ms * 1e6) : 0);  // NaN too
  }

  [[nodiscard]] bool is_never() const { return ns_ == std::numeric_limits<int64_t>::max(); }
  [[nodiscard]] bool passed() const { return !is_never() && monotonic_ns() >= ns_; }
  [[nodiscard]] int64_t ns() const { return ns_; }
  [[nodiscard]] timespec to_timespec() const {
    const int64_t ns = ns_ > 0 ? ns_ : 0;  // the kernel takes no time before its clock began
    return {static_cast<time_t>(ns / 1'000'000'000), static_cast<long>(ns % 1'000'000'000)};
  }
  [[nodiscard]] static Deadline sooner(Deadline a, Deadline b) { return a.ns_ < b.ns_ ? a : b; }

 private:
  explicit constexpr Deadline(int64_t ns) : ns_(ns) {}
  int64_t ns_;
};

}  // namespace holdfast
