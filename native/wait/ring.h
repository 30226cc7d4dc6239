// Waking the agent behind a ticket, wherever it sleeps: a thread in a sync call sleeps on its ticket, an event
// loop's tickets are watched by its process' keeper, which sleeps on the process' doorbell.
#pragma once

#include "region/layout.h"
#include "region/region.h"

namespace holdfast {

// The wakes that are due. Noted under the guard, rung after it is left, so that nobody wakes up only to wait
// for the guard. Who dies in between is covered: the reaper rings every ticket that was told something.
class Ring {
 public:
  Ring() = default;
  // Under the ticket's object's guard, after the ticket was told.
  void note(Region& region, TicketRecord& ticket);
  void now();

 private:
  struct Due {
    FutexWord* word;
    bool doorbell;
  };
  static constexpr size_t kRoom = 16;
  void add(const Due& due);
  void ring(const Due& due);

  Region* region_ = nullptr;
  Due due_[kRoom];
  size_t count_ = 0;
  bool all_ = false;  // more than there is room for: whoever was told anything
};

void ring_doorbell(ProcessRecord& process);

// Each process watches over so many: the next living ones in slot order, round the ring.
inline constexpr uint32_t kWatchedLives = 8;
// Rings those who are to watch over `index`: when it joins, and when it is gone and they have one less.
void ring_watchers(Region& region, ProcessIndex index);

// Rings every ticket of the region that was told something and may not have heard it: each sleeper of a sync call,
// and each process once. Looks at all tickets, so where this process has a keeper, that does it.
void ring_all_told(Region& region);
void ring_all_told_now(Region& region);

}  // namespace holdfast
