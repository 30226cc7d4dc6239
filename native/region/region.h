// One shared-memory file, mapped once for the life of the process: header, tables, and who of the
// processes in it lives.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "posix/shared_file.h"
#include "region/guard_use.h"
#include "region/layout.h"
#include "region/told_watch.h"
#include "status.h"

namespace holdfast {

class Region {
 public:
  Region() = default;
  Region(const Region&) = delete;
  Region& operator=(const Region&) = delete;

  // Joining is three steps, with the file's creation lock held from the first to the last:
  // open() finds or makes the file and maps it;
  Status open(const std::string& name_space, mode_t mode, std::string* detail);
  // claim_process() makes the calling thread this process' life: it must not end before the process;
  Status claim_process();
  // joined() lets others in.
  void joined();
  // After a failure in between: lets others in, and leaves nothing behind.
  void give_up();
  // In a forked child, which must not keep its parent's life. Async-signal-safe.
  void close_in_child() { file_.close_in_child(); }

  // Removes the file of a namespace. InUse, with pids in `detail`, while any process has it open.
  static Status remove(const std::string& name_space, mode_t mode, std::string* detail);
  // The same from within: needs to be its only process. The region is Gone afterwards.
  Status remove_own(std::string* detail);

  [[nodiscard]] RegionHeader& header() { return *reinterpret_cast<RegionHeader*>(base_); }
  [[nodiscard]] ProcessId self() const { return self_; }
  // This process' own record, wherever a scribbled table says it is.
  [[nodiscard]] ProcessRecord& self_record() { return *self_record_; }
  [[nodiscard]] const std::string& name_space() const { return name_space_; }
  // Of its file, and of the files beside it; and whose they are. As at the join, whatever ids the process has now.
  [[nodiscard]] const std::string& file_name() const { return file_name_; }
  [[nodiscard]] const FileOwner& owner() const { return owner_; }
  [[nodiscard]] mode_t mode() const { return mode_; }
  [[nodiscard]] bool is_its_file(const struct stat& file) const { return file_.is(file); }

  // What this process' other threads leave to its keeper.
  struct ForKeeper {
    std::atomic<bool> exists{false};     // there is one; relaxed: once true for ever
    std::atomic<bool> rings_all{false};  // ring_all_told(): release, with the keeper's acquire
  };
  [[nodiscard]] ForKeeper& for_keeper() { return for_keeper_; }

  [[nodiscard]] GuardUse& guard_use() { return guard_use_; }

  // Records by number; nullptr for a number that no record has.
  [[nodiscard]] ProcessRecord* process(ProcessIndex index) { return at(header().processes, index); }
  [[nodiscard]] AgentRecord* agent(AgentSlot slot) { return at(header().agents, slot); }
  [[nodiscard]] ObjectRecord* object(ObjectIndex index) { return at(header().objects, index); }
  [[nodiscard]] TicketRecord* ticket(TicketIndex index) { return at(header().tickets, index); }
  // The number of a ticket of this region; kNone where it is none.
  [[nodiscard]] TicketIndex index_of(const TicketRecord& ticket);
  template <typename Table>
  [[nodiscard]] static uint32_t count(const Table& table) {
    // SYNC POINT: table-growth. acquire, with the release in grow().
    const uint32_t count = table.count.load(std::memory_order_acquire);
    constexpr uint32_t limit = Table::per_chunk * Table::max_chunks;
    return count < limit ? count : limit;
  }

  // Records from this one on were never used.
  [[nodiscard]] ProcessIndex process_limit() {
    const uint32_t used = header().processes.hint.load(std::memory_order_acquire);
    const uint32_t all = count(header().processes);
    return used < all ? used : all;
  }

  // Adds a chunk of records. Under the registry guard; processes: under the creation lock, as who joins has no
  // identity yet to take a guard with. A chunk is 128 KiB at most, so that its reservation is short enough for a guard.
  template <typename Table>
  Status grow(Table& table);

  // False once the process that had this record (as much of the generation as a guard's word has tells which) has ended, all its
  // threads with it. A pid is no test of that: pids are reused, and differ between namespaces.
  [[nodiscard]] bool process_is_alive(ProcessIndex index, uint32_t generation);
  // Whether the last thread of the record's process is gone. Its life mutex is marked when the keeper has
  // ended, which is earlier: another thread may still be in a system call that no signal cuts short.
  [[nodiscard]] bool has_ended(ProcessIndex index) const;
  // Without asking whether its last thread is gone, or was when it was marked.
  [[nodiscard]] bool seems_alive(ProcessRecord& process);
  // Whether its life word says that it died, or what that of nobody who lives says: then has_ended() decides.
  [[nodiscard]] bool is_marked(ProcessRecord& process);
  [[nodiscard]] bool is_self(ProcessIndex index) const { return index == self_.index; }
  // On the thread that claimed the process. True: its life was marked while it goes on (the kernel knows the owner
  // of a mutex by its TID, which another thread may have in another pid namespace), or its mutex was scribbled over, and
  // is whole again.
  bool mend_own_life();
  // False where somebody removed the file's name: whoever joins from now on is in another region.
  [[nodiscard]] bool has_its_name() const { return file_.has_a_name(); }
  // To be asked before the region is used for anything but its fast paths. Gone: as above. Corrupt: somebody cut the file, and
  // an access beyond its end would be a SIGBUS. It may still be cut between this and the use: nobody can prevent that.
  Status check_file(std::string* detail);
  [[nodiscard]] bool is_cut();
  [[nodiscard]] FutexWord& life_word(ProcessRecord& process);
  // A guard by its place in the file, which needs no table that may be damaged; 0 is none.
  [[nodiscard]] uint32_t number_of(const GuardRecord& guard) const {
    return static_cast<uint32_t>((reinterpret_cast<const std::byte*>(&guard) - base_) /
                                 sizeof(GuardRecord));
  }
  [[nodiscard]] GuardRecord* guard_at(uint32_t number) {
    const uint64_t offset = uint64_t{number} * sizeof(GuardRecord);
    if (number == 0 || !reaches(offset + sizeof(GuardRecord))) return nullptr;
    return reinterpret_cast<GuardRecord*>(base_ + offset);
  }
  [[nodiscard]] ToldWatch& told_watch() { return told_watch_; }
  // The process that an agent's slot belongs to; nullptr for a free slot.
  [[nodiscard]] ProcessRecord* process_of(AgentSlot slot);

 private:
  // Whether the file was that long when last asked: beyond its end lies SIGBUS. A header cannot be believed, the file can.
  [[nodiscard]] bool reaches(uint64_t end) {
    // relaxed: a fact about the file, not about the memory
    return end <= known_bytes_.load(std::memory_order_relaxed) || has_grown_to(end);
  }
  // To be asked before a look at the file that is to say whether it was cut: it may grow at any time, and another thread
  // may know of that. SYNC POINT: known-bytes. acquire: the look comes after it.
  [[nodiscard]] uint64_t known_bytes() const {
    return known_bytes_.load(std::memory_order_acquire);
  }
  [[nodiscard]] bool has_grown_to(uint64_t end);
  Status build();
  [[nodiscard]] bool take_life(ProcessRecord& record, ProcessIndex index);
  Status check_layout(bool* usable, std::string* detail);
  [[nodiscard]] bool is_whole();

  template <typename Table>
  [[nodiscard]] typename Table::Entry* at(Table& table, uint32_t index) {
    if (index >= count(table)) return nullptr;
    const uint32_t page = table.page[index / Table::per_chunk].load(
        std::memory_order_relaxed);  // relaxed: published by count
    if (!is_chunk(page, Table::chunk_bytes)) return nullptr;
    return reinterpret_cast<typename Table::Entry*>(base_ + size_t{page} * kPage) +
           index % Table::per_chunk;
  }
  // Whether records can lie there.
  [[nodiscard]] bool is_chunk(uint32_t page, size_t bytes) {
    const size_t offset = size_t{page} * kPage;
    return offset >= kHeaderBytes && reaches(offset + bytes);
  }

  GuardUse guard_use_;
  std::byte* base_ = nullptr;
  SharedFile file_;
  ProcessId self_;
  ProcessRecord* self_record_ = nullptr;
  ForKeeper for_keeper_;
  uint32_t alive_ = 0;             // what the own life word says
  uint32_t life_offset_ = kNone;   // from a life mutex to that word, as the own one showed it
  RobustMutex::Image life_image_;  // the own one, as it was locked
  std::string name_space_;
  std::string file_name_;
  FileOwner owner_;
  mode_t mode_ = 0;
  ToldWatch told_watch_;
  RemovedFiles removed_;  // of a region built anew: freed when others are let in
  std::atomic<uint64_t> known_bytes_{
      0};  // the longest that the file was when asked: shorter is cut
};

// The file's name in POSIX shared memory: "/holdfast-<uid>-<namespace>"; for a mode that admits the group
// "/holdfast-g<gid>-<namespace>".
std::string region_file_name(const std::string& name_space, mode_t mode);

}  // namespace holdfast
