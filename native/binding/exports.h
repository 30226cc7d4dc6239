// The functions that JavaScript sees; lib/native.ts says what each does.
#pragma once

#include <node_api.h>

namespace holdfast::binding {

struct Export {
  const char* name;
  napi_callback call;
};

// region.cc
napi_value join(napi_env env, napi_callback_info info);
napi_value open_object(napi_env env, napi_callback_info info);
napi_value view(napi_env env, napi_callback_info info);
napi_value close(napi_env env, napi_callback_info info);
napi_value unlink(napi_env env, napi_callback_info info);
napi_value unlink_namespace(napi_env env, napi_callback_info info);
napi_value keep_alive(napi_env env, napi_callback_info info);
napi_value now(napi_env env, napi_callback_info info);
napi_value detail(napi_env env, napi_callback_info info);
napi_value failure(napi_env env, napi_callback_info info);
napi_value stuck_pid(napi_env env, napi_callback_info info);

// waiter.cc
napi_value open_waiter(napi_env env, napi_callback_info info);
napi_value attempt_by(napi_env env, napi_callback_info info);
napi_value attempt_sync_by(napi_env env, napi_callback_info info);
napi_value act_on(napi_env env, napi_callback_info info);
napi_value ask_of(napi_env env, napi_callback_info info);
napi_value held_by_other_realms(napi_env env, napi_callback_info info);

// shared_memory.cc
napi_value open_memory(napi_env env, napi_callback_info info);
napi_value memory_of(napi_env env, napi_callback_info info);
napi_value memory_id(napi_env env, napi_callback_info info);
napi_value memory_expect(napi_env env, napi_callback_info info);
napi_value memory_notify(napi_env env, napi_callback_info info);

// posix.cc
napi_value semaphore_open(napi_env env, napi_callback_info info);
napi_value semaphore_post(napi_env env, napi_callback_info info);
napi_value semaphore_try_wait(napi_env env, napi_callback_info info);
napi_value semaphore_wait(napi_env env, napi_callback_info info);
napi_value semaphore_value(napi_env env, napi_callback_info info);
napi_value mutex_open(napi_env env, napi_callback_info info);
napi_value mutex_try_lock(napi_env env, napi_callback_info info);
napi_value mutex_lock(napi_env env, napi_callback_info info);
napi_value mutex_unlock(napi_env env, napi_callback_info info);
napi_value mutex_consistent(napi_env env, napi_callback_info info);
napi_value shared_memory_open(napi_env env, napi_callback_info info);
napi_value shared_memory_buffer(napi_env env, napi_callback_info info);
napi_value posix_close(napi_env env, napi_callback_info info);
napi_value posix_unlink(napi_env env, napi_callback_info info);

// lock.cc
napi_value lock_try(napi_env env, napi_callback_info info);
napi_value lock_wait(napi_env env, napi_callback_info info);
napi_value lock_cancel(napi_env env, napi_callback_info info);
napi_value lock_acquire_sync(napi_env env, napi_callback_info info);
napi_value lock_release(napi_env env, napi_callback_info info);
napi_value lock_holder(napi_env env, napi_callback_info info);

}  // namespace holdfast::binding
