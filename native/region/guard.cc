#include "region/guard.h"

#include <time.h>

#include "posix/fault.h"
#include "region/region.h"

namespace holdfast {
namespace {

void nap() {
  const timespec length{0, 50'000};
  nanosleep(&length, nullptr);
}

}  // namespace

Guard::Guard(Region& region, GuardRecord& record) : record_(&record) {
  switch (record.mutex.lock()) {
    case RobustMutex::Lock::Held:
      break;
    case RobustMutex::Lock::OwnerDied:
      // At once, and not after the repair: `holder` remembers that a repair is due.
      static_cast<void>(record.mutex.consistent());
      break;
    default:
      record_ = nullptr;
      return;
  }
  const uint64_t me = region.self().packed();
  for (;;) {
    uint64_t holder = 0;
    // SYNC POINT: guard. acquire, with the release in leave(): for pid namespaces with colliding TIDs,
    // where the mutex orders nothing.
    if (record.holder.compare_exchange_strong(holder, me, std::memory_order_acquire,
                                              std::memory_order_relaxed)) {
      break;
    }
    if (region.process_is_alive(ProcessId::unpack(holder))) {
      nap();
      continue;
    }
    if (record.holder.compare_exchange_strong(holder, me, std::memory_order_acquire,
                                              std::memory_order_relaxed)) {
      needs_repair_ = true;
      break;
    }
  }
  HOLDFAST_POINT("guard.entered");
}

void Guard::leave() {
  if (record_ == nullptr) return;
  HOLDFAST_POINT("guard.leaving");
  record_->holder.store(0, std::memory_order_release);  // SYNC POINT: guard
  // Fails only where the kernel has given the mutex away (see the table): then it is not ours to unlock.
  static_cast<void>(record_->mutex.unlock());
  record_ = nullptr;
}

}  // namespace holdfast
