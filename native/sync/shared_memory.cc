#include "sync/shared_memory.h"

#include <atomic>

#include "posix/fault.h"
#include "region/data_file.h"
#include "sync/notify_stay.h"

namespace holdfast::shared_memory {
namespace {

template <typename Word>
bool holds(std::byte* element, uint64_t expected) {
  // SYNC POINT: memory-wait. The guard orders this after the store of a notifier who was inside before.
  return std::atomic_ref<Word>(*reinterpret_cast<Word*>(element)).load(std::memory_order_acquire) ==
         static_cast<Word>(expected);
}

// Pending: the element holds what the waiter has seen.
Outcome compare(const Attempt& attempt) {
  const Parameters& parameters = attempt.waiter->parameters;
  const uint32_t bytes = element_bytes(parameters.first);
  const Element& element = attempt.element;
  const uint64_t offset = uint64_t{attempt.role} * bytes;
  if (element.memory == nullptr || (bytes != 4 && bytes != 8) ||
      offset + bytes > element.memory_bytes) {
    return Outcome::Misuse;
  }
  std::byte* at = element.memory + offset;
  const bool equal =
      bytes == 4 ? holds<uint32_t>(at, element.expected) : holds<uint64_t>(at, element.expected);
  return equal ? Outcome::Pending : Outcome::NotEqual;
}

}  // namespace

Outcome attempt(Region& region, const Attempt& attempt) {
  NotifyStay stay(region, *attempt.waiter);
  if (!stay.entered() || !stay.has(*attempt.waiter)) return Outcome::Corrupt;
  TicketRecord& ticket = *attempt.waiter->ticket;
  const TicketState state = state_of(ticket);
  if (stay.is_notified(ticket)) {
    stay.leave_queue(*attempt.waiter);
    return Outcome::Taken;
  }
  if (state == TicketState::Gone || stay.unlinked()) {
    stay.leave_queue(*attempt.waiter);
    return Outcome::Unlinked;
  }
  if (state == TicketState::None) {
    const Outcome seen = compare(attempt);
    if (seen != Outcome::Pending) return seen;
  }
  switch (attempt.or_else) {
    case OrElse::Leave:
      return Outcome::Pending;
    case OrElse::Queue:
      if (state == TicketState::None) ticket.role = attempt.role;
      stay.enqueue(*attempt.waiter, attempt.mode);
      return Outcome::Pending;
    case OrElse::Cancel:
      break;
  }
  stay.leave_queue(*attempt.waiter);
  return Outcome::Cancelled;
}

int32_t notify(Region& region, Seat& home, uint32_t index, uint32_t count) {
  NotifyStay stay(region, home);
  if (!stay.entered()) return static_cast<int32_t>(Status::Corrupt);
  if (stay.unlinked()) return static_cast<int32_t>(Status::Unlinked);
  return stay.notify(index, count);
}

int64_t pass_on(Region& region, const Seat& at) {
  NotifyStay stay(region, at);
  if (!stay.entered()) return kLapseNs;
  int64_t next_ns = kNeverLapses;
  stay.pass_on(&next_ns);
  return next_ns;
}

bool withdraw(Region& region, const Dead& dead) {
  Seat seat = dead.seat;
  NotifyStay stay(region, seat);
  if (!stay.entered()) return false;
  // What it was notified of goes on, in reap().
  if (is_due(region, dead) && state_of(*seat.ticket) != TicketState::Woken) stay.leave_queue(seat);
  return true;
}

bool reap(Region& region, const Dead& dead) {
  Seat seat = dead.seat;
  NotifyStay stay(region, seat);
  if (!stay.entered()) return false;
  if (!is_due(region, dead)) return true;
  const bool unused = state_of(*seat.ticket) == TicketState::Woken;
  // First the next one, then its own: who dies in between wakes one too many, which waiters must bear anyway.
  if (unused) stay.hand_on(*seat.ticket);
  HOLDFAST_POINT("memory.passed-on");
  stay.leave_queue(seat);
  stay.retire(seat);
  stay.look_after_woken();
  return true;
}

Status unlink(Region& region, Seat& home) {
  NotifyStay stay(region, home);
  if (!stay.entered()) return Status::Corrupt;
  stay.unlink();
  return Status::Ok;
}

}  // namespace holdfast::shared_memory
