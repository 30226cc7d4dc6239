// A wait that blocks its JavaScript thread. No native sleep ends by worker.terminate(), process.exit() or `vm` with a
// time-out, so it sleeps a slice at a time, and after each sleep asks whether the thread may go on. Not JavaScript
// loops over the slices: compiled, a loop around a native call hardly ever looks whether it shall stop.
#pragma once

#include "binding/environment.h"
#include "posix/deadline.h"
#include "wait/may_go_on.h"

namespace holdfast::binding {

inline constexpr int64_t kSyncSliceNs = 60'000'000;

class Blocking {
 public:
  Blocking(Environment& environment, Handle& handle)
      : environment_(environment), handle_(handle), index_(handle.wait.handle) {}

  // Calls `wait(slice, may_go_on)` until it says something else than Pending. Pending: the thread may not go on.
  template <typename Wait>
  Outcome run(Wait wait) {
    if (environment_.is_stopped() && !may_go_on()) return Outcome::Pending;
    for (;;) {
      const Outcome outcome = wait(Deadline::after_ns(kSyncSliceNs), MayGoOn{&Blocking::ask, this});
      if (outcome != Outcome::Pending || !goes_on_) return outcome;
    }
  }

  // After that Pending. What is returned only a thread that ends can still see.
  Status tear_off(OrElse what) {
    if (!is_open()) return Status::BadHandle;
    environment_.tear_off(handle_, what);
    return Status::Ended;
  }

 private:
  static bool ask(void* self) { return static_cast<Blocking*>(self)->may_go_on(); }
  bool may_go_on() { return goes_on_ = environment_.may_go_on() && is_open(); }
  // A debugger may have run anything where JavaScript was entered.
  [[nodiscard]] bool is_open() const { return environment_.handle(index_) == &handle_; }

  Environment& environment_;
  Handle& handle_;  // only while is_open()
  uint32_t index_;
  bool goes_on_ = true;
};

}  // namespace holdfast::binding
