#include "wait/keeper.h"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <ctime>

#include "posix/failure.h"
#include "posix/futex.h"
#include "sync/lock_word.h"
#include "wait/reaper.h"
#include "wait/ring.h"
#include "wait/stay.h"

namespace holdfast {
namespace {

constexpr int64_t kLookForItselfNs = 100'000'000;
constexpr size_t kWaitsPerLook = 1024;    // then others may have the lock
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
  return is_lock(seat->kind) &&
         lock_word::owner(seat->object->word.load(std::memory_order_acquire)) == 0;
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
    region_.give_up();
    return failed(Status::System, "pthread_create", error);
  }
  Status claim;
  {
    std::unique_lock lock(mutex_);
    claimed_.wait(lock, [this] { return claim_ != Status::TimedOut; });
    claim = claim_;
  }
  if (claim != Status::Ok) {
    region_.give_up();
    last_failure() = claim_failure_;  // it was met on the other thread
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
  if (claim == Status::Ok) {
    region_.for_keeper().exists.store(true, std::memory_order_relaxed);
    told_seen_ =
        region_.self_record().told_count.load(std::memory_order_relaxed);  // none of ours yet
  }
  {
    const std::lock_guard lock(mutex_);
    claim_ = claim;
    claim_failure_ = last_failure();
    claimed_.notify_all();
  }
  if (claim != Status::Ok) return;
  const Guard::ShortPatience comes_again;
  const FutexWord& doorbell = region_.self_record().doorbell;
  int64_t looked_ns = monotonic_ns();
  for (;;) {
    // It may be woken for nothing at any time, and must not be the one that ends its process.
    while (region_.is_cut()) {
      const timespec nap{0, kPollNs};
      ::nanosleep(&nap, nullptr);
    }
    const uint32_t rung = doorbell.load(std::memory_order_acquire);  // SYNC POINT: doorbell
    Guard::answer(region_);
    // Who was taken for dead may have been passed over.
    bool look = region_.mend_own_life();
    dying_ns_ = !reap_dead_processes(region_, Deadline::never()) ? 0
                : dying_ns_ == 0                                 ? kDyingNs
                : dying_ns_ < kDyingMaxNs                        ? dying_ns_ * 2
                                                                 : kDyingMaxNs;
    if (region_.for_keeper().rings_all.exchange(false, std::memory_order_acquire)) {
      ring_all_told_now(region_);
    }
    const int64_t now = monotonic_ns();
    const bool looks = looks_.load(std::memory_order_relaxed);  // set before this thread was made
    if (looks && now - looked_ns >= kLookForItselfNs) look = true;
    note_told();
    if (look) {
      looked_ns = now;
      look_at_all(true);
    }
    const int64_t lapse_ns = lapse_watch_.look(region_);
    const bool anybody_waits = deliver();
    int64_t sleep_ns = dying_ns_ > 0            ? dying_ns_
                       : anybody_waits && looks ? kLookForItselfNs
                                                : kNever;
    if (reap_those_left() && sleep_ns == kNever) sleep_ns = kLookForItselfNs;
    if (lapse_ns != kNeverLapses && (sleep_ns == kNever || lapse_ns < sleep_ns)) {
      sleep_ns = lapse_ns;
    }
    sleep(rung, sleep_ns);
  }
}

void Keeper::reap_later(AgentSlot agent) {
  {
    const std::lock_guard lock(mutex_);
    left_.push_back(agent);
  }
  ring_doorbell(region_.self_record());
}

// Returns whether there are any.
bool Keeper::reap_those_left() {
  std::vector<AgentSlot> left;
  {
    const std::lock_guard lock(mutex_);
    if (left_.empty()) return false;
    left.swap(left_);
  }
  std::erase_if(left, [this](AgentSlot agent) { return reap_agent(region_, agent); });
  const std::lock_guard lock(mutex_);
  left_.insert(left_.end(), left.begin(), left.end());
  return !left_.empty();
}

// What was told since it last looked.
void Keeper::note_told() {
  const ProcessRecord& self = region_.self_record();
  const uint32_t count = self.told_count.load(std::memory_order_acquire);  // SYNC POINT: told
  if (count == told_seen_) return;
  bool all = count - told_seen_ > kToldSlots;
  {
    const std::lock_guard lock(mutex_);
    for (uint32_t number = told_seen_; number != count && !all; ++number) {
      const uint64_t entry = self.told[number % kToldSlots].load(std::memory_order_acquire);
      const auto ticket = static_cast<TicketIndex>(entry) - 1;
      all = entry != told_entry(number, ticket) || ticket == kNone;
      AsyncWait* wait = !all && ticket < waits_.size() ? waits_[ticket] : nullptr;
      if (wait != nullptr) make_due(*wait);
    }
  }
  told_seen_ = count;
  if (all) look_at_all(false);
}

void Keeper::look_at_all(bool for_itself) {
  for (size_t first = 0;; first += kWaitsPerLook) {
    const std::lock_guard lock(mutex_);
    if (first >= waits_.size()) return;
    const size_t end = std::min(first + kWaitsPerLook, waits_.size());
    for (size_t i = first; i < end; ++i) {
      AsyncWait* wait = waits_[i];
      if (wait == nullptr) continue;
      if (for_itself ? wait->worth_a_look() : wait->was_told()) make_due(*wait);
      // Whoever told somebody there, or was inside, may not run any more.
      if (for_itself) lapse_watch_.look_after(region_, wait->seat->object_index);
    }
  }
}

void Keeper::make_due(AsyncWait& wait) {
  if (wait.due) return;
  LoopAgent& loop = *wait.loop;
  wait.due = true;
  wait.due_previous = nullptr;
  wait.due_next = loop.due_;
  if (loop.due_ != nullptr) loop.due_->due_previous = &wait;
  loop.due_ = &wait;
}

void Keeper::send(AsyncWait& wait) {
  const std::lock_guard lock(mutex_);
  if (!wait.listed) return;
  make_due(wait);
  LoopAgent& loop = *wait.loop;
  if (!loop.delivered_) loop.delivered_ = loop.deliver_(loop.context_);
}

void Keeper::forget_due(AsyncWait& wait) {
  if (!wait.due) return;
  (wait.due_previous != nullptr ? wait.due_previous->due_next : wait.loop->due_) = wait.due_next;
  if (wait.due_next != nullptr) wait.due_next->due_previous = wait.due_previous;
  wait.due = false;
}

void Keeper::take_up(LoopAgent& loop, std::vector<AsyncWait*>* due) {
  due->clear();
  {
    const std::lock_guard lock(mutex_);
    loop.delivered_ = false;
    for (AsyncWait* wait = loop.due_; wait != nullptr; wait = wait->due_next) {
      wait->due = false;
      due->push_back(wait);
    }
    loop.due_ = nullptr;
  }
  std::sort(due->begin(), due->end(),
            [](const AsyncWait* a, const AsyncWait* b) { return a->began < b->began; });
}

// Tells each loop once that some of its waits are worth a look.
bool Keeper::deliver() {
  bool anybody_waits = false;
  const std::lock_guard lock(mutex_);
  for (LoopAgent* loop = loops_; loop != nullptr; loop = loop->next_) {
    if (loop->first_ != nullptr) anybody_waits = true;
    if (loop->due_ != nullptr && !loop->delivered_) {
      loop->delivered_ = loop->deliver_(loop->context_);
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
  while (loop.first_ != nullptr) unlist(loop, *loop.first_);
}

void Keeper::watch(LoopAgent& loop, AsyncWait& wait) {
  if (wait.listed) return;
  bool ring;
  {
    const std::lock_guard lock(mutex_);
    // It may sleep without a time-out: from the first on it must look for itself.
    ring = loop.first_ == nullptr;
    wait.previous = loop.last_;
    wait.next = nullptr;
    (wait.previous != nullptr ? wait.previous->next : loop.first_) = &wait;
    loop.last_ = &wait;
    wait.listed = true;
    wait.loop = &loop;
    wait.began = ++began_;
    const TicketIndex ticket = wait.seat->ticket_index;
    if (ticket >= waits_.size()) waits_.resize(size_t{ticket} + 1);
    waits_[ticket] = &wait;
    if (wait.was_told()) {  // before anybody here knew of it
      make_due(wait);
      ring = true;
    }
  }
  if (ring) ring_doorbell(region_.self_record());
}

void Keeper::unwatch(LoopAgent& loop, AsyncWait& wait) {
  if (!wait.listed) return;
  const std::lock_guard lock(mutex_);
  unlist(loop, wait);
}

void Keeper::unlist(LoopAgent& loop, AsyncWait& wait) {
  forget_due(wait);
  (wait.previous != nullptr ? wait.previous->next : loop.first_) = wait.next;
  (wait.next != nullptr ? wait.next->previous : loop.last_) = wait.previous;
  wait.previous = wait.next = nullptr;
  wait.listed = false;
  AsyncWait*& known = waits_[wait.seat->ticket_index];
  if (known == &wait) known = nullptr;
}

}  // namespace holdfast
