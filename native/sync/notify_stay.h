// A stay inside a condition, or a value or array that is waited at: who waits is notified, and comes to take note.
//
// A notification is for one of those who waited when it was made. One that is not taken note of in time goes on to
// another of those, if there is any: so notify(1) is not lost on one who does not run, and what all were told nobody
// takes from them. First the other is told, then its own is taken: who dies in between notifies one too many, which a
// waiter must bear anyway, and never one too few.
//
// A notified ticket is Woken, and has in `units` the low bits of the first place in the queue that came too late for
// the notification, in `starved` how often it has gone on: each time it is given twice as long to be taken note of,
// so that it arrives also where everybody is slow.
#pragma once

#include "wait/stay.h"

namespace holdfast {

class NotifyStay : public Stay {
 public:
  NotifyStay(Region& region, const Seat& seat) : Stay(region, seat) {
    if (needs_repair()) repair();
  }
  ~NotifyStay() {
    if (is_damaged()) repair();
  }

  // Notifies at most `count` of those who wait in this role, in their order; who is Passed does not run, and comes after
  // all others. Returns how many.
  int32_t notify(uint32_t role, uint32_t count);
  // The ticket's agent has died: its notification goes on to another that waited already, if there is any.
  void hand_on(const TicketRecord& dead);
  // Notifications that were not taken note of in time go on.
  void pass_on(int64_t* next_ns, int64_t at_least_ns = 0);
  // Whether the ticket has a notification. One that has gone on while its agent did not run is taken back from who has
  // it now and has not come either; one that another was told of too long ago goes on.
  bool is_notified(TicketRecord& ticket);

 private:
  void repair() {
    rebuild();
    if (unlinked()) end_all_waits();
    ring_all_on_leaving();
  }
  bool has_notification(TicketRecord& ticket);
  [[nodiscard]] TicketRecord* another_for(const TicketRecord& notified, TicketState in);
};

}  // namespace holdfast
