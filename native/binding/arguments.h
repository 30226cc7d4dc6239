// The way from a JavaScript call to C++ and back, with every Node-API status checked: after
// worker.terminate() any of them may fail. TypeScript validates and words errors; here a wrong type is
// BadArgument, and nothing is thrown.
#pragma once

#include <node_api.h>

#include <cstddef>
#include <string>

#include "binding/environment.h"
#include "status.h"

namespace holdfast::binding {

template <size_t kCount>
class Arguments {
 public:
  Arguments(napi_env env, napi_callback_info info) : env_(env) {
    size_t count = kCount;
    void* data = nullptr;
    if (napi_get_cb_info(env, info, &count, values_, nullptr, &data) == napi_ok &&
        count >= kCount) {
      environment_ = static_cast<Environment*>(data);
    }
  }

  // nullptr: too few arguments, or JavaScript may not run any more.
  [[nodiscard]] Environment* environment() const { return environment_; }
  [[nodiscard]] napi_value value(size_t i) const { return values_[i]; }

  [[nodiscard]] bool number(size_t i, double* out) const {
    return napi_get_value_double(env_, values_[i], out) == napi_ok;
  }
  [[nodiscard]] bool integer(size_t i, uint32_t* out) const {
    return napi_get_value_uint32(env_, values_[i], out) == napi_ok;
  }
  [[nodiscard]] bool boolean(size_t i, bool* out) const {
    return napi_get_value_bool(env_, values_[i], out) == napi_ok;
  }
  [[nodiscard]] bool string(size_t i, std::string* out) const {
    size_t bytes = 0;
    if (napi_get_value_string_utf8(env_, values_[i], nullptr, 0, &bytes) != napi_ok) return false;
    out->resize(bytes);
    return napi_get_value_string_utf8(env_, values_[i], out->data(), bytes + 1, &bytes) == napi_ok;
  }
  // The open handle that argument `i` names; nullptr if none, or the process was forked without exec.
  [[nodiscard]] Handle* handle(size_t i) const {
    uint32_t index = 0;
    if (environment_ == nullptr || !integer(i, &index)) return nullptr;
    return Runtime::get().usable() == Status::Ok ? environment_->handle(index) : nullptr;
  }

 private:
  napi_env env_;
  napi_value values_[kCount > 0 ? kCount : 1] = {};
  Environment* environment_ = nullptr;
};

// nullptr where even that fails: Node-API then returns undefined.
inline napi_value to_js(napi_env env, int32_t value) {
  napi_value result = nullptr;
  return napi_create_int32(env, value, &result) == napi_ok ? result : nullptr;
}
inline napi_value to_js(napi_env env, Status status) {
  return to_js(env, static_cast<int32_t>(status));
}
inline napi_value to_js(napi_env env, Outcome outcome) {
  return to_js(env, static_cast<int32_t>(outcome));
}
// The same, of what may come from a system call.
inline napi_value report(napi_env env, Environment& environment, Status status) {
  environment.failure = last_failure();
  return to_js(env, status);
}
// Some hosts of Node.js keep all memory of buffers in a place of their own.
inline napi_value refuse_buffer(napi_env env, Environment& environment) {
  environment.forget_failure();
  environment.detail = "this runtime allows no buffers over shared memory";
  return to_js(env, Status::Unsupported);
}
inline napi_value to_js(napi_env env, double value) {
  napi_value result = nullptr;
  return napi_create_double(env, value, &result) == napi_ok ? result : nullptr;
}

}  // namespace holdfast::binding
