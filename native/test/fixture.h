// What the unit tests of the core share: namespaces that are gone after the test however it ended,
// and members of a region that live and die inside this process.
#pragma once

#include <dirent.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "harness.h"
#include "posix/deadline.h"
#include "processes.h"
#include "region/region.h"
#include "region/registry.h"
#include "sync/lock.h"
#include "wait/reaper.h"

namespace fixture {

using holdfast::Region;
using holdfast::Status;

// Nothing stays in /dev/shm: what this executable makes there has `mark()` in its name, and a
// janitor process removes it all once nobody holds the other end of a pipe any more, be it by the
// end, a crash or the watchdog.
inline const std::string& mark() {
  // The time as well: pids are the same in another pid namespace that shares /dev/shm.
  static const std::string text =
      "unit-" + std::to_string(::getpid()) + "-" + std::to_string(holdfast::monotonic_ns());
  return text;
}

inline void sweep() {
  DIR* folder = ::opendir("/dev/shm");
  if (folder == nullptr) return;
  while (const dirent* entry = ::readdir(folder)) {
    if (std::strstr(entry->d_name, (mark() + "-").c_str()) == nullptr) continue;
    ::unlink((std::string("/dev/shm/") + entry->d_name).c_str());
  }
  ::closedir(folder);
}

// A static of each executable, so that the janitor is forked before main() and any thread.
struct Janitor {
  Janitor() {
    int ends[2];
    mark();
    if (::pipe(ends) != 0) std::abort();
    if (::fork() == 0) {
      ::close(ends[1]);
      ::signal(SIGINT, SIG_IGN);
      ::signal(SIGTERM, SIG_IGN);
      char byte;
      while (::read(ends[0], &byte, 1) < 0 && errno == EINTR) {
      }
      sweep();
      ::_exit(0);
    }
    ::close(ends[0]);  // the other end stays open as long as this process and its children
  }
};
inline const Janitor janitor;

// "unit-<pid>-<time>-<n>": nobody else's.
inline std::string fresh_name() {
  static std::atomic<int> made{0};
  return mark() + "-" + std::to_string(made.fetch_add(1));
}

// The namespace of one test; its file goes with it.
class NameSpace {
 public:
  NameSpace() : name_(fresh_name()) {}
  NameSpace(const NameSpace&) = delete;
  NameSpace& operator=(const NameSpace&) = delete;
  ~NameSpace() { ::shm_unlink(file().c_str()); }

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] std::string file() const { return holdfast::region_file_name(name_, 0600); }

 private:
  std::string name_;
};

// A forked process, with its end. Never outlives this one.
class Child {
 public:
  template <typename Body>
  explicit Child(Body body) : pid_(processes::spawn(body)) {
    if (pid_ <= 0) std::abort();  // no fork: nothing that could be signalled
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  Child(Child&& other) noexcept : pid_(std::exchange(other.pid_, -1)) {}
  Child& operator=(Child&&) = delete;
  ~Child() {
    if (pid_ > 0) static_cast<void>(end(SIGKILL));
  }

  [[nodiscard]] pid_t pid() const { return pid_; }
  // Only ever to this one living or unwaited child: kill(2) takes 0 and -1 for whole groups of
  // processes.
  void signal(int number) const {
    if (pid_ <= 0) std::abort();
    ::kill(pid_, number);
  }
  // Until SIGSTOP, its own or ours, has taken effect.
  [[nodiscard]] bool stopped() const {
    return pid_ > 0 && processes::wait_for(pid_, WUNTRACED).stopped;
  }
  // Gone for certain when this returns.
  processes::End wait() {
    if (pid_ <= 0) std::abort();
    return processes::wait_for(std::exchange(pid_, -1));
  }
  processes::End end(int number) {
    signal(number);
    return wait();
  }

 private:
  pid_t pid_;
};

// Whether `body` ends well in a process of its own: no failed check, no signal.
template <typename Body>
bool ends_well(Body body) {
  return Child(body).wait().well();
}

inline holdfast::AgentSlot claim_agent(Region& region, uint32_t thread = 0) {
  holdfast::AgentSlot agent = 0;
  holdfast::Registry registry(region);
  CHECK_EQ(registry.claim_agent(thread, &agent), Status::Ok);
  return agent;
}

inline Status open_seat(Region& region, holdfast::AgentSlot agent, std::string_view name,
                        holdfast::Seat* seat, holdfast::Registry::OpenOptions options = {}) {
  std::string detail;
  holdfast::Registry registry(region);
  return registry.open(agent, name, holdfast::Kind::Lock, options, seat, &detail);
}

// A seat that there must be.
inline holdfast::Seat seat_at(Region& region, holdfast::AgentSlot agent, std::string_view name,
                              holdfast::Registry::OpenOptions options = {}) {
  holdfast::Seat seat;
  CHECK_EQ(open_seat(region, agent, name, &seat, options), Status::Ok);
  return seat;
}

inline void close_seat(Region& region, holdfast::Seat& seat) {
  CHECK_EQ(holdfast::lock::retire(region, seat), Status::Ok);
  CHECK_EQ(holdfast::Registry(region).close(seat.agent, seat.ticket_index), Status::Ok);
}

// As if a process had died inside of this guard. For it to be a dead one, its record was never
// used.
inline void leave_dead_inside(Region& region, holdfast::GuardRecord& guard) {
  guard.word.store(7u << 16 | (region.process_limit() + 2));
}

inline bool is_alive(Region& region, holdfast::ProcessId id) {
  return region.process_is_alive(id.index, id.generation);
}

// Until none of the dead is left: one whose last thread is still ending cannot be reaped yet.
inline void reap_all(Region& region) {
  while (holdfast::reap_dead_processes(region)) std::this_thread::yield();
}

inline Status remove_region(const std::string& name_space, std::string* detail) {
  return Region::remove(name_space, 0600, detail);
}

inline bool is_free(const holdfast::GuardRecord& guard) { return guard.word.load() == 0; }

// What the region takes for a process: a region opened, and a thread whose life is the process'
// life. Several in one process are as good as several processes; die() is a death to the region, at
// a known moment.
class Member {
 public:
  explicit Member(const std::string& name_space, mode_t mode = 0600)
      : region_(new Region), life_([this, name_space, mode] { live(name_space, mode); }) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return joined_; });
  }
  Member(const Member&) = delete;
  Member& operator=(const Member&) = delete;
  ~Member() { die(); }

  [[nodiscard]] Status status() const { return status_; }
  [[nodiscard]] const std::string& detail() const { return detail_; }
  [[nodiscard]] Region& region() const { return *region_; }

  // Its life ends, as by SIGKILL while it was outside of every guard: its keeper's thread is gone
  // and its file closed. Nobody is told but by the kernel. Its region() is gone too; seats from it
  // may still be looked at.
  void die() {
    if (!life_.joinable()) return;
    {
      const std::lock_guard lock(mutex_);
      over_ = true;
    }
    changed_.notify_all();
    life_.join();
    delete region_;
    region_ = nullptr;
  }

  [[nodiscard]] holdfast::AgentSlot claim_agent(uint32_t thread = 0) const {
    return fixture::claim_agent(*region_, thread);
  }

 private:
  void live(const std::string& name_space, mode_t mode) {
    Status status = region_->open(name_space, mode, &detail_);
    if (status == Status::Ok) status = region_->claim_process();
    if (status == Status::Ok) {
      region_->joined();
    } else {
      delete region_;  // it would keep the creation lock
      region_ = nullptr;
    }
    std::unique_lock lock(mutex_);
    status_ = status;
    joined_ = true;
    changed_.notify_all();
    changed_.wait(lock, [this] { return over_; });
  }

  Region* region_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool joined_ = false;  // mutex_
  bool over_ = false;    // mutex_
  Status status_ = Status::System;
  std::string detail_;
  std::thread life_;  // last: it uses all the others
};

}  // namespace fixture

// A test that leaves threads behind, changes its process for good or may crash: it runs in one of its own.
#define TEST_IN_A_PROCESS(name)                                  \
  static void in_a_process_##name();                             \
  TEST(name) { CHECK(fixture::ends_well(in_a_process_##name)); } \
  static void in_a_process_##name()
