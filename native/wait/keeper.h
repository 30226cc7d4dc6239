// The process' own thread beside its JavaScript threads. It is the process' life (it holds the life mutex and
// never ends), it notices the death of others, and it tells event loops when one of their tickets was told
// something. One a process; never joined, never destroyed.
#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <string>
#include <vector>

#include "posix/failure.h"
#include "region/region.h"
#include "region/registry.h"
#include "status.h"
#include "wait/lapse.h"

namespace holdfast {

class LoopAgent;

// A seat whose ticket an event loop waits on. Lives as long as the seat; in the loop's list while it waits.
struct AsyncWait {
  Seat* seat = nullptr;
  uint32_t handle = 0;  // what the loop calls it by
  // The keeper's, under its lock:
  AsyncWait* previous = nullptr;
  AsyncWait* next = nullptr;
  bool listed = false;  // written on the loop's thread only
  LoopAgent* loop = nullptr;
  uint64_t began = 0;  // its place among all waits of this process
  bool due = false;    // in the loop's list of those that are worth a look
  AsyncWait* due_previous = nullptr;
  AsyncWait* due_next = nullptr;

  // The ticket was told something.
  [[nodiscard]] bool was_told() const;
  // Or nobody told it, but the lock stands free: who was woken for it may be stopped.
  [[nodiscard]] bool worth_a_look() const;
};

// One event loop. `deliver` is called on the keeper's thread, with the keeper's lock held: it may only post a
// message to the loop, and not call back into the keeper.
class LoopAgent {
 public:
  // False: the message could not be posted, try again later.
  using Deliver = bool (*)(void* context);
  LoopAgent(Deliver deliver, void* context) : deliver_(deliver), context_(context) {}

  [[nodiscard]] AsyncWait* first() const { return first_; }

 private:
  friend class Keeper;
  Deliver deliver_;
  void* context_;
  // All under the keeper's lock:
  AsyncWait* first_ = nullptr;  // written on the loop's thread only
  AsyncWait* last_ = nullptr;   // the same
  AsyncWait* due_ = nullptr;
  bool delivered_ = false;  // a message is on its way to the loop
  LoopAgent* previous_ = nullptr;
  LoopAgent* next_ = nullptr;
};

class Keeper {
 public:
  Keeper() = default;
  Keeper(const Keeper&) = delete;
  Keeper& operator=(const Keeper&) = delete;

  // Joins the region: opens it, starts the thread, which claims the process record. Blocks until that is
  // done. Dead processes have been reaped when it returns. After a failure the keeper is of no use, and must
  // not be deleted: its thread may still be about to end.
  Status start(const std::string& name_space, mode_t mode, std::string* detail);

  [[nodiscard]] Region& region() { return region_; }

  void add_loop(LoopAgent& loop);
  void remove_loop(LoopAgent& loop);

  // Before the ticket is queued, so that nothing told to it is missed. On the loop's own thread.
  void watch(LoopAgent& loop, AsyncWait& wait);
  void unwatch(LoopAgent& loop, AsyncWait& wait);

  // On the loop's own thread, when it has got its message: the waits that are worth a look, in the order in which they
  // began. What is told from now on is delivered anew.
  void take_up(LoopAgent& loop, std::vector<AsyncWait*>* due);

  // Has the loop look at this wait at its next turn, told or not.
  void send(AsyncWait& wait);

  // A thread of this process has ended, and a guard was not to be had: the keeper goes on.
  void reap_later(AgentSlot agent);

  // True where the kernel has futex_waitv; else deaths are found by looking.
  [[nodiscard]] bool watches_lives() const {
    return watches_lives_.load(std::memory_order_relaxed);  // for information
  }
  // Before start(): behave as on a kernel without futex_waitv.
  void forbid_futex_waitv() { watches_lives_.store(false, std::memory_order_relaxed); }
  // Before start(): looks at what it is told of, and never for itself.
  void forbid_looking() { looks_.store(false, std::memory_order_relaxed); }

 private:
  void run();
  void note_told();
  bool reap_those_left();
  void look_at_all(bool for_itself);
  bool deliver();
  void unlist(LoopAgent& loop, AsyncWait& wait);
  static void make_due(AsyncWait& wait);
  static void forget_due(AsyncWait& wait);
  void sleep(uint32_t doorbell, int64_t look_again_ns);

  Region region_;
  std::mutex mutex_;  // this process' loops and their lists of waits
  std::condition_variable claimed_;
  Status claim_ = Status::TimedOut;  // mutex_; TimedOut: not yet
  Failure claim_failure_;            // mutex_; what it came from, as the keeper's thread met it
  LoopAgent* loops_ = nullptr;       // mutex_
  std::vector<AsyncWait*> waits_;    // mutex_; by ticket
  uint64_t began_ = 0;               // mutex_
  std::vector<AgentSlot> left_;      // mutex_; of reap_later()
  uint32_t told_seen_ = 0;           // the keeper's own: what it has read of told_count
  std::atomic<bool> watches_lives_{true};
  LapseWatch lapse_watch_;
  std::atomic<bool> looks_{true};
  int64_t dying_ns_ =
      0;  // the keeper's own: how long until it looks at a dying process again; 0: none
};

}  // namespace holdfast
