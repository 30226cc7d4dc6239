#include "region/region.h"

#include "binding/arguments.h"
#include "binding/exports.h"

namespace holdfast::binding {
namespace {

constexpr uint32_t kFlagCreate = 1;
constexpr uint32_t kFlagAnonymous = 2;

bool is_kind(uint32_t kind) {
  return kind >= static_cast<uint32_t>(Kind::Lock) &&
         kind <= static_cast<uint32_t>(Kind::RWLock);  // those after it: shared_memory.cc
}

}  // namespace

napi_value join(napi_env env, napi_callback_info info) {
  const Arguments<4> arguments(env, info);
  Environment* environment = arguments.environment();
  std::string name_space;
  uint32_t mode = 0;
  uint32_t thread = 0;
  napi_valuetype type = napi_undefined;
  if (environment == nullptr || !arguments.string(0, &name_space) || !arguments.integer(1, &mode) ||
      !arguments.integer(2, &thread) || napi_typeof(env, arguments.value(3), &type) != napi_ok ||
      type != napi_function) {
    return to_js(env, Status::BadArgument);
  }
  environment->forget_failure();
  const Status status = environment->join(name_space, mode, thread, arguments.value(3));
  if (status != Status::Ok) return report(env, *environment, status);
  return to_js(env, static_cast<int32_t>(environment->agent()));
}

napi_value open_object(napi_env env, napi_callback_info info) {
  const Arguments<5> arguments(env, info);
  Environment* environment = arguments.environment();
  std::string name;
  uint32_t kind = 0;
  uint32_t flags = 0;
  Parameters parameters;
  if (environment == nullptr || !arguments.string(0, &name) || !arguments.integer(1, &kind) ||
      !arguments.integer(2, &flags) || !arguments.integer(3, &parameters.first) ||
      !arguments.integer(4, &parameters.second) || !is_kind(kind)) {
    return to_js(env, Status::BadArgument);
  }
  if (const Status status = Runtime::get().usable(); status != Status::Ok) {
    return to_js(env, status);
  }
  environment->forget_failure();
  uint32_t handle = 0;
  const Status status = environment->open(name, static_cast<Kind>(kind),
                                          {.create = (flags & kFlagCreate) != 0,
                                           .anonymous = (flags & kFlagAnonymous) != 0,
                                           .parameters = parameters},
                                          &handle);
  if (status != Status::Ok) return report(env, *environment, status);
  return to_js(env, static_cast<int32_t>(handle));
}

napi_value view(napi_env env, napi_callback_info info) {
  const Arguments<1> arguments(env, info);
  Handle* handle = arguments.handle(0);
  if (handle == nullptr) return to_js(env, Status::BadHandle);
  napi_value buffer = nullptr;
  // The region is never unmapped while the process lives, so the buffer may outlive the handle.
  return napi_create_external_arraybuffer(env, handle->seat.object, kCacheLine, nullptr, nullptr,
                                          &buffer) == napi_ok
             ? buffer
             : refuse_buffer(env, *arguments.environment());
}

napi_value close(napi_env env, napi_callback_info info) {
  const Arguments<1> arguments(env, info);
  uint32_t handle = 0;
  if (arguments.handle(0) == nullptr || !arguments.integer(0, &handle)) {
    return to_js(env, Status::BadHandle);
  }
  return to_js(env, arguments.environment()->close(handle));
}

napi_value unlink(napi_env env, napi_callback_info info) {
  const Arguments<1> arguments(env, info);
  uint32_t handle = 0;
  if (arguments.handle(0) == nullptr || !arguments.integer(0, &handle)) {
    return to_js(env, Status::BadHandle);
  }
  arguments.environment()->forget_failure();
  return report(env, *arguments.environment(), arguments.environment()->unlink(handle));
}

napi_value unlink_namespace(napi_env env, napi_callback_info info) {
  const Arguments<2> arguments(env, info);
  Environment* environment = arguments.environment();
  std::string name_space;
  uint32_t mode = 0;
  if (environment == nullptr || !arguments.string(0, &name_space) || !arguments.integer(1, &mode)) {
    return to_js(env, Status::BadArgument);
  }
  environment->forget_failure();
  bool others_idle = true;
  const uint32_t realms = environment->realms(&others_idle);
  const Status status = Runtime::get().unlink_namespace(name_space, mode, others_idle ? realms : 1,
                                                        &environment->detail);
  if (status == Status::Ok) return to_js(env, 1);
  if (status == Status::NotFound) return to_js(env, 0);
  return report(env, *environment, status);
}

napi_value keep_alive(napi_env env, napi_callback_info info) {
  const Arguments<1> arguments(env, info);
  bool on = false;
  if (arguments.environment() == nullptr || !arguments.boolean(0, &on)) {
    return to_js(env, Status::BadArgument);
  }
  return to_js(env, arguments.environment()->keep_alive(on));
}

napi_value now(napi_env env, napi_callback_info) {
  return to_js(env, static_cast<double>(monotonic_ns()) / 1e6);
}

napi_value stuck_pid(napi_env env, napi_callback_info) {
  return to_js(env, Guard::take_stuck_pid());
}

napi_value detail(napi_env env, napi_callback_info info) {
  const Arguments<0> arguments(env, info);
  napi_value text = nullptr;
  if (arguments.environment() == nullptr) return nullptr;
  const std::string& words = arguments.environment()->detail;
  return napi_create_string_utf8(env, words.data(), words.size(), &text) == napi_ok ? text
                                                                                    : nullptr;
}

napi_value failure(napi_env env, napi_callback_info info) {
  const Arguments<1> arguments(env, info);
  Environment* environment = arguments.environment();
  uint32_t status = 0;
  if (environment == nullptr || !arguments.integer(0, &status)) return nullptr;
  const Failure failure = environment->failure;
  if (failure.status == Status::Ok || static_cast<uint32_t>(failure.status) != status) {
    return nullptr;
  }
  napi_value parts[3];
  napi_value all = nullptr;
  bool ok = napi_create_string_utf8(env, failure.call, NAPI_AUTO_LENGTH, &parts[0]) == napi_ok &&
            napi_create_int32(env, failure.error, &parts[1]) == napi_ok &&
            napi_create_string_utf8(env, failure.path, NAPI_AUTO_LENGTH, &parts[2]) == napi_ok &&
            napi_create_array_with_length(env, 3, &all) == napi_ok;
  for (uint32_t i = 0; ok && i < 3; ++i) ok = napi_set_element(env, all, i, parts[i]) == napi_ok;
  return ok ? all : nullptr;
}

}  // namespace holdfast::binding
