#include "region/region.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <new>
#include <type_traits>

#include "posix/fault.h"
#include "region/data_file.h"

namespace holdfast {
namespace {

#if defined(__GLIBC__)
constexpr uint32_t kLibcKind = 1;
#else
constexpr uint32_t kLibcKind = 2;
#endif

// Byte of the file that the process with record 0 keeps locked; the others follow.
constexpr uint64_t kFirstLifeByte = 16;

void init_record(ProcessRecord& record) { static_cast<void>(record.life.init()); }
void init_record(ObjectRecord&) {}
void init_record(AgentRecord&) {}
void init_record(TicketRecord&) {}

std::string cut_to(uint64_t bytes) {
  return "the file was cut to " + std::to_string(bytes) + " bytes";
}

// Whether the header or a table lies in that piece of the file.
bool is_in_use(const RegionHeader& header, uint64_t start, uint64_t bytes) {
  const auto is_of = [=](const auto& table) {
    using Table = std::remove_cvref_t<decltype(table)>;
    for (uint32_t chunk = 0; chunk < Region::count(table) / Table::per_chunk; ++chunk) {
      // relaxed: published by count
      const uint64_t at = uint64_t{table.page[chunk].load(std::memory_order_relaxed)} * kPage;
      if (at < start + bytes && start < at + Table::chunk_bytes) return true;
    }
    return false;
  };
  return start < kHeaderBytes || is_of(header.processes) || is_of(header.agents) ||
         is_of(header.objects) || is_of(header.tickets);
}

bool same_layout(const RegionPrologue& header) {
  return header.layout_version == kLayoutVersion && header.byte_order == kByteOrderMark &&
         header.pointer_bytes == sizeof(void*) && header.mutex_bytes == sizeof(RobustMutex) &&
         header.libc_kind == kLibcKind;
}

}  // namespace

std::string region_file_name(const std::string& name_space, mode_t mode) {
  const std::string owner =
      (mode & 0070) != 0 ? "g" + std::to_string(::getegid()) : std::to_string(::geteuid());
  return "/holdfast-" + owner + "-" + name_space;
}

Status Region::open(const std::string& name_space, mode_t mode, std::string* detail) {
  name_space_ = name_space;
  mode_ = mode;
  owner_ = FileOwner::me();
  file_name_ = region_file_name(name_space, mode);
  const std::string& name = file_name_;
  if (const Status status = file_.open_locked(name, mode, true, owner_); status != Status::Ok) {
    *detail = status == Status::InUse ? file_.users() : kShmFolder + name;
    return status;
  }
  bool usable = false;
  if (const Status status = check_layout(&usable, detail); status != Status::Ok) return status;
  if (const Status status = file_.map(kMappedRange, &base_); status != Status::Ok) {
    if (!usable) static_cast<void>(file_.remove(name));  // nobody's, and maybe made just now
    return status;
  }
  if (usable && !is_whole()) {
    usable = false;
    if (!file_.alone()) {
      uint64_t bytes = 0;
      static_cast<void>(file_.size(&bytes));
      *detail = cut_to(bytes);
      return Status::Corrupt;
    }
  }
  if (!usable) {
    // Made in part by one who died, cut short, or of another layout, and nobody alive: made anew.
    if (const Status status = build(); status != Status::Ok) {
      static_cast<void>(file_.remove(name));
      return status;
    }
  }
  return file_.announce_presence();
}

Status Region::check_layout(bool* usable, std::string* detail) {
  uint64_t bytes = 0;
  if (const Status status = file_.size(&bytes); status != Status::Ok) return status;
  RegionPrologue prologue;
  if (bytes < sizeof prologue) {
    // Nothing yet, or cut: then its users have all that was in it before them.
    if (file_.alone()) return Status::Ok;
    *detail = cut_to(bytes);
    return Status::Corrupt;
  }
  if (const Status status = file_.read_at(0, &prologue, sizeof prologue); status != Status::Ok) {
    if (status != Status::NotFound) return status;
    *detail = cut_to(0);  // just now
    return Status::Corrupt;
  }
  // SYNC POINT: region-ready. The copy was read under the creation lock, which its maker held too.
  const bool ready = std::memcmp(prologue.magic, kMagic, sizeof kMagic) == 0 &&
                     prologue.state.load(std::memory_order_acquire) == RegionState::Ready;
  if (ready && same_layout(prologue)) {
    *usable = bytes >= kHeaderBytes;
    if (*usable || file_.alone()) return Status::Ok;
    *detail = cut_to(bytes);
    return Status::Corrupt;
  }
  if (file_.alone()) return Status::Ok;
  *detail = file_.users();
  return Status::Mismatch;
}

// What the tables count must be there: beyond the file's end lies SIGBUS.
bool Region::is_whole() {
  const auto reaches_all = [this](auto& table) {
    using Table = std::remove_reference_t<decltype(table)>;
    for (uint32_t chunk = 0; chunk < count(table) / Table::per_chunk; ++chunk) {
      if (at(table, chunk * Table::per_chunk) == nullptr) return false;
    }
    return true;
  };
  return reaches_all(header().processes) && reaches_all(header().agents) &&
         reaches_all(header().objects) && reaches_all(header().tickets);
}

// With nobody else in the file. It is all zeros then, as long as the header.
Status Region::build() {
  remove_data_files(file_name_, removed_);
  if (const Status status = file_.truncate(0); status != Status::Ok) return status;
  if (const Status status = file_.reserve(kHeaderBytes); status != Status::Ok) return status;
  known_bytes_.store(0, std::memory_order_relaxed);
  if (const Status status = prove_robust_mutexes(); status != Status::Ok) return status;
  RegionHeader& header = *new (base_) RegionHeader;
  RegionPrologue& prologue = header.prologue;
  std::memcpy(prologue.magic, kMagic, sizeof kMagic);
  prologue.layout_version = kLayoutVersion;
  prologue.byte_order = kByteOrderMark;
  prologue.pointer_bytes = sizeof(void*);
  prologue.mutex_bytes = sizeof(RobustMutex);
  prologue.libc_kind = kLibcKind;
  header.bytes.store(kHeaderBytes, std::memory_order_relaxed);  // nobody else is in yet
  for (auto& bucket : header.buckets) bucket.store(kNone, std::memory_order_relaxed);
  if (const Status status = grow(header.processes); status != Status::Ok) return status;
  if (const Status status = grow(header.agents); status != Status::Ok) return status;
  if (const Status status = grow(header.objects); status != Status::Ok) return status;
  if (const Status status = grow(header.tickets); status != Status::Ok) return status;
  HOLDFAST_POINT("region.building");
  // SYNC POINT: region-ready. release, with the acquire in check_layout().
  prologue.state.store(RegionState::Ready, std::memory_order_release);
  return Status::Ok;
}

template <typename Table>
Status Region::grow(Table& table) {
  const uint32_t chunk = table.count.load(std::memory_order_relaxed) / Table::per_chunk;
  if (chunk >= Table::max_chunks) return Status::Full;
  const uint64_t known = known_bytes();
  uint64_t length = 0;
  if (const Status status = file_.size(&length); status != Status::Ok) return status;
  HOLDFAST_POINT("region.looked");
  // What was cut off would come back as zeros: free locks, in the hands of those who hold them.
  if (length < known) return Status::Corrupt;
  // Who grew it died before it was counted, or the count was scribbled over: the records are there.
  if (is_chunk(table.page[chunk].load(std::memory_order_relaxed), Table::chunk_bytes)) {
    table.count.store((chunk + 1) * Table::per_chunk, std::memory_order_release);
    return Status::Ok;
  }
  // Tables grow beside each other, so each takes its piece in one step. One that is taken and not used, because its
  // taker died or there was no memory, is address space lost and nothing else.
  auto& bytes = header().bytes;
  const uint64_t start = bytes.fetch_add(Table::chunk_bytes, std::memory_order_relaxed);
  const uint64_t end = start + Table::chunk_bytes;
  Status status = Status::Ok;
  if (start > kMappedRange || start % kPage != 0 ||
      is_in_use(header(), start, Table::chunk_bytes)) {
    status = Status::Corrupt;
  } else if (end > kMappedRange) {
    status = Status::Full;
  } else {
    // Reserved before it is used: a full /dev/shm is NoSpace here, and not a SIGBUS at the first store.
    status = file_.reserve(end);
  }
  if (status != Status::Ok) {
    uint64_t taken = end;
    bytes.compare_exchange_strong(taken, start, std::memory_order_relaxed);
    return status;
  }
  auto* records = reinterpret_cast<typename Table::Entry*>(base_ + start);
  for (uint32_t i = 0; i < Table::per_chunk; ++i) init_record(records[i]);
  table.page[chunk].store(static_cast<uint32_t>(start / kPage), std::memory_order_relaxed);
  HOLDFAST_POINT("region.growing");
  // SYNC POINT: table-growth. release, with the acquire in count().
  table.count.store((chunk + 1) * Table::per_chunk, std::memory_order_release);
  return Status::Ok;
}

template Status Region::grow(ProcessTable&);
template Status Region::grow(AgentTable&);
template Status Region::grow(ObjectTable&);
template Status Region::grow(TicketTable&);

// Locks the life of a record that is nobody's, under the creation lock. One that cannot be locked was scribbled over; or who
// died while it joined has left it and a thread of it still ends, and then the life byte is locked.
bool Region::take_life(ProcessRecord& record, ProcessIndex index) {
  const RobustMutex::Lock taken =
      record.life.is_as_made() ? record.life.try_lock() : RobustMutex::Lock::Corrupt;
  if (taken == RobustMutex::Lock::Held) return true;
  // Died while it joined: nothing to give back.
  if (taken == RobustMutex::Lock::OwnerDied) return record.life.consistent();
  return has_ended(index) && record.life.init() &&
         record.life.try_lock() == RobustMutex::Lock::Held;
}

Status Region::claim_process() {
  for (ProcessIndex index = 0; index < count(header().processes); ++index) {
    ProcessRecord* candidate = process(index);
    if (candidate == nullptr) continue;
    ProcessRecord& record = *candidate;
    // SYNC POINT: process-free. Under the creation lock nobody else makes anything of a free record.
    if (record.state.load(std::memory_order_acquire) != ProcessState::Free) continue;
    if (!take_life(record, index)) continue;
    const ptrdiff_t offset = record.life.futex_word_offset();
    if (offset < 0) {
      record.life.unlock();
      return Status::Unsupported;
    }
    life_offset_ = static_cast<uint32_t>(offset);
    header().life_word_offset = life_offset_;
    // The kernel wakes a sleeper at our death only where this bit stands: so that no watcher has to set it.
    alive_ =
        life_word(record).fetch_or(kFutexWaitersBit, std::memory_order_relaxed) | kFutexWaitersBit;
    life_image_ = record.life.image();
    if (const Status status = file_.lock_byte(kFirstLifeByte + index); status != Status::Ok) {
      const bool is_taken = file_.is_locked_by_another(kFirstLifeByte + index);
      record.life.unlock();
      if (is_taken) continue;  // the same, and its keeper has ended
      return status;
    }
    self_ = {index, record.generation.load(std::memory_order_relaxed) + 1};
    record.generation.store(self_.generation, std::memory_order_relaxed);
    record.pid.store(::getpid(), std::memory_order_relaxed);
    HOLDFAST_POINT("process.claiming");
    if (index >= process_limit()) {
      header().processes.hint.store(index + 1, std::memory_order_release);  // [creation]
    }
    // SYNC POINT: process-live. release, with the acquire in process_is_alive() and the reaper.
    record.state.store(ProcessState::Live, std::memory_order_release);
    self_record_ = &record;
    return Status::Ok;
  }
  if (const Status status = grow(header().processes); status != Status::Ok) return status;
  return claim_process();
}

void Region::joined() {
  file_.unlock_creation();
  removed_.free();
}

void Region::give_up() {
  SharedFile::unmap(base_, kMappedRange);
  base_ = nullptr;
  file_.close();
}

Status Region::remove(const std::string& name_space, mode_t mode, std::string* detail) {
  RemovedFiles removed;  // before the file: freed after its lock is
  SharedFile file;
  const std::string name = region_file_name(name_space, mode);
  if (const Status status = file.open_locked(name, mode, false); status != Status::Ok) {
    if (status == Status::InUse) *detail = file.users();
    return status;
  }
  if (!file.alone()) {
    *detail = file.users();
    return Status::InUse;
  }
  remove_data_files(name, removed);
  return file.remove(name);
}

Status Region::remove_own(std::string* detail) {
  // The creation lock must be a new open file's: this one's is shared by all threads of the process.
  RemovedFiles removed;  // before the file: freed after its lock is
  SharedFile file;
  const std::string& name = file_name_;
  if (const Status status = file.open_locked(name, mode_, false, owner_); status != Status::Ok) {
    if (status == Status::InUse) *detail = file.users();
    return status;
  }
  // Somebody removed our file, and another has the name by now: that one is not ours to remove.
  if (!file.is_same_as(file_)) return Status::NotFound;
  if (!file_.alone()) {
    *detail = file_.users();
    return Status::InUse;
  }
  remove_data_files(name, removed);
  if (const Status status = file.remove(name); status != Status::Ok) return status;
  header().prologue.state.store(RegionState::Gone, std::memory_order_release);
  return Status::Ok;
}

bool Region::process_is_alive(ProcessIndex index, uint32_t generation) {
  // Who asks lives, whatever its record says: its own lock on its life byte would not be seen either.
  if (is_self(index)) return ((self_.generation ^ generation) & kGuardGeneration) == 0;
  ProcessRecord* record = process(index);
  if (record == nullptr) return false;
  // SYNC POINT: process-live. Nobody is buried before its end: where it has not ended, another state was scribbled there.
  const bool is_live = record->state.load(std::memory_order_acquire) == ProcessState::Live;
  const uint32_t other = record->generation.load(std::memory_order_relaxed) ^ generation;
  if ((other & kGuardGeneration) != 0) return false;
  return (is_live && !is_marked(*record)) || !has_ended(index);
}

bool Region::has_grown_to(uint64_t end) {
  uint64_t bytes = 0;
  if (end > kMappedRange || file_.size(&bytes) != Status::Ok || end > bytes) return false;
  uint64_t known = known_bytes_.load(std::memory_order_relaxed);  // the swap decides
  // SYNC POINT: known-bytes. release, after the file was seen so long.
  while (known < bytes && !known_bytes_.compare_exchange_weak(
                              known, bytes, std::memory_order_release, std::memory_order_relaxed)) {
  }
  return true;
}

Status Region::check_file(std::string* detail) {
  const uint64_t known = known_bytes();
  struct stat file{};
  if (!file_.look(&file) || file.st_nlink == 0) return Status::Gone;
  HOLDFAST_POINT("region.looked");
  const auto bytes = static_cast<uint64_t>(file.st_size);
  if (bytes >= known) return Status::Ok;
  *detail = cut_to(bytes);
  return Status::Corrupt;
}

bool Region::is_cut() {
  const uint64_t known = known_bytes();
  struct stat file{};
  if (!file_.look(&file)) return false;
  HOLDFAST_POINT("region.looked");
  return static_cast<uint64_t>(file.st_size) < known;
}

bool Region::has_ended(ProcessIndex index) const {
  return !file_.is_locked_by_another(kFirstLifeByte + index);
}

bool Region::is_marked(ProcessRecord& process) {
  const uint32_t life = life_word(process).load(std::memory_order_acquire);
  // Who lives has put its TID there, and this bit. Where the rest was scribbled over, the word may have been too.
  return (life & kFutexOwnerDiedBit) != 0 || (life & kFutexWaitersBit) == 0 ||
         (life & kFutexTidMask) == 0 || !process.life.is_as_made();
}

bool Region::seems_alive(ProcessRecord& process) {
  return process.state.load(std::memory_order_acquire) == ProcessState::Live && !is_marked(process);
}

bool Region::mend_own_life() {
  // The kernel finds the word by this thread's own list, whatever the rest says; so it is the rest that may wait.
  const bool was_scribbled = self_record_->life.restore(life_image_, life_offset_);
  FutexWord& life = life_word(*self_record_);
  uint32_t seen = life.load(std::memory_order_relaxed);  // relaxed: nothing else is read after it
  const bool was_marked =
      seen != alive_ && life.compare_exchange_strong(seen, alive_, std::memory_order_relaxed);
  // Nor is it buried while it lives. With another generation the record would be another's.
  auto& state = self_record_->state;
  ProcessState is = state.load(std::memory_order_relaxed);
  const bool was_dead =
      is != ProcessState::Live &&
      self_record_->generation.load(std::memory_order_relaxed) == self_.generation &&
      // SYNC POINT: process-live.
      state.compare_exchange_strong(is, ProcessState::Live, std::memory_order_release,
                                    std::memory_order_relaxed);
  return was_marked || was_scribbled || was_dead;
}

FutexWord& Region::life_word(ProcessRecord& process) {
  // The own process' once it is known: every libc that uses the region has it there.
  uint32_t offset = life_offset_ != kNone ? life_offset_ : header().life_word_offset;
  if (offset > sizeof(RobustMutex) - sizeof(FutexWord) || offset % alignof(FutexWord) != 0) {
    offset = 0;
  }
  return *reinterpret_cast<FutexWord*>(reinterpret_cast<std::byte*>(&process.life) + offset);
}

TicketIndex Region::index_of(const TicketRecord& ticket) {
  const auto offset = static_cast<size_t>(reinterpret_cast<const std::byte*>(&ticket) - base_);
  const TicketTable& table = header().tickets;
  for (uint32_t chunk = 0; chunk < count(table) / TicketTable::per_chunk; ++chunk) {
    const size_t start =
        table.page[chunk].load(std::memory_order_relaxed) * kPage;  // relaxed: published by count
    if (offset >= start && offset < start + TicketTable::chunk_bytes) {
      return static_cast<TicketIndex>(size_t{chunk} * TicketTable::per_chunk +
                                      (offset - start) / sizeof ticket);
    }
  }
  return kNone;
}

ProcessRecord* Region::process_of(AgentSlot slot) {
  AgentRecord* record = agent(slot);
  if (record == nullptr) return nullptr;
  const uint32_t owner = record->process.load(std::memory_order_acquire);  // SYNC POINT: agent-live
  return owner == 0 ? nullptr : process(owner - 1);
}

}  // namespace holdfast
