#include "region/guard.h"

#include <algorithm>

#include "posix/fault.h"
#include "posix/spin.h"
#include "region/region.h"

namespace holdfast {
namespace {

constexpr uint32_t kSleepersBit = 0x80000000;
constexpr uint32_t kDisputedBit = 0x40000000;
constexpr uint32_t kName = ~(kSleepersBit | kDisputedBit);
// Names a process that no table has room for: nobody living.
constexpr uint32_t kNobody = 0xffff;
static_assert(kNobody > ProcessTable::per_chunk * ProcessTable::max_chunks);
constexpr int kSpins = 100;
// A waker may die between its release and its wake: nobody sleeps on without a look.
constexpr int64_t kSleepNs = 20'000'000;
constexpr int64_t kAskedAfterNs = 2 * kSleepNs;
constexpr int64_t kShortPatienceNs = 100'000'000;
// Others may sleep and wake here meanwhile, and change the sleepers' bit.
constexpr int kTries = 100;

thread_local bool has_short_patience = false;
thread_local int32_t stuck_pid = 0;

uint32_t pack(ProcessId id) { return (id.generation & kGuardGeneration) << 16 | (id.index + 1); }

bool is_of_the_living(Region& region, uint32_t word) {
  return word != 0 && region.process_is_alive((word & 0xffff) - 1, (word & kName) >> 16);
}

// Tells the process that it is to look whether it is inside.
void ask(ProcessRecord& process, uint32_t number) {
  process.asked.store(number, std::memory_order_release);    // SYNC POINT: asked
  process.doorbell.fetch_add(1, std::memory_order_release);  // SYNC POINT: doorbell
  futex_wake(process.doorbell, 1);
}

}  // namespace

Guard::ShortPatience::ShortPatience() : before_(has_short_patience) { has_short_patience = true; }
Guard::ShortPatience::~ShortPatience() { has_short_patience = before_; }

int32_t Guard::take_stuck_pid() {
  const int32_t pid = stuck_pid;
  stuck_pid = 0;
  return pid;
}

Guard::Guard(Region& region, GuardRecord& record)
    : word_(&record.word), inside_(&region.guard_use().of(region.number_of(record)).inside) {
  uint32_t seen = 0;
  const uint32_t me = pack(region.self());
  // relaxed: the swap that enters releases it.
  inside_->fetch_add(1, std::memory_order_relaxed);
  // SYNC POINT: guard. acquire, with the release in leave(); release, of the count, to who disputes.
  if (!word_->compare_exchange_strong(seen, me, std::memory_order_acq_rel,
                                      std::memory_order_relaxed) &&
      !enter_contended(region, record, me)) {
    inside_->fetch_sub(1, std::memory_order_release);
    word_ = nullptr;
    return;
  }
  HOLDFAST_POINT("guard.entered");
}

bool Guard::enter_contended(Region& region, GuardRecord& record, uint32_t me) {
  if (spinning_helps()) {
    for (int i = 0; i < kSpins; ++i) {
      uint32_t seen = 0;
      if (word_->compare_exchange_weak(seen, me, std::memory_order_acq_rel,
                                       std::memory_order_relaxed)) {
        return true;
      }
      pause_processor();
    }
  }
  const uint32_t number = region.number_of(record);
  GuardUse::Counter& use = region.guard_use().of(number);
  uint32_t inside = 0;  // who is, as long as it is the same one
  int64_t slept_ns = 0;
  for (;;) {
    uint32_t seen = word_->load(std::memory_order_relaxed);  // relaxed: the swaps below decide
    const bool dead_inside = seen != 0 && !is_of_the_living(region, seen);
    if (seen == 0 || dead_inside) {
      // With the sleepers' bit: others may sleep here, and whoever leaves must wake the next.
      if (word_->compare_exchange_strong(seen, me | kSleepersBit, std::memory_order_acq_rel,
                                         std::memory_order_relaxed)) {
        needs_repair_ = dead_inside;
        return true;
      }
      continue;
    }
    // Without the sleepers' bit it has left since this thread slept, and is inside again.
    if ((seen & kName) != inside || (seen & kSleepersBit) == 0) {
      inside = seen & kName;
      slept_ns = 0;
    }
    if ((seen & kSleepersBit) == 0 &&
        !word_->compare_exchange_strong(seen, seen | kSleepersBit, std::memory_order_relaxed)) {
      continue;
    }
    ProcessRecord* process = region.process((inside & 0xffff) - 1);
    int64_t patience_ns = region.guard_use().patience_ns.load(std::memory_order_relaxed);
    if (has_short_patience) patience_ns = std::min(patience_ns, kShortPatienceNs);
    const bool is_stuck = use.is_stuck(number, inside, has_short_patience);
    if (is_stuck) patience_ns = std::min(patience_ns, kSleepNs);
    if (slept_ns >= patience_ns) {
      use.note_stuck(number, inside, has_short_patience);
      stuck_pid = process != nullptr ? process->pid.load(std::memory_order_relaxed) : 0;
      return false;
    }
    // Not on its way in while it sleeps: its own process may be asked.
    inside_->fetch_sub(1, std::memory_order_release);
    const int64_t begin_ns = monotonic_ns();
    const FutexWake wake =
        futex_wait(*word_, seen | kSleepersBit, Deadline::at_ns(begin_ns + kSleepNs));
    // No more than it can have slept: who was stopped itself begins anew.
    slept_ns += wake == FutexWake::TimedOut
                    ? kSleepNs
                    : std::clamp<int64_t>(monotonic_ns() - begin_ns, 0, kSleepNs);
    if (is_stuck || slept_ns >= kAskedAfterNs) {
      if (inside == me) {
        settle(region, record);
      } else if (process != nullptr) {
        ask(*process, number);
      }
    }
    answer(region);  // whose keeper may be who sleeps here
    inside_->fetch_add(1, std::memory_order_relaxed);
  }
}

bool Guard::somebody_is_inside(Region& region, const GuardRecord& record) {
  return is_of_the_living(region, record.word.load(std::memory_order_relaxed));
}

void Guard::answer(Region& region) {
  auto& asked = region.self_record().asked;
  if (asked.load(std::memory_order_relaxed) == 0) return;
  // SYNC POINT: asked.
  const uint32_t number = asked.exchange(0, std::memory_order_acquire);
  if (GuardRecord* record = region.guard_at(number); record != nullptr) settle(region, *record);
}

// The header has the proof.
void Guard::settle(Region& region, GuardRecord& record) {
  GuardUse& use = region.guard_use();
  if (!use.disputes.try_lock()) return;
  GuardUse::Counter& counter = use.of(region.number_of(record));
  const uint32_t me = pack(region.self());
  FutexWord& word = record.word;
  uint32_t seen = word.load(std::memory_order_acquire);
  for (int left = kTries; left > 0 && (seen & kName) == me; --left) {
    if ((seen & kDisputedBit) == 0) {
      // acquire: with the entry of who is inside.
      if (!word.compare_exchange_strong(seen, seen | kDisputedBit, std::memory_order_acq_rel,
                                        std::memory_order_acquire)) {
        continue;
      }
      seen |= kDisputedBit;
    }
    HOLDFAST_POINT("guard.disputed");
    if (counter.inside.load(std::memory_order_acquire) != 0) break;
    if (word.compare_exchange_strong(seen, kNobody | (seen & kSleepersBit),
                                     std::memory_order_acq_rel, std::memory_order_acquire)) {
      futex_wake(word, 1);
      break;
    }
  }
  use.disputes.unlock();
}

void Guard::leave_as_found() {
  if (word_ == nullptr || !needs_repair_) return leave();
  static_cast<void>(word_->exchange(kNobody, std::memory_order_release));  // SYNC POINT: guard
  inside_->fetch_sub(1, std::memory_order_release);
  futex_wake(*word_, 1);
  word_ = nullptr;
}

void Guard::leave() {
  if (word_ == nullptr) return;
  HOLDFAST_POINT("guard.leaving");
  const uint32_t was = word_->exchange(0, std::memory_order_release);  // SYNC POINT: guard
  inside_->fetch_sub(1, std::memory_order_release);                    // after that: settle()
  if ((was & kSleepersBit) != 0) futex_wake(*word_, 1);
  word_ = nullptr;
}

}  // namespace holdfast
