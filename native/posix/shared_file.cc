#include "posix/shared_file.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <ctime>
#include <utility>

#include "posix/deadline.h"

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

// Locks or unlocks bytes [first, first + count), 0 = to the end. Never waits.
bool set_byte_lock(int fd, short type, off_t first, off_t count) {
  struct flock range{};
  range.l_type = type;
  range.l_whence = SEEK_SET;
  range.l_start = first;
  range.l_len = count;
  int result;
  do {
    result = ::fcntl(fd, F_OFD_SETLK, &range);
  } while (result != 0 && errno == EINTR);
  return result == 0;
}

// Whether another open file has locked the byte in any way: what we have locked ourselves does not count.
bool byte_is_taken(int fd, off_t byte) {
  struct flock range{};
  range.l_type = F_WRLCK;
  range.l_whence = SEEK_SET;
  range.l_start = byte;
  range.l_len = 1;
  return ::fcntl(fd, F_OFD_GETLK, &range) != 0 || range.l_type != F_UNLCK;
}

// Who makes, joins or removes the file is done within milliseconds. One that is stopped in there must not
// stop everybody else for ever.
Status lock_creation(int fd) {
  const Deadline deadline = Deadline::after_ns(10'000'000'000);
  while (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR) return Status::System;
    if (deadline.passed()) return Status::InUse;
    const timespec nap{0, 500'000};
    ::nanosleep(&nap, nullptr);
  }
  return Status::Ok;
}

bool has_right_owner(const struct stat& file, mode_t mode) {
  return (mode & 0070) != 0 ? file.st_gid == ::getegid() : file.st_uid == ::geteuid();
}

bool process_has_open(const char* pid, const struct stat& file) {
  const std::string folder = std::string("/proc/") + pid + "/fd";
  DIR* entries = ::opendir(folder.c_str());
  if (entries == nullptr) return false;
  bool found = false;
  while (const dirent* entry = ::readdir(entries)) {
    struct stat other{};
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
    // O_NOFOLLOW: a link that somebody else laid at this name is refused, not followed. First without
    // O_CREAT: with it, some systems refuse another's file in a sticky folder, also within the group.
    constexpr int kFlags = O_RDWR | O_CLOEXEC | O_NOFOLLOW;
    fd_ = ::shm_open(name.c_str(), kFlags, 0);
    if (fd_ < 0 && errno == ENOENT && create) {
      fd_ = ::shm_open(name.c_str(), kFlags | O_CREAT | O_EXCL, mode);
      if (fd_ < 0 && errno == EEXIST) continue;
      // The umask may have taken bits away.
      if (fd_ >= 0 && ::fchmod(fd_, mode) != 0) return status_of_errno();
    }
    if (fd_ < 0) return status_of_errno();
    struct stat file{};
    if (::fstat(fd_, &file) != 0) return status_of_errno();
    // Before the lock: a stranger's file could be locked for ever.
    if (!has_right_owner(file, mode) || (file.st_mode & 0777 & ~mode) != 0) return Status::Access;
    if (const Status status = lock_creation(fd_); status != Status::Ok) return status;
    if (::fstat(fd_, &file) != 0) return status_of_errno();
    // Of length 0: whoever was to make it died, maybe before it had the mode that was asked for.
    if (file.st_size == 0 && create && (file.st_mode & 0777) != mode && ::fchmod(fd_, mode) != 0) {
      return status_of_errno();
    }
    if (file.st_nlink != 0) return Status::Ok;
    // Removed while we waited for the lock: a new one may have the name now.
  }
}

void SharedFile::unlock_creation() {
  if (fd_ >= 0) ::flock(fd_, LOCK_UN);
}

Status SharedFile::lock_byte(uint64_t byte) {
  return set_byte_lock(fd_, F_WRLCK, static_cast<off_t>(byte), 1) ? Status::Ok : status_of_errno();
}

bool SharedFile::is_locked_by_another(uint64_t byte) const {
  return byte_is_taken(fd_, static_cast<off_t>(byte));
}

Status SharedFile::announce_presence() {
  return set_byte_lock(fd_, F_RDLCK, kPresenceByte, 1) ? Status::Ok : status_of_errno();
}

bool SharedFile::alone() const { return !byte_is_taken(fd_, kPresenceByte); }

Status SharedFile::size(uint64_t* out) const {
  struct stat file{};
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

Status SharedFile::map(const std::string& name, size_t range, std::byte** out) const {
  SharedFile other;
  other.fd_ = ::shm_open(name.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0);
  // The name may have been removed by hand just now.
  const int fd = other.is_open() && is_same_as(other) ? other.fd_ : fd_;
  void* base = ::mmap(nullptr, range, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
  if (base == MAP_FAILED) return status_of_errno();
  *out = static_cast<std::byte*>(base);
  return Status::Ok;
}

void SharedFile::unmap(std::byte* base, size_t range) {
  if (base != nullptr) ::munmap(base, range);
}

Status SharedFile::read_at(uint64_t offset, void* into, size_t bytes) const {
  ssize_t got;
  do {
    got = ::pread(fd_, into, bytes, static_cast<off_t>(offset));
  } while (got < 0 && errno == EINTR);
  if (got < 0) return status_of_errno();
  return static_cast<size_t>(got) == bytes ? Status::Ok : Status::NotFound;
}

Status SharedFile::remove(const std::string& name) {
  return ::shm_unlink(name.c_str()) == 0 ? Status::Ok : status_of_errno();
}

bool SharedFile::has_a_name() const {
  struct stat file{};
  return ::fstat(fd_, &file) == 0 && file.st_nlink != 0;
}

bool SharedFile::is_same_as(const SharedFile& other) const {
  struct stat mine{};
  struct stat its{};
  return ::fstat(fd_, &mine) == 0 && ::fstat(other.fd_, &its) == 0 && mine.st_ino == its.st_ino &&
         mine.st_dev == its.st_dev;
}

std::string SharedFile::users() const {
  std::string list;
  struct stat file{};
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

void SharedFile::close_in_child() {
  // Nothing is unlocked: the locks are the open file's, which is the parent's too.
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

void SharedFile::close() {
  if (fd_ < 0) return;
  ::flock(fd_, LOCK_UN);
  set_byte_lock(fd_, F_UNLCK, 0, 0);
  ::close(fd_);
  fd_ = -1;
}

}  // namespace holdfast
