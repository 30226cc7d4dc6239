#include "posix/fault.h"

#if HOLDFAST_FAULT_POINTS

#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <random>

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

// One pass in so many is a nap, by HOLDFAST_NAPS of the environment; 0: none.
unsigned passes_a_nap() {
  static const unsigned passes = [] {
    const char* text = std::getenv("HOLDFAST_NAPS");
    return text != nullptr ? static_cast<unsigned>(std::strtoul(text, nullptr, 10)) : 0;
  }();
  return passes;
}

// Mostly for some ms; at one nap in sixteen for longer than a wake or a guard is given.
void nap_now_and_then() {
  constexpr unsigned kShortNs = 10'000'000;
  constexpr unsigned kLongNs = 150'000'000;
  const unsigned passes = passes_a_nap();
  if (passes == 0) return;
  thread_local std::minstd_rand random(static_cast<unsigned>(::gettid()) + std::random_device()());
  if (random() % passes != 0) return;
  const unsigned dice = random();
  const timespec nap{0, static_cast<long>(dice % 16 == 0 ? kLongNs : dice % kShortNs)};
  ::nanosleep(&nap, nullptr);
}

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
  nap_now_and_then();
  const char* armed = plan.point.load(std::memory_order_acquire);
  if (armed == nullptr || std::strcmp(armed, point) != 0) return;
  if (plan.passes_left.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  if (plan.hook != nullptr) return plan.hook(plan.context);
  ::raise(plan.action == FaultAction::Kill ? SIGKILL : SIGSTOP);
}

}  // namespace holdfast

#endif
