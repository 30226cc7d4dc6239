// Shared memory that gets its name last: reserved and filled while nobody can see it, then linked to its name in one
// step, which fails where the name is taken. Whoever opens the name finds it whole, and a maker that dies before the
// step leaves nothing (where the file system has O_TMPFILE; else a file with a name of its own).
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "status.h"

namespace holdfast {

// Bytes of a shared file in this process' memory, for as long as somebody has hold of them.
class Mapping {
 public:
  // All of a file, at least `least_bytes`; Corrupt: it is shorter. Access: it belongs to another user, where
  // `owner_checked`, and to another group.
  struct Wanted {
    uint64_t least_bytes = 0;
    bool owner_checked = false;
  };
  static Status open(const std::string& name, Wanted wanted, std::shared_ptr<Mapping>* out);

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

  // A file of `bytes` zeros (one at least), reserved: NoSpace here and not a SIGBUS later. With exactly `mode`.
  Status make(mode_t mode, uint64_t bytes);
  Status map(std::shared_ptr<Mapping>* out) const;
  // Gives it the name ("/x"). Exists: another file has it.
  Status publish(const std::string& name);

 private:
  Status open_any(mode_t mode);

  int fd_ = -1;
  std::string makeshift_;  // its name, where the file system cannot do without
};

}  // namespace holdfast
