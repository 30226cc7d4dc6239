// One stay inside an object's guard: its queue, and the wakes that fall due, which are rung on leaving.
//
// A kind's stay derives from it, and has a repair(), which makes all that is index anew from the tickets. It is called
//   - by the constructor, where needs_repair(): somebody died in here, or the queue's ends and counts cannot be so;
//   - by the destructor, where is_damaged(): the verb has met what cannot be, and has ended early.
//
// Whoever makes a stay asks entered() first. No: the guard is not to be had, or the record is of another kind by now;
// nothing may be touched, and what somebody dead left in there is for the next one.
#pragma once

#include <limits>

#include "posix/fault.h"
#include "region/guard.h"
#include "region/registry.h"
#include "sync/lock_word.h"
#include "wait/queue.h"
#include "wait/ring.h"

namespace holdfast {

inline TicketState state_of(const TicketRecord& ticket) {
  // SYNC POINT: ticket-told. acquire, with the release in set_state().
  return static_cast<TicketState>(ticket.state.load(std::memory_order_acquire));
}

inline void set_state(TicketRecord& ticket, TicketState state) {
  ticket.state.store(static_cast<uint32_t>(state), std::memory_order_release);
}

// Between two plain stores of which a death may leave only the first. A death keeps the order of the program's
// instructions; this keeps the compiler from another one.
inline void in_this_order() { std::atomic_signal_fence(std::memory_order_seq_cst); }

// So long may one who was told take to come: well over the time in which a process that runs is woken up. Who was late
// before is given twice as long each time, up to eight times: a loop whose turns are longer gets its turn all the same.
inline constexpr int64_t kLapseNs = 4'000'000;
inline constexpr uint16_t kMaxDoublings = 3;
inline int64_t patience_ns(const TicketRecord& ticket) {
  return kLapseNs << (ticket.lapses < kMaxDoublings ? ticket.lapses : kMaxDoublings);
}
// Who looks for itself passes on only what its teller's keeper should have passed on long ago.
inline constexpr int64_t kLongLapsedNs = 40'000'000;
inline constexpr int64_t kNeverLapses = std::numeric_limits<int64_t>::max();

class Stay {
 public:
  Stay(Region& region, const Seat& seat)
      : queue(region, *seat.object, seat.object_index),
        object(*seat.object),
        region_(region),
        index_(seat.object_index),
        kind_(seat.kind),
        guard_(region, object.guard) {
    if (guard_.entered() && read_once(object.kind) != kind_) guard_.leave_as_found();
  }
  ~Stay() {
    HOLDFAST_CHECK(asked_);
    guard_.leave();
    ring_.now();
    if (ring_all_) ring_all_told(region_);
    if (told_ && region_.told_watch().note(index_)) ring_doorbell(region_.self_record());
  }
  Stay(const Stay&) = delete;
  Stay& operator=(const Stay&) = delete;

  [[nodiscard]] bool entered() const {
    asked_ = true;
    return guard_.entered();
  }
  // Whether the seat's ticket is still its own: else somebody has scribbled.
  [[nodiscard]] bool has(const Seat& seat) const {
    return seat.ticket->agent.load(std::memory_order_acquire) == seat.agent &&
           seat.ticket->object.load(std::memory_order_relaxed) == index_;
  }

  // Somebody died in here, or scribbled: whoever enters first must make the state whole.
  [[nodiscard]] bool needs_repair() const {
    if (!is_inside()) return false;
    return guard_.needs_repair() || !queue.ends_are_whole() ||
           (sums_ != nullptr && queue.empty() && (sums_->woken != 0 || sums_->to_come != 0));
  }
  // Something in here cannot be.
  [[nodiscard]] bool is_damaged() const { return is_inside() && queue.is_damaged(); }

  // Changes the state of a ticket that is in the queue, or is about to leave it.
  void mark(TicketRecord& ticket, TicketState state);
  // Tells a ticket in the queue to come and take what it waits for. Its agent is woken, and whether it comes is
  // looked after (wait/lapse.h).
  void wake(TicketRecord& ticket, int64_t now_ns);
  [[nodiscard]] uint32_t woken() const { return object.woken.load(std::memory_order_relaxed); }
  [[nodiscard]] bool any_woken() const { return woken() != 0; }
  [[nodiscard]] bool anybody_waits() const { return object.first_waiting != kNone; }
  // The first to tell; nullptr: none is Waiting. Whose process is about to be reaped is left out, as if it had been
  // told and had not come.
  [[nodiscard]] TicketRecord* next_to_tell();
  // Marks those Passed who were told too long ago, and with each what else its agent waits for here: that agent does not
  // run. Who is told instead is up to the caller. Returns whether there were any; in `next_ns` is how long until the
  // next one lapses, kNeverLapses where none is Woken any more.
  bool lapse(int64_t now_ns, int64_t* next_ns, int64_t at_least_ns = 0);
  // The other way round: its agent runs again. What of it is Passed, is Waiting again.
  void bring_back(AgentSlot agent);
  void ring_all_on_leaving() { ring_all_ = true; }
  // Whoever is Woken now is looked after by this process, whoever told it.
  void look_after_woken() { told_ = told_ || any_woken(); }

  // Puts the seat's ticket at the end. Its role and units are set before.
  void enqueue(Seat& seat, WaitMode mode);
  // Takes the ticket out, whatever it waits for or was told.
  void leave_queue(Seat& seat) { take_out(seat, TicketState::None); }
  void take_out(Seat& seat, TicketState state);
  // Gives the queued ticket what it waits for, and what nobody else could use: Granted, out of the queue, woken.
  void grant(TicketRecord& ticket);
  // The ticket is no longer one of the object's. It must not wait or hold.
  void retire(Seat& seat) {
    seat.ticket->object.fetch_or(kRetired, std::memory_order_relaxed);  // ordered by the guard
  }
  // UNLINKED in the object's word, whatever its kind: it is over.
  [[nodiscard]] bool unlinked() const {
    return lock_word::is_unlinked(object.word.load(std::memory_order_acquire));
  }
  // Ends the object, which nobody holds.
  void unlink();
  // The object was unlinked: everybody out.
  void end_all_waits();

  // Some of what is counted: never below nothing.
  template <typename Count, typename Units>
  void take_off(Count& count, Units units) {
    if (units > count) queue.damaged();
    count = units > count ? 0 : static_cast<Count>(count - units);
  }

  // Calls `visit(ticket)` for every ticket of the object, waiting or not. For repairs: looks at all tickets of
  // the region.
  template <typename Visit>
  void for_each_ticket(Visit visit) {
    const uint32_t count = Region::count(region_.header().tickets);
    for (TicketIndex i = 0; i < count; ++i) {
      TicketRecord* ticket = region_.ticket(i);
      if (ticket != nullptr && ticket->agent.load(std::memory_order_acquire) != 0 &&
          ticket->object.load(std::memory_order_relaxed) == index_) {
        visit(*ticket);
      }
    }
  }

  WaitQueue queue;
  ObjectRecord& object;

 protected:
  [[nodiscard]] bool is_inside() const { return guard_.entered(); }
  // What else an agent waits for here that does not run.
  void pass_siblings(AgentSlot agent) {
    mark_all(agent, TicketState::Waiting, TicketState::Passed);
  }
  // The queue and all that is counted of it anew, from the tickets.
  void rebuild();

  Region& region_;
  ObjectIndex index_;
  Kind kind_;
  UnitSums* sums_ = nullptr;  // of the kinds that have them

 private:
  void count(const TicketRecord& ticket, TicketState state, int32_t change);
  void mark_all(AgentSlot agent, TicketState from, TicketState to);
  void find_first_waiting(const TicketRecord& from);

  Guard guard_;
  Ring ring_;
  bool ring_all_ = false;
  bool told_ = false;           // somebody in the queue is to come
  mutable bool asked_ = false;  // entered() was
};

}  // namespace holdfast
