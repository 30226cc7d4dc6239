// What the registry guard protects: names, the binding of agents to objects, and the tables' growth.
// A Registry is one stay inside; the truth is in the records' states, and the directory can be rebuilt from
// them, so a death inside costs the next one a rebuild and nobody anything else.
//
// Order: the registry guard is never taken while an object's guard is held.
#pragma once

#include <string>
#include <string_view>

#include "posix/unnamed_file.h"
#include "region/guard.h"
#include "region/layout.h"
#include "region/region.h"
#include "status.h"

namespace holdfast {

// One agent with one object open: where it waits and holds. What the object is and how big was copied when it was
// opened: what stands in the record later is not believed.
struct Seat {
  AgentSlot agent = 0;
  ObjectIndex object_index = kNone;
  TicketIndex ticket_index = kNone;
  ObjectRecord* object = nullptr;
  TicketRecord* ticket = nullptr;
  Kind kind = Kind::None;
  Parameters parameters = {};
  uint32_t generation = 0;
};

const char* kind_name(Kind kind);

class Registry {
 public:
  struct OpenOptions {
    bool create = true;
    bool anonymous = false;  // goes with its last seat
    Parameters parameters = {};
    uint64_t value = 0;  // of a new SharedValue
    UnnamedFile* data =
        nullptr;  // of a new SharedArray. NotFound: it has to be made, and there is none
  };

  explicit Registry(Region& region);
  ~Registry();
  Registry(const Registry&) = delete;
  Registry& operator=(const Registry&) = delete;
  // False: the guard is not to be had. Every call below is Corrupt then, or does nothing and says no.
  [[nodiscard]] bool entered() const { return guard_.entered(); }

  Status claim_agent(uint32_t thread, AgentSlot* out);
  // Its tickets must be gone.
  bool free_agent(AgentSlot agent);

  // Finds the object or makes it, and gives the agent a seat at it (a new one at each call).
  Status open(AgentSlot agent, std::string_view name, Kind kind, OpenOptions options, Seat* out,
              std::string* detail);
  // Whether a living object has this name.
  [[nodiscard]] bool knows(std::string_view name);
  // One more seat at an object that the agent has open.
  Status open_another(const Seat& seat, Seat* out);
  // The seat's ticket must be out of the queue, and retired. Frees the object where it was the last seat and
  // no name keeps it.
  Status close(AgentSlot agent, TicketIndex ticket);
  // For whoever reaps a process, of which there may be several at a time, each at its own pace: nothing is done
  // where another has done it, whoever has the records by now.
  //   Live -> Dead. NotFound: it is not this process any more.
  Status bury(ProcessId dead);
  //   As close(), of a ticket that is retired.
  Status close_dead(ProcessId dead, AgentSlot agent, TicketIndex ticket);
  //   Dead -> Free, its agents too. All its tickets must be gone.
  Status free_dead(ProcessId dead);

  // From now on the name is free for another object.
  Status unlink(ObjectIndex object);

  // How many agents of `process` are in the region.
  [[nodiscard]] uint32_t agents_of(ProcessIndex process);

 private:
  void rebuild();
  // The record of a process that is being reaped; nullptr: it is not.
  [[nodiscard]] ProcessRecord* reaped(ProcessId dead);
  void free_ticket(TicketRecord& ticket);
  ObjectIndex find(std::string_view name, uint64_t hash);
  Status make(std::string_view name, uint64_t hash, Kind kind, const OpenOptions& options,
              ObjectIndex* out);
  Status publish_data(ObjectIndex index, uint32_t generation, UnnamedFile& data);
  Status add_seat(const Seat& seat, Seat* out);
  ObjectIndex look_up(std::string_view name, uint64_t hash);
  void insert(ObjectRecord& object, ObjectIndex index);
  void remove(ObjectRecord& object, ObjectIndex index);
  void release_object(ObjectRecord& object, ObjectIndex index);
  void unlink(ObjectRecord& object, ObjectIndex index);
  template <typename Table, typename IsFree>
  Status find_free(Table& table, uint32_t first, IsFree is_free, uint32_t* out);

  Region& region_;
  RegionHeader& header_;
  RemovedFiles removed_;  // before the guard: freed after it is left
  Guard guard_;
  bool is_damaged_ = false;  // the directory: to be rebuilt
};

}  // namespace holdfast
