#include "wait/queue.h"

namespace holdfast {

uint32_t WaitQueue::length() const {
  uint32_t length = 0;
  static_cast<void>(find([&](const TicketRecord&) {
    ++length;
    return false;
  }));
  return length;
}

void WaitQueue::append(TicketIndex index) {
  TicketRecord* ticket = region_.ticket(index);
  if (ticket == nullptr) return;
  ticket->next = kNone;
  ticket->previous = object_.queue_tail;
  TicketRecord* tail = region_.ticket(object_.queue_tail);
  (tail != nullptr ? tail->next : object_.queue_head) = index;
  object_.queue_tail = index;
}

void WaitQueue::remove(TicketIndex index) {
  TicketRecord* ticket = region_.ticket(index);
  if (ticket == nullptr) return;
  TicketRecord* previous = region_.ticket(ticket->previous);
  TicketRecord* next = region_.ticket(ticket->next);
  (previous != nullptr ? previous->next : object_.queue_head) = ticket->next;
  (next != nullptr ? next->previous : object_.queue_tail) = ticket->previous;
  ticket->previous = ticket->next = kNone;
}

TicketIndex WaitQueue::index_of(const TicketRecord& ticket) const {
  const TicketRecord* next = region_.ticket(ticket.next);
  if (next != nullptr) return next->previous;
  return object_.queue_tail;
}

void WaitQueue::rebuild() {
  // Sorted as it is found, by merging lists of equal length: [i] has 2^i tickets, or none. In no other memory than the
  // tickets' own, and as quick for 40,000 of them in the wrong order as in the right one.
  TicketIndex sorted[kSortedLists];
  for (TicketIndex& list : sorted) list = kNone;
  const uint32_t count = Region::count(region_.header().tickets);
  for (TicketIndex index = 0; index < count; ++index) {
    TicketRecord* ticket = region_.ticket(index);
    // SYNC POINT: ticket-live.
    if (ticket == nullptr || ticket->agent.load(std::memory_order_acquire) == 0) continue;
    // Not a retired one: that is not the object's any more, whatever else it says.
    if (ticket->object.load(std::memory_order_relaxed) != index_ || !is_queued(*ticket)) continue;
    ticket->next = kNone;
    if (ticket->seq >= object_.next_seq) object_.next_seq = ticket->seq + 1;
    TicketIndex carried = index;
    size_t list = 0;
    for (; list + 1 < kSortedLists && sorted[list] != kNone; ++list) {
      carried = merge(sorted[list], carried);
      sorted[list] = kNone;
    }
    sorted[list] = carried;
  }
  TicketIndex all = kNone;
  for (const TicketIndex list : sorted) all = merge(list, all);
  object_.queue_head = object_.queue_tail = kNone;
  for (uint32_t left = count; all != kNone && left > 0; --left) {
    const TicketRecord* ticket = region_.ticket(all);
    if (ticket == nullptr) return;
    const TicketIndex next = ticket->next;
    append(all);
    all = next;
  }
}

// Two lists in seq order, linked by `next` alone, become one.
TicketIndex WaitQueue::merge(TicketIndex a, TicketIndex b) {
  TicketIndex first = kNone;
  TicketIndex* end = &first;
  for (uint32_t left = Region::count(region_.header().tickets); left > 0; --left) {
    TicketRecord* of_a = region_.ticket(a);
    TicketRecord* of_b = region_.ticket(b);
    if (of_a == nullptr || of_b == nullptr) break;
    const bool takes_a = of_a->seq < of_b->seq;
    *end = takes_a ? a : b;
    end = takes_a ? &of_a->next : &of_b->next;
    (takes_a ? a : b) = *end;
  }
  *end = a != kNone ? a : b;
  return first;
}

}  // namespace holdfast
