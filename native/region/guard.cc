#include "region/guard.h"

#include "posix/fault.h"
#include "posix/spin.h"
#include "region/region.h"

namespace holdfast {
namespace {

constexpr uint32_t kSleepersBit = 0x80000000;
constexpr int kSpins = 100;
// A waker may die between its release and its wake: nobody sleeps on without a look.
constexpr int64_t kSleepNs = 20'000'000;

uint32_t pack(ProcessId id) { return (id.generation & 0x7fff) << 16 | (id.index + 1); }

bool is_of_the_living(Region& region, uint32_t word) {
  return word != 0 && region.process_is_alive((word & 0xffff) - 1, (word & ~kSleepersBit) >> 16);
}

}  // namespace

Guard::Guard(Region& region, GuardRecord& record) : word_(&record.word) {
  uint32_t seen = 0;
  const uint32_t me = pack(region.self());
  // SYNC POINT: guard. acquire, with the release in leave().
  if (!word_->compare_exchange_strong(seen, me, std::memory_order_acquire,
                                      std::memory_order_relaxed)) {
    enter_contended(region, me);
  }
  HOLDFAST_POINT("guard.entered");
}

void Guard::enter_contended(Region& region, uint32_t me) {
  if (spinning_helps()) {
    for (int i = 0; i < kSpins; ++i) {
      uint32_t seen = 0;
      if (word_->compare_exchange_weak(seen, me, std::memory_order_acquire,
                                       std::memory_order_relaxed)) {
        return;
      }
      pause_processor();
    }
  }
  for (;;) {
    uint32_t seen = word_->load(std::memory_order_relaxed);  // relaxed: the swaps below decide
    const bool dead_inside = seen != 0 && !is_of_the_living(region, seen);
    if (seen == 0 || dead_inside) {
      // With the sleepers' bit: others may sleep here, and whoever leaves must wake the next.
      if (word_->compare_exchange_strong(seen, me | kSleepersBit, std::memory_order_acquire,
                                         std::memory_order_relaxed)) {
        needs_repair_ = dead_inside;
        return;
      }
      continue;
    }
    if ((seen & kSleepersBit) == 0 &&
        !word_->compare_exchange_strong(seen, seen | kSleepersBit, std::memory_order_relaxed)) {
      continue;
    }
    static_cast<void>(futex_wait(*word_, seen | kSleepersBit, Deadline::after_ns(kSleepNs)));
  }
}

bool Guard::somebody_is_inside(Region& region, const GuardRecord& record) {
  return is_of_the_living(region, record.word.load(std::memory_order_relaxed));
}

void Guard::leave() {
  if (word_ == nullptr) return;
  HOLDFAST_POINT("guard.leaving");
  const uint32_t was = word_->exchange(0, std::memory_order_release);  // SYNC POINT: guard
  if ((was & kSleepersBit) != 0) futex_wake(*word_, 1);
  word_ = nullptr;
}

}  // namespace holdfast
