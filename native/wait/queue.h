// The waiters of one object, first come first served: a list over its tickets. All under the object's guard.
// The list is an index; rebuild() makes it from the tickets.
//
// Whatever stands in the links: each ticket that is met must be one of the object's, queued, and of a later place than
// the one before. So a walk meets no ticket twice and ends; and where it ended too early, is_damaged() says so.
#pragma once

#include "region/layout.h"
#include "region/region.h"

namespace holdfast {

class WaitQueue {
 public:
  WaitQueue(Region& region, ObjectRecord& object, ObjectIndex index)
      : region_(region), object_(object), index_(index) {}

  [[nodiscard]] bool empty() const { return object_.queue_head == kNone; }
  [[nodiscard]] TicketRecord* head() const { return queued(object_.queue_head); }
  [[nodiscard]] uint32_t length() const;
  // The first that `is_wanted`; nullptr if none.
  template <typename IsWanted>
  [[nodiscard]] TicketRecord* find(IsWanted is_wanted) const {
    TicketRecord* found = nullptr;
    walk([&](TicketRecord& ticket) {
      if (!is_wanted(ticket)) return true;
      found = &ticket;
      return false;
    });
    return found;
  }

  // Calls `visit(ticket)` from the head on, for as long as it returns true. It may take the ticket out.
  template <typename Visit>
  void walk(Visit visit) const {
    walk_from(head(), visit);
  }
  // The same, from the one behind `ticket` on.
  template <typename Visit>
  void walk_after(const TicketRecord& ticket, Visit visit) const {
    walk_from(behind(ticket, read_once(ticket.seq)), visit);
  }
  // The same, from `ticket` on.
  template <typename Visit>
  void walk_from(TicketRecord* ticket, Visit visit) const {
    uint64_t seq = ticket != nullptr ? read_once(ticket->seq) : 0;
    // Bounded all the same: somebody may be scribbling now.
    for (uint32_t left = Region::count(region_.header().tickets); ticket != nullptr && left > 0;
         --left) {
      TicketRecord* next = behind(*ticket, seq);
      if (next != nullptr) seq = read_once(next->seq);
      if (!visit(*ticket)) return;
      ticket = next;
    }
  }

  // To the end; its seq must be the highest.
  void append(TicketIndex index);
  void remove(TicketIndex index);
  [[nodiscard]] TicketIndex index_of(const TicketRecord& ticket) const;

  // Takes everybody out, and calls `out(ticket)` for each before.
  template <typename Out>
  void drain(Out out) {
    walk([&](TicketRecord& ticket) {
      out(ticket);
      ticket.previous = ticket.next = kNone;
      return true;
    });
    object_.queue_head = object_.queue_tail = kNone;
  }

  // Something was met that cannot be: all is to be built anew from the tickets.
  [[nodiscard]] bool is_damaged() const { return is_damaged_; }
  void damaged() const { is_damaged_ = true; }
  // Whether the ends are such as they may be. What is between them a walk finds out.
  [[nodiscard]] bool ends_are_whole() const;
  // The ticket of this number, where it is one of the object's that is queued.
  [[nodiscard]] TicketRecord* queued(TicketIndex index) const {
    if (index == kNone) return nullptr;
    TicketRecord* ticket = region_.ticket(index);
    if (ticket != nullptr && is_of_this(*ticket) && is_queued(*ticket)) return ticket;
    damaged();
    return nullptr;
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
  // From here on places are given anew: no queue has had so many.
  static constexpr uint64_t kHighestSeq = uint64_t{1} << 62;
  TicketIndex merge(TicketIndex a, TicketIndex b);
  void link_all(TicketIndex first, uint64_t highest);
  // Not a retired one: that is not the object's any more, whatever else it says.
  [[nodiscard]] bool is_of_this(const TicketRecord& ticket) const {
    return ticket.object.load(std::memory_order_relaxed) == index_ &&  // ordered by the guard
           ticket.agent.load(std::memory_order_acquire) != 0;          // SYNC POINT: ticket-live
  }
  [[nodiscard]] TicketRecord* behind(const TicketRecord& ticket, uint64_t seq) const {
    TicketRecord* next = queued(read_once(ticket.next));
    if (next == nullptr || read_once(next->seq) > seq) return next;
    damaged();
    return nullptr;
  }

  Region& region_;
  ObjectRecord& object_;
  ObjectIndex index_;
  mutable bool is_damaged_ = false;
};

}  // namespace holdfast
