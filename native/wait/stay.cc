#include "wait/stay.h"

#include <algorithm>

#include "posix/deadline.h"
#include "posix/fault.h"
#include "wait/reaper.h"

namespace holdfast {

namespace {
constexpr size_t kAgentsAtOnce = 8;
}  // namespace

void Stay::count(const TicketRecord& ticket, TicketState state, int32_t change) {
  const bool woken = state == TicketState::Woken;
  const auto add = [&](auto& count, uint32_t units) {
    if (change > 0) {
      count += units;
    } else {
      take_off(count, units);
    }
  };
  if (woken) {
    uint32_t count = this->woken();
    add(count, 1);
    // relaxed: changed under the guard only; peeked at to see whether a look is worth while
    object.woken.store(count, std::memory_order_relaxed);
  }
  if (state == TicketState::Passed) add(object.passed, 1);
  if (sums_ == nullptr) return;
  const uint32_t units = ticket.units;
  if (woken) add(sums_->woken, units);
  if (woken || state == TicketState::Waiting) add(sums_->to_come, units);
}

void Stay::mark(TicketRecord& ticket, TicketState state) {
  const TicketState before = state_of(ticket);
  count(ticket, before, -1);
  set_state(ticket, state);
  count(ticket, state, +1);
  if (state == TicketState::Waiting) {
    const TicketRecord* first = region_.ticket(object.first_waiting);
    if (first == nullptr || ticket.seq < first->seq) object.first_waiting = queue.index_of(ticket);
  } else if (before == TicketState::Waiting && region_.ticket(object.first_waiting) == &ticket) {
    find_first_waiting(ticket);
  }
}

void Stay::find_first_waiting(const TicketRecord& from) {
  object.first_waiting = kNone;
  queue.walk_after(from, [this](TicketRecord& ticket) {
    if (state_of(ticket) != TicketState::Waiting) return true;
    object.first_waiting = queue.index_of(ticket);
    return false;
  });
}

void Stay::rebuild() {
  queue.rebuild();
  object.woken.store(0, std::memory_order_relaxed);
  object.passed = 0;
  object.first_waiting = kNone;
  if (sums_ != nullptr) *sums_ = {};
  queue.walk([this](TicketRecord& ticket) {
    const TicketState state = state_of(ticket);
    count(ticket, state, +1);
    if (state == TicketState::Waiting && object.first_waiting == kNone) {
      object.first_waiting = queue.index_of(ticket);
    }
    return true;
  });
}

void Stay::wake(TicketRecord& ticket, int64_t now_ns) {
  ticket.told_ns = now_ns;
  told_ = true;
  if (state_of(ticket) == TicketState::Woken) return;
  mark(ticket, TicketState::Woken);
  ring_.note(region_, ticket);
}

TicketRecord* Stay::next_to_tell() {
  for (uint32_t left = Region::count(region_.header().tickets); left > 0; --left) {
    TicketRecord* next = queue.queued(read_once(object.first_waiting));
    if (next == nullptr) return nullptr;
    if (state_of(*next) != TicketState::Waiting) {
      queue.damaged();
      return nullptr;
    }
    if (!is_dying(region_, next->agent.load(std::memory_order_relaxed))) return next;
    mark(*next, TicketState::Passed);
  }
  return nullptr;
}

bool Stay::lapse(int64_t now_ns, int64_t* next_ns, int64_t at_least_ns) {
  uint32_t left = woken();
  bool any = false;
  AgentSlot passed[kAgentsAtOnce];  // those whose other waits are Passed too by now
  size_t agents = 0;
  *next_ns = kNeverLapses;
  queue.walk([&](TicketRecord& ticket) {
    if (left == 0) return false;
    if (state_of(ticket) != TicketState::Woken) return true;
    --left;
    const int64_t age = now_ns - ticket.told_ns;
    const int64_t patience = std::max(patience_ns(ticket), at_least_ns);
    // Negative: told by a process whose clock is ahead, in a time namespace of its own.
    if (age >= 0 && age < patience) {
      if (patience - age < *next_ns) *next_ns = patience - age;
      return true;
    }
    if (ticket.lapses < kMaxDoublings) ++ticket.lapses;
    mark(ticket, TicketState::Passed);
    HOLDFAST_POINT("pass.marked");
    any = true;
    const AgentSlot agent = ticket.agent.load(std::memory_order_relaxed);
    if (is_lock(kind_) || agents == kAgentsAtOnce ||
        std::find(passed, passed + agents, agent) != passed + agents) {
      return true;
    }
    passed[agents++] = agent;
    pass_siblings(agent);
    return true;
  });
  return any;
}

void Stay::mark_all(AgentSlot agent, TicketState from, TicketState to) {
  queue.walk([&](TicketRecord& ticket) {
    if (ticket.agent.load(std::memory_order_relaxed) == agent && state_of(ticket) == from) {
      mark(ticket, to);
    }
    return true;
  });
}

void Stay::bring_back(AgentSlot agent) {
  if (object.passed != 0) mark_all(agent, TicketState::Passed, TicketState::Waiting);
}

void Stay::enqueue(Seat& seat, WaitMode mode) {
  TicketRecord& ticket = *seat.ticket;
  ticket.mode = mode;
  if (WaitQueue::is_queued(ticket)) {
    // Told, and there is nothing: it waits on at its place.
    if (state_of(ticket) != TicketState::Waiting) mark(ticket, TicketState::Waiting);
    return;
  }
  ticket.seq = object.next_seq++;
  ticket.since_ns = monotonic_ns();
  ticket.starved = 0;
  HOLDFAST_POINT("enqueue.numbered");
  set_state(ticket, TicketState::Waiting);
  HOLDFAST_POINT("enqueue.published");
  queue.append(seat.ticket_index);
  HOLDFAST_POINT("enqueue.linked");
  count(ticket, TicketState::Waiting, +1);
  if (region_.ticket(object.first_waiting) == nullptr) object.first_waiting = seat.ticket_index;
}

void Stay::take_out(Seat& seat, TicketState state) {
  TicketRecord& ticket = *seat.ticket;
  const bool queued = WaitQueue::is_queued(ticket);
  mark(ticket, state);
  HOLDFAST_POINT("leave.retracted");
  if (queued) queue.remove(seat.ticket_index);
  ticket.starved = 0;
  // It came, and in time: it need not be given longer.
  if (ticket.lapses != 0 && monotonic_ns() - ticket.told_ns < kLapseNs) ticket.lapses = 0;
}

void Stay::grant(TicketRecord& ticket) {
  const TicketIndex index = queue.index_of(ticket);
  mark(ticket, TicketState::Granted);
  ring_.note(region_, ticket);
  HOLDFAST_POINT("grant.told");
  queue.remove(index);
}

void Stay::unlink() {
  object.word.fetch_or(lock_word::kUnlinked, std::memory_order_acq_rel);
  HOLDFAST_POINT("unlink.marked");
  end_all_waits();
}

void Stay::end_all_waits() {
  queue.drain([this](TicketRecord& ticket) { mark(ticket, TicketState::Gone); });
  ring_all_on_leaving();
}

}  // namespace holdfast
