#include "posix/shared_file.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <utility>

namespace holdfast {
namespace {

constexpr off_t kPresenceByte = 1;

Status status_of_errno() {
  switch (errno) {
    case ENOENT:
      return Status::NotFound;
    case EACCES:
    case EPERM:
    case ELOOP:
      return Status::Access;
    case ENOSPC:
    case EDQUOT:
    case ENOMEM:
      return Status::NoSpace;
    default:
      return Status::System;
  }
}

bool set_presence_lock(int fd, short type) {
  struct flock range {};
  range.l_type = type;
  range.l_whence = SEEK_SET;
  range.l_start = kPresenceByte;
  range.l_len = 1;
  int result;
  do {
    result = ::fcntl(fd, F_OFD_SETLK, &range);
  } while (result != 0 && errno == EINTR);
  return result == 0;
}

bool lock_creation(int fd) {
  int result;
  do {
    result = ::flock(fd, LOCK_EX);
  } while (result != 0 && errno == EINTR);
  return result == 0;
}

bool process_has_open(const char* pid, const struct stat& file) {
  const std::string folder = std::string("/proc/") + pid + "/fd";
  DIR* entries = ::opendir(folder.c_str());
  if (entries == nullptr) return false;
  bool found = false;
  while (const dirent* entry = ::readdir(entries)) {
    struct stat other {};
    if (::fstatat(::dirfd(entries), entry->d_name, &other, 0) != 0) continue;
    if (other.st_ino == file.st_ino && other.st_dev == file.st_dev) {
      found = true;
      break;
    }
  }
  ::closedir(entries);
  return found;
}

}  // namespace

SharedFile::SharedFile(SharedFile&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

SharedFile& SharedFile::operator=(SharedFile&& other) noexcept {
  if (this != &other) {
    close();
    fd_ = std::exchange(other.fd_, -1);
  }
  return *this;
}

Status SharedFile::open_locked(const std::string& name, mode_t mode, bool create) {
  for (;;) {
    close();
    // O_NOFOLLOW: a link that somebody else laid at this name is refused, not followed.
    const int flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW | (create ? O_CREAT : 0);
    fd_ = ::shm_open(name.c_str(), flags, mode);
    if (fd_ < 0) return status_of_errno();
    if (!lock_creation(fd_)) return status_of_errno();
    struct stat file {};
    if (::fstat(fd_, &file) != 0) return status_of_errno();
    if (file.st_nlink == 0) continue;  // removed while we waited for the lock: a new one has the name now
    if (file.st_uid != ::geteuid()) return Status::Access;
    // A file of length 0 is one that nobody has finished making: its mode is ours to set.
    if (file.st_size == 0 && create && ::fchmod(fd_, mode) != 0) return status_of_errno();
    if (file.st_size != 0 && (file.st_mode & 0777 & ~mode) != 0) return Status::Access;
    return Status::Ok;
  }
}

void SharedFile::unlock_creation() {
  if (fd_ >= 0) ::flock(fd_, LOCK_UN);
}

Status SharedFile::announce_presence() {
  return set_presence_lock(fd_, F_RDLCK) ? Status::Ok : status_of_errno();
}

bool SharedFile::alone() const {
  struct flock range {};
  range.l_type = F_WRLCK;
  range.l_whence = SEEK_SET;
  range.l_start = kPresenceByte;
  range.l_len = 1;
  // Conflicts only with locks of other open files: our own presence does not count.
  return ::fcntl(fd_, F_OFD_GETLK, &range) == 0 && range.l_type == F_UNLCK;
}

Status SharedFile::size(uint64_t* out) const {
  struct stat file {};
  if (::fstat(fd_, &file) != 0) return status_of_errno();
  *out = static_cast<uint64_t>(file.st_size);
  return Status::Ok;
}

Status SharedFile::truncate(uint64_t bytes) {
  return ::ftruncate(fd_, static_cast<off_t>(bytes)) == 0 ? Status::Ok : status_of_errno();
}

Status SharedFile::reserve(uint64_t bytes) {
  uint64_t before = 0;
  if (const Status status = size(&before); status != Status::Ok) return status;
  if (bytes <= before) return Status::Ok;
  int error;
  do {
    error = ::posix_fallocate(fd_, static_cast<off_t>(before), static_cast<off_t>(bytes - before));
  } while (error == EINTR);
  if (error == 0) return Status::Ok;
  errno = error;
  return status_of_errno();
}

Status SharedFile::map(size_t range, std::byte** out) const {
  void* base =
      ::mmap(nullptr, range, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd_, 0);
  if (base == MAP_FAILED) return status_of_errno();
  *out = static_cast<std::byte*>(base);
  return Status::Ok;
}

Status SharedFile::read(void* into, size_t bytes) const {
  ssize_t got;
  do {
    got = ::pread(fd_, into, bytes, 0);
  } while (got < 0 && errno == EINTR);
  if (got < 0) return status_of_errno();
  return static_cast<size_t>(got) == bytes ? Status::Ok : Status::NotFound;
}

Status SharedFile::remove(const std::string& name) {
  return ::shm_unlink(name.c_str()) == 0 ? Status::Ok : status_of_errno();
}

std::string SharedFile::users() const {
  std::string list;
  struct stat file {};
  DIR* processes = ::fstat(fd_, &file) == 0 ? ::opendir("/proc") : nullptr;
  if (processes == nullptr) return list;
  while (const dirent* entry = ::readdir(processes)) {
    char* end = nullptr;
    const long pid = std::strtol(entry->d_name, &end, 10);
    if (end == entry->d_name || *end != '\0' || pid == ::getpid()) continue;
    if (!process_has_open(entry->d_name, file)) continue;
    if (!list.empty()) list += ", ";
    list += entry->d_name;
  }
  ::closedir(processes);
  return list;
}

void SharedFile::close() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

}  // namespace holdfast
