#include "sync/lock.h"

#include "binding/arguments.h"
#include "binding/blocking.h"
#include "binding/exports.h"

namespace holdfast::binding {
namespace {

// The handle of an open lock: what the words and tickets of other kinds mean is not a lock's business.
Handle* lock_of(Handle* handle) {
  return handle != nullptr && is_lock(handle->kind) ? handle : nullptr;
}

// The loop no longer waits for what came out decided.
Outcome settled(Environment& environment, Handle& handle, Outcome outcome) {
  if (outcome != Outcome::Pending) environment.unwatch(handle);
  return outcome;
}

}  // namespace

napi_value lock_try(napi_env env, napi_callback_info info) {
  const Arguments<1> arguments(env, info);
  Handle* handle = lock_of(arguments.handle(0));
  if (handle == nullptr) return to_js(env, Status::BadHandle);
  Environment& environment = *arguments.environment();
  return to_js(
      env, settled(environment, *handle, lock::try_acquire(environment.region(), handle->seat)));
}

napi_value lock_wait(napi_env env, napi_callback_info info) {
  const Arguments<1> arguments(env, info);
  Handle* handle = lock_of(arguments.handle(0));
  if (handle == nullptr) return to_js(env, Status::BadHandle);
  Environment& environment = *arguments.environment();
  environment.watch(*handle);
  return to_js(env, settled(environment, *handle,
                            lock::look(environment.region(), handle->seat, WaitMode::Async)));
}

napi_value lock_cancel(napi_env env, napi_callback_info info) {
  const Arguments<1> arguments(env, info);
  Handle* handle = lock_of(arguments.handle(0));
  if (handle == nullptr) return to_js(env, Status::BadHandle);
  Environment& environment = *arguments.environment();
  return to_js(env,
               settled(environment, *handle, lock::last_look(environment.region(), handle->seat)));
}

napi_value lock_acquire_sync(napi_env env, napi_callback_info info) {
  const Arguments<3> arguments(env, info);
  Handle* handle = lock_of(arguments.handle(0));
  double deadline_ms = 0;
  bool keep_ticket = false;
  if (handle == nullptr) return to_js(env, Status::BadHandle);
  if (!arguments.number(1, &deadline_ms) || !arguments.boolean(2, &keep_ticket)) {
    return to_js(env, Status::BadArgument);
  }
  Environment& environment = *arguments.environment();
  handle->if_torn = OrElse::Leave;
  if (keep_ticket) environment.watch(*handle);
  Blocking blocking(environment, *handle);
  const Outcome outcome = blocking.run([&](Deadline slice, MayGoOn may_go_on) {
    return lock::acquire_sync(environment.region(), handle->seat,
                              {Deadline::at_ms(deadline_ms), slice, keep_ticket, may_go_on});
  });
  if (outcome == Outcome::Pending) {
    return to_js(env, blocking.tear_off(keep_ticket ? OrElse::Queue : OrElse::Cancel));
  }
  if (keep_ticket && outcome == Outcome::TimedOut) return to_js(env, outcome);
  return to_js(env, settled(environment, *handle, outcome));
}

napi_value lock_release(napi_env env, napi_callback_info info) {
  const Arguments<2> arguments(env, info);
  Handle* handle = lock_of(arguments.handle(0));
  uint32_t how = 0;
  if (handle == nullptr) return to_js(env, Status::BadHandle);
  if (!arguments.integer(1, &how) || how > static_cast<uint32_t>(lock::Release::Untold)) {
    return to_js(env, Status::BadArgument);
  }
  return to_js(env, lock::release(arguments.environment()->region(), handle->seat,
                                  static_cast<lock::Release>(how)));
}

napi_value lock_holder(napi_env env, napi_callback_info info) {
  const Arguments<1> arguments(env, info);
  Handle* handle = lock_of(arguments.handle(0));
  if (handle == nullptr) return to_js(env, Status::BadHandle);
  Region& region = arguments.environment()->region();
  const lock::Holder holder = lock::holder(region, handle->seat);
  const AgentRecord* agent = region.agent(holder.agent);
  const ProcessRecord* process = region.process_of(holder.agent);
  napi_value result = nullptr;
  if (holder.agent == 0 || agent == nullptr || process == nullptr) {
    return napi_get_null(env, &result) == napi_ok ? result : nullptr;
  }
  const double held_ms = static_cast<double>(monotonic_ns() - holder.since_ns) / 1e6;
  const napi_value parts[] = {to_js(env, process->pid.load(std::memory_order_relaxed)),
                              to_js(env, static_cast<int32_t>(agent->thread)), to_js(env, held_ms)};
  if (napi_create_array_with_length(env, 3, &result) != napi_ok) return nullptr;
  for (uint32_t i = 0; i < 3; ++i) {
    if (parts[i] == nullptr || napi_set_element(env, result, i, parts[i]) != napi_ok)
      return nullptr;
  }
  return result;
}

}  // namespace holdfast::binding
