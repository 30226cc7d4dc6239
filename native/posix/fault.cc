#include "posix/fault.h"

#if HOLDFAST_FAULT_POINTS

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <cstring>

namespace holdfast {
namespace {

struct Plan {
  std::atomic<const char*> point{nullptr};
  FaultAction action = FaultAction::Kill;
  FaultHook hook = nullptr;
  void* context = nullptr;
  std::atomic<int> passes_left{0};
};

Plan plan;

}  // namespace

void arm_fault(const char* point, FaultAction action, int nth) {
  plan.action = action;
  plan.hook = nullptr;
  plan.passes_left.store(nth, std::memory_order_relaxed);  // published by the store of `point`
  plan.point.store(point, std::memory_order_release);
}

void arm_fault(const char* point, FaultHook hook, void* context) {
  plan.hook = hook;
  plan.context = context;
  plan.passes_left.store(1, std::memory_order_relaxed);  // published by the store of `point`
  plan.point.store(point, std::memory_order_release);
}

void fault_point(const char* point) {
  const char* armed = plan.point.load(std::memory_order_acquire);
  if (armed == nullptr || std::strcmp(armed, point) != 0) return;
  if (plan.passes_left.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  if (plan.hook != nullptr) return plan.hook(plan.context);
  ::raise(plan.action == FaultAction::Kill ? SIGKILL : SIGSTOP);
}

}  // namespace holdfast

#endif
