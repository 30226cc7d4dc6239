// The one error model of the native core: a function either did what it says (Status::Ok) or tells
// why not. The TypeScript layer has the table from these numbers to error classes (lib/errors.ts).
#pragma once

#include <cstdint>

namespace holdfast {

enum class [[nodiscard]] Status : int32_t {
  Ok = 0,
  TimedOut = -1,
  NotOwner = -2,      // releasing what this agent does not hold
  Corrupt = -3,       // shared memory holds an index, length or state that cannot be
  Mismatch = -4,      // another layout, libc or pointer width, and somebody uses it
  Access = -5,        // the region's file has another owner or a wider mode than asked
  NoSpace = -6,       // /dev/shm is full: nothing was reserved
  Full = -7,          // the address range or a table of the region is used up
  Unsupported = -8,   // robust mutexes do not work here
  KindMismatch = -9,  // the name belongs to an object of another kind
  InUse = -10,
  NotFound = -11,
  Unlinked = -12,
  System = -13,  // an unexpected errno
  BadHandle = -14,
  Gone = -15,        // the namespace was unlinked
  Configured = -16,  // this process is in another namespace already
  Exists = -17,
  Ended = -18,  // a child forked without exec: its keeper did not come along
  BadArgument = -19,
  OtherParameters = -20,  // the object was made with others
  Deadlock = -21,         // could never succeed
  NotRecoverable = -22,   // a robust mutex that nobody can lock any more
};

// What an attempt to take an object came to. Shares a number line with Status: >= 0 is an outcome.
enum class [[nodiscard]] Outcome : int32_t {
  Pending = 0,         // held by another; where a wait was asked for, the ticket is queued
  Taken = 1,           // this agent is the owner now
  TakenAbandoned = 2,  // as Taken, and the owner before died holding it
  TimedOut = 3,
  Cancelled = 4,  // the ticket is out of the queue, the agent is not the owner
  Broken = 5,     // a barrier's party gave up or died
  NotEqual = 7,   // shared memory: the element holds something else already
  RunAction = 6,  // a barrier's last party: runs the action, then says how it went
  Unlinked = static_cast<int32_t>(Status::Unlinked),
  Corrupt = static_cast<int32_t>(Status::Corrupt),
  Misuse = static_cast<int32_t>(Status::BadArgument),
  Deadlock = static_cast<int32_t>(Status::Deadlock),
  FirstIndex = 16,  // 16 + a barrier party's index
};

}  // namespace holdfast
