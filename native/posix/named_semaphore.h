// A POSIX named semaphore (sem_open). Bare: a killed holder's permit is lost; holdfast's own Semaphore
// gives it back, this one is for sharing with programs in other languages.
#pragma once

#include <semaphore.h>
#include <sys/types.h>

#include "posix/deadline.h"
#include "status.h"

namespace holdfast {

class NamedSemaphore {
 public:
  enum class Create : uint8_t { Never, IfMissing, Exclusively };

  NamedSemaphore() = default;
  NamedSemaphore(const NamedSemaphore&) = delete;
  NamedSemaphore& operator=(const NamedSemaphore&) = delete;
  ~NamedSemaphore() { close(); }

  // `name` is "/something", without a second slash.
  Status open(const char* name, Create create, mode_t mode, unsigned initial);
  // The same; Access for one that is neither this user's nor root's. By its name, before and after, as sem_open shows
  // no file.
  Status open_trusted(const char* name, Create create, mode_t mode, unsigned initial);
  // Corrupt, of these three: somebody scribbled over it.
  Status post();
  Status try_wait();  // TimedOut: the value is 0
  // Blocks this thread; TimedOut when the deadline passes first.
  Status wait(Deadline deadline);
  Status value(int* out) const;
  void close();  // idempotent

  static Status unlink(const char* name);

 private:
  [[nodiscard]] Status usable() const;

  sem_t* semaphore_ = SEM_FAILED;
};

}  // namespace holdfast
