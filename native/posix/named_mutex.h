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

struct OpenFile {
  CreateFile create = CreateFile::IfMissing;
  mode_t mode = 0600;      // of a new one
  bool any_owner = false;  // else Access for one that is neither this user's nor root's
};

class NamedMutex {
 public:
  NamedMutex() = default;
  NamedMutex(const NamedMutex&) = delete;
  NamedMutex& operator=(const NamedMutex&) = delete;
  NamedMutex(NamedMutex&& other) noexcept;
  NamedMutex& operator=(NamedMutex&& other) noexcept;
  ~NamedMutex() { close(); }

  // A new one is whole before it has its name. Corrupt: the file is too short for a mutex. KindMismatch: it is none
  // that is robust and process-shared.
  Status open(const std::string& name, const OpenFile& how);

  // Blocks this thread until the deadline: Held, OwnerDied, TimedOut, NotRecoverable, Deadlock (this thread has it),
  // Corrupt (somebody scribbled over it).
  enum class Result : uint8_t {
    Held,
    OwnerDied,
    TimedOut,
    NotRecoverable,
    Corrupt,
    Deadlock,
    Failed
  };
  Result lock(Deadline deadline);
  // TimedOut: somebody has it.
  Result try_lock();
  // NotOwner where this thread does not hold it; Corrupt where somebody scribbled over it since: it is of no use then.
  Status unlock();
  // After OwnerDied, which nobody was told of: as unlock(), and the next one is told. Another that gets the mutex in
  // between is not; then one after it is.
  void unlock_untold();
  // NotOwner; BadArgument where no owner has died; Corrupt.
  Status consistent();
  [[nodiscard]] bool is_held_by_this_thread() const;

 private:
  // One for each mutex that this process has open, mapped once: a thread's robust list has addresses.
  //
  // The kernel reads and writes a mutex at the end of a thread that has it on its list, or in list_op_pending: libc has
  // it there from before it locks or unlocks until after. Both are over when a call has returned to the thread that
  // made it, except for a mutex that the thread holds. So what nobody has open (each thread closes its own, and is in
  // no call then) is unmapped unless it is held; what was closed while it was held, as by a worker that ends, stays
  // until a thread of this process has opened, locked and unlocked it again. A killed thread takes its process along:
  // nobody is left to unmap anything then.
  struct Known {
    std::shared_ptr<Mapping> memory;
    uint32_t opens = 0;               // how many NamedMutex have it; the mutex of all()
    std::atomic<uint64_t> holder{0};  // by the holder: its id, where it is a thread of ours
    // By the holder: it could not be unlocked. relaxed: no memory is handed on with it.
    std::atomic<bool> is_stuck{false};
    RobustMutex& mutex() { return *reinterpret_cast<RobustMutex*>(memory->base()); }
  };
  struct All;
  static All& all();
  static Known* known(std::shared_ptr<Mapping> memory);
  void close();
  Result note(RobustMutex::Lock taken);

  Known* known_ = nullptr;
};

// A file with `bytes` of shared memory under `name`. `least_bytes` holds for one that exists.
Status open_shared_memory(const std::string& name, const OpenFile& how, uint64_t bytes,
                          std::shared_ptr<Mapping>* out);

Status unlink_shared_memory(const std::string& name);

}  // namespace holdfast
