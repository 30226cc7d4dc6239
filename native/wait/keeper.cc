#include "wait/keeper.h"

#include <pthread.h>
#include <signal.h>

#include "posix/futex.h"
#include "sync/lock_word.h"
#include "wait/reaper.h"
#include "wait/ring.h"
#include "wait/stay.h"

namespace holdfast {
namespace {

constexpr int64_t kLookForItselfNs = 1'000'000'000;
constexpr int64_t kPollNs = 100'000'000;  // without futex_waitv
constexpr int64_t kDyingNs = 250'000;     // until a dying process may have ended, at first
constexpr int64_t kDyingMaxNs = 100'000'000;
constexpr int64_t kNever = -1;
constexpr size_t kStackBytes = size_t{256} << 10;

}  // namespace

bool AsyncWait::was_told() const {
  const auto state = static_cast<TicketState>(seat->ticket->state.load(std::memory_order_acquire));
  return state != TicketState::Waiting && state != TicketState::None;
}

bool AsyncWait::worth_a_look() const {
  if (was_told()) return true;
  const ObjectRecord& object = *seat->object;
  return is_lock(object.kind) && lock_word::owner(object.word.load(std::memory_order_acquire)) == 0;
}

Status Keeper::start(const std::string& name_space, mode_t mode, std::string* detail) {
  if (const Status status = region_.open(name_space, mode, detail); status != Status::Ok) {
    region_.give_up();
    return status;
  }
  // Signals are the main thread's: a handler of the application never runs on the keeper.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_attr_setstacksize(&attributes, kStackBytes);
  pthread_t thread;
  const auto main = [](void* keeper) -> void* {
    static_cast<Keeper*>(keeper)->run();
    return nullptr;
  };
  const int error = pthread_create(&thread, &attributes, main, this);
  pthread_attr_destroy(&attributes);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (error != 0) {
    *detail = "cannot start a thread";
    region_.give_up();
    return Status::System;
  }
  Status claim;
  {
    std::unique_lock lock(mutex_);
    claimed_.wait(lock, [this] { return claim_ != Status::TimedOut; });
    claim = claim_;
  }
  if (claim != Status::Ok) {
    region_.give_up();
    return claim;
  }
  region_.joined();
  ring_watchers(region_, region_.self().index);
  settle_deaths(region_);  // the new keeper may be at it at this moment
  return Status::Ok;
}

// The keeper's life: doorbell read, then everything looked at, then sleep while the doorbell stays as it
// was read. So nothing that was told before a ring is missed.
void Keeper::run() {
  pthread_setname_np(pthread_self(), "holdfast-keeper");
  const Status claim = region_.claim_process();
  {
    const std::lock_guard lock(mutex_);
    claim_ = claim;
    claimed_.notify_all();
  }
  if (claim != Status::Ok) return;
  region_.for_keeper().exists.store(true, std::memory_order_relaxed);
  const FutexWord& doorbell = region_.self_record().doorbell;
  int64_t looked_ns = monotonic_ns();
  for (;;) {
    const uint32_t rung = doorbell.load(std::memory_order_acquire);  // SYNC POINT: doorbell
    static_cast<void>(region_.mend_own_life());
    dying_ns_ = !reap_dead_processes(region_, Deadline::never()) ? 0
                : dying_ns_ == 0                                 ? kDyingNs
                : dying_ns_ < kDyingMaxNs                        ? dying_ns_ * 2
                                                                 : kDyingMaxNs;
    if (region_.for_keeper().rings_all.exchange(false, std::memory_order_acquire)) {
      ring_all_told_now(region_);
    }
    const int64_t now = monotonic_ns();
    const bool look = now - looked_ns >= kLookForItselfNs;
    if (look) looked_ns = now;
    const int64_t lapse_ns = lapse_watch_.look(region_);
    const bool anybody_waits = deliver(look);
    int64_t sleep_ns = dying_ns_ > 0 ? dying_ns_ : anybody_waits ? kLookForItselfNs : kNever;
    if (lapse_ns != kNeverLapses && (sleep_ns == kNever || lapse_ns < sleep_ns)) {
      sleep_ns = lapse_ns;
    }
    sleep(rung, sleep_ns);
  }
}

// Tells each loop once that some of its tickets are worth a look.
bool Keeper::deliver(bool look_for_itself) {
  bool anybody_waits = false;
  const std::lock_guard lock(mutex_);
  for (LoopAgent* loop = loops_; loop != nullptr; loop = loop->next_) {
    bool due = false;
    for (AsyncWait* wait = loop->first_; wait != nullptr && !due; wait = wait->next) {
      anybody_waits = true;
      due = look_for_itself ? wait->worth_a_look() : wait->was_told();
    }
    // SYNC POINT: delivered. seq_cst, with taken_up(): either the loop, looking after it, sees the ticket's
    // state, or we see that the message was taken up and send another.
    if (due && !loop->delivered_.exchange(true, std::memory_order_seq_cst) &&
        !loop->deliver_(loop->context_)) {
      loop->delivered_.store(false, std::memory_order_seq_cst);
    }
  }
  return anybody_waits;
}

void Keeper::sleep(uint32_t doorbell_seen, int64_t look_again_ns) {
  FutexWatch watches[1 + kWatchedLives];
  size_t used = 0;
  const ProcessIndex me = region_.self().index;
  watches[used++] = {&region_.self_record().doorbell, doorbell_seen};
  if (watches_lives_.load(std::memory_order_relaxed)) {
    // Next in slot order, round the ring: everybody has watchers, whatever the number of processes.
    const uint32_t count = region_.process_limit();
    for (uint32_t step = 1; step < count && used <= kWatchedLives; ++step) {
      ProcessRecord* process = region_.process((me + step) % count);
      if (process == nullptr ||
          process->state.load(std::memory_order_acquire) != ProcessState::Live) {
        continue;
      }
      const FutexWord& life = region_.life_word(*process);
      const uint32_t seen = life.load(std::memory_order_acquire);
      if ((seen & kFutexOwnerDiedBit) != 0) {
        look_again_ns = dying_ns_ > 0 ? dying_ns_ : kDyingNs;
      } else if (seen != 0) {
        watches[used++] = {&life, seen};
      }
    }
    const Deadline until =
        look_again_ns == kNever ? Deadline::never() : Deadline::after_ns(look_again_ns);
    if (futex_wait_any({watches, used}, until) != FutexWake::Unsupported) return;
    watches_lives_.store(false, std::memory_order_relaxed);
  }
  const int64_t poll_ns = look_again_ns < kPollNs ? look_again_ns : kPollNs;
  futex_wait(*watches[0].word, doorbell_seen,
             look_again_ns == kNever ? Deadline::never() : Deadline::after_ns(poll_ns));
}

void Keeper::add_loop(LoopAgent& loop) {
  const std::lock_guard lock(mutex_);
  loop.previous_ = nullptr;
  loop.next_ = loops_;
  if (loops_ != nullptr) loops_->previous_ = &loop;
  loops_ = &loop;
}

void Keeper::remove_loop(LoopAgent& loop) {
  const std::lock_guard lock(mutex_);
  (loop.previous_ != nullptr ? loop.previous_->next_ : loops_) = loop.next_;
  if (loop.next_ != nullptr) loop.next_->previous_ = loop.previous_;
  loop.previous_ = loop.next_ = nullptr;
  loop.first_ = loop.last_ = nullptr;
}

void Keeper::watch(LoopAgent& loop, AsyncWait& wait) {
  if (wait.listed) return;
  bool first;
  {
    const std::lock_guard lock(mutex_);
    first = loop.first_ == nullptr;
    // At the end: waits that end together are told of in the order in which they began.
    wait.previous = loop.last_;
    wait.next = nullptr;
    (wait.previous != nullptr ? wait.previous->next : loop.first_) = &wait;
    loop.last_ = &wait;
    wait.listed = true;
  }
  // It may sleep without a time-out: from now on it must look for itself.
  if (first) ring_doorbell(region_.self_record());
}

void Keeper::unwatch(LoopAgent& loop, AsyncWait& wait) {
  if (!wait.listed) return;
  const std::lock_guard lock(mutex_);
  (wait.previous != nullptr ? wait.previous->next : loop.first_) = wait.next;
  (wait.next != nullptr ? wait.next->previous : loop.last_) = wait.previous;
  wait.previous = wait.next = nullptr;
  wait.listed = false;
}

}  // namespace holdfast
