// One object of any kind and some agents that one thread drives in turn, so that each order of events is a fixed
// one. After every step what the headers promise is checked: the queue is its tickets in order, and the counts are
// what the tickets say. A test says what it expects as a picture:
//
//   "2w 3w / 1g 4x"   the queue, head first: 2 and 3 wait; out of the queue: 1 was granted, 4 was told that the
//                     object is over
//
// Agents are numbered 1 ... as the test made them. Each has a home seat and one waiter.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "fixture.h"
#include "sync/attempt.h"
#include "sync/barrier.h"
#include "sync/condition.h"
#include "sync/event.h"
#include "sync/lock_word.h"
#include "sync/rwlock.h"
#include "sync/semaphore.h"
#include "wait/queue.h"
#include "wait/reaper.h"
#include "wait/stay.h"

namespace objects_scene {

using namespace holdfast;  // NOLINT: test code, and only in this namespace
using rwlock::kRead;
using rwlock::kUpgrade;
using rwlock::kWrite;

inline Outcome index_outcome(uint32_t index) {
  return static_cast<Outcome>(static_cast<uint32_t>(Outcome::FirstIndex) + index);
}

// An agent's two seats at an object.
struct Party {
  Seat home;
  Seat waiter;

  Attempt wants(uint32_t role, uint32_t units, OrElse or_else) {
    Attempt wanted;
    wanted.home = &home;
    wanted.waiter = &waiter;
    wanted.role = role;
    wanted.units = units;
    wanted.or_else = or_else;
    return wanted;
  }
};

inline Party join(Region& region, std::string_view name, Kind kind, Parameters parameters,
                  bool anonymous = false) {
  Party party;
  std::string detail;
  const AgentSlot agent = fixture::claim_agent(region);
  Registry registry(region);
  CHECK_EQ(registry.open(agent, name, kind,
                         {.create = true, .anonymous = anonymous, .parameters = parameters},
                         &party.home, &detail),
           Status::Ok);
  CHECK_EQ(registry.open_another(party.home, &party.waiter), Status::Ok);
  return party;
}

// What must be true of an object whenever its guard is free.
inline void check_whole(Region& region, ObjectRecord& object, ObjectIndex index) {
  CHECK(fixture::is_free(object.guard));
  std::vector<TicketIndex> queued;
  uint32_t granted_units = 0;
  uint32_t held = 0;
  uint32_t shares = 0;
  uint32_t writers = 0;
  uint32_t runners = 0;
  for (TicketIndex i = 0; i < Region::count(region.header().tickets); ++i) {
    const TicketRecord& ticket = *region.ticket(i);
    if (ticket.agent.load() == 0 || ticket.object.load() != index) continue;
    if (WaitQueue::is_queued(ticket)) queued.push_back(i);
    const bool granted = state_of(ticket) == TicketState::Granted;
    if (granted) granted_units += ticket.units;
    held += ticket.held;
    shares += ticket.held & 0x7fffffff;
    if ((ticket.held & 0x80000000) != 0) ++writers;
    if (granted && ticket.role == kRead) ++shares;
    if (granted && ticket.role == kWrite) ++writers;
    if (granted && ticket.role == kUpgrade) {
      ++writers;
      --shares;
    }
    if (ticket.held != 0) ++runners;
  }
  std::sort(queued.begin(), queued.end(), [&](TicketIndex a, TicketIndex b) {
    return region.ticket(a)->seq < region.ticket(b)->seq;
  });
  std::vector<TicketIndex> listed;
  for (TicketIndex i = object.queue_head; region.ticket(i) != nullptr; i = region.ticket(i)->next) {
    if (!CHECK(listed.size() <= queued.size())) break;
    listed.push_back(i);
  }
  CHECK(listed == queued);
  CHECK_EQ(object.queue_tail, queued.empty() ? kNone : queued.back());
  const TicketRecord* head = region.ticket(object.queue_head);
  const bool unlinked = lock_word::is_unlinked(object.word.load());
  if (unlinked) CHECK(head == nullptr);
  switch (object.kind) {
    case Kind::Semaphore:
      CHECK_EQ(object.semaphore.journal_ticket, 0u);
      if (object.parameters.second != 0) {
        CHECK_EQ(object.semaphore.free + held + granted_units, object.parameters.first);
      }
      CHECK(head == nullptr || head->units > object.semaphore.free);
      break;
    case Kind::Event:
      CHECK((object.word.load() & event::kSet) == 0 || head == nullptr);
      break;
    case Kind::RWLock:
      CHECK_EQ(object.rwlock.readers, shares);
      CHECK_EQ(object.rwlock.writer != 0, writers == 1);
      CHECK(writers == 0 || (writers == 1 && shares == 0));
      CHECK(head == nullptr || writers + shares > 0);
      break;
    case Kind::Barrier: {
      const auto phase = static_cast<barrier::Phase>(object.barrier.phase);
      CHECK(phase != barrier::Phase::Draining);
      if (phase == barrier::Phase::Filling) {
        CHECK(queued.size() < object.parameters.first);
        CHECK_EQ(runners, 0u);
      }
      if (phase == barrier::Phase::Acting) CHECK_EQ(runners, 1u);
      if (phase == barrier::Phase::Broken) CHECK(queued.empty());
      break;
    }
    default:
      break;
  }
}

struct World {
  fixture::NameSpace name_space;
  fixture::Member member{name_space.name()};
};

inline Region& region() {
  static World world;
  return world.member.region();
}

class Scene {
 public:
  Scene(Kind kind, int agents, Parameters parameters = {}) : kind_(kind), parameters_(parameters) {
    for (int i = 0; i < agents; ++i) {
      parties_.push_back(join(region(), name_, kind_, parameters_, true));
    }
  }
  Scene(const Scene&) = delete;
  Scene& operator=(const Scene&) = delete;
  ~Scene() {
    for (const Party& party : parties_) reap_agent(region(), party.home.agent);
  }

  Party& party(int who) { return parties_[static_cast<size_t>(who - 1)]; }
  TicketRecord& ticket(int who) { return *party(who).waiter.ticket; }
  TicketRecord& home(int who) { return *party(who).home.ticket; }
  ObjectRecord& object() { return *parties_[0].home.object; }
  uint32_t free() { return object().semaphore.free; }

  // The steps.
  Outcome queue(int who, uint32_t role = 0, uint32_t units = 1) {
    return done(attempt(region(), party(who).wants(role, units, OrElse::Queue)));
  }
  Outcome try_it(int who, uint32_t role = 0, uint32_t units = 1) {
    return done(attempt(region(), party(who).wants(role, units, OrElse::Leave)));
  }
  Outcome cancel(int who, uint32_t role = 0, uint32_t units = 1) {
    return done(attempt(region(), party(who).wants(role, units, OrElse::Cancel)));
  }
  int32_t act(int who, Action action, uint32_t units = 0) {
    return done(holdfast::act(region(), party(who).home, &party(who).waiter, action, units));
  }
  int32_t release(int who, uint32_t units = 1) { return act(who, Action::Release, units); }
  int32_t ask(int who, Question question) {
    return done(holdfast::ask(region(), party(who).home, question));
  }
  Status unlink(int who) { return done(unlink_object(region(), party(who).home)); }
  // Its agent is gone, with all its seats. The number stays.
  void reap(int who) {
    reap_agent(region(), party(who).home.agent);
    check();
  }
  // Leaves the object as one who died inside of the guard, after `cut` changed what it had time to. The next step
  // repairs.
  template <typename Cut>
  void die_inside(Cut cut) {
    fixture::leave_dead_inside(region(), object().guard);
    cut();
  }

  void check() { check_whole(region(), object(), parties_[0].home.object_index); }

  std::string picture() {
    std::string text;
    TicketIndex index = object().queue_head;
    while (const TicketRecord* queued = region().ticket(index)) {
      text += std::to_string(number_of(queued->agent.load())) + "w ";
      index = queued->next;
    }
    std::string told;
    for (int who = 1; who <= static_cast<int>(parties_.size()); ++who) {
      if (ticket(who).agent.load() != party(who).home.agent) continue;  // reaped
      if (state_of(ticket(who)) == TicketState::Granted) told += " " + std::to_string(who) + "g";
      if (state_of(ticket(who)) == TicketState::Gone) told += " " + std::to_string(who) + "x";
    }
    if (!told.empty()) text += "/" + told;
    while (!text.empty() && text.back() == ' ') text.pop_back();
    return text;
  }

 private:
  template <typename Result>
  Result done(Result result) {
    check();
    return result;
  }
  int number_of(AgentSlot slot) const {
    for (size_t i = 0; i < parties_.size(); ++i) {
      if (parties_[i].home.agent == slot) return static_cast<int>(i + 1);
    }
    return -1;
  }

  std::string name_ = fixture::fresh_name();
  Kind kind_;
  Parameters parameters_;
  std::vector<Party> parties_;
};

#define IS(scene, text) CHECK_EQ((scene).picture(), std::string(text))

constexpr auto kOk = static_cast<int32_t>(Status::Ok);
constexpr auto kNotOwner = static_cast<int32_t>(Status::NotOwner);

}  // namespace objects_scene
