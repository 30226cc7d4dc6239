// The lock between agents: what happens beside the two uncontended transitions. Table and invariants stand in
// sync/lock_word.h; the steps' names are also the fault points' and the model's (model/lock.pml).
//
// Every function may be called from any thread of the process, but for one seat by one thread at a time.
#pragma once

#include "posix/deadline.h"
#include "region/registry.h"
#include "status.h"
#include "wait/may_go_on.h"
#include "wait/reaper.h"

namespace holdfast::lock {

// One try under the guard, never queues. Does not block but for the guard.
Outcome try_acquire(Region& region, Seat& seat);

// Takes the lock, or queues the seat's ticket (if it is not queued yet) to be woken as `mode` says.
Outcome look(Region& region, Seat& seat, WaitMode mode);

// For one who gives up: takes the lock where it is free or offered to this seat, else takes the ticket out of the
// queue (Cancelled).
Outcome last_look(Region& region, Seat& seat);

struct SyncWait {
  Deadline deadline;         // TimedOut when it passes
  Deadline slice;            // Pending when it passes: call again. The ticket keeps its place
  bool keep_ticket = false;  // TimedOut leaves the ticket queued, in async mode
  MayGoOn may_go_on = {};    // no: Pending at once, as at the end of a slice, and nothing is taken
};

// Blocks this thread until the lock is had, the deadline or the slice has passed.
Outcome acquire_sync(Region& region, Seat& seat, const SyncWait& wait);

enum class Release : uint8_t {
  Plain = 0,
  Fair = 1,  // offers it to the first waiter that runs, and nobody barges
  Untold =
      2,  // the owner was told of an abandonment and does not want the lock: the next one is told
};

// The contended release.
Status release(Region& region, Seat& seat, Release how);

// Where somebody was told to come and did not in time, tells the next one. Returns how long until that has to be
// looked at again; kNeverLapses: nobody is to come.
int64_t pass_on(Region& region, const Seat& at);

// The two steps after a death, of which reap() does the first one too: its ticket leaves the queue, and nobody is
// told; what it held is given back, the next one is told, its ticket is retired. Idempotent.
bool withdraw(Region& region, const Dead& dead);
bool reap(Region& region, const Dead& dead);

// Before the seat is closed: its ticket is no longer one of the object's. It must not wait.
Status retire(Region& region, Seat& seat);

// Ends the object: needs it free. Waiters get Unlinked. InUse: `holder` has it.
Status unlink(Region& region, Seat& seat, AgentSlot* holder);

struct Holder {
  AgentSlot agent = 0;  // 0: free
  int64_t since_ns = 0;
};
// Since when is exact for an owner that came by the slow path, else the first time that anybody looked.
Holder holder(Region& region, Seat& seat);

}  // namespace holdfast::lock
