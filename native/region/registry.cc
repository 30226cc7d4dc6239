#include "region/registry.h"

#include <cstring>

#include "posix/fault.h"
#include "region/data_file.h"
#include "sync/lock_word.h"

namespace holdfast {
namespace {

uint64_t hash_of(std::string_view name) {  // FNV-1a
  uint64_t hash = 0xcbf29ce484222325;
  for (const char byte : name) {
    hash ^= static_cast<unsigned char>(byte);
    hash *= 0x100000001b3;
  }
  return hash;
}

bool is_live(const ObjectRecord& object) {
  return object.state.load(std::memory_order_acquire) ==
         ObjectState::Live;  // SYNC POINT: object-live
}

std::string_view name_of(const ObjectRecord& object) {
  const size_t bytes = read_once(object.name_bytes);
  return {object.name, bytes <= kMaxNameBytes ? bytes : 0};
}

// Whether an object of the kind can have been made with these.
bool can_be(Kind kind, const Parameters& parameters) {
  constexpr uint32_t kMost = 0x7fffffff;
  switch (kind) {
    case Kind::Semaphore:
      return parameters.first <= kMost;
    case Kind::Barrier:
      return parameters.first > 0 && parameters.first <= kMost;
    case Kind::SharedValue:
    case Kind::SharedArray:
      return element_bytes(parameters.first) != 0;
    default:
      return true;
  }
}

}  // namespace

const char* kind_name(Kind kind) {
  switch (kind) {
    case Kind::Lock:
      return "Lock";
    case Kind::RLock:
      return "RLock";
    case Kind::Semaphore:
      return "Semaphore";
    case Kind::Event:
      return "Event";
    case Kind::Condition:
      return "Condition";
    case Kind::Barrier:
      return "Barrier";
    case Kind::RWLock:
      return "RWLock";
    case Kind::SharedValue:
      return "SharedValue";
    case Kind::SharedArray:
      return "SharedArray";
    case Kind::None:
      break;
  }
  return "unknown";
}

Registry::Registry(Region& region)
    : region_(region), header_(region.header()), guard_(region, header_.registry) {
  if (entered() && guard_.needs_repair()) rebuild();
}

Registry::~Registry() {
  if (entered() && is_damaged_) rebuild();
}

// Names and counts anew, from the records that are published.
void Registry::rebuild() {
  is_damaged_ = false;
  for (auto& bucket : header_.buckets) bucket.store(kNone, std::memory_order_relaxed);
  const uint32_t objects = Region::count(header_.objects);
  for (ObjectIndex index = 0; index < objects; ++index) {
    ObjectRecord* object = region_.object(index);
    if (object == nullptr) continue;
    object->tickets = 0;
    if (!is_live(*object)) continue;
    object->name_hash = hash_of(name_of(*object));
    insert(*object, index);
  }
  const uint32_t tickets = Region::count(header_.tickets);
  for (TicketIndex index = 0; index < tickets; ++index) {
    const TicketRecord* ticket = region_.ticket(index);
    if (ticket == nullptr || ticket->agent.load(std::memory_order_acquire) == 0) continue;
    ObjectRecord* object =
        region_.object(ticket->object.load(std::memory_order_relaxed) & ~kRetired);
    if (object != nullptr) ++object->tickets;
  }
  for (ObjectIndex index = 0; index < objects; ++index) {
    ObjectRecord* object = region_.object(index);
    if (object == nullptr) continue;
    if (object->tickets == 0) release_object(*object, index);
    // Its maker died between naming the data and publishing the object.
    if (object->kind == Kind::SharedArray &&
        object->state.load(std::memory_order_acquire) == ObjectState::Free) {
      remove_data_file(region_, index, object->generation, removed_);
    }
  }
}

// Round robin from the hint; a table without a free record grows by a chunk.
template <typename Table, typename IsFree>
Status Registry::find_free(Table& table, uint32_t first, IsFree is_free, uint32_t* out) {
  for (;;) {
    const uint32_t count = Region::count(table);
    const uint32_t hint = table.hint.load(std::memory_order_relaxed);  // under the registry guard
    for (uint32_t i = 0; i < count; ++i) {
      const uint32_t index = static_cast<uint32_t>((uint64_t{hint} + i) % count);
      if (index < first || !is_free(index)) continue;
      table.hint.store(index + 1, std::memory_order_relaxed);
      *out = index;
      return Status::Ok;
    }
    table.hint.store(count, std::memory_order_relaxed);
    if (const Status status = region_.grow(table); status != Status::Ok) return status;
  }
}

Status Registry::claim_agent(uint32_t thread, AgentSlot* out) {
  // 16 bits of the lock word: slot 65535 is the last, and so the table's.
  const auto is_free = [&](AgentSlot slot) {
    const AgentRecord* agent = region_.agent(slot);
    return agent != nullptr && agent->process.load(std::memory_order_acquire) == 0;
  };
  if (!entered()) return Status::Corrupt;
  AgentSlot slot = 0;
  const Status status = find_free(header_.agents, 1, is_free, &slot);
  if (status != Status::Ok) return status;
  AgentRecord* free_agent = region_.agent(slot);
  if (free_agent == nullptr) return Status::Corrupt;
  AgentRecord& agent = *free_agent;
  agent.thread = thread;
  ++agent.generation;
  HOLDFAST_POINT("agent.claiming");
  // SYNC POINT: agent-live. release, with the acquire in process_of() and the reaper.
  agent.process.store(region_.self().index + 1, std::memory_order_release);
  *out = slot;
  return Status::Ok;
}

bool Registry::free_agent(AgentSlot slot) {
  if (!entered()) return false;
  AgentRecord* agent = region_.agent(slot);
  if (agent != nullptr) agent->process.store(0, std::memory_order_release);
  return true;
}

uint32_t Registry::agents_of(ProcessIndex process) {
  uint32_t found = 0;
  const uint32_t count = Region::count(header_.agents);
  for (AgentSlot slot = 1; slot < count; ++slot) {
    const AgentRecord* agent = region_.agent(slot);
    if (agent != nullptr && agent->process.load(std::memory_order_acquire) == process + 1) ++found;
  }
  return found;
}

Status Registry::open(AgentSlot agent, std::string_view name, Kind kind, OpenOptions options,
                      Seat* out, std::string* detail) {
  if (name.empty() || name.size() > kMaxNameBytes) return Status::BadArgument;
  if (!entered()) return Status::Corrupt;
  const uint64_t hash = hash_of(name);
  ObjectIndex index = find(name, hash);
  ObjectRecord* found = region_.object(index);
  if (found == nullptr) index = kNone;
  if (found != nullptr && lock_word::is_unlinked(found->word.load(std::memory_order_acquire))) {
    unlink(*found, index);  // who unlinked it died before the name was gone
    index = kNone;
  }
  if (index == kNone) {
    if (!options.create) return Status::NotFound;
    if (const Status status = make(name, hash, kind, options, &index); status != Status::Ok) {
      return status;
    }
    found = region_.object(index);
    if (found == nullptr) return Status::Corrupt;
  }
  ObjectRecord& object = *found;
  const Kind its_kind = read_once(object.kind);
  if (its_kind != kind) {
    *detail = kind_name(its_kind);
    return Status::KindMismatch;
  }
  const Parameters parameters{read_once(object.parameters.first),
                              read_once(object.parameters.second)};
  if (!can_be(kind, parameters)) return Status::Corrupt;
  if (options.create && parameters != options.parameters) {
    *detail = std::to_string(parameters.first) + " " + std::to_string(parameters.second);
    return Status::OtherParameters;
  }
  Seat seat;
  seat.agent = agent;
  seat.object_index = index;
  seat.object = &object;
  seat.kind = kind;
  seat.parameters = parameters;
  seat.generation = read_once(object.generation);
  const Status status = add_seat(seat, out);
  if (status != Status::Ok && object.tickets == 0) release_object(object, index);
  return status;
}

bool Registry::knows(std::string_view name) {
  if (!entered()) return false;
  const ObjectRecord* object = region_.object(find(name, hash_of(name)));
  return object != nullptr && !lock_word::is_unlinked(object->word.load(std::memory_order_acquire));
}

Status Registry::open_another(const Seat& seat, Seat* out) {
  return entered() ? add_seat(seat, out) : Status::Corrupt;
}

// The agent, the object and what it is are the seat's; the ticket is a new one.
Status Registry::add_seat(const Seat& seat, Seat* out) {
  const auto is_free = [&](TicketIndex i) {
    const TicketRecord* ticket = region_.ticket(i);
    return ticket != nullptr && ticket->agent.load(std::memory_order_acquire) == 0;
  };
  TicketIndex ticket_index = kNone;
  if (const Status status = find_free(header_.tickets, 0, is_free, &ticket_index);
      status != Status::Ok) {
    return status;
  }
  TicketRecord* free_ticket = region_.ticket(ticket_index);
  if (free_ticket == nullptr) return Status::Corrupt;
  TicketRecord& ticket = *free_ticket;
  ticket.state.store(static_cast<uint32_t>(TicketState::None), std::memory_order_relaxed);
  ticket.object.store(seat.object_index, std::memory_order_relaxed);
  ticket.starved = 0;
  ticket.lapses = 0;
  ticket.role = ticket.units = ticket.held = 0;
  ticket.previous = ticket.next = kNone;
  HOLDFAST_POINT("ticket.claiming");
  // SYNC POINT: ticket-live. release, with the acquire wherever tickets are counted or searched.
  ticket.agent.store(seat.agent, std::memory_order_release);
  HOLDFAST_POINT("ticket.claimed");
  ++seat.object->tickets;
  *out = seat;
  out->ticket_index = ticket_index;
  out->ticket = &ticket;
  return Status::Ok;
}

Status Registry::make(std::string_view name, uint64_t hash, Kind kind, const OpenOptions& options,
                      ObjectIndex* out) {
  if (kind == Kind::SharedArray && options.data == nullptr) return Status::NotFound;
  const auto is_free = [&](ObjectIndex i) {
    const ObjectRecord* object = region_.object(i);
    return object != nullptr && object->state.load(std::memory_order_acquire) == ObjectState::Free;
  };
  ObjectIndex index = kNone;
  if (const Status status = find_free(header_.objects, 0, is_free, &index); status != Status::Ok) {
    return status;
  }
  ObjectRecord* free_object = region_.object(index);
  if (free_object == nullptr) return Status::Corrupt;
  ObjectRecord& object = *free_object;
  object.word.store(0, std::memory_order_relaxed);
  object.depth = 0;
  object.token = header_.token_floor;
  object.held_token.store(-1, std::memory_order_relaxed);  // of no acquisition
  object.queue_head = object.queue_tail = kNone;
  object.next_seq = 1;
  object.woken.store(0, std::memory_order_relaxed);
  object.passed = 0;
  object.first_waiting = kNone;
  object.kind = kind;
  const uint32_t generation = read_once(object.generation) + 1;
  object.generation = generation;
  object.name_bytes = static_cast<uint32_t>(name.size());
  object.name_hash = hash;
  object.tickets = 0;
  object.anonymous = options.anonymous ? 1 : 0;
  object.parameters = options.parameters;
  std::memset(object.kind_state, 0, sizeof object.kind_state);
  if (kind == Kind::Semaphore) object.semaphore.free = options.parameters.first;
  if (kind == Kind::SharedValue) object.value = options.value;
  std::memcpy(object.name, name.data(), name.size());
  if (kind == Kind::SharedArray) {
    if (const Status status = publish_data(index, generation, *options.data);
        status != Status::Ok) {
      return status;
    }
  }
  HOLDFAST_POINT("object.making");
  // SYNC POINT: object-live. release, with the acquire in is_live().
  object.state.store(ObjectState::Live, std::memory_order_release);
  HOLDFAST_POINT("object.made");
  insert(object, index);
  *out = index;
  return Status::Ok;
}

Status Registry::publish_data(ObjectIndex index, uint32_t generation, UnnamedFile& data) {
  const std::string name = data_file_name(region_, index, generation);
  Status status = data.publish(name);
  if (status == Status::Exists) {
    // Nobody's: the record was free.
    remove_data_file(region_, index, generation, removed_);
    status = data.publish(name);
  }
  HOLDFAST_POINT("object.data-named");
  return status;
}

Status Registry::close(AgentSlot agent, TicketIndex ticket_index) {
  if (!entered()) return Status::Corrupt;
  TicketRecord* ticket = region_.ticket(ticket_index);
  if (ticket != nullptr && ticket->agent.load(std::memory_order_acquire) == agent) {
    free_ticket(*ticket);
  }
  return Status::Ok;
}

// Records change hands under this guard alone: what is true here of a record and its process stays true.
ProcessRecord* Registry::reaped(ProcessId dead) {
  ProcessRecord* process = region_.process(dead.index);
  const bool is_it = process != nullptr &&
                     process->state.load(std::memory_order_acquire) == ProcessState::Dead &&
                     process->generation.load(std::memory_order_relaxed) == dead.generation;
  return is_it ? process : nullptr;
}

Status Registry::bury(ProcessId dead) {
  if (!entered()) return Status::Corrupt;
  ProcessRecord* process = region_.process(dead.index);
  if (process == nullptr) return Status::NotFound;
  // First the state: a record that was free just now may be another's since.
  const ProcessState state = process->state.load(std::memory_order_acquire);
  if (state == ProcessState::Free ||
      process->generation.load(std::memory_order_relaxed) != dead.generation) {
    return Status::NotFound;
  }
  // SYNC POINT: process-dead. release, with the acquire in is_due() and reaped().
  process->state.store(ProcessState::Dead, std::memory_order_release);
  return Status::Ok;
}

Status Registry::close_dead(ProcessId dead, AgentSlot slot, TicketIndex ticket_index) {
  if (!entered()) return Status::Corrupt;
  TicketRecord* ticket = region_.ticket(ticket_index);
  const AgentRecord* agent = region_.agent(slot);
  if (ticket == nullptr || agent == nullptr || reaped(dead) == nullptr) return Status::NotFound;
  if (agent->process.load(std::memory_order_acquire) != dead.index + 1) return Status::NotFound;
  if (ticket->agent.load(std::memory_order_acquire) != slot) return Status::NotFound;
  const ObjectIndex object = ticket->object.load(std::memory_order_relaxed);
  if ((object & kRetired) == 0 && region_.object(object) != nullptr) return Status::NotFound;
  free_ticket(*ticket);
  return Status::Ok;
}

Status Registry::free_dead(ProcessId dead) {
  if (!entered()) return Status::Corrupt;
  ProcessRecord* process = reaped(dead);
  if (process == nullptr) return Status::NotFound;
  const uint32_t agents = Region::count(header_.agents);
  for (AgentSlot slot = 1; slot < agents; ++slot) {
    const AgentRecord* agent = region_.agent(slot);
    if (agent == nullptr || agent->process.load(std::memory_order_acquire) != dead.index + 1) {
      continue;
    }
    static_cast<void>(free_agent(slot));
    HOLDFAST_POINT("reap.agent-done");
  }
  // SYNC POINT: process-free. release, with the acquire in claim_process().
  process->state.store(ProcessState::Free, std::memory_order_release);
  return Status::Ok;
}

void Registry::free_ticket(TicketRecord& ticket) {
  const ObjectIndex index = ticket.object.load(std::memory_order_relaxed) & ~kRetired;
  ticket.agent.store(0, std::memory_order_release);
  HOLDFAST_POINT("ticket.freed");
  ObjectRecord* object = region_.object(index);
  if (object == nullptr) return;
  if (object->tickets > 0) --object->tickets;
  if (object->tickets == 0) release_object(*object, index);
}

// A record without tickets: is there a reason to keep it?
void Registry::release_object(ObjectRecord& object, ObjectIndex index) {
  const ObjectState state = object.state.load(std::memory_order_acquire);
  if (state == ObjectState::Free || (state == ObjectState::Live && object.anonymous == 0)) return;
  // The lock of a value (lib/companion.ts) outlives its openers, as the value does, while somebody is to be told.
  const bool is_companion = object.name_bytes > 0 && object.name[0] == '\0';
  const uint32_t word = object.word.load(std::memory_order_acquire);
  if (state == ObjectState::Live && is_companion && (word & lock_word::kAbandoned) != 0) return;
  if (state == ObjectState::Live) {
    unlink(object, index);  // which comes back here, and frees it
    return;
  }
  // Fencing tokens grow for the life of the region, whatever comes and goes under one name.
  if (object.token > header_.token_floor) header_.token_floor = object.token;
  object.state.store(ObjectState::Free, std::memory_order_release);
}

Status Registry::unlink(ObjectIndex index) {
  if (!entered()) return Status::Corrupt;
  ObjectRecord* object = region_.object(index);
  if (object != nullptr) unlink(*object, index);
  return Status::Ok;
}

void Registry::unlink(ObjectRecord& object, ObjectIndex index) {
  if (!is_live(object)) return;
  remove(object, index);
  if (object.kind == Kind::SharedArray) {
    remove_data_file(region_, index, object.generation, removed_);
    HOLDFAST_POINT("object.data-removed");
  }
  if (object.token > header_.token_floor) header_.token_floor = object.token;
  object.state.store(ObjectState::Unlinked, std::memory_order_release);
  if (object.tickets == 0) release_object(object, index);
}

ObjectIndex Registry::find(std::string_view name, uint64_t hash) {
  const ObjectIndex index = look_up(name, hash);
  if (!is_damaged_) return index;
  rebuild();
  return look_up(name, hash);
}

// A chain that does not end, or leads out of the table, is damaged.
ObjectIndex Registry::look_up(std::string_view name, uint64_t hash) {
  const uint32_t limit = Region::count(header_.objects);
  ObjectIndex index = header_.buckets[hash % kBuckets].load(std::memory_order_relaxed);
  for (uint32_t steps = 0; steps < limit && index != kNone; ++steps) {
    ObjectRecord* object = region_.object(index);
    if (object == nullptr) break;
    if (object->name_hash == hash && is_live(*object) && name_of(*object) == name) return index;
    index = read_once(object->bucket_next);
  }
  is_damaged_ = index != kNone;
  return kNone;
}

void Registry::insert(ObjectRecord& object, ObjectIndex index) {
  auto& bucket = header_.buckets[read_once(object.name_hash) % kBuckets];
  object.bucket_next = bucket.load(std::memory_order_relaxed);
  bucket.store(index, std::memory_order_relaxed);
}

void Registry::remove(ObjectRecord& gone, ObjectIndex index) {
  auto& bucket = header_.buckets[read_once(gone.name_hash) % kBuckets];
  if (bucket.load(std::memory_order_relaxed) == index) {
    bucket.store(gone.bucket_next, std::memory_order_relaxed);
    return;
  }
  const uint32_t limit = Region::count(header_.objects);
  ObjectRecord* object = region_.object(bucket.load(std::memory_order_relaxed));
  for (uint32_t steps = 0; steps < limit && object != nullptr; ++steps) {
    const ObjectIndex next = read_once(object->bucket_next);
    if (next == index) {
      object->bucket_next = gone.bucket_next;
      return;
    }
    object = region_.object(next);
  }
  is_damaged_ = true;  // it was in none: others may not be in theirs either
}

}  // namespace holdfast
