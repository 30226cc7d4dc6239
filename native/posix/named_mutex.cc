#include "posix/named_mutex.h"

#include <pthread.h>
#include <sys/mman.h>

#include <cerrno>
#include <mutex>
#include <utility>
#include <vector>

#include "posix/failure.h"

namespace holdfast {
namespace {

// Ids of kernel threads are used again, these are not.
uint64_t this_thread() {
  static std::atomic<uint64_t> last{0};
  thread_local const uint64_t id = last.fetch_add(1, std::memory_order_relaxed) + 1;  // only unique
  return id;
}

// `fill` makes a new file's contents right before anybody sees it.
template <typename Fill>
Status open_or_make(const std::string& name, const OpenFile& how, uint64_t bytes,
                    std::shared_ptr<Mapping>* out, Fill fill) {
  Mapping::Wanted wanted{.least_bytes = bytes};
  if (!how.any_owner) wanted.admits = is_of_trusted_owner;
  constexpr int kAttempts = 100;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    if (how.create != CreateFile::Exclusively) {
      const Status status = Mapping::open(name, wanted, out);
      if (status != Status::NotFound || how.create == CreateFile::Never) return status;
    }
    UnnamedFile file;
    if (const Status status = file.make(how.mode, bytes); status != Status::Ok) return status;
    if (const Status status = file.map(out); status != Status::Ok) return status;
    if (!fill(**out)) return failed(Status::System, "pthread_mutex_init", EINVAL);
    const Status status = file.publish(name);
    // Another one was faster: then theirs is it, unless ours was to be the only one.
    if (status != Status::Exists || how.create == CreateFile::Exclusively) return status;
  }
  return failed(Status::System, "open", EAGAIN,
                kShmFolder + name);  // made and removed all the time
}

}  // namespace

struct NamedMutex::All {
  std::mutex mutex;
  std::vector<Known*> known;  // mutex
};

// Never destroyed: threads may outlive static objects.
NamedMutex::All& NamedMutex::all() {
  static All& all = *new All;
  return all;
}

NamedMutex::NamedMutex(NamedMutex&& other) noexcept
    : known_(std::exchange(other.known_, nullptr)) {}

NamedMutex& NamedMutex::operator=(NamedMutex&& other) noexcept {
  if (this != &other) {
    close();
    known_ = std::exchange(other.known_, nullptr);
  }
  return *this;
}

Status NamedMutex::open(const std::string& name, const OpenFile& how) {
  close();
  std::shared_ptr<Mapping> memory;
  const auto init = [](Mapping& fresh) {
    return reinterpret_cast<RobustMutex*>(fresh.base())->init();
  };
  if (const Status status = open_or_make(name, how, sizeof(RobustMutex), &memory, init);
      status != Status::Ok) {
    return status;
  }
  if (!reinterpret_cast<const RobustMutex*>(memory->base())->is_one()) return Status::KindMismatch;
  known_ = known(std::move(memory));
  return Status::Ok;
}

NamedMutex::Known* NamedMutex::known(std::shared_ptr<Mapping> memory) {
  const std::lock_guard lock(all().mutex);
  for (Known* one : all().known) {
    if (!one->memory->is_same_file(*memory)) continue;
    ++one->opens;
    return one;
  }
  auto* one = new Known;
  one->memory = std::move(memory);
  one->opens = 1;
  all().known.push_back(one);
  return one;
}

void NamedMutex::close() {
  Known* mine = std::exchange(known_, nullptr);
  if (mine == nullptr) return;
  {
    const std::lock_guard lock(all().mutex);
    // relaxed: a holder that is not this thread has it open, or has ended
    if (--mine->opens > 0 || mine->holder.load(std::memory_order_relaxed) != 0) return;
    std::erase(all().known, mine);
  }
  delete mine;
}

NamedMutex::Result NamedMutex::lock(Deadline deadline) {
  if (known_->is_stuck.load(std::memory_order_relaxed)) return Result::Corrupt;
  if (is_held_by_this_thread()) return Result::Deadlock;
  return note(deadline.is_never() ? known_->mutex().lock() : known_->mutex().lock(deadline));
}

NamedMutex::Result NamedMutex::try_lock() {
  if (known_->is_stuck.load(std::memory_order_relaxed)) return Result::Corrupt;
  if (is_held_by_this_thread()) return Result::TimedOut;
  // Not try_lock(): glibc's leaves a mutex that is not recoverable locked, and whoever asks for it next would hang
  // instead of being told. A deadline that has passed is as good, and tells.
  return note(known_->mutex().lock(Deadline::at_ns(0)));
}

NamedMutex::Result NamedMutex::note(RobustMutex::Lock taken) {
  switch (taken) {
    case RobustMutex::Lock::Held:
    case RobustMutex::Lock::OwnerDied:
      // relaxed: only the thread itself compares it with its own id
      known_->holder.store(this_thread(), std::memory_order_relaxed);
      return taken == RobustMutex::Lock::Held ? Result::Held : Result::OwnerDied;
    case RobustMutex::Lock::Busy:
      return Result::TimedOut;
    case RobustMutex::Lock::NotRecoverable:
      return Result::NotRecoverable;
    case RobustMutex::Lock::Corrupt:
      return Result::Corrupt;
    case RobustMutex::Lock::Failed:
      break;
  }
  return errno == EDEADLK ? Result::Deadlock : Result::Failed;
}

Status NamedMutex::unlock() {
  if (!is_held_by_this_thread()) return Status::NotOwner;
  known_->holder.store(0, std::memory_order_relaxed);
  if (known_->mutex().unlock()) return Status::Ok;
  // This thread has it, and its bytes say otherwise: it stays on the thread's list.
  known_->holder.store(this_thread(), std::memory_order_relaxed);
  known_->is_stuck.store(true, std::memory_order_relaxed);
  return Status::Corrupt;
}

// A mutex in this state can be unlocked only as consistent or for ever. So it is consistent for as long as it takes
// another thread to get it, and to die with it.
void NamedMutex::unlock_untold() {
  const auto die_holding_it = [](void* known) -> void* {
    static_cast<void>(static_cast<Known*>(known)->mutex().lock());
    return nullptr;
  };
  if (consistent() != Status::Ok) return;
  pthread_t thread;
  const bool told = pthread_create(&thread, nullptr, die_holding_it, known_) == 0;
  static_cast<void>(unlock());
  if (told) pthread_detach(thread);
}

Status NamedMutex::consistent() {
  if (!is_held_by_this_thread()) return Status::NotOwner;
  if (!known_->mutex().is_one()) return Status::Corrupt;
  return known_->mutex().consistent() ? Status::Ok : Status::BadArgument;
}

bool NamedMutex::is_held_by_this_thread() const {
  return known_ != nullptr && !known_->is_stuck.load(std::memory_order_relaxed) &&
         known_->holder.load(std::memory_order_relaxed) == this_thread();
}

Status open_shared_memory(const std::string& name, const OpenFile& how, uint64_t bytes,
                          std::shared_ptr<Mapping>* out) {
  return open_or_make(name, how, bytes, out, [](Mapping&) { return true; });
}

Status unlink_shared_memory(const std::string& name) {
  if (::shm_unlink(name.c_str()) == 0) return Status::Ok;
  return failed("unlink", kShmFolder + name);
}

}  // namespace holdfast
