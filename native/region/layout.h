// Everything that lies in shared memory. Fixed-width types, no pointers: a record is named by its number.
// Who writes a field stands beside it:
//   [word]      anybody, by compare-and-swap only (sync/lock_word.h has the table)
//   [owner]     the object's present owner only
//   [guard]     whoever holds the object's guard
//   [registry]  whoever holds the registry guard
//   [creation]  whoever holds the file's creation lock (flock)
//   [life]      whoever holds the process record's life mutex: the process' keeper
//   [once]      written before the record is published, then read-only
// A change of anything here is a new kLayoutVersion.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "posix/futex.h"
#include "posix/robust_mutex.h"

namespace holdfast {

inline constexpr char kMagic[8] = {'H', 'O', 'L', 'D', 'F', 'A', 'S', 'T'};
inline constexpr uint32_t kLayoutVersion = 4;
inline constexpr uint32_t kByteOrderMark = 0x01020304;
inline constexpr size_t kCacheLine = 64;
inline constexpr size_t kMappedRange = size_t{1} << 30;  // address space, not memory
inline constexpr size_t kMaxNameBytes = 255;

using ProcessIndex = uint32_t;
using ObjectIndex = uint32_t;
using TicketIndex = uint32_t;
using AgentSlot = uint32_t;  // 1 ... 65535; 0 is nobody
inline constexpr uint32_t kNone = 0xffffffff;

// A process that may come and go while others remember it: the generation tells its slot's users apart.
struct ProcessId {
  ProcessIndex index = kNone;
  uint32_t generation = 0;
  bool operator==(const ProcessId&) const = default;
};

// As much of it as a guard's word has room for.
inline constexpr uint32_t kGuardGeneration = 0x3fff;

// Protects one state change: who is inside. Table in region/guard.h.
struct alignas(kCacheLine) GuardRecord {
  FutexWord word;  // CAS by who enters, exchange by who leaves
  uint32_t unused[15];
};
static_assert(sizeof(GuardRecord) == kCacheLine);

// Shared memory may change between two reads of it, whoever wrote there: a number is read once, checked, and then used
// as it was read.
template <typename Number>
Number read_once(const Number& shared) {
  return *const_cast<const volatile Number*>(&shared);
}

enum class Kind : uint32_t {
  None = 0,
  Lock = 1,
  RLock = 2,
  Semaphore = 3,
  Event = 4,
  Condition = 5,
  Barrier = 6,
  RWLock = 7,
  SharedValue = 8,
  SharedArray = 9,
};

constexpr bool is_lock(Kind kind) { return kind == Kind::Lock || kind == Kind::RLock; }

// What an object was made with; whoever opens it must say the same. What they mean is the kind's business.
struct Parameters {
  uint32_t first = 0;
  uint32_t second = 0;
  bool operator==(const Parameters&) const = default;
};

// The kinds' own state. Counts are an index over the tickets, as the queue is, where not said otherwise.
struct LockState {
  TicketIndex offered;  // [guard] whom OFFERED in the word is for; means nothing without it
  uint32_t unused;
  int64_t handed_over_ns;  // [guard] when a starving waiter was last offered the lock
};
// Of `units` in the tickets of a queue. An index, as the queue is.
struct UnitSums {
  uint64_t woken;    // [guard] of those who are Woken
  uint64_t to_come;  // [guard] of those who are Waiting or Woken
};
struct SemaphoreState {
  UnitSums sums;  // permits
  uint32_t free;  // [guard] permits that nobody holds; the truth itself where permits are not owned
};
struct BarrierState {
  uint32_t generation;  // [guard] round
  uint32_t phase;       // [guard] BarrierPhase
};
struct RWLockState {
  UnitSums sums;        // writers
  AgentSlot writer;     // [guard] 0 none
  uint32_t readers;     // [guard] shares
  uint32_t abandoned;   // [guard] 1: a writer died, and nobody was told yet. The truth itself
  TicketIndex upgrade;  // [guard] index + 1 of the ticket that is queued for an upgrade; 0 none
};

enum class ObjectState : uint32_t {
  Free = 0,      // record unused
  Live = 1,      // found by its name
  Unlinked = 2,  // no longer found; lives until its last ticket goes
};

struct alignas(kCacheLine) ObjectRecord {
  // Line 0: what the uncontended path touches. JavaScript maps exactly these 64 bytes (lib/lock-word.ts).
  std::atomic<uint32_t> word;  // [word]
  uint32_t depth;              // [owner] levels of an RLock
  double token;  // [owner] fencing token; a double, for JavaScript adds to it in place
  std::atomic<double> held_token;      // [guard] the acquisition that held_since speaks of
  std::atomic<int64_t> held_since_ns;  // [guard]
  uint32_t line0_unused[8];
  // Line 1
  GuardRecord guard;
  // Line 2: the queue and its counts, an index over the tickets that wait, in seq order; and the directory's fields.
  TicketIndex queue_head;          // [guard]
  TicketIndex queue_tail;          // [guard]
  uint64_t next_seq;               // [guard]
  std::atomic<ObjectState> state;  // [registry]; the store of Live publishes the record
  Kind kind;                       // [once]
  uint32_t generation;             // [registry] one up at every reuse of the record
  uint32_t name_bytes;             // [once]
  uint64_t name_hash;              // [once]
  ObjectIndex bucket_next;         // [registry]
  uint32_t tickets;                // [registry] how many agents have it open
  uint32_t anonymous;              // [once] 1: goes with its last ticket
  std::atomic<uint32_t> woken;     // [guard] how many of the queued are Woken; peeked at without it
  uint32_t passed;                 // [guard] how many are Passed
  TicketIndex first_waiting;       // [guard] the first in the queue that is Waiting
  // Line 3 ...
  char name[kMaxNameBytes + 1];  // [once] not terminated by necessity: name_bytes counts
  // The line after the name
  Parameters parameters;  // [once]
  union {
    LockState lock;
    SemaphoreState semaphore;
    BarrierState barrier;
    RWLockState rwlock;
    uint64_t value;  // of a SharedValue: anybody, as its users agree
    char kind_state[56];
  };
};
static_assert(sizeof(ObjectRecord) == 512);
static_assert(offsetof(ObjectRecord, word) == 0 && offsetof(ObjectRecord, depth) == 4);
static_assert(offsetof(ObjectRecord, token) == 8 && offsetof(ObjectRecord, guard) == kCacheLine);
static_assert(offsetof(ObjectRecord, name) == 3 * kCacheLine);
static_assert(std::atomic<double>::is_always_lock_free);

// "Agent A waits for object O since t". One for each agent that has the object open, idle or not, and for objects
// beside the lock one more for each wait at a time: so neither a wait nor a wake allocates in the region. The tickets
// are the truth; an object's queue can be rebuilt from them.
//
// Who is told comes and takes what it waits for by itself, under the guard: nobody holds what it has not come for.
// Where it does not come in time, because its loop is busy or its process is stopped, it keeps its place and the
// next one is told (wait/lapse.h).
enum class TicketState : uint32_t {
  None = 0,     // not waiting
  Waiting = 1,  // in the queue
  Woken = 2,    // in the queue; told to come
  Granted =
      3,  // out of the queue: has what was told to all that waited (event, barrier), or came (condition)
  Gone = 4,    // out of the queue: the object was unlinked
  Passed = 5,  // in the queue; was told, did not come, and others have been told instead
};

// Added to a ticket's object before the ticket is given back: from then on nobody who rebuilds that object's
// queue takes the ticket for one of it, whatever it is used for next.
inline constexpr uint32_t kRetired = 0x80000000;

enum class WaitMode : uint16_t { Sync = 0, Async = 1 };

struct alignas(kCacheLine) TicketRecord {
  std::atomic<uint32_t> state;      // TicketState, and the futex a sync waiter sleeps on [guard]
  std::atomic<AgentSlot> agent;     // [registry]; 0: record unused. Its store publishes the ticket
  std::atomic<ObjectIndex> object;  // [registry] before agent; kRetired is added under the guard
  WaitMode mode;                    // [guard]
  uint16_t lapses;       // [guard] how often it was told and did not come in time, lately
  uint64_t seq;          // [guard] place in the queue, given at the first wait
  int64_t since_ns;      // [guard] when the wait began
  int64_t told_ns;       // [guard] when it became Woken
  TicketIndex previous;  // [guard]
  TicketIndex next;      // [guard]
  uint32_t starved;      // [guard] 1: has looked, lost, and had waited too long
  uint32_t role;         // [guard] what it waits for, in its kind's words
  uint32_t units;        // [guard] how much of it
  uint32_t held;         // [guard] what the agent holds by this ticket, in its kind's words
};
static_assert(sizeof(TicketRecord) == kCacheLine);

struct alignas(kCacheLine) AgentRecord {
  std::atomic<uint32_t>
      process;          // index + 1; 0: slot free. Its store publishes the agent [registry]
  uint32_t generation;  // [registry] one up at every reuse
  uint32_t thread;      // [once] worker threadId, 0 = main
  uint32_t unused[13];
};
static_assert(sizeof(AgentRecord) == kCacheLine);

// A process record:
//   from   to     by whom             under what             who dies or is stopped before the store leaves it
//   ----   ----   -----------------   --------------------   -------------------------------------------------------
//   Free   Live   who joins           creation lock; life    Free, its life marked: the next one who joins takes it
//   Live   Dead   any reaper          registry guard         Live and marked: whoever looks begins
//   Dead   Free   any reaper          registry guard         Dead, without seats: whoever looks goes on from there
// The generation goes up before Live, so (generation, Dead) is one death, and is true until Free. Life stays marked
// from the death until the next one who joins has locked it: it is never locked by a reaper.
enum class ProcessState : uint32_t {
  Free = 0,
  Live = 1,  // or dead and not noticed yet: the life mutex and the life byte know
  Dead = 2,  // being reaped (table of that in wait/reaper.h)
};

// The last tickets of a process whose event loops were told something. Who tells takes a number, stores its entry, and
// rings the doorbell. A keeper that finds another entry than it expects (overrun; or its teller died or was stopped in
// between) looks at all its waits once: the ticket's state was stored before the number was taken.
inline constexpr uint32_t kToldSlots = 16;
constexpr uint64_t told_entry(uint32_t number, TicketIndex ticket) {
  return uint64_t{number} << 32 | (ticket + 1);
}

struct alignas(kCacheLine) ProcessRecord {
  RobustMutex life;                  // locked by the process' keeper as long as it lives
  std::atomic<ProcessState> state;   // [life] Live; [registry] Dead, Free
  std::atomic<uint32_t> generation;  // [life]
  std::atomic<int64_t> reaped_ns;    // any reaper: when it last got on; 0: it has left off. A hint
  alignas(kCacheLine) FutexWord doorbell;  // anybody adds 1 and wakes: the keeper looks
  std::atomic<int32_t> pid;  // [life] for messages only: pids are reused, and differ by namespace
  std::atomic<uint32_t> told_count;  // anybody adds
  std::atomic<uint32_t>
      asked;  // anybody: about which guard it is asked (Region::number_of); the process itself: 0
  uint32_t unused[12];
  std::atomic<uint64_t> told[kToldSlots];  // anybody who took a number: told_entry()
};
static_assert(sizeof(ProcessRecord) == 4 * kCacheLine);

// Tables grow by chunks; chunk numbers are in units of kPage from the start of the file.
inline constexpr size_t kPage = 4096;
inline constexpr uint32_t kBuckets = 4096;

template <typename Record, uint32_t kPerChunk, uint32_t kMaxChunks>
struct TableRecord {
  using Entry = Record;
  static constexpr uint32_t per_chunk = kPerChunk;
  static constexpr uint32_t max_chunks = kMaxChunks;
  static constexpr size_t chunk_bytes = sizeof(Record) * kPerChunk;
  static_assert(chunk_bytes % kPage == 0);

  std::atomic<uint32_t> count;  // [registry] records that exist; SYNC POINT: table-growth
  std::atomic<uint32_t>
      hint;  // [registry] where a free record is likely; processes: [creation] end of those ever used
  std::atomic<uint32_t> page[kMaxChunks];  // [registry]
};

using ProcessTable = TableRecord<ProcessRecord, 256, 255>;  // 16 bits of a guard's word
using AgentTable = TableRecord<AgentRecord, 1024, 64>;
using ObjectTable = TableRecord<ObjectRecord, 256, 4096>;
using TicketTable = TableRecord<TicketRecord, 2048, 4096>;

enum class RegionState : uint32_t { Building = 0, Ready = 1, Gone = 2 };

// What any version can read. Never moves.
struct RegionPrologue {
  char magic[8];                   // [creation]
  uint32_t layout_version;         // [creation]
  uint32_t byte_order;             // [creation]
  uint32_t pointer_bytes;          // [creation]
  uint32_t mutex_bytes;            // [creation]
  uint32_t libc_kind;              // [creation] 1 glibc, 2 other
  std::atomic<RegionState> state;  // [creation] Ready is stored last
};
static_assert(sizeof(RegionPrologue) == 32);

struct RegionHeader {
  RegionPrologue prologue;
  alignas(kCacheLine) GuardRecord registry;
  std::atomic<uint64_t> bytes;  // of the file that are given to tables; by fetch_add
  double token_floor;           // [registry] the highest token of any object that is no more
  uint32_t life_word_offset;    // [creation] from a RobustMutex to its futex word
  uint32_t unused;
  ProcessTable processes;
  AgentTable agents;
  ObjectTable objects;
  TicketTable tickets;
  std::atomic<ObjectIndex> buckets[kBuckets];  // [registry]
};
static_assert(offsetof(RegionHeader, prologue) == 0);

inline constexpr size_t kHeaderBytes = (sizeof(RegionHeader) + kPage - 1) / kPage * kPage;

}  // namespace holdfast
