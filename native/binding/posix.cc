// The bare POSIX objects of holdfast/posix. They need no region: neither join() nor an agent.
#include <cerrno>
#include <new>

#include "binding/arguments.h"
#include "binding/blocking.h"
#include "binding/exports.h"
#include "binding/posix_table.h"

namespace holdfast::binding {
namespace {

enum class PosixKind : uint32_t { Semaphore = 0, SharedMemory = 1 };

template <typename T, size_t kCount>
T* object_of(const Arguments<kCount>& arguments) {
  uint32_t index = 0;
  if (arguments.environment() == nullptr || !arguments.integer(0, &index)) return nullptr;
  return arguments.environment()->posix.template find<T>(index);
}

template <size_t kCount>
std::shared_ptr<NamedSemaphore> semaphore_of(const Arguments<kCount>& arguments) {
  auto* held = object_of<std::shared_ptr<NamedSemaphore>>(arguments);
  return held != nullptr ? *held : nullptr;
}

template <size_t kCount>
std::shared_ptr<NamedMutex> mutex_of(const Arguments<kCount>& arguments) {
  auto* held = object_of<std::shared_ptr<NamedMutex>>(arguments);
  return held != nullptr ? *held : nullptr;
}

napi_value outcome_of_wait(napi_env env, Environment& environment, Status status) {
  if (status == Status::Ok) return binding::to_js(env, Outcome::Taken);
  if (status == Status::TimedOut) return binding::to_js(env, Outcome::TimedOut);
  return report(env, environment, status);
}

// In the second argument, beside what is to be made.
constexpr uint32_t kFlagAnyOwner = 4;

struct Wanted {
  std::string name;
  OpenFile how;
};

template <size_t kCount>
bool read(const Arguments<kCount>& arguments, Wanted* out) {
  uint32_t how = 0;
  uint32_t mode = 0;
  if (arguments.environment() == nullptr || !arguments.string(0, &out->name) ||
      !arguments.integer(1, &how) || !arguments.integer(2, &mode)) {
    return false;
  }
  const uint32_t create = how & ~kFlagAnyOwner;
  if (create > static_cast<uint32_t>(CreateFile::Exclusively)) return false;
  arguments.environment()->forget_failure();
  out->how = {static_cast<CreateFile>(create), mode, (how & kFlagAnyOwner) != 0};
  return true;
}

napi_value to_js(napi_env env, NamedMutex::Result result) {
  switch (result) {
    case NamedMutex::Result::Held:
      return binding::to_js(env, Outcome::Taken);
    case NamedMutex::Result::OwnerDied:
      return binding::to_js(env, Outcome::TakenAbandoned);
    case NamedMutex::Result::TimedOut:
      return binding::to_js(env, Outcome::TimedOut);
    case NamedMutex::Result::NotRecoverable:
      return binding::to_js(env, Status::NotRecoverable);
    case NamedMutex::Result::Corrupt:
      return binding::to_js(env, Status::Corrupt);
    case NamedMutex::Result::Deadlock:
      return binding::to_js(env, Status::Deadlock);
    case NamedMutex::Result::Failed:
      break;
  }
  return binding::to_js(env, Status::System);
}

// pthread_mutex_lock takes in its sleep: what a thread that may not go on has got goes to the next.
void give_back(napi_env env, NamedMutex& mutex, NamedMutex::Result result) {
  bool is_torn = false;
  switch (result) {
    case NamedMutex::Result::Held:
      static_cast<void>(mutex.unlock());
      break;
    case NamedMutex::Result::OwnerDied:
      // A thread that ends dies with it, and the next one is told. Not so where an exception has torn the wait off.
      if (napi_is_exception_pending(env, &is_torn) == napi_ok && is_torn) mutex.unlock_untold();
      break;
    default:
      break;
  }
}

}  // namespace

napi_value semaphore_open(napi_env env, napi_callback_info info) {
  const Arguments<4> arguments(env, info);
  Wanted wanted;
  uint32_t initial = 0;
  if (!read(arguments, &wanted) || !arguments.integer(3, &initial)) {
    return to_js(env, Status::BadArgument);
  }
  auto semaphore = std::make_shared<NamedSemaphore>();
  const auto create = static_cast<NamedSemaphore::Create>(wanted.how.create);
  const char* name = wanted.name.c_str();
  const Status status = wanted.how.any_owner
                            ? semaphore->open(name, create, wanted.how.mode, initial)
                            : semaphore->open_trusted(name, create, wanted.how.mode, initial);
  if (status != Status::Ok) return report(env, *arguments.environment(), status);
  return to_js(env, static_cast<int32_t>(arguments.environment()->posix.add(std::move(semaphore))));
}

napi_value semaphore_post(napi_env env, napi_callback_info info) {
  const Arguments<1> arguments(env, info);
  const auto semaphore = semaphore_of(arguments);
  if (semaphore == nullptr) return to_js(env, Status::BadHandle);
  return report(env, *arguments.environment(), semaphore->post());
}

napi_value semaphore_try_wait(napi_env env, napi_callback_info info) {
  const Arguments<1> arguments(env, info);
  const auto semaphore = semaphore_of(arguments);
  if (semaphore == nullptr) return to_js(env, Status::BadHandle);
  return outcome_of_wait(env, *arguments.environment(), semaphore->try_wait());
}

napi_value semaphore_wait(napi_env env, napi_callback_info info) {
  const Arguments<2> arguments(env, info);
  const auto semaphore = semaphore_of(arguments);
  double deadline_ms = 0;
  if (semaphore == nullptr) return to_js(env, Status::BadHandle);
  if (!arguments.number(1, &deadline_ms)) return to_js(env, Status::BadArgument);
  Environment& environment = *arguments.environment();
  if (environment.is_stopped() && !environment.may_go_on()) return to_js(env, Status::Ended);
  const Deadline deadline = Deadline::at_ms(deadline_ms);
  Status status = semaphore->try_wait();
  while (status == Status::TimedOut && !deadline.passed()) {
    status = semaphore->wait(Deadline::sooner(deadline, Deadline::after_ns(kSyncSliceNs)));
    if (environment.may_go_on()) continue;
    // sem_wait takes in its sleep: what nobody wants any more goes back.
    if (status == Status::Ok) static_cast<void>(semaphore->post());
    return to_js(env, Status::Ended);
  }
  return outcome_of_wait(env, environment, status);
}

napi_value semaphore_value(napi_env env, napi_callback_info info) {
  const Arguments<1> arguments(env, info);
  const auto semaphore = semaphore_of(arguments);
  int value = 0;
  if (semaphore == nullptr) return to_js(env, Status::BadHandle);
  const Status status = semaphore->value(&value);
  // POSIX lets a system tell the number of waiters as a negative value; Linux does not.
  return status == Status::Ok ? to_js(env, value < 0 ? 0 : value) : to_js(env, status);
}

napi_value mutex_open(napi_env env, napi_callback_info info) {
  const Arguments<3> arguments(env, info);
  Wanted wanted;
  if (!read(arguments, &wanted)) return to_js(env, Status::BadArgument);
  auto mutex = std::make_shared<NamedMutex>();
  const Status status = mutex->open(wanted.name, wanted.how);
  if (status != Status::Ok) return report(env, *arguments.environment(), status);
  return to_js(env, static_cast<int32_t>(arguments.environment()->posix.add(std::move(mutex))));
}

napi_value mutex_try_lock(napi_env env, napi_callback_info info) {
  const Arguments<1> arguments(env, info);
  const auto mutex = mutex_of(arguments);
  return mutex == nullptr ? to_js(env, Status::BadHandle) : to_js(env, mutex->try_lock());
}

napi_value mutex_lock(napi_env env, napi_callback_info info) {
  const Arguments<2> arguments(env, info);
  const auto mutex =
      mutex_of(arguments);  // the table may be another when JavaScript has been entered
  double deadline_ms = 0;
  if (mutex == nullptr) return to_js(env, Status::BadHandle);
  if (!arguments.number(1, &deadline_ms)) return to_js(env, Status::BadArgument);
  Environment& environment = *arguments.environment();
  if (environment.is_stopped() && !environment.may_go_on()) return to_js(env, Status::Ended);
  const Deadline deadline = Deadline::at_ms(deadline_ms);
  NamedMutex::Result result = mutex->try_lock();
  while (result == NamedMutex::Result::TimedOut && !deadline.passed()) {
    result = mutex->lock(Deadline::sooner(deadline, Deadline::after_ns(kSyncSliceNs)));
    if (environment.may_go_on()) continue;
    give_back(env, *mutex, result);
    return to_js(env, Status::Ended);
  }
  return to_js(env, result);
}

napi_value mutex_unlock(napi_env env, napi_callback_info info) {
  const Arguments<1> arguments(env, info);
  const auto mutex = mutex_of(arguments);
  return to_js(env, mutex == nullptr ? Status::BadHandle : mutex->unlock());
}

napi_value mutex_consistent(napi_env env, napi_callback_info info) {
  const Arguments<1> arguments(env, info);
  const auto mutex = mutex_of(arguments);
  return to_js(env, mutex == nullptr ? Status::BadHandle : mutex->consistent());
}

napi_value shared_memory_open(napi_env env, napi_callback_info info) {
  const Arguments<4> arguments(env, info);
  Wanted wanted;
  double bytes = 0;
  if (!read(arguments, &wanted) || !arguments.number(3, &bytes) || !(bytes >= 0) ||
      bytes > 9007199254740991.0) {
    return to_js(env, Status::BadArgument);
  }
  std::shared_ptr<Mapping> memory;
  const Status status =
      open_shared_memory(wanted.name, wanted.how, static_cast<uint64_t>(bytes), &memory);
  if (status != Status::Ok) return report(env, *arguments.environment(), status);
  return to_js(env, static_cast<int32_t>(arguments.environment()->posix.add(std::move(memory))));
}

napi_value shared_memory_buffer(napi_env env, napi_callback_info info) {
  const Arguments<1> arguments(env, info);
  auto* memory = object_of<std::shared_ptr<Mapping>>(arguments);
  if (memory == nullptr) return to_js(env, Status::BadHandle);
  auto* hold = new (std::nothrow) std::shared_ptr<Mapping>(*memory);
  if (hold == nullptr) {
    return report(env, *arguments.environment(), failed(Status::System, "malloc", ENOMEM));
  }
  const auto let_go = [](napi_env, void*, void* held) {
    delete static_cast<std::shared_ptr<Mapping>*>(held);
  };
  napi_value buffer = nullptr;
  if (napi_create_external_arraybuffer(env, (*memory)->base(), (*memory)->bytes(), let_go, hold,
                                       &buffer) == napi_ok) {
    return buffer;
  }
  delete hold;
  return refuse_buffer(env, *arguments.environment());
}

napi_value posix_close(napi_env env, napi_callback_info info) {
  const Arguments<1> arguments(env, info);
  uint32_t index = 0;
  if (arguments.environment() == nullptr || !arguments.integer(0, &index)) {
    return to_js(env, Status::BadHandle);
  }
  const auto mutex = mutex_of(arguments);
  if (mutex != nullptr && mutex->is_held_by_this_thread()) return to_js(env, Status::InUse);
  arguments.environment()->posix.remove(index);
  return to_js(env, Status::Ok);
}

napi_value posix_unlink(napi_env env, napi_callback_info info) {
  const Arguments<2> arguments(env, info);
  uint32_t kind = 0;
  std::string name;
  if (arguments.environment() == nullptr || !arguments.integer(0, &kind) ||
      !arguments.string(1, &name)) {
    return to_js(env, Status::BadArgument);
  }
  arguments.environment()->forget_failure();
  const bool is_semaphore = kind == static_cast<uint32_t>(PosixKind::Semaphore);
  return report(env, *arguments.environment(),
                is_semaphore ? NamedSemaphore::unlink(name.c_str()) : unlink_shared_memory(name));
}

}  // namespace holdfast::binding
