// A robust, process-shared pthread mutex that is the first thing in a file of POSIX shared memory, and nothing else of
// ours with it: programs in other languages can make it, open it and use it.
//
// Ownership is pthread's, by kernel thread. Who holds it of this process is noted beside it, since a pthread mutex of
// the normal kind says neither that its own thread asks for it again, nor whom it belongs to.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "posix/deadline.h"
#include "posix/robust_mutex.h"
#include "posix/unnamed_file.h"
#include "status.h"

namespace holdfast {

enum class CreateFile : uint8_t { Never = 0, IfMissing = 1, Exclusively = 2 };

class NamedMutex {
 public:
  NamedMutex() = default;

  // A new one is whole before it has its name. Corrupt: the file is too short for a mutex.
  Status open(const std::string& name, CreateFile create, mode_t mode);

  // Blocks this thread until the deadline: Held, OwnerDied, TimedOut, NotRecoverable, Deadlock (this thread has it).
  enum class Result : uint8_t { Held, OwnerDied, TimedOut, NotRecoverable, Deadlock, Failed };
  Result lock(Deadline deadline);
  // TimedOut: somebody has it.
  Result try_lock();
  // NotOwner where this thread does not hold it.
  Status unlock();
  // After OwnerDied, which nobody was told of: as unlock(), and the next one is told. Another that gets the mutex in
  // between is not; then one after it is.
  void unlock_untold();
  // NotOwner; BadArgument where no owner has died.
  Status consistent();
  [[nodiscard]] bool is_held_by_this_thread() const;

 private:
  // One for each mutex that this process has ever opened. Never unmapped: the kernel may write to a mutex at the
  // death of a thread that has just unlocked it, and walks from one held mutex to the next.
  struct Known {
    std::shared_ptr<Mapping> memory;
    std::atomic<uint64_t> holder{0};  // the holder's id where it is a thread of ours
    RobustMutex& mutex() { return *reinterpret_cast<RobustMutex*>(memory->base()); }
  };
  static Known* known(std::shared_ptr<Mapping> memory);
  Result note(RobustMutex::Lock taken);

  Known* known_ = nullptr;
};

// A file with `bytes` of shared memory under `name`. `least_bytes` holds for one that exists.
Status open_shared_memory(const std::string& name, CreateFile create, mode_t mode, uint64_t bytes,
                          std::shared_ptr<Mapping>* out);

Status unlink_shared_memory(const std::string& name);

}  // namespace holdfast
