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
#include "posix/failure.h"

namespace holdfast {
namespace {

constexpr off_t kPresenceByte = 1;

// Locks or unlocks bytes [first, first + count), 0 = to the end. Never waits, so no signal cuts it short.
bool set_byte_lock(int fd, short type, off_t first, off_t count) {
  struct flock range{};
  range.l_type = type;
  range.l_whence = SEEK_SET;
  range.l_start = first;
  range.l_len = count;
  return ::fcntl(fd, F_OFD_SETLK, &range) == 0;
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

// A system that knows no such locks, or a filter that forbids them, would look as if each byte was taken.
bool knows_byte_locks(int fd) {
  struct flock range{};
  range.l_type = F_WRLCK;
  range.l_whence = SEEK_SET;
  range.l_len = 1;
  return ::fcntl(fd, F_OFD_GETLK, &range) == 0;
}

// Who makes, joins or removes the file is done within milliseconds. One that is stopped in there must not
// stop everybody else for ever.
Status lock_creation(int fd, const std::string& path) {
  const Deadline deadline = Deadline::after_ns(10'000'000'000);
  while (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR) return failed(Status::System, "flock", errno, path);
    if (deadline.passed()) return Status::InUse;
    const timespec nap{0, 500'000};
    ::nanosleep(&nap, nullptr);
  }
  return Status::Ok;
}

// The same open file under a number that is not given to the next one who opens something, and that no loop over the
// usual numbers closes.
int moved_up(int fd) {
  constexpr int kFirst = 100;
  const int high = ::fcntl(fd, F_DUPFD_CLOEXEC, kFirst);
  if (high < 0) return fd;  // a limit below
  ::close(fd);
  return high;
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

// A descriptor for one operation: the file's own, or where it was closed, another one.
class SharedFile::Use {
 public:
  explicit Use(const SharedFile& file) : fd_(file.fd_) {
    if (file.has_its_descriptor()) return;
    struct stat found{};
    fd_ = opened_ = open_shm(file.name_, O_RDWR);
    if (fd_ >= 0 && (::fstat(fd_, &found) != 0 || !file.is(found))) fd_ = -1;
    if (fd_ < 0) errno = EBADF;
  }
  Use(const Use&) = delete;
  Use& operator=(const Use&) = delete;
  ~Use() {
    const int error = errno;
    if (opened_ >= 0) ::close(opened_);
    errno = error;
  }
  [[nodiscard]] int fd() const { return fd_; }

 private:
  int fd_;
  int opened_ = -1;
};

SharedFile::SharedFile(SharedFile&& other) noexcept { *this = std::move(other); }

SharedFile& SharedFile::operator=(SharedFile&& other) noexcept {
  if (this != &other) {
    close();
    fd_ = std::exchange(other.fd_, -1);
    name_ = other.name_;
    device_ = other.device_;
    inode_ = other.inode_;
  }
  return *this;
}

Status SharedFile::open_locked(const std::string& name, mode_t mode, bool create,
                               const FileOwner& owner) {
  constexpr int kAttempts = 100;
  const std::string path = kShmFolder + name;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    close();
    // A link that somebody else laid at this name is refused, not followed. First without O_CREAT: with it, some
    // systems refuse another's file in a sticky folder, also within the group.
    int fd = open_shm(name, O_RDWR);
    const bool is_new = fd < 0 && errno == ENOENT && create;
    if (is_new) {
      fd = open_shm(name, O_RDWR | O_CREAT | O_EXCL, mode);
      if (fd < 0 && errno == EEXIST) continue;
      // What is missing is the folder.
      if (fd < 0 && errno == ENOENT) return failed(Status::System, "open", errno, path);
    }
    if (fd < 0) return failed("open", path);
    fd_ = moved_up(fd);
    struct stat file{};
    if (::fstat(fd_, &file) != 0) return failed(Status::System, "fstat", errno, path);
    name_ = name;
    device_ = file.st_dev;
    inode_ = file.st_ino;
    // The umask may have taken bits away.
    if (is_new && ::fchmod(fd_, mode) != 0) return failed("fchmod", path);
    // Before the lock: a stranger's file could be locked for ever.
    if (!owner.admits(file, mode)) return Status::Access;
    if (const Status status = lock_creation(fd_, path); status != Status::Ok) return status;
    if (!knows_byte_locks(fd_)) return failed(Status::System, "fcntl", errno, path);
    if (::fstat(fd_, &file) != 0) return failed(Status::System, "fstat", errno, path);
    // Of length 0: whoever was to make it died, maybe before it had the mode that was asked for.
    if (file.st_size == 0 && create && (file.st_mode & 0777) != mode && ::fchmod(fd_, mode) != 0) {
      return failed("fchmod", path);
    }
    if (file.st_nlink != 0) return Status::Ok;
    // Removed while we waited for the lock: a new one may have the name now.
  }
  close();
  return failed(Status::System, "open", EAGAIN, path);
}

bool SharedFile::has_its_descriptor() const {
  struct stat file{};
  return fd_ >= 0 && ::fstat(fd_, &file) == 0 && is(file);
}

bool SharedFile::look(struct stat* out) const {
  if (fd_ >= 0 && ::fstat(fd_, out) == 0 && is(*out)) return true;
  if (fd_ >= 0 && ::lstat((kShmFolder + name_).c_str(), out) == 0 && is(*out)) return true;
  errno = EBADF;
  return false;
}

void SharedFile::unlock_creation() {
  if (has_its_descriptor()) ::flock(fd_, LOCK_UN);
}

Status SharedFile::lock_range(short type, off_t byte) {
  if (!has_its_descriptor()) return failed(Status::System, "fcntl", EBADF, path());
  if (set_byte_lock(fd_, type, byte, 1)) return Status::Ok;
  return failed(Status::System, "fcntl", errno, path());
}

Status SharedFile::lock_byte(uint64_t byte) {
  return lock_range(F_WRLCK, static_cast<off_t>(byte));
}

bool SharedFile::is_locked_by_another(uint64_t byte) const {
  const Use use(*this);
  return byte_is_taken(use.fd(), static_cast<off_t>(byte));
}

Status SharedFile::announce_presence() { return lock_range(F_RDLCK, kPresenceByte); }

bool SharedFile::alone() const {
  const Use use(*this);
  return !byte_is_taken(use.fd(), kPresenceByte);
}

Status SharedFile::size(uint64_t* out) const {
  struct stat file{};
  if (!look(&file)) return failed(Status::System, "fstat", errno, path());
  *out = static_cast<uint64_t>(file.st_size);
  return Status::Ok;
}

Status SharedFile::truncate(uint64_t bytes) {
  const Use use(*this);
  if (::ftruncate(use.fd(), static_cast<off_t>(bytes)) == 0) return Status::Ok;
  return failed(Status::System, "ftruncate", errno, path());
}

Status SharedFile::reserve(uint64_t bytes) {
  uint64_t before = 0;
  if (const Status status = size(&before); status != Status::Ok) return status;
  if (bytes <= before) return Status::Ok;
  const Use use(*this);
  return reserve_file(use.fd(), before, bytes - before);
}

Status SharedFile::map(size_t range, std::byte** out) const {
  const Use use(*this);
  const int own = open_shm(name_, O_RDWR);
  struct stat found{};
  // The name may have been removed by hand just now.
  const bool usable = own >= 0 && ::fstat(own, &found) == 0 && is(found);
  void* base = ::mmap(nullptr, range, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE,
                      usable ? own : use.fd(), 0);
  const int error = errno;
  if (own >= 0) ::close(own);
  errno = error;
  if (base == MAP_FAILED) return failed(Status::System, "mmap", errno, path());
  *out = static_cast<std::byte*>(base);
  return Status::Ok;
}

void SharedFile::unmap(std::byte* base, size_t range) {
  if (base != nullptr) ::munmap(base, range);
}

Status SharedFile::read_at(uint64_t offset, void* into, size_t bytes) const {
  const Use use(*this);
  const ssize_t got = ::pread(use.fd(), into, bytes, static_cast<off_t>(offset));
  if (got < 0) return failed(Status::System, "pread", errno, path());
  return static_cast<size_t>(got) == bytes ? Status::Ok : Status::NotFound;
}

Status SharedFile::remove(const std::string& name) {
  return ::shm_unlink(name.c_str()) == 0 ? Status::Ok : failed("unlink", kShmFolder + name);
}

bool SharedFile::has_a_name() const {
  struct stat file{};
  return look(&file) && file.st_nlink != 0;
}

bool SharedFile::is_same_as(const SharedFile& other) const {
  return is_open() && other.is_open() && inode_ == other.inode_ && device_ == other.device_;
}

std::string SharedFile::users() const {
  std::string list;
  struct stat file{};
  DIR* processes = look(&file) ? ::opendir("/proc") : nullptr;
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
  if (has_its_descriptor()) ::close(fd_);
  fd_ = -1;
}

void SharedFile::close() {
  if (has_its_descriptor()) {
    ::flock(fd_, LOCK_UN);
    set_byte_lock(fd_, F_UNLCK, 0, 0);
    ::close(fd_);
  }
  fd_ = -1;
}

}  // namespace holdfast
