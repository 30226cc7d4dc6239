#include "posix/unnamed_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <limits>
#include <utility>

#include "posix/failure.h"

namespace holdfast {
namespace {

constexpr int kAttempts = 1000;

// A name of this process' that nobody looks for.
std::string makeshift_name() {
  static std::atomic<uint32_t> made{0};
  const uint32_t number = made.fetch_add(1, std::memory_order_relaxed);  // only has to differ
  return "/holdfast-new." + std::to_string(::getpid()) + "." + std::to_string(number) + "~";
}

std::string proc_name(int fd) { return "/proc/self/fd/" + std::to_string(fd); }

// Closes the descriptor and keeps errno.
void close_quietly(int fd) {
  const int error = errno;
  ::close(fd);
  errno = error;
}

Status map_all(int fd, const struct stat& file, std::shared_ptr<Mapping>* out) {
  const auto bytes = static_cast<uint64_t>(file.st_size);
  if (bytes > std::numeric_limits<size_t>::max()) return failed(Status::System, "mmap", ENOMEM);
  void* base = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (base == MAP_FAILED) return failed(Status::System, "mmap", errno);
  *out = std::make_shared<Mapping>(static_cast<std::byte*>(base), bytes, file);
  return Status::Ok;
}

}  // namespace

Mapping::Mapping(std::byte* base, size_t bytes, const struct stat& file)
    : base_(base), bytes_(bytes), device_(file.st_dev), inode_(file.st_ino) {}

Mapping::~Mapping() { ::munmap(base_, bytes_); }

Status Mapping::open(const std::string& name, const Wanted& wanted, std::shared_ptr<Mapping>* out) {
  const int fd = open_shm(name, O_RDWR);
  if (fd < 0) return failed("open", kShmFolder + name);
  struct stat file{};
  Status status = Status::Ok;
  if (::fstat(fd, &file) != 0) {
    status = failed(Status::System, "fstat", errno, kShmFolder + name);
  } else if (wanted.admits && !wanted.admits(file)) {
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
  fd_ = ::open(kShmFolder, O_TMPFILE | O_RDWR | O_CLOEXEC, mode);
  if (fd_ >= 0 && find_a_link()) return Status::Ok;
  if (fd_ >= 0) {
    ::close(fd_);
  } else if (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT) {
    return failed("open", kShmFolder);
  }
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    makeshift_ = makeshift_name();
    fd_ = open_shm(makeshift_, O_RDWR | O_CREAT | O_EXCL, mode);
    if (fd_ >= 0) return Status::Ok;
    if (errno != EEXIST) break;
  }
  const std::string path = kShmFolder + std::exchange(makeshift_, {});
  // What is missing is the folder.
  return errno == ENOENT ? failed(Status::System, "open", errno, path) : failed("open", path);
}

// Whether it can be given a name, and how: asked before it is filled, as what has no name cannot be given one later by
// any other way. Without /proc a kernel may link by descriptor, which only a trial tells.
bool UnnamedFile::find_a_link() {
  struct stat mine{};
  struct stat found{};
  if (::fstat(fd_, &mine) != 0) return false;
  by_proc_ = ::stat(proc_name(fd_).c_str(), &found) == 0 && found.st_ino == mine.st_ino &&
             found.st_dev == mine.st_dev;
  if (by_proc_) return true;
  const int trial = ::open(kShmFolder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (trial < 0) return false;
  const std::string name = makeshift_name();
  const bool works = ::linkat(trial, "", AT_FDCWD, (kShmFolder + name).c_str(), AT_EMPTY_PATH) == 0;
  if (works) ::shm_unlink(name.c_str());
  ::close(trial);
  return works;
}

Status UnnamedFile::make(mode_t mode, uint64_t bytes) {
  if (bytes == 0) bytes = 1;
  if (bytes > static_cast<uint64_t>(std::numeric_limits<off_t>::max())) {
    return failed(Status::NoSpace, "fallocate", EFBIG, kShmFolder);
  }
  if (const Status status = open_any(mode); status != Status::Ok) return status;
  // The umask may have taken bits away.
  if (::fchmod(fd_, mode) != 0) return failed("fchmod", kShmFolder);
  // A piece at a time: a handler of the application waits for one of them, not for gigabytes.
  constexpr uint64_t kPiece = uint64_t{16} << 20;
  for (uint64_t done = 0; done < bytes; done += kPiece) {
    const Status status = reserve_file(fd_, done, std::min(kPiece, bytes - done));
    if (status != Status::Ok) return status;
  }
  return Status::Ok;
}

bool UnnamedFile::is_admitted(const FileOwner& owner, mode_t mode) const {
  struct stat file{};
  return ::fstat(fd_, &file) == 0 && owner.admits(file, mode);
}

Status UnnamedFile::map(std::shared_ptr<Mapping>* out) const {
  struct stat file{};
  if (::fstat(fd_, &file) != 0) return failed(Status::System, "fstat", errno);
  return map_all(fd_, file, out);
}

Status UnnamedFile::publish(const std::string& name) {
  const std::string to = kShmFolder + name;
  int result;
  if (!makeshift_.empty()) {
    result = ::link((kShmFolder + makeshift_).c_str(), to.c_str());
  } else if (by_proc_) {
    result = ::linkat(AT_FDCWD, proc_name(fd_).c_str(), AT_FDCWD, to.c_str(), AT_SYMLINK_FOLLOW);
  } else {
    result = ::linkat(fd_, "", AT_FDCWD, to.c_str(), AT_EMPTY_PATH);
  }
  if (result == 0) return Status::Ok;
  // Not found is what has its name no more; this one could not be given it.
  return errno == ENOENT ? failed(Status::System, "link", errno, to) : failed("link", to);
}

UnnamedFile::~UnnamedFile() {
  const int error = errno;
  if (!makeshift_.empty()) ::shm_unlink(makeshift_.c_str());
  if (fd_ >= 0) ::close(fd_);
  errno = error;
}

}  // namespace holdfast
