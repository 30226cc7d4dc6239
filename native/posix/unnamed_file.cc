#include "posix/unnamed_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <limits>

namespace holdfast {
namespace {

// Where Linux has POSIX shared memory, by glibc and by musl.
constexpr char kFolder[] = "/dev/shm";

Status status_of_errno() {
  switch (errno) {
    case ENOENT:
      return Status::NotFound;
    case EEXIST:
      return Status::Exists;
    case EACCES:
    case EPERM:
    case ELOOP:
      return Status::Access;
    case ENOSPC:
    case EDQUOT:
    case ENOMEM:
    case EFBIG:
      return Status::NoSpace;
    case EINVAL:
    case ENAMETOOLONG:
      return Status::BadArgument;
    default:
      return Status::System;
  }
}

// Closes the descriptor and keeps errno.
void close_quietly(int fd) {
  const int error = errno;
  ::close(fd);
  errno = error;
}

Status map_all(int fd, const struct stat& file, std::shared_ptr<Mapping>* out) {
  const auto bytes = static_cast<uint64_t>(file.st_size);
  if (bytes > std::numeric_limits<size_t>::max()) return Status::NoSpace;
  void* base = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (base == MAP_FAILED) return status_of_errno();
  *out = std::make_shared<Mapping>(static_cast<std::byte*>(base), bytes, file);
  return Status::Ok;
}

}  // namespace

Mapping::Mapping(std::byte* base, size_t bytes, const struct stat& file)
    : base_(base), bytes_(bytes), device_(file.st_dev), inode_(file.st_ino) {}

Mapping::~Mapping() { ::munmap(base_, bytes_); }

Status Mapping::open(const std::string& name, Wanted wanted, std::shared_ptr<Mapping>* out) {
  const int fd = ::shm_open(name.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0);
  if (fd < 0) return status_of_errno();
  struct stat file{};
  Status status = Status::Ok;
  if (::fstat(fd, &file) != 0) {
    status = status_of_errno();
  } else if (wanted.owner_checked && file.st_uid != ::geteuid() && file.st_gid != ::getegid()) {
    status = Status::Access;
  } else if (file.st_size <= 0 || static_cast<uint64_t>(file.st_size) < wanted.least_bytes) {
    status = Status::Corrupt;
  } else {
    status = map_all(fd, file, out);
  }
  close_quietly(fd);
  return status;
}

Status UnnamedFile::open_any(mode_t mode) {
  fd_ = ::open(kFolder, O_TMPFILE | O_RDWR | O_CLOEXEC, mode);
  if (fd_ >= 0) return Status::Ok;
  if (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT) return status_of_errno();
  static std::atomic<uint32_t> made{0};
  do {
    const uint32_t number = made.fetch_add(1, std::memory_order_relaxed);  // only has to differ
    makeshift_ = "/holdfast-new." + std::to_string(::getpid()) + "." + std::to_string(number) + "~";
    fd_ = ::shm_open(makeshift_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode);
  } while (fd_ < 0 && errno == EEXIST);
  if (fd_ >= 0) return Status::Ok;
  makeshift_.clear();
  return status_of_errno();
}

Status UnnamedFile::make(mode_t mode, uint64_t bytes) {
  if (bytes == 0) bytes = 1;
  if (bytes > static_cast<uint64_t>(std::numeric_limits<off_t>::max())) return Status::NoSpace;
  if (const Status status = open_any(mode); status != Status::Ok) return status;
  // The umask may have taken bits away.
  if (::fchmod(fd_, mode) != 0) return status_of_errno();
  int error;
  do {
    error = ::posix_fallocate(fd_, 0, static_cast<off_t>(bytes));
  } while (error == EINTR);
  errno = error;
  return error == 0 ? Status::Ok : status_of_errno();
}

Status UnnamedFile::map(std::shared_ptr<Mapping>* out) const {
  struct stat file{};
  if (::fstat(fd_, &file) != 0) return status_of_errno();
  return map_all(fd_, file, out);
}

Status UnnamedFile::publish(const std::string& name) {
  const std::string from =
      makeshift_.empty() ? "/proc/self/fd/" + std::to_string(fd_) : kFolder + makeshift_;
  const std::string to = kFolder + name;
  const int flags = makeshift_.empty() ? AT_SYMLINK_FOLLOW : 0;
  return ::linkat(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), flags) == 0 ? Status::Ok
                                                                            : status_of_errno();
}

UnnamedFile::~UnnamedFile() {
  if (!makeshift_.empty()) ::shm_unlink(makeshift_.c_str());
  if (fd_ >= 0) close_quietly(fd_);
}

}  // namespace holdfast
