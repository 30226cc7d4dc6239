// One stay inside an object's guard: its queue, and the wakes that fall due, which are rung on leaving.
#pragma once

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

class Stay {
 public:
  Stay(Region& region, ObjectIndex index, ObjectRecord& object)
      : queue(region, object, index),
        object(object),
        region_(region),
        index_(index),
        guard_(region, object.guard) {}
  ~Stay() {
    guard_.leave();
    ring_.now();
    if (ring_all_) ring_all_told(region_);
  }
  Stay(const Stay&) = delete;
  Stay& operator=(const Stay&) = delete;

  // Somebody died in here: whoever enters first must make the state whole.
  [[nodiscard]] bool needs_repair() const { return guard_.needs_repair(); }

  // Tells a ticket, in the queue or out of it, and has its agent woken.
  void tell(TicketRecord& ticket, TicketState state) {
    set_state(ticket, state);
    ring_.note(region_, ticket);
  }
  void ring_all_on_leaving() { ring_all_ = true; }

  // Puts the seat's ticket at the end. Its role and units are set before.
  void enqueue(Seat& seat, WaitMode mode);
  // Takes the ticket out, whatever it waits for or was told.
  void leave_queue(Seat& seat);
  // Hands the queued ticket what it waits for: Granted, out of the queue, woken.
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
  Region& region_;

 private:
  ObjectIndex index_;
  Guard guard_;
  Ring ring_;
  bool ring_all_ = false;
};

}  // namespace holdfast
