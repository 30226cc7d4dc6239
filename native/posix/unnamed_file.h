// Shared memory that gets its name last: reserved and filled while nobody can see it, then linked to its name in one
// step, which fails where the name is taken. Whoever opens the name finds it whole, and a maker that dies before the
// step leaves nothing (where the file system has O_TMPFILE, and there is /proc or a kernel that links by descriptor; else
// a file with a makeshift name).
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "posix/shm.h"
#include "status.h"

namespace holdfast {

// Bytes of a shared file in this process' memory, for as long as somebody has hold of them.
class Mapping {
 public:
  // All of a file, at least `least_bytes`; Corrupt: it is shorter. Access: it is not admitted.
  struct Wanted {
    uint64_t least_bytes = 0;
    std::function<bool(const struct stat&)> admits = nullptr;  // empty: every file is
  };
  static Status open(const std::string& name, const Wanted& wanted, std::shared_ptr<Mapping>* out);

  Mapping(std::byte* base, size_t bytes, const struct stat& file);
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  ~Mapping();

  [[nodiscard]] std::byte* base() const { return base_; }
  [[nodiscard]] size_t bytes() const { return bytes_; }
  [[nodiscard]] bool is_same_file(const Mapping& other) const {
    return device_ == other.device_ && inode_ == other.inode_;
  }

 private:
  std::byte* base_;
  size_t bytes_;
  dev_t device_;
  ino_t inode_;
};

class UnnamedFile {
 public:
  UnnamedFile() = default;
  UnnamedFile(const UnnamedFile&) = delete;
  UnnamedFile& operator=(const UnnamedFile&) = delete;
  ~UnnamedFile();

  // A file of `bytes` zeros (one at least), reserved: a full /dev/shm is NoSpace here and not a SIGBUS later. With exactly
  // `mode`.
  Status make(mode_t mode, uint64_t bytes);
  // For whom `admits`, of what make() made: a process may have other ids than its region.
  [[nodiscard]] bool is_admitted(const FileOwner& owner, mode_t mode) const;
  Status map(std::shared_ptr<Mapping>* out) const;
  // Gives it the name ("/x"). Exists: another file has it. Never NotFound.
  Status publish(const std::string& name);

 private:
  Status open_any(mode_t mode);
  bool find_a_link();

  int fd_ = -1;
  bool by_proc_ = false;   // it is linked by its name in /proc; else by its descriptor
  std::string makeshift_;  // its name, where the file system cannot do without
};

}  // namespace holdfast
