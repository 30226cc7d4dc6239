// A named file of POSIX shared memory, with the three locks and reservations that a region needs.
//
//   creation lock   flock, exclusive: held while the file is looked at, made, joined or removed. It dies
//                   with its holder, so nothing half-made is ever trusted.
//   presence        an open-file-description read lock on one byte, held as long as the file is open:
//                   "is anybody using this file?" can be asked without knowing its layout.
//
// Other code of the process may close the descriptor by mistake, and the number is then of another file. So device and
// inode are compared before each use, and the file is looked for by its name where they differ. The locks are gone
// with the descriptor: a close that was not ours takes presence and bytes back.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string>

#include "posix/shm.h"
#include "status.h"

namespace holdfast {

class SharedFile {
 public:
  SharedFile() = default;
  SharedFile(const SharedFile&) = delete;
  SharedFile& operator=(const SharedFile&) = delete;
  SharedFile(SharedFile&& other) noexcept;
  SharedFile& operator=(SharedFile&& other) noexcept;
  ~SharedFile() { close(); }

  // Opens `name` ("/x") and takes its creation lock. With `create`, makes it with exactly `mode`,
  // whatever the umask. Access: a wider mode than asked, or another owner (where `mode` admits the group,
  // another group). InUse: somebody has kept the creation lock for seconds; stopped, probably.
  Status open_locked(const std::string& name, mode_t mode, bool create,
                     const FileOwner& owner = FileOwner::me());
  void unlock_creation();

  // Locks one byte for as long as the file is open. Asked of another open file: is_locked_by_another(), which is true
  // where it cannot be told.
  Status lock_byte(uint64_t byte);
  [[nodiscard]] bool is_locked_by_another(uint64_t byte) const;

  Status announce_presence();
  // True where this open file is the only one that announced itself (or none did). Asks by taking the
  // byte for itself, so call it under the creation lock; presence, if announced, is kept. False where it cannot be told.
  [[nodiscard]] bool alone() const;

  [[nodiscard]] Status size(uint64_t* out) const;
  Status truncate(uint64_t bytes);
  // Reserves memory for [0, bytes) and makes the file that long; NoSpace leaves it as it was.
  Status reserve(uint64_t bytes);
  // A mapping of `range` bytes, which may be larger than the file: what lies beyond its end becomes
  // usable as the file grows. It is another open file's, found by the same name: a mapping goes along into forked
  // children, and must not take along what this one has locked.
  Status map(size_t range, std::byte** out) const;
  static void unmap(std::byte* base, size_t range);
  Status read_at(uint64_t offset, void* into, size_t bytes) const;
  Status remove(const std::string& name);

  // Of the file, by descriptor or name. EBADF: by neither.
  [[nodiscard]] bool look(struct stat* out) const;
  [[nodiscard]] bool has_a_name() const;
  [[nodiscard]] bool is(const struct stat& file) const {
    return file.st_ino == inode_ && file.st_dev == device_;
  }
  [[nodiscard]] bool is_same_as(const SharedFile& other) const;

  // "12, 40": processes that have this file open, as far as /proc shows them; without this one.
  [[nodiscard]] std::string users() const;

  // Gives up creation lock, presence and bytes too, even where a mapping keeps the open file alive.
  void close();
  // In a forked child: what the parent has locked by this open file stays locked, and is no business of the child's.
  // Async-signal-safe.
  void close_in_child();
  [[nodiscard]] bool is_open() const { return fd_ >= 0; }

 private:
  class Use;

  Status lock_range(short type, off_t byte);
  [[nodiscard]] std::string path() const { return kShmFolder + name_; }
  // Whether the descriptor is still the file's.
  [[nodiscard]] bool has_its_descriptor() const;
  int fd_ = -1;
  std::string name_;
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

}  // namespace holdfast
