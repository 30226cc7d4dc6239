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

bool WaitQueue::ends_are_whole() const {
  const TicketIndex head = object_.queue_head;
  const TicketIndex tail = object_.queue_tail;
  // relaxed: ordered by the guard
  const bool any_told = object_.passed != 0 || object_.woken.load(std::memory_order_relaxed) != 0;
  const bool any_waits = object_.first_waiting != kNone;
  if (head == kNone || tail == kNone) return head == tail && !any_told && !any_waits;
  if (!any_told && !any_waits) return false;
  const TicketRecord* first = queued(head);
  const TicketRecord* last = queued(tail);
  return first != nullptr && last != nullptr && first->previous == kNone && last->next == kNone;
}

void WaitQueue::append(TicketIndex index) {
  TicketRecord* ticket = region_.ticket(index);
  if (ticket == nullptr) return;
  ticket->next = ticket->previous = kNone;
  TicketRecord* tail = queued(object_.queue_tail);
  if (tail == nullptr ? !empty() : tail->next != kNone || tail->seq >= ticket->seq) {
    damaged();  // and its state says that it is queued
    return;
  }
  if (tail != nullptr) ticket->previous = object_.queue_tail;
  (tail != nullptr ? tail->next : object_.queue_head) = index;
  object_.queue_tail = index;
}

void WaitQueue::remove(TicketIndex index) {
  TicketRecord* ticket = region_.ticket(index);
  if (ticket == nullptr) return;
  TicketRecord* previous = queued(read_once(ticket->previous));
  TicketRecord* next = queued(read_once(ticket->next));
  TicketIndex& to_it = previous != nullptr ? previous->next : object_.queue_head;
  TicketIndex& back_to_it = next != nullptr ? next->previous : object_.queue_tail;
  if (to_it == index && back_to_it == index) {
    to_it = ticket->next;
    back_to_it = ticket->previous;
  } else {
    damaged();
  }
  ticket->previous = ticket->next = kNone;
}

TicketIndex WaitQueue::index_of(const TicketRecord& ticket) const {
  const TicketRecord* next = region_.ticket(read_once(ticket.next));
  const TicketIndex index = next != nullptr ? read_once(next->previous) : object_.queue_tail;
  if (region_.ticket(index) == &ticket) return index;
  damaged();
  return region_.index_of(ticket);
}

void WaitQueue::rebuild() {
  // Sorted as it is found, by merging lists of equal length: [i] has 2^i tickets, or none. In no other memory than the
  // tickets' own, and as quick for 40,000 of them in the wrong order as in the right one.
  TicketIndex sorted[kSortedLists];
  for (TicketIndex& list : sorted) list = kNone;
  uint64_t highest = 0;
  const uint32_t count = Region::count(region_.header().tickets);
  for (TicketIndex index = 0; index < count; ++index) {
    TicketRecord* ticket = region_.ticket(index);
    if (ticket == nullptr || !is_of_this(*ticket) || !is_queued(*ticket)) continue;
    ticket->next = kNone;
    if (ticket->seq > highest) highest = ticket->seq;
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
  link_all(all, highest);
}

// In the order of this list, that has only `next`.
void WaitQueue::link_all(TicketIndex first, uint64_t highest) {
  object_.queue_head = object_.queue_tail = kNone;
  is_damaged_ = false;
  const bool anew = highest >= kHighestSeq || object_.next_seq >= kHighestSeq;
  uint64_t seq = 0;
  TicketIndex index = first;
  for (uint32_t left = Region::count(region_.header().tickets); index != kNone && left > 0;
       --left) {
    TicketRecord* ticket = region_.ticket(index);
    if (ticket == nullptr) break;
    const TicketIndex next = ticket->next;
    // Two places are never the same, but for damage.
    if (anew || ticket->seq <= seq) ticket->seq = seq + 1;
    seq = ticket->seq;
    append(index);
    index = next;
  }
  if (anew || object_.next_seq <= seq) object_.next_seq = seq + 1;
}

// Two lists in seq order, linked by `next` alone, become one.
TicketIndex WaitQueue::merge(TicketIndex a, TicketIndex b) {
  TicketIndex first = kNone;
  TicketIndex* end = &first;
  for (uint32_t left = Region::count(region_.header().tickets); left > 0; --left) {
    TicketRecord* of_a = region_.ticket(a);
    TicketRecord* of_b = region_.ticket(b);
    if (of_a == nullptr || of_b == nullptr) break;  // the end of one: kNone
    const bool takes_a = of_a->seq < of_b->seq;
    *end = takes_a ? a : b;
    end = takes_a ? &of_a->next : &of_b->next;
    (takes_a ? a : b) = *end;
  }
  *end = a != kNone ? a : b;
  return first;
}

}  // namespace holdfast
