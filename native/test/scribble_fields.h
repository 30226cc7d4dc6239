// What a scribbler can write on: every field of the shared memory by its own name, at the offset that the compiler gives
// it, with the kind of damage it belongs to. Bytes that no field names are reached by bit flips, words and pages.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "region/layout.h"

namespace scribble {

using namespace holdfast;

// Kinds of damage, as `--kind` names them.
enum class Damage : uint8_t {
  Flips,
  Words,
  Links,
  Counts,
  Kinds,
  Lengths,
  Generations,
  Guards,
  LockWords,
  Agents,
  Told,
  Life,
  Prologue,
  Pages,
  Data,
  Mixed,  // each write is of another
  None,   // never drawn
};

inline constexpr const char* kDamageNames[] = {
    "flips",       "words",  "links",      "counts", "kinds", "lengths",
    "generations", "guards", "lock-words", "agents", "told",  "life",
    "prologue",    "pages",  "data",       "mixed",  "none"};

// What a damaged field is likely to be taken for: values are drawn so that they nearly fit.
enum class Means : uint8_t {
  Number,   // a count, a sum, a generation, a length, a time
  State,    // a small enumeration
  Ticket,   // a ticket's number
  Upgrade,  // a ticket's number + 1
  Object,   // an object's number
  Agent,    // an agent's slot
  Process,  // a process' number + 1
  Page,     // where a chunk begins
  Guard,    // which process is inside
  Word,     // a lock's word
  Told,     // an entry of a process' last notifications
  Bits,     // flags
  Bytes,    // anything
};

struct Field {
  const char* name;
  size_t offset;
  size_t bytes;
  Damage damage;
  Means means;
  Kind only = Kind::None;  // objects of this kind alone have it
};

#define HOLDFAST_FIELD(record, member, ...) \
  Field { #member, offsetof(record, member), sizeof(record::member), __VA_ARGS__ }

inline constexpr Field kObjectFields[] = {
    HOLDFAST_FIELD(ObjectRecord, word, Damage::LockWords, Means::Word),
    HOLDFAST_FIELD(ObjectRecord, depth, Damage::LockWords, Means::Number),
    HOLDFAST_FIELD(ObjectRecord, token, Damage::LockWords, Means::Number),
    HOLDFAST_FIELD(ObjectRecord, held_token, Damage::LockWords, Means::Number),
    HOLDFAST_FIELD(ObjectRecord, held_since_ns, Damage::LockWords, Means::Number),
    HOLDFAST_FIELD(ObjectRecord, guard.word, Damage::Guards, Means::Guard),
    HOLDFAST_FIELD(ObjectRecord, queue_head, Damage::Links, Means::Ticket),
    HOLDFAST_FIELD(ObjectRecord, queue_tail, Damage::Links, Means::Ticket),
    HOLDFAST_FIELD(ObjectRecord, next_seq, Damage::Counts, Means::Number),
    HOLDFAST_FIELD(ObjectRecord, state, Damage::Kinds, Means::State),
    HOLDFAST_FIELD(ObjectRecord, kind, Damage::Kinds, Means::State),
    HOLDFAST_FIELD(ObjectRecord, generation, Damage::Generations, Means::Number),
    HOLDFAST_FIELD(ObjectRecord, name_bytes, Damage::Lengths, Means::Number),
    HOLDFAST_FIELD(ObjectRecord, name_hash, Damage::Lengths, Means::Number),
    HOLDFAST_FIELD(ObjectRecord, bucket_next, Damage::Links, Means::Object),
    HOLDFAST_FIELD(ObjectRecord, tickets, Damage::Counts, Means::Number),
    HOLDFAST_FIELD(ObjectRecord, anonymous, Damage::Kinds, Means::State),
    HOLDFAST_FIELD(ObjectRecord, woken, Damage::Counts, Means::Number),
    HOLDFAST_FIELD(ObjectRecord, passed, Damage::Counts, Means::Number),
    HOLDFAST_FIELD(ObjectRecord, first_waiting, Damage::Links, Means::Ticket),
    HOLDFAST_FIELD(ObjectRecord, name, Damage::Lengths, Means::Bytes),
    HOLDFAST_FIELD(ObjectRecord, parameters.first, Damage::Lengths, Means::State),
    HOLDFAST_FIELD(ObjectRecord, parameters.second, Damage::Lengths, Means::Number),
    HOLDFAST_FIELD(ObjectRecord, lock.offered, Damage::Links, Means::Ticket, Kind::Lock),
    HOLDFAST_FIELD(ObjectRecord, lock.offered, Damage::Links, Means::Ticket, Kind::RLock),
    HOLDFAST_FIELD(ObjectRecord, lock.handed_over_ns, Damage::Counts, Means::Number, Kind::Lock),
    HOLDFAST_FIELD(ObjectRecord, semaphore.sums.woken, Damage::Counts, Means::Number,
                   Kind::Semaphore),
    HOLDFAST_FIELD(ObjectRecord, semaphore.sums.to_come, Damage::Counts, Means::Number,
                   Kind::Semaphore),
    HOLDFAST_FIELD(ObjectRecord, semaphore.free, Damage::Counts, Means::Number, Kind::Semaphore),
    HOLDFAST_FIELD(ObjectRecord, barrier.generation, Damage::Generations, Means::Number,
                   Kind::Barrier),
    HOLDFAST_FIELD(ObjectRecord, barrier.phase, Damage::Kinds, Means::State, Kind::Barrier),
    HOLDFAST_FIELD(ObjectRecord, rwlock.sums.woken, Damage::Counts, Means::Number, Kind::RWLock),
    HOLDFAST_FIELD(ObjectRecord, rwlock.sums.to_come, Damage::Counts, Means::Number, Kind::RWLock),
    HOLDFAST_FIELD(ObjectRecord, rwlock.writer, Damage::Agents, Means::Agent, Kind::RWLock),
    HOLDFAST_FIELD(ObjectRecord, rwlock.readers, Damage::Counts, Means::Number, Kind::RWLock),
    HOLDFAST_FIELD(ObjectRecord, rwlock.abandoned, Damage::Kinds, Means::State, Kind::RWLock),
    HOLDFAST_FIELD(ObjectRecord, rwlock.upgrade, Damage::Links, Means::Upgrade, Kind::RWLock),
    HOLDFAST_FIELD(ObjectRecord, value, Damage::Data, Means::Bytes, Kind::SharedValue),
};

inline constexpr Field kTicketFields[] = {
    HOLDFAST_FIELD(TicketRecord, state, Damage::Kinds, Means::State),
    HOLDFAST_FIELD(TicketRecord, agent, Damage::Agents, Means::Agent),
    HOLDFAST_FIELD(TicketRecord, object, Damage::Agents, Means::Object),
    HOLDFAST_FIELD(TicketRecord, mode, Damage::Kinds, Means::State),
    HOLDFAST_FIELD(TicketRecord, lapses, Damage::Counts, Means::Number),
    HOLDFAST_FIELD(TicketRecord, seq, Damage::Counts, Means::Number),
    HOLDFAST_FIELD(TicketRecord, since_ns, Damage::Counts, Means::Number),
    HOLDFAST_FIELD(TicketRecord, told_ns, Damage::Counts, Means::Number),
    HOLDFAST_FIELD(TicketRecord, previous, Damage::Links, Means::Ticket),
    HOLDFAST_FIELD(TicketRecord, next, Damage::Links, Means::Ticket),
    HOLDFAST_FIELD(TicketRecord, starved, Damage::Kinds, Means::State),
    HOLDFAST_FIELD(TicketRecord, role, Damage::Kinds, Means::State),
    HOLDFAST_FIELD(TicketRecord, units, Damage::Counts, Means::Number),
    HOLDFAST_FIELD(TicketRecord, held, Damage::Counts, Means::Number),
};

inline constexpr Field kAgentFields[] = {
    HOLDFAST_FIELD(AgentRecord, process, Damage::Agents, Means::Process),
    HOLDFAST_FIELD(AgentRecord, generation, Damage::Generations, Means::Number),
    HOLDFAST_FIELD(AgentRecord, thread, Damage::Agents, Means::Number),
};

inline constexpr Field kProcessFields[] = {
#if defined(__GLIBC__)
    // What glibc's functions go by, and end the process by.
    {"life.kind", offsetof(ProcessRecord, life) + offsetof(pthread_mutex_t, __data.__kind), 4,
     Damage::Life, Means::Bits},
#endif
    HOLDFAST_FIELD(ProcessRecord, life, Damage::Life, Means::Bytes),
    HOLDFAST_FIELD(ProcessRecord, state, Damage::Kinds, Means::State),
    HOLDFAST_FIELD(ProcessRecord, generation, Damage::Generations, Means::Number),
    HOLDFAST_FIELD(ProcessRecord, reaped_ns, Damage::Told, Means::Number),
    HOLDFAST_FIELD(ProcessRecord, doorbell, Damage::Told, Means::Number),
    HOLDFAST_FIELD(ProcessRecord, pid, Damage::Life, Means::Number),
    HOLDFAST_FIELD(ProcessRecord, told_count, Damage::Told, Means::Number),
    HOLDFAST_FIELD(ProcessRecord, told, Damage::Told, Means::Told),
};

inline constexpr Field kHeaderFields[] = {
    HOLDFAST_FIELD(RegionHeader, prologue.magic, Damage::Prologue, Means::Bytes),
    HOLDFAST_FIELD(RegionHeader, prologue.layout_version, Damage::Prologue, Means::Number),
    HOLDFAST_FIELD(RegionHeader, prologue.byte_order, Damage::Prologue, Means::Number),
    HOLDFAST_FIELD(RegionHeader, prologue.pointer_bytes, Damage::Prologue, Means::Number),
    HOLDFAST_FIELD(RegionHeader, prologue.mutex_bytes, Damage::Prologue, Means::Number),
    HOLDFAST_FIELD(RegionHeader, prologue.libc_kind, Damage::Prologue, Means::Number),
    HOLDFAST_FIELD(RegionHeader, prologue.state, Damage::Prologue, Means::State),
    HOLDFAST_FIELD(RegionHeader, life_word_offset, Damage::Prologue, Means::Number),
    HOLDFAST_FIELD(RegionHeader, registry.word, Damage::Guards, Means::Guard),
    HOLDFAST_FIELD(RegionHeader, bytes, Damage::Counts, Means::Number),
    HOLDFAST_FIELD(RegionHeader, token_floor, Damage::Counts, Means::Number),
    HOLDFAST_FIELD(RegionHeader, processes.count, Damage::Counts, Means::Number),
    HOLDFAST_FIELD(RegionHeader, processes.hint, Damage::Counts, Means::Number),
    HOLDFAST_FIELD(RegionHeader, processes.page, Damage::Counts, Means::Page),
    HOLDFAST_FIELD(RegionHeader, agents.count, Damage::Counts, Means::Number),
    HOLDFAST_FIELD(RegionHeader, agents.hint, Damage::Counts, Means::Number),
    HOLDFAST_FIELD(RegionHeader, agents.page, Damage::Counts, Means::Page),
    HOLDFAST_FIELD(RegionHeader, objects.count, Damage::Counts, Means::Number),
    HOLDFAST_FIELD(RegionHeader, objects.hint, Damage::Counts, Means::Number),
    HOLDFAST_FIELD(RegionHeader, objects.page, Damage::Counts, Means::Page),
    HOLDFAST_FIELD(RegionHeader, tickets.count, Damage::Counts, Means::Number),
    HOLDFAST_FIELD(RegionHeader, tickets.hint, Damage::Counts, Means::Number),
    HOLDFAST_FIELD(RegionHeader, tickets.page, Damage::Counts, Means::Page),
    HOLDFAST_FIELD(RegionHeader, buckets, Damage::Links, Means::Object),
};

#undef HOLDFAST_FIELD

}  // namespace scribble
