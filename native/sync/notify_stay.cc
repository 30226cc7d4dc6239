#include "sync/notify_stay.h"

#include <algorithm>

#include "posix/fault.h"

namespace holdfast {
namespace {

constexpr uint32_t kMaxHops = 6;  // from then on it is given no longer

// Whether the ticket was in the queue when the notification was made.
bool waited_already(const TicketRecord& ticket, uint32_t too_late) {
  return static_cast<int32_t>(static_cast<uint32_t>(ticket.seq) - too_late) < 0;
}

}  // namespace

int32_t NotifyStay::notify(uint32_t role, uint32_t count) {
  const int64_t now = monotonic_ns();
  const auto too_late = static_cast<uint32_t>(object.next_seq);
  uint32_t told = 0;
  const auto tell_those = [&](TicketState in) {
    return [&, in](TicketRecord& ticket) {
      if (told == count) return false;
      if (ticket.role != role || state_of(ticket) != in) return true;
      ticket.units = too_late;
      ticket.starved = 0;
      wake(ticket, now);
      HOLDFAST_POINT("notify.told");
      ++told;
      return true;
    };
  };
  for (const bool again : {false, true}) {
    if (again && !is_damaged()) break;
    if (again) repair();  // else those behind the damage would be left out
    // next_to_tell() leaves out those who are about to be reaped as long as nobody is before them.
    if (TicketRecord* first = count > told ? next_to_tell() : nullptr) {
      queue.walk_from(first, tell_those(TicketState::Waiting));
    }
    if (told < count && object.passed != 0) queue.walk(tell_those(TicketState::Passed));
  }
  return static_cast<int32_t>(told);
}

// In that state, of another agent, as this one's does not run.
TicketRecord* NotifyStay::another_for(const TicketRecord& notified, TicketState in) {
  TicketRecord* first = in == TicketState::Waiting ? next_to_tell() : queue.head();
  TicketRecord* other = nullptr;
  if (first == nullptr) return other;
  queue.walk_from(first, [&](TicketRecord& ticket) {
    if (!waited_already(ticket, notified.units)) return false;
    const AgentSlot agent = ticket.agent.load(std::memory_order_relaxed);
    if (state_of(ticket) != in || ticket.role != notified.role ||
        agent == notified.agent.load(std::memory_order_relaxed)) {
      return true;
    }
    other = &ticket;
    return false;
  });
  return other;
}

void NotifyStay::hand_on(const TicketRecord& dead) {
  TicketRecord* other = another_for(dead, TicketState::Waiting);
  if (other == nullptr && object.passed != 0) other = another_for(dead, TicketState::Passed);
  if (other == nullptr) return;
  other->units = dead.units;
  other->starved = 0;
  wake(*other, monotonic_ns());
  HOLDFAST_POINT("notify.told");
}

void NotifyStay::pass_on(int64_t* next_ns, int64_t at_least_ns) {
  const int64_t now = monotonic_ns();
  uint32_t left = woken();
  *next_ns = kNeverLapses;
  queue.walk([&](TicketRecord& ticket) {
    if (left == 0) return false;
    if (state_of(ticket) != TicketState::Woken) return true;
    --left;
    const int64_t patience = std::max(kLapseNs << std::min(ticket.starved, kMaxHops), at_least_ns);
    const int64_t age = now - ticket.told_ns;
    int64_t due_ns = patience - age;
    if (age < 0 || due_ns <= 0) {
      TicketRecord* other = another_for(ticket, TicketState::Waiting);
      if (other == nullptr) return true;
      other->units = ticket.units;
      other->starved = ticket.starved + 1;
      wake(*other, now);
      HOLDFAST_POINT("notify.passing");
      mark(ticket, TicketState::Passed);
      pass_siblings(ticket.agent.load(std::memory_order_relaxed));
      due_ns = patience;
    }
    if (due_ns < *next_ns) *next_ns = due_ns;
    return true;
  });
}

bool NotifyStay::is_notified(TicketRecord& ticket) {
  if (has_notification(ticket)) return true;
  // Whoever looks passes on what has lapsed: the process that told it, whose keeper would, may be gone.
  if (!any_woken() || !WaitQueue::is_queued(ticket)) return false;
  int64_t next_ns = 0;
  pass_on(&next_ns, kLongLapsedNs);
  return has_notification(ticket);
}

bool NotifyStay::has_notification(TicketRecord& ticket) {
  if (state_of(ticket) != TicketState::Passed) return state_of(ticket) == TicketState::Woken;
  bring_back(ticket.agent.load(std::memory_order_relaxed));
  uint32_t left = woken();
  TicketRecord* has_it = nullptr;
  queue.walk([&](TicketRecord& other) {
    if (left == 0 || has_it != nullptr) return false;
    if (state_of(other) != TicketState::Woken) return true;
    --left;
    if (other.role == ticket.role && waited_already(ticket, other.units)) has_it = &other;
    return true;
  });
  if (has_it == nullptr) return false;
  ticket.units = has_it->units;
  ticket.starved = has_it->starved;
  mark(ticket, TicketState::Woken);
  HOLDFAST_POINT("notify.taking-back");
  mark(*has_it, TicketState::Waiting);
  look_after_woken();
  return true;
}

}  // namespace holdfast
