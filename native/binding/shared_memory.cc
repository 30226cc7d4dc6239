// SharedValue and SharedArray: their memory as JavaScript sees it, and what their waits need beyond waiter.cc.
#include "sync/shared_memory.h"

#include <cerrno>
#include <cstring>
#include <new>

#include "binding/arguments.h"
#include "binding/exports.h"
#include "region/data_file.h"

namespace holdfast::binding {
namespace {

constexpr uint32_t kFlagCreate = 1;
constexpr uint32_t kFlagAnonymous = 2;

bool is_memory(Kind kind) { return kind == Kind::SharedValue || kind == Kind::SharedArray; }

// An open SharedValue or SharedArray; nullptr if it is none.
Handle* memory_home(Handle* handle) {
  return handle != nullptr && handle->home == nullptr && is_memory(handle->kind) ? handle : nullptr;
}

// The bytes of a typed array; none for undefined.
bool bytes_of(napi_env env, napi_value value, std::span<const std::byte>* out) {
  napi_valuetype type = napi_undefined;
  if (napi_typeof(env, value, &type) != napi_ok) return false;
  if (type == napi_undefined) return true;
  bool is_typed_array = false;
  napi_typedarray_type element = napi_uint8_array;
  size_t length = 0;
  void* data = nullptr;
  if (napi_is_typedarray(env, value, &is_typed_array) != napi_ok || !is_typed_array ||
      napi_get_typedarray_info(env, value, &element, &length, &data, nullptr, nullptr) != napi_ok ||
      element != napi_uint8_array) {
    return false;
  }
  *out = {static_cast<const std::byte*>(data), data == nullptr ? 0 : length};
  return true;
}

std::span<std::byte> memory_of_handle(Handle& handle) {
  if (handle.kind == Kind::SharedValue) {
    const uint32_t bytes = element_bytes(handle.seat.parameters.first);
    return {reinterpret_cast<std::byte*>(&handle.seat.object->value), bytes};
  }
  if (handle.memory == nullptr) return {};
  return {handle.memory->base(), data_bytes(handle.seat.parameters)};
}

// On the buffer's thread, once nothing in JavaScript can reach it any more.
void let_go_of_memory(napi_env, void*, void* hold) {
  delete static_cast<std::shared_ptr<Mapping>*>(hold);
}

}  // namespace

napi_value open_memory(napi_env env, napi_callback_info info) {
  const Arguments<6> arguments(env, info);
  Environment* environment = arguments.environment();
  std::string name;
  uint32_t kind = 0;
  uint32_t flags = 0;
  Environment::MemoryOptions options;
  Parameters& parameters = options.common.parameters;
  if (environment == nullptr || !arguments.string(0, &name) || !arguments.integer(1, &kind) ||
      !is_memory(static_cast<Kind>(kind)) || !arguments.integer(2, &flags) ||
      !arguments.integer(3, &parameters.first) || !arguments.integer(4, &parameters.second) ||
      !bytes_of(env, arguments.value(5), &options.initial)) {
    return to_js(env, Status::BadArgument);
  }
  options.common.create = (flags & kFlagCreate) != 0;
  options.common.anonymous = (flags & kFlagAnonymous) != 0;
  if (options.common.create && element_bytes(parameters.first) == 0) {
    return to_js(env, Status::BadArgument);
  }
  if (const Status status = Runtime::get().usable(); status != Status::Ok) {
    return to_js(env, status);
  }
  environment->forget_failure();
  uint32_t handle = 0;
  const Status status = environment->open_memory(name, static_cast<Kind>(kind), options, &handle);
  if (status == Status::Ok) return to_js(env, static_cast<int32_t>(handle));
  return report(env, *environment, status);
}

napi_value memory_of(napi_env env, napi_callback_info info) {
  const Arguments<1> arguments(env, info);
  Handle* handle = memory_home(arguments.handle(0));
  if (handle == nullptr) return to_js(env, Status::BadHandle);
  const std::span<std::byte> memory = memory_of_handle(*handle);
  napi_value buffer = nullptr;
  if (memory.empty()) {
    void* nothing = nullptr;
    return napi_create_arraybuffer(env, 0, &nothing, &buffer) == napi_ok ? buffer : nullptr;
  }
  // A value lies in the region, which is never unmapped. Other memory is unmapped when both the handle and the
  // last buffer over it are gone, so that closed arrays do not fill /dev/shm until the process ends.
  auto* hold = new (std::nothrow) std::shared_ptr<Mapping>(handle->memory);
  if (hold == nullptr) {
    return report(env, *arguments.environment(), failed(Status::System, "malloc", ENOMEM));
  }
  if (napi_create_external_arraybuffer(env, memory.data(), memory.size(), let_go_of_memory, hold,
                                       &buffer) == napi_ok) {
    return buffer;
  }
  delete hold;
  return refuse_buffer(env, *arguments.environment());
}

napi_value memory_id(napi_env env, napi_callback_info info) {
  const Arguments<1> arguments(env, info);
  Handle* handle = memory_home(arguments.handle(0));
  if (handle == nullptr) return to_js(env, Status::BadHandle);
  constexpr double kObjects = ObjectTable::per_chunk * ObjectTable::max_chunks;
  return to_js(env, handle->seat.generation * kObjects + handle->seat.object_index);
}

napi_value memory_expect(napi_env env, napi_callback_info info) {
  const Arguments<3> arguments(env, info);
  Handle* waiter = arguments.handle(0);
  uint32_t low = 0;
  uint32_t high = 0;
  if (waiter == nullptr || waiter->home == nullptr || !is_memory(waiter->kind)) {
    return to_js(env, Status::BadHandle);
  }
  if (!arguments.integer(1, &low) || !arguments.integer(2, &high)) {
    return to_js(env, Status::BadArgument);
  }
  const std::span<std::byte> memory = memory_of_handle(*waiter->home);
  waiter->element = {memory.data(), memory.size(), uint64_t{high} << 32 | low};
  return to_js(env, Status::Ok);
}

napi_value memory_notify(napi_env env, napi_callback_info info) {
  const Arguments<3> arguments(env, info);
  Handle* handle = memory_home(arguments.handle(0));
  uint32_t index = 0;
  uint32_t count = 0;
  if (handle == nullptr) return to_js(env, Status::BadHandle);
  if (!arguments.integer(1, &index) || !arguments.integer(2, &count)) {
    return to_js(env, Status::BadArgument);
  }
  return to_js(
      env, shared_memory::notify(arguments.environment()->region(), handle->seat, index, count));
}

}  // namespace holdfast::binding
