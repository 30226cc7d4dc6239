// The bare POSIX objects that a thread has open, by small numbers that JavaScript names them by.
#pragma once

#include <cstdint>
#include <memory>
#include <variant>
#include <vector>

#include "posix/named_mutex.h"
#include "posix/named_semaphore.h"
#include "posix/unnamed_file.h"

namespace holdfast::binding {

// A vacant entry is monostate. A semaphore or a mutex outlives its entry while somebody waits for it (a debugger may
// close it then), a mapping where a buffer still shows it.
using PosixObject = std::variant<std::monostate, std::shared_ptr<NamedSemaphore>,
                                 std::shared_ptr<NamedMutex>, std::shared_ptr<Mapping>>;

class PosixTable {
 public:
  uint32_t add(PosixObject object) {
    for (uint32_t i = 0; i < objects_.size(); ++i) {
      if (!std::holds_alternative<std::monostate>(objects_[i])) continue;
      objects_[i] = std::move(object);
      return i;
    }
    objects_.push_back(std::move(object));
    return static_cast<uint32_t>(objects_.size() - 1);
  }
  // nullptr: no open object of this type has the number.
  template <typename T>
  [[nodiscard]] T* find(uint32_t index) {
    return index < objects_.size() ? std::get_if<T>(&objects_[index]) : nullptr;
  }
  void remove(uint32_t index) {
    if (index < objects_.size()) objects_[index] = std::monostate{};
  }

 private:
  std::vector<PosixObject> objects_;
};

}  // namespace holdfast::binding
