#include "posix/failure.h"

#include <algorithm>
#include <cerrno>

namespace holdfast {
namespace {

Status status_of(int error) {
  switch (error) {
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
    case EFBIG:
      return Status::NoSpace;
    default:
      return Status::System;
  }
}

}  // namespace

Failure& last_failure() {
  thread_local Failure failure;
  return failure;
}

Status failed(Status status, const char* call, int error, std::string_view path) {
  Failure& failure = last_failure();
  failure.status = status;
  failure.error = error;
  failure.call = call;
  const size_t bytes = std::min(path.size(), sizeof failure.path - 1);
  std::copy_n(path.data(), bytes, failure.path);
  failure.path[bytes] = '\0';
  errno = error;
  return status;
}

Status failed(const char* call, std::string_view path) {
  return failed(status_of(errno), call, errno, path);
}

}  // namespace holdfast
