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
  object_.queue_head = object_.queue_tail = kNone;
  const uint32_t count = Region::count(region_.header().tickets);
  for (TicketIndex index = 0; index < count; ++index) {
    TicketRecord* ticket = region_.ticket(index);
    // SYNC POINT: ticket-live.
    if (ticket == nullptr || ticket->agent.load(std::memory_order_acquire) == 0) continue;
    // Not a retired one: that is not the object's any more, whatever else it says.
    if (ticket->object.load(std::memory_order_relaxed) != index_ || !is_queued(*ticket)) continue;
    insert_by_seq(index);
    if (ticket->seq >= object_.next_seq) object_.next_seq = ticket->seq + 1;
  }
}

void WaitQueue::insert_by_seq(TicketIndex index) {
  TicketRecord& ticket = *region_.ticket(index);
  TicketIndex after = object_.queue_tail;
  TicketRecord* before_me = region_.ticket(after);
  while (before_me != nullptr && before_me->seq > ticket.seq) {
    after = before_me->previous;
    before_me = region_.ticket(after);
  }
  ticket.previous = before_me != nullptr ? after : kNone;
  ticket.next = before_me != nullptr ? before_me->next : object_.queue_head;
  TicketRecord* next = region_.ticket(ticket.next);
  (before_me != nullptr ? before_me->next : object_.queue_head) = index;
  (next != nullptr ? next->previous : object_.queue_tail) = index;
}

}  // namespace holdfast
