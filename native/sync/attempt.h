// What the objects beside the lock have in common: an attempt at something by one waiter, which succeeds, waits its
// turn, or is given up. Each waiter has a seat of its own; what an agent holds is noted in its home seat, the one it
// got when it opened the object.
//
// A waiter's ticket, under the guard:
//   from      to        by                  when
//   -------   -------   -----------------   ------------------------------------------------------
//   None      Waiting   the waiter          what it wants is not to be had, or others came first
//   Waiting   Woken     whoever tells it    it is its turn: it is to come and take what it wants
//   Woken,    None      the waiter          comes: it has what it wants (semaphore, read-write lock, shared
//   Passed                                  memory); or gives up; its reaper
//   Woken     Passed    whoever looks       it did not come in time: it keeps its place, others are told
//   Woken,    Waiting   the waiter          came, and there is nothing (any more)
//   Passed
//   Waiting   None      the waiter          gives up; its reaper
//   Woken     Granted   the waiter          comes for a notification of a condition, which stays on the ticket
//   Waiting   Granted   whoever gives it    an event is set, a barrier's round is over: all have it
//   queued    Gone      who unlinks         the object is over
//   Granted,  None      the waiter          takes note
//   Gone
//   Granted   None      its reaper          a notification goes on to the next
#pragma once

#include <cstddef>

#include "posix/deadline.h"
#include "region/registry.h"
#include "status.h"
#include "wait/may_go_on.h"
#include "wait/reaper.h"

namespace holdfast {

enum class OrElse : uint8_t {
  Leave = 0,   // one try
  Queue = 1,   // wait one's turn, to be woken as `mode` says
  Cancel = 2,  // one last try, then out of the queue
};

// What a waiter at shared memory has seen of it.
struct Element {
  std::byte* memory = nullptr;
  size_t memory_bytes = 0;
  uint64_t expected = 0;
};

struct Attempt {
  Seat* home = nullptr;
  Seat* waiter = nullptr;
  uint32_t role = 0;   // what is wanted, in the kind's words
  uint32_t units = 1;  // how much of it
  OrElse or_else = OrElse::Leave;
  WaitMode mode = WaitMode::Async;
  Element element;
};

// Dispatches to the object's kind.
Outcome attempt(Region& region, const Attempt& attempt);

// The same, blocking this thread: until the outcome, the deadline (TimedOut) or the slice (Pending: call again).
// Pending as well where it may not go on: then nothing is taken, and the ticket keeps its place.
Outcome attempt_sync(Region& region, Attempt attempt, Deadline deadline, Deadline slice,
                     MayGoOn may_go_on = {});

// Changes that never wait, in the kind's words. BadArgument: not one of this kind's.
enum class Action : uint32_t {
  Release = 1,       // Semaphore: units. RWLock: role kRead or kWrite in units
  Set = 2,           // Event
  Clear = 3,         // Event
  Notify = 4,        // Condition: how many at most
  ActionDone = 5,    // Barrier: the runner's, by its waiter
  ActionFailed = 6,  // Barrier
  Abort = 7,         // Barrier
  Reset = 8,         // Barrier
  Downgrade = 9,     // RWLock
  ReleaseUntold =
      10,  // RWLock: the write side, had as TakenAbandoned, whose taker nobody told of it
  DowngradeUntold = 11,  // RWLock: the same, of an upgrade
};
// >= 0: how many were woken, or 0; else a Status.
int32_t act(Region& region, Seat& home, Seat* waiter, Action action, uint32_t units);

enum class Question : uint32_t {
  Value = 1,    // Semaphore: free permits; Barrier: how many wait; RWLock: readers
  State = 2,    // Barrier: 1 broken; RWLock: 1 has a writer
  Waiting = 3,  // how many are queued
  First = 4,    // what the object was made with
  Second = 5,
};
int32_t ask(Region& region, Seat& home, Question question);
// As an answer: below 0 are statuses, and what is above has never been counted.
inline int32_t answer(uint32_t count) {
  return count <= 0x7fffffff ? static_cast<int32_t>(count) : static_cast<int32_t>(Status::Corrupt);
}

// Any kind, as lock::pass_on (sync/lock.h).
int64_t pass_on(Region& region, ObjectIndex index);
// Any kind: after a death, for each of its tickets, first ...: takes it out of its queue and tells nobody, so that
// nothing that comes back afterwards is given to the dead one's other tickets. False: its guard is not to be had, come
// again.
bool withdraw_seat(Region& region, const Dead& dead);
// ... then: gives back what it stands for, tells who is next, and retires it. False: the same.
bool reap_seat(Region& region, const Dead& dead);
// Any kind: before a seat is closed. It must not wait or hold.
Status retire_seat(Region& region, Seat& seat);
// Any kind but Lock and RLock: ends the object. InUse where somebody holds it.
Status unlink_object(Region& region, Seat& home);

}  // namespace holdfast
