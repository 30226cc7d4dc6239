#include "wait/reaper.h"

#include <algorithm>
#include <array>
#include <ctime>

#include "posix/fault.h"
#include "sync/attempt.h"
#include "wait/ring.h"

namespace holdfast {
namespace {

// Who has not got on for so long is stopped, or has died: others join in.
constexpr int64_t kStandstillNs = 5'000'000;
// Seats mostly stand at the same few objects, whose guards a reaper takes again and again: in between it lets others in.
constexpr int64_t kWorkNs = 1'000'000;
constexpr int64_t kRestNs = 50'000;
// Tickets that are looked at between two looks at the clock.
constexpr uint32_t kTicketsPerLook = 512;

bool is_marked_dead(Region& region, ProcessRecord& process) {
  // State first: the life of a free record is still marked, and its next owner's is not.
  switch (process.state.load(std::memory_order_acquire)) {  // SYNC POINT: process-live
    case ProcessState::Free:
      return false;
    case ProcessState::Dead:
      return true;
    default:
      return region.is_marked(process);
  }
}

// Says that a reaper gets on, and when its time is up.
class Progress {
 public:
  Progress(ProcessRecord& process, Deadline until) : process_(process), until_(until) { say(); }
  // relaxed, all of it: a hint.
  void leave_off() { process_.reaped_ns.store(0, std::memory_order_relaxed); }
  void say() {
    now_ns_ = monotonic_ns();
    process_.reaped_ns.store(now_ns_, std::memory_order_relaxed);
  }
  [[nodiscard]] bool is_time_up() const { return !until_.is_never() && now_ns_ >= until_.ns(); }
  void rest_now_and_then() {
    if (now_ns_ - rested_ns_ < kWorkNs || !until_.is_never()) return;
    const timespec rest{0, kRestNs};
    ::nanosleep(&rest, nullptr);
    rested_ns_ = monotonic_ns();
  }

 private:
  ProcessRecord& process_;
  Deadline until_;
  int64_t now_ns_ = 0;
  int64_t rested_ns_ = monotonic_ns();
};

bool another_gets_on(const ProcessRecord& process) {
  const int64_t reaped_ns = process.reaped_ns.load(std::memory_order_relaxed);  // a hint
  if (reaped_ns == 0) return false;
  // Its clock may be another, in a time namespace of its own: then it is as if it stood still.
  const int64_t since_ns = monotonic_ns() - reaped_ns;
  return since_ns >= 0 && since_ns < kStandstillNs;
}

// Calls `visit(index, ticket, agent)` for each ticket that is in use. False: `visit` has had enough.
template <typename Visit>
bool for_each_ticket(Region& region, Visit visit) {
  const uint32_t count = Region::count(region.header().tickets);
  for (TicketIndex index = 0; index < count; ++index) {
    TicketRecord* ticket = region.ticket(index);
    if (ticket == nullptr) continue;
    const AgentSlot agent =
        ticket->agent.load(std::memory_order_acquire);  // SYNC POINT: ticket-live
    if (agent != 0 && !visit(index, *ticket, agent)) return false;
  }
  return true;
}

// An agent holds and waits only where it has a seat, and every seat has a ticket.
Seat seat_of(Region& region, TicketIndex index, TicketRecord& ticket, AgentSlot agent) {
  const ObjectIndex object = ticket.object.load(std::memory_order_relaxed) & ~kRetired;
  Seat seat;
  seat.agent = agent;
  seat.object_index = object;
  seat.ticket_index = index;
  seat.object = region.object(object);
  seat.ticket = &ticket;
  if (seat.object == nullptr) return seat;
  // Whether it still is of this kind the stay sees.
  seat.kind = read_once(seat.object->kind);
  seat.parameters = {read_once(seat.object->parameters.first),
                     read_once(seat.object->parameters.second)};
  return seat;
}

// Objects whose guard was not to be had: what is to be done there is left for the next time, and nothing else.
class LeftOut {
 public:
  [[nodiscard]] bool any() const { return count_ > 0; }
  [[nodiscard]] bool has(ObjectIndex object) const {
    const ObjectIndex* end = objects_.data() + count_;
    return std::find(objects_.data(), end, object) != end;
  }
  // False: they are too many, and all that is left is for the next time.
  bool add(ObjectIndex object) {
    if (count_ == objects_.size()) return false;
    objects_[count_++] = object;
    return true;
  }

 private:
  std::array<ObjectIndex, 16> objects_{};
  size_t count_ = 0;
};

// One dead process.
class Reaping {
 public:
  Reaping(Region& region, ProcessRecord& process, ProcessId dead, Deadline until)
      : region_(region), dead_(dead), progress_(process, until) {}

  // False: the time is up, or a guard is not to be had. What is done is done. Where one object's guard is not, only that
  // object waits: what the dead one held elsewhere is given back, as no wait of its own is queued there.
  bool run() {
    const bool done = pass([this](const Seat& seat) {
                        if (seat.object == nullptr || left_out_.has(seat.object_index)) return true;
                        const bool out = withdraw_seat(region_, {seat, dead_});
                        HOLDFAST_POINT("reap.withdrawn");
                        return out || left_out_.add(seat.object_index);
                      }) &&
                      pass([this](const Seat& seat) {
                        if (seat.object != nullptr) {
                          if (left_out_.has(seat.object_index)) return true;
                          if (!reap_seat(region_, {seat, dead_}))
                            return left_out_.add(seat.object_index);
                        }
                        HOLDFAST_POINT("reap.given-back");
                        const Status closed =
                            Registry(region_).close_dead(dead_, seat.agent, seat.ticket_index);
                        HOLDFAST_POINT("reap.ticket-freed");
                        return closed != Status::Corrupt;
                      });
    if (!done || left_out_.any()) {
      progress_.leave_off();
      return false;
    }
    // It may have died between telling a waiter and waking it.
    ring_all_told(region_);
    ring_watchers(region_, dead_.index);
    HOLDFAST_POINT("reap.rung");
    const Status freed = Registry(region_).free_dead(dead_);
    HOLDFAST_POINT("reap.freed");
    return freed != Status::Corrupt;
  }

 private:
  // `step` says whether it is done.
  template <typename Step>
  bool pass(Step step) {
    uint32_t until_look = kTicketsPerLook;
    return for_each_ticket(region_, [&](TicketIndex index, TicketRecord& ticket, AgentSlot agent) {
      const bool mine = is_its(agent);
      if (mine) {
        const Seat seat = seat_of(region_, index, ticket, agent);
        HOLDFAST_POINT("reap.found");
        if (!step(seat)) return false;
      }
      // A step may take a while: it has a guard to wait for.
      if (!mine && --until_look > 0) return true;
      until_look = kTicketsPerLook;
      progress_.say();
      progress_.rest_now_and_then();
      return !progress_.is_time_up();
    });
  }

  [[nodiscard]] bool is_its(AgentSlot slot) {
    const AgentRecord* agent = region_.agent(slot);
    return agent != nullptr && agent->process.load(std::memory_order_acquire) ==
                                   dead_.index + 1;  // SYNC POINT: agent-live
  }

  Region& region_;
  ProcessId dead_;
  Progress progress_;
  LeftOut left_out_;
};

// False: look again.
bool reap_process(Region& region, ProcessRecord& process, ProcessIndex index, Deadline until) {
  // First the generation: what is seen of the record after it is this process' or a later one's.
  const ProcessId dead{index, process.generation.load(std::memory_order_acquire)};
  const ProcessState state = process.state.load(std::memory_order_acquire);
  if (state == ProcessState::Free) return true;
  // The mark says that its keeper is gone. A thread that holds a lock may still be in a system call that
  // the kill does not cut short: what it holds is not free before that ends. A record that says Dead is asked too: it may
  // have been scribbled over.
  if (!region.has_ended(index)) {
    ring_doorbell(process);  // should it live: its keeper mends the mark
    return false;
  }
  if (another_gets_on(process)) return false;
  HOLDFAST_POINT("reap.ended");
  const Status buried = Registry(region).bury(dead);
  if (buried != Status::Ok) return buried == Status::NotFound;  // others have reaped it since
  HOLDFAST_POINT("reap.begun");
  return Reaping(region, process, dead, until).run();
}

}  // namespace

bool is_due(Region& region, const Dead& dead) {
  // In this order. At the end the process is Dead, and has been since before all this was read, for whoever asks has
  // seen it so: so the agent was its own all the time, and gets no new tickets. This one can be retired by
  // who has the guard alone, and that are we.
  const TicketRecord& ticket = *dead.seat.ticket;
  if (ticket.object.load(std::memory_order_acquire) != dead.seat.object_index) return false;
  if (ticket.agent.load(std::memory_order_acquire) != dead.seat.agent) return false;
  if (dead.process.index == kNone) return true;
  const AgentRecord* agent = region.agent(dead.seat.agent);
  const ProcessRecord* process = region.process(dead.process.index);
  return agent != nullptr && process != nullptr &&
         agent->process.load(std::memory_order_acquire) == dead.process.index + 1 &&
         // SYNC POINT: process-dead.
         process->state.load(std::memory_order_acquire) == ProcessState::Dead &&
         process->generation.load(std::memory_order_relaxed) == dead.process.generation;
}

bool reap_dead_processes(Region& region, Deadline until) {
  bool all_done = true;
  const Guard::ShortPatience comes_again;
  const uint32_t count = region.process_limit();
  for (ProcessIndex index = 0; index < count; ++index) {
    ProcessRecord* process = region.process(index);
    if (process == nullptr || region.is_self(index) || !is_marked_dead(region, *process)) continue;
    if (!reap_process(region, *process, index, until)) all_done = false;
    if (until.passed()) {
      ring_doorbell(region.self_record());
      return true;
    }
  }
  return !all_done;
}

void settle_deaths(Region& region) {
  constexpr int64_t kSettleNs = 10'000'000;
  const Deadline until = Deadline::after_ns(kSettleNs);
  while (reap_dead_processes(region, until) && !until.passed()) {
    const timespec nap{0, 100'000};
    ::nanosleep(&nap, nullptr);
  }
}

bool is_dying(Region& region, AgentSlot agent) {
  ProcessRecord* process = region.process_of(agent);
  return process != nullptr && process != &region.self_record() && is_marked_dead(region, *process);
}

bool reap_agent(Region& region, AgentSlot slot) {
  const Guard::ShortPatience comes_again;
  LeftOut left_out;
  const auto pass = [&](auto step) {
    return for_each_ticket(region, [&](TicketIndex index, TicketRecord& ticket, AgentSlot agent) {
      return agent != slot || step(seat_of(region, index, ticket, agent));
    });
  };
  return pass([&](const Seat& seat) {
           if (seat.object == nullptr || left_out.has(seat.object_index)) return true;
           return withdraw_seat(region, {seat, {}}) || left_out.add(seat.object_index);
         }) &&
         pass([&](const Seat& seat) {
           if (seat.object != nullptr) {
             if (left_out.has(seat.object_index)) return true;
             if (!reap_seat(region, {seat, {}})) return left_out.add(seat.object_index);
           }
           const Status closed = Registry(region).close(slot, seat.ticket_index);
           HOLDFAST_POINT("reap.ticket-freed");
           return closed == Status::Ok;
         }) &&
         !left_out.any() && Registry(region).free_agent(slot);
}

}  // namespace holdfast
