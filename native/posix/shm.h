// What all files of POSIX shared memory have in common: where they are, whose they may be, how their memory is reserved,
// and how they are removed.
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "status.h"

namespace holdfast {

// Where Linux has them, by glibc and by musl. A name ("/x") follows it.
inline constexpr char kShmFolder[] = "/dev/shm";

// Whose a file of a region is: a user's, or where its mode admits the group, a group's. Settled once, at the join: a
// process may change its ids afterwards.
struct FileOwner {
  uid_t uid = 0;
  gid_t gid = 0;

  static FileOwner me();
  [[nodiscard]] bool owns(const struct stat& file, mode_t mode) const {
    return (mode & 0070) != 0 ? file.st_gid == gid : file.st_uid == uid;
  }
  // And nobody else was let in.
  [[nodiscard]] bool admits(const struct stat& file, mode_t mode) const {
    return owns(file, mode) && (file.st_mode & 0777 & ~mode) == 0;
  }
};

// As shm_open does, whose EINVAL hides that there is a folder with this name.
int open_shm(const std::string& name, int flags, mode_t mode = 0);

// Whether what this user, or root, made lies there. Root can do to this process whatever the file could.
bool is_of_trusted_owner(const struct stat& file);

// Reserves memory for `bytes` bytes at `from`, and makes the file that long. Else the file is as it was.
// Signals wait meanwhile: each would make the kernel give up what it has done, and a profiler's come faster than many
// megabytes are reserved.
Status reserve_file(int fd, uint64_t from, uint64_t bytes);

// Files that have lost their names, and keep their memory until this goes: names are removed inside a guard, and
// gigabytes freed after it. Who dies in between frees them too. More than it can hold are freed at once.
class RemovedFiles {
 public:
  RemovedFiles() = default;
  RemovedFiles(const RemovedFiles&) = delete;
  RemovedFiles& operator=(const RemovedFiles&) = delete;
  ~RemovedFiles() { free(); }

  // Harmless where there is no such file.
  void remove(const std::string& name);
  void free();

 private:
  std::array<int, 64> held_{};
  size_t count_ = 0;
};

}  // namespace holdfast
