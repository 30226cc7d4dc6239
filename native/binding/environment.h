// One realm's side of the addon: its agent, its handles, and the way into its thread's event loop. A thread has one
// realm, and more where the package is loaded again: in a `vm` context, or by a test runner that begins anew.
// Everything here runs on that thread, unless said otherwise.
#pragma once

#include <node_api.h>

#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "binding/posix_table.h"
#include "binding/runtime.h"
#include "posix/failure.h"
#include "posix/unnamed_file.h"
#include "region/registry.h"
#include "status.h"
#include "sync/attempt.h"
#include "wait/keeper.h"

namespace holdfast::binding {

// An object that this thread has open: one for each object, however often it was opened. Or one waiter at it, which
// has a seat of its own, and `home` is the object's.
struct Handle {
  Seat seat;
  AsyncWait wait;
  Kind kind = Kind::None;
  uint32_t opens = 0;
  Handle* home = nullptr;
  uint32_t waiters = 0;             // of a home: handles that point to it
  Attempt wanted;                   // of a waiter: what it waits for
  Element element;                  // of a waiter at shared memory
  std::shared_ptr<Mapping> memory;  // of a SharedArray
  OrElse if_torn =
      OrElse::Leave;  // else: a blocking wait was torn off, and the loop does this with it
};

class Environment {
 public:
  explicit Environment(napi_env env);
  // Where the thread lives on, nothing in JavaScript can reach the realm any more: it ends as a thread does.
  ~Environment();
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

  // Makes this realm an agent. `on_ready` is called with [handle, outcome, ...]; it lives as long as the realm.
  Status join(const std::string& name_space, mode_t mode, uint32_t thread, napi_value on_ready);
  [[nodiscard]] AgentSlot agent() const { return agent_; }

  Status open(const std::string& name, Kind kind, Registry::OpenOptions options, uint32_t* handle);
  // The same for a SharedValue or SharedArray, whose memory is mapped then. A new one starts with `initial`.
  struct MemoryOptions {
    Registry::OpenOptions common;
    std::span<const std::byte> initial;
  };
  Status open_memory(const std::string& name, Kind kind, MemoryOptions options, uint32_t* handle);
  // One more seat at the object. It is closed before the object.
  Status open_waiter(uint32_t home, uint32_t* handle);
  // The last close of a handle gives up its seat. InUse: this agent holds the object.
  Status close(uint32_t handle);
  Status unlink(uint32_t handle);
  // nullptr for a number that is no open handle, and where the thread is no agent (any more).
  [[nodiscard]] Handle* handle(uint32_t index);

  [[nodiscard]] Region& region() { return Runtime::get().region(); }
  void watch(Handle& handle) { Runtime::get().keeper().watch(loop_, handle.wait); }
  void unwatch(Handle& handle) {
    handle.if_torn = OrElse::Leave;
    Runtime::get().keeper().unwatch(loop_, handle.wait);
  }

  // Before the first may_go_on().
  Status make_entrance();
  // Whether JavaScript will run on in this thread. A request to stop it (worker.terminate(), process.exit(), the
  // time-out of `vm`) takes effect where JavaScript is entered, so this enters it. Costs about 100 ns.
  bool may_go_on();
  // The last answer was no: ask again before anything that may block.
  [[nodiscard]] bool is_stopped() const { return is_stopped_; }
  // A blocking wait ends without an outcome, as its thread may not go on. If it lives on all the same (`vm`), its
  // loop does with the wait as `what` says, and reports that: Cancel, or Queue where promises wait by it too.
  void tear_off(Handle& handle, OrElse what);
  // While on, the event loop lives, and with it the realm.
  Status keep_alive(bool on);
  // What other realms of this thread hold of the object: a lock 1, else as their tickets have it. While this thread
  // blocks they release nothing.
  [[nodiscard]] uint32_t held_by_other_realms(const Handle& handle) const;
  // How many realms of this thread are agents; `idle`: whether none of the others holds anything or waits.
  [[nodiscard]] uint32_t realms(bool* idle) const;

  PosixTable posix;

  // Words for the last failure, and the system call that it comes from, where there is one.
  std::string detail;
  Failure failure;
  // Before what may fail so; report() (arguments.h) is after it.
  void forget_failure() {
    detail.clear();
    last_failure() = failure = {};
  }

 private:
  static bool deliver(void* environment);  // on the keeper's thread
  static void take_up(napi_env env, napi_value on_ready, void* environment, void* data);
  static void leave(void* environment);
  Status make_notifier(napi_value on_ready);
  void drop_notifier();
  void end();
  [[nodiscard]] bool is_idle() const;
  Status let_go(Handle& open);
  void give_back(Handle& open, Outcome outcome);
  Status give_up(Seat& seat);
  Status make_memory(UnnamedFile& data, const MemoryOptions& options);
  Status map_memory(Handle& open);
  Status check_region();
  Status check_length(const std::string& file, uint64_t wanted);
  uint32_t add_handle(const Seat& seat, Kind kind);
  Outcome look_again(Handle& handle);
  void look_at_waits(napi_env env, napi_value on_ready);

  napi_env env_;
  AgentSlot agent_ = 0;
  std::vector<std::unique_ptr<Handle>> handles_;  // nullptr: vacant
  std::vector<uint32_t> vacant_;
  std::unordered_map<ObjectIndex, uint32_t> handle_of_;
  std::vector<AsyncWait*> due_;
  std::vector<int32_t> batch_;
  LoopAgent loop_;
  napi_threadsafe_function notifier_ = nullptr;  // there from a join until the thread's end
  napi_ref on_ready_ = nullptr;  // weak, so that the realm can go, unless something waits
  napi_ref entrance_ = nullptr;  // a JavaScript function that does nothing
  Environment* next_ = nullptr;  // of the realms of this thread that have joined
  bool is_stopped_ = false;
  bool is_kept_alive_ = false;
};

}  // namespace holdfast::binding
