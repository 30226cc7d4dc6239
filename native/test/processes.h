// Forked children for tests of several processes: memory they share, a gate they start at, a
// watchdog each, and how they ended. The driver of a test must not join a region and must have no
// thread: what it forks inherits descriptors, and a thread does not come along.
#pragma once

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <new>

#include "harness.h"
#include "random.h"

namespace processes {

// Memory that children forked later share with the driver and with one another, zero at first.
template <typename T>
class Shared {
 public:
  Shared() {
    void* memory =
        ::mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) std::abort();
    value_ = new (memory) T{};
  }
  Shared(const Shared&) = delete;
  Shared& operator=(const Shared&) = delete;
  ~Shared() { ::munmap(value_, sizeof(T)); }
  T& operator*() { return *value_; }
  T* operator->() { return value_; }

 private:
  T* value_;
};

using random_numbers::Random;

// HOLDFAST_SEED, or one of its own; printed once.
inline uint64_t base_seed() {
  static const uint64_t seed = [] {
    const char* given = std::getenv("HOLDFAST_SEED");
    const uint64_t chosen = given != nullptr
                                ? std::strtoull(given, nullptr, 0)
                                : static_cast<uint64_t>(std::time(nullptr)) * 1'000'003 +
                                      static_cast<uint64_t>(::getpid());
    std::fprintf(stderr, "HOLDFAST_SEED=%llu\n", static_cast<unsigned long long>(chosen));
    return chosen;
  }();
  return seed;
}

// What a watchdog prints when it bites. In the child, on its main thread.
inline void (*tell_of_hang)() = nullptr;
inline constexpr int kHungExit = 77;

// This process says what it is doing and ends, if it is still there then. Not an expectation of
// speed: a hang's end.
inline void set_watchdog() {
  struct sigaction action{};
  action.sa_handler = [](int) {
    if (tell_of_hang != nullptr) tell_of_hang();
    ::_exit(kHungExit);
  };
  ::sigaction(SIGALRM, &action, nullptr);
  ::alarm(harness::watchdog_s);
}

// Runs `body` in a child, which dies with the driver, and ends without exit handlers: 0, or 1 where
// a check failed. Whatever thread or lock `body` leaves behind ends with it.
template <typename Body>
pid_t spawn(Body body) {
  std::fflush(nullptr);
  harness::renew_watchdog();
  const pid_t driver = ::getpid();
  const pid_t child = ::fork();
  if (child < 0) std::abort();  // and no pid of -1 for anybody to kill
  if (child != 0) return child;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != driver) ::_exit(kHungExit);
  harness::failed_checks.store(0);
  set_watchdog();
  body();
  ::_exit(harness::failures() == 0 ? 0 : 1);
}

struct End {
  bool stopped = false;
  int signal = 0;  // that ended or stopped it; 0: it left by itself, with `code`
  int code = 0;

  [[nodiscard]] bool well() const { return !stopped && signal == 0 && code == 0; }
  [[nodiscard]] bool killed() const { return !stopped && signal == SIGKILL; }
  [[nodiscard]] bool hung() const { return !stopped && signal == 0 && code == kHungExit; }
};

// Waits for the child's end; with WUNTRACED for its being stopped too.
inline End wait_for(pid_t child, int options = 0) {
  int status = 0;
  pid_t got;
  do {
    got = ::waitpid(child, &status, options);
  } while (got < 0 && errno == EINTR);
  if (got != child) return {.code = -1};
  if (WIFSTOPPED(status)) return {.stopped = true, .signal = WSTOPSIG(status)};
  if (WIFSIGNALED(status)) return {.signal = WTERMSIG(status)};
  return {.code = WEXITSTATUS(status)};
}

// A counter that can be slept on, made before the fork: raise() in one process lets one await()
// return in any.
class Signal {
 public:
  Signal() : fd_(::eventfd(0, EFD_SEMAPHORE | EFD_CLOEXEC)) {}
  Signal(const Signal&) = delete;
  Signal& operator=(const Signal&) = delete;
  ~Signal() { ::close(fd_); }
  void raise(uint64_t times = 1) {
    if (::write(fd_, &times, sizeof times) != sizeof times) std::abort();
  }
  void await() {
    uint64_t one;
    ssize_t got;
    do {
      got = ::read(fd_, &one, sizeof one);
    } while (got < 0 && errno == EINTR);
  }

 private:
  int fd_;
};

// Children arrive and wait; the driver opens when all have come.
class Gate {
 public:
  void pass() {  // in a child
    arrived_.raise();
    open_.await();
  }
  void open_for(unsigned children) {  // in the driver
    for (unsigned i = 0; i < children; ++i) arrived_.await();
    open_.raise(children);
  }

 private:
  Signal arrived_;
  Signal open_;
};

// Where children rest who have done their part, until the last one has or is dead: an end before would be noticed
// by the others, and might help them along.
class Rest {
 public:
  Rest() {
    if (::pipe2(working_, O_CLOEXEC) != 0) std::abort();
  }
  Rest(const Rest&) = delete;
  Rest& operator=(const Rest&) = delete;
  ~Rest() {
    ::close(working_[0]);
    close_mine();
  }
  void leave_out() { close_mine(); }  // in a child that is not waited for
  void rest() {                       // in a child
    close_mine();
    end_.await();
  }
  void end_when_nobody_works(unsigned children) {  // in the driver, once
    close_mine();
    char none;
    while (::read(working_[0], &none, 1) < 0 && errno == EINTR) {
    }
    end_.raise(children);
  }

 private:
  void close_mine() {
    if (working_[1] >= 0) ::close(working_[1]);
    working_[1] = -1;
  }

  int working_[2];  // the writing end is open in whoever has not done its part
  Signal end_;
};

}  // namespace processes
