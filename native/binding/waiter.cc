// The objects beside the lock: an attempt by a waiter's handle, changes and questions by the object's.
#include "binding/arguments.h"
#include "binding/blocking.h"
#include "binding/exports.h"
#include "sync/attempt.h"

namespace holdfast::binding {
namespace {

// The handle of an open object that is no lock; nullptr if it is none.
Handle* home_of(Handle* handle) {
  return handle != nullptr && handle->home == nullptr && !is_lock(handle->kind) ? handle : nullptr;
}

Handle* waiter_of(Handle* handle) {
  return handle != nullptr && handle->home != nullptr ? handle : nullptr;
}

Outcome settled(Environment& environment, Handle& waiter, Outcome outcome) {
  if (outcome != Outcome::Pending) environment.unwatch(waiter);
  return outcome;
}

}  // namespace

napi_value open_waiter(napi_env env, napi_callback_info info) {
  const Arguments<1> arguments(env, info);
  uint32_t home = 0;
  if (home_of(arguments.handle(0)) == nullptr || !arguments.integer(0, &home)) {
    return to_js(env, Status::BadHandle);
  }
  Environment& environment = *arguments.environment();
  environment.forget_failure();
  uint32_t handle = 0;
  const Status status = environment.open_waiter(home, &handle);
  if (status != Status::Ok) return report(env, environment, status);
  return to_js(env, static_cast<int32_t>(handle));
}

napi_value attempt_by(napi_env env, napi_callback_info info) {
  const Arguments<4> arguments(env, info);
  Handle* waiter = waiter_of(arguments.handle(0));
  uint32_t role = 0;
  uint32_t units = 0;
  uint32_t or_else = 0;
  if (waiter == nullptr) return to_js(env, Status::BadHandle);
  if (!arguments.integer(1, &role) || !arguments.integer(2, &units) ||
      !arguments.integer(3, &or_else) || or_else > static_cast<uint32_t>(OrElse::Cancel)) {
    return to_js(env, Status::BadArgument);
  }
  Environment& environment = *arguments.environment();
  waiter->wanted = {&waiter->home->seat,          &waiter->seat,   role,           units,
                    static_cast<OrElse>(or_else), WaitMode::Async, waiter->element};
  // Before the ticket is queued: nothing that it is told may be missed.
  if (waiter->wanted.or_else == OrElse::Queue) environment.watch(*waiter);
  return to_js(env, settled(environment, *waiter, attempt(environment.region(), waiter->wanted)));
}

napi_value attempt_sync_by(napi_env env, napi_callback_info info) {
  const Arguments<4> arguments(env, info);
  Handle* waiter = waiter_of(arguments.handle(0));
  uint32_t role = 0;
  uint32_t units = 0;
  double deadline_ms = 0;
  if (waiter == nullptr) return to_js(env, Status::BadHandle);
  if (!arguments.integer(1, &role) || !arguments.integer(2, &units) ||
      !arguments.number(3, &deadline_ms)) {
    return to_js(env, Status::BadArgument);
  }
  Environment& environment = *arguments.environment();
  waiter->wanted = {&waiter->home->seat, &waiter->seat,  role,           units,
                    OrElse::Queue,       WaitMode::Sync, waiter->element};
  Blocking blocking(environment, *waiter);
  const Outcome outcome = blocking.run([&](Deadline slice, MayGoOn may_go_on) {
    return attempt_sync(environment.region(), waiter->wanted, Deadline::at_ms(deadline_ms), slice,
                        may_go_on);
  });
  if (outcome == Outcome::Pending) return to_js(env, blocking.tear_off(OrElse::Cancel));
  return to_js(env, settled(environment, *waiter, outcome));
}

napi_value act_on(napi_env env, napi_callback_info info) {
  const Arguments<3> arguments(env, info);
  Handle* handle = arguments.handle(0);
  uint32_t action = 0;
  uint32_t units = 0;
  if (home_of(handle) == nullptr && waiter_of(handle) == nullptr) {
    return to_js(env, Status::BadHandle);
  }
  if (!arguments.integer(1, &action) || !arguments.integer(2, &units)) {
    return to_js(env, Status::BadArgument);
  }
  Seat* waiter = handle->home != nullptr ? &handle->seat : nullptr;
  Seat& home = handle->home != nullptr ? handle->home->seat : handle->seat;
  return to_js(env, act(arguments.environment()->region(), home, waiter,
                        static_cast<Action>(action), units));
}

napi_value ask_of(napi_env env, napi_callback_info info) {
  const Arguments<2> arguments(env, info);
  Handle* handle = home_of(arguments.handle(0));
  uint32_t question = 0;
  if (handle == nullptr) return to_js(env, Status::BadHandle);
  if (!arguments.integer(1, &question)) return to_js(env, Status::BadArgument);
  return to_js(
      env, ask(arguments.environment()->region(), handle->seat, static_cast<Question>(question)));
}

napi_value held_by_other_realms(napi_env env, napi_callback_info info) {
  const Arguments<1> arguments(env, info);
  const Handle* handle = arguments.handle(0);
  if (handle == nullptr || handle->home != nullptr) return to_js(env, Status::BadHandle);
  const uint32_t held = arguments.environment()->held_by_other_realms(*handle);
  return to_js(env, static_cast<double>(held));
}

}  // namespace holdfast::binding
