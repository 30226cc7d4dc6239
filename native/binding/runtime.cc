#include "binding/runtime.h"

#include <pthread.h>

#include <atomic>
#include <cstdlib>

namespace holdfast::binding {
namespace {

// In a child that was forked and has not called exec: it shares the mapping, but is not the process that
// the region knows, and has no keeper.
std::atomic<bool> forked{false};

// What the handler below can reach: the keeper that is there or starts.
std::atomic<Keeper*> latest_keeper{nullptr};

// After any fork, before exec or without: on the child's only thread, with no lock that can be trusted.
void become_a_child() {
  forked.store(true, std::memory_order_relaxed);
  Keeper* keeper = latest_keeper.load(std::memory_order_relaxed);  // relaxed: the fork orders it
  if (keeper != nullptr) keeper->region().close_in_child();
}

}  // namespace

Runtime& Runtime::get() {
  static Runtime& runtime = *new Runtime;  // never destroyed
  return runtime;
}

Runtime::Runtime() { ::pthread_atfork(nullptr, nullptr, &become_a_child); }

Status Runtime::usable() {
  return forked.load(std::memory_order_relaxed) ? Status::Ended : Status::Ok;
}

Status Runtime::join(const std::string& name_space, mode_t mode, uint32_t thread, AgentSlot* agent,
                     std::string* detail) {
  const std::lock_guard lock(mutex_);
  if (const Status status = usable(); status != Status::Ok) return status;
  if (gone_) return Status::Gone;
  if (keeper_ == nullptr) {
    auto* keeper = new Keeper;
    latest_keeper.store(keeper, std::memory_order_relaxed);
    if (std::getenv("HOLDFAST_NO_FUTEX_WAITV") != nullptr) keeper->forbid_futex_waitv();
    if (const char* patience_ms = std::getenv("HOLDFAST_GUARD_PATIENCE_MS")) {  // for tests
      keeper->region().guard_use().patience_ns.store(std::strtoll(patience_ms, nullptr, 10) *
                                                     1'000'000);
    }
    if (const Status status = keeper->start(name_space, mode, detail); status != Status::Ok) {
      return status;
    }
    keeper_ = keeper;
  } else if (region().name_space() != name_space) {
    *detail = region().name_space();
    return Status::Configured;
  }
  if (const Status status = region().check_file(detail); status != Status::Ok) return status;
  return Registry(region()).claim_agent(thread, agent);
}

Status Runtime::unlink_namespace(const std::string& name_space, mode_t mode, uint32_t own,
                                 std::string* detail) {
  const std::lock_guard lock(mutex_);
  if (const Status status = usable(); status != Status::Ok) return status;
  if (keeper_ == nullptr || gone_ || region().name_space() != name_space) {
    return Region::remove(name_space, mode, detail);
  }
  if (const Status status = region().check_file(detail); status == Status::Corrupt) return status;
  if (Registry(region()).agents_of(region().self().index) > own) {
    *detail = "other threads or realms of this process";
    return Status::InUse;
  }
  const Status status = region().remove_own(detail);
  if (status == Status::Ok || status == Status::NotFound) gone_ = true;
  return status;
}

}  // namespace holdfast::binding
