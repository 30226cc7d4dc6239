// The waiters of one object, first come first served: a list over its tickets. All under the object's guard.
// The list is an index; rebuild() makes it from the tickets.
#pragma once

#include "region/layout.h"
#include "region/region.h"

namespace holdfast {

class WaitQueue {
 public:
  WaitQueue(Region& region, ObjectRecord& object, ObjectIndex index)
      : region_(region), object_(object), index_(index) {}

  [[nodiscard]] bool empty() const { return object_.queue_head == kNone; }
  [[nodiscard]] TicketRecord* head() const { return region_.ticket(object_.queue_head); }
  [[nodiscard]] uint32_t length() const;
  // The first that `is_wanted`; nullptr if none. Bounded by the number of tickets that exist: a scribbled list ends,
  // and is never a hang.
  template <typename IsWanted>
  [[nodiscard]] TicketRecord* find(IsWanted is_wanted) const {
    TicketRecord* ticket = head();
    for (uint32_t left = Region::count(region_.header().tickets); ticket != nullptr && left > 0;
         --left) {
      if (is_wanted(*ticket)) return ticket;
      ticket = region_.ticket(ticket->next);
    }
    return nullptr;
  }

  // Calls `visit(ticket)` from the head on, for as long as it returns true. It may take the ticket out.
  template <typename Visit>
  void walk(Visit visit) const {
    walk_from(head(), visit);
  }
  // The same, from the one behind `ticket` on.
  template <typename Visit>
  void walk_after(const TicketRecord& ticket, Visit visit) const {
    walk_from(region_.ticket(ticket.next), visit);
  }
  // The same, from `ticket` on.
  template <typename Visit>
  void walk_from(TicketRecord* ticket, Visit visit) const {
    for (uint32_t left = Region::count(region_.header().tickets); ticket != nullptr && left > 0;
         --left) {
      TicketRecord* next = region_.ticket(ticket->next);
      if (!visit(*ticket)) return;
      ticket = next;
    }
  }

  // To the end; its seq must be the highest.
  void append(TicketIndex index);
  void remove(TicketIndex index);
  [[nodiscard]] TicketIndex index_of(const TicketRecord& ticket) const;

  // Takes everybody out, and calls `out(ticket)` for each before. A scribbled list ends too.
  template <typename Out>
  void drain(Out out) {
    for (uint32_t left = Region::count(region_.header().tickets); left > 0; --left) {
      TicketRecord* ticket = head();
      if (ticket == nullptr) break;
      out(*ticket);
      object_.queue_head = ticket->next;
      ticket->previous = ticket->next = kNone;
    }
    object_.queue_head = object_.queue_tail = kNone;
  }

  // Truth -> index: every ticket of the object that is queued, in seq order.
  void rebuild();

  static bool is_queued(const TicketRecord& ticket) {
    const auto state = static_cast<TicketState>(ticket.state.load(std::memory_order_acquire));
    return state == TicketState::Waiting || state == TicketState::Woken ||
           state == TicketState::Passed;
  }

 private:
  // Of a table of tickets that is full: 2^23 are the most.
  static constexpr size_t kSortedLists = 24;
  TicketIndex merge(TicketIndex a, TicketIndex b);

  Region& region_;
  ObjectRecord& object_;
  ObjectIndex index_;
};

}  // namespace holdfast
