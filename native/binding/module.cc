// The addon's way in. Each JavaScript realm that loads the package gets an Environment of its own, and functions bound
// to it; what all share is the Runtime.
#include <node_api.h>

#include <new>

#include "binding/environment.h"
#include "binding/exports.h"

namespace holdfast::binding {
namespace {

constexpr Export kExports[] = {
    {"join", join},
    {"openObject", open_object},
    {"view", view},
    {"close", close},
    {"unlink", unlink},
    {"unlinkNamespace", unlink_namespace},
    {"keepAlive", keep_alive},
    {"now", now},
    {"detail", detail},
    {"failure", failure},
    {"stuckPid", stuck_pid},
    {"openWaiter", open_waiter},
    {"attempt", attempt_by},
    {"attemptSync", attempt_sync_by},
    {"act", act_on},
    {"ask", ask_of},
    {"openMemory", open_memory},
    {"memoryOf", memory_of},
    {"memoryId", memory_id},
    {"memoryExpect", memory_expect},
    {"memoryNotify", memory_notify},
    {"semaphoreOpen", semaphore_open},
    {"semaphorePost", semaphore_post},
    {"semaphoreTryWait", semaphore_try_wait},
    {"semaphoreWait", semaphore_wait},
    {"semaphoreValue", semaphore_value},
    {"mutexOpen", mutex_open},
    {"mutexTryLock", mutex_try_lock},
    {"mutexLock", mutex_lock},
    {"mutexUnlock", mutex_unlock},
    {"mutexConsistent", mutex_consistent},
    {"sharedMemoryOpen", shared_memory_open},
    {"sharedMemoryBuffer", shared_memory_buffer},
    {"posixClose", posix_close},
    {"posixUnlink", posix_unlink},
    {"lockTry", lock_try},
    {"lockWait", lock_wait},
    {"lockCancel", lock_cancel},
    {"lockAcquireSync", lock_acquire_sync},
    {"lockRelease", lock_release},
    {"lockHolder", lock_holder},
    {"heldByOtherRealms", held_by_other_realms},
};

// Nothing in JavaScript can call in any more, or the thread ends and its clean-up hooks have run.
void destroy(napi_env, void* environment, void*) { delete static_cast<Environment*>(environment); }

// A further realm: an object with the functions above. It lives as long as one of them can be called.
napi_value realm(napi_env env, napi_callback_info) {
  napi_value functions = nullptr;
  if (napi_create_object(env, &functions) != napi_ok) return nullptr;
  auto* environment = new (std::nothrow) Environment(env);
  if (environment == nullptr) return nullptr;
  if (napi_wrap(env, functions, environment, destroy, nullptr, nullptr) != napi_ok) {
    delete environment;
    return nullptr;
  }
  if (environment->make_entrance() != Status::Ok) return nullptr;
  const napi_property_descriptor bound = {"realm", nullptr,   nullptr,      nullptr,
                                          nullptr, functions, napi_default, nullptr};
  for (const Export& entry : kExports) {
    napi_value function;
    if (napi_create_function(env, entry.name, NAPI_AUTO_LENGTH, entry.call, environment,
                             &function) != napi_ok ||
        napi_define_properties(env, function, 1, &bound) != napi_ok ||
        napi_set_named_property(env, functions, entry.name, function) != napi_ok) {
      return nullptr;
    }
  }
  return functions;
}

napi_value init(napi_env env, napi_value exports) {
  napi_value function;
  return napi_create_function(env, "realm", NAPI_AUTO_LENGTH, realm, nullptr, &function) ==
                     napi_ok &&
                 napi_set_named_property(env, exports, "realm", function) == napi_ok
             ? exports
             : nullptr;
}

}  // namespace
}  // namespace holdfast::binding

NAPI_MODULE_INIT() { return holdfast::binding::init(env, exports); }
