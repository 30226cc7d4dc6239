#include "wait/stay.h"

#include "posix/deadline.h"
#include "posix/fault.h"

namespace holdfast {

void Stay::enqueue(Seat& seat, WaitMode mode) {
  TicketRecord& ticket = *seat.ticket;
  ticket.mode = mode;
  if (WaitQueue::is_queued(ticket)) return;
  ticket.seq = object.next_seq++;
  ticket.since_ns = monotonic_ns();
  ticket.starved = 0;
  HOLDFAST_POINT("enqueue.numbered");
  set_state(ticket, TicketState::Waiting);
  HOLDFAST_POINT("enqueue.published");
  queue.append(seat.ticket_index);
  HOLDFAST_POINT("enqueue.linked");
}

void Stay::leave_queue(Seat& seat) {
  TicketRecord& ticket = *seat.ticket;
  const bool queued = WaitQueue::is_queued(ticket);
  set_state(ticket, TicketState::None);
  HOLDFAST_POINT("leave.retracted");
  if (queued) queue.remove(seat.ticket_index);
  ticket.starved = 0;
}

void Stay::grant(TicketRecord& ticket) {
  const TicketIndex index = queue.index_of(ticket);
  tell(ticket, TicketState::Granted);
  HOLDFAST_POINT("grant.told");
  queue.remove(index);
}

void Stay::unlink() {
  object.word.fetch_or(lock_word::kUnlinked, std::memory_order_acq_rel);
  HOLDFAST_POINT("unlink.marked");
  end_all_waits();
}

void Stay::end_all_waits() {
  queue.drain([](TicketRecord& ticket) { set_state(ticket, TicketState::Gone); });
  ring_all_on_leaving();
}

}  // namespace holdfast
