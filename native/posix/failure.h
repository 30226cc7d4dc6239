// Which system call a Status comes from, and why: what the number cannot say. Noted by whoever met the failure, on its own
// thread, and read by who words the error.
#pragma once

#include <string_view>

#include "status.h"

namespace holdfast {

struct Failure {
  Status status = Status::Ok;  // that was returned for it; Ok: none
  int error = 0;               // errno
  const char* call = "";       // a literal: "open", "mmap"
  char path[288] = "";         // of the file, where there is one; cut where it is longer
};

// The calling thread's last one.
Failure& last_failure();

// These note it, leave its number in errno, and return the status.
Status failed(Status status, const char* call, int error, std::string_view path = {});
// What errno comes to where a file is opened, made, named or removed.
Status failed(const char* call, std::string_view path = {});

}  // namespace holdfast
