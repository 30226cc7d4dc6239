// One shared-memory file, mapped once for the life of the process: header, tables, and who of the
// processes in it lives.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "posix/shared_file.h"
#include "region/layout.h"
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

  // Removes the file of a namespace. InUse, with pids in `detail`, while any process has it open.
  static Status remove(const std::string& name_space, std::string* detail);
  // The same from within: needs to be its only process. The region is Gone afterwards.
  Status remove_own(std::string* detail);

  [[nodiscard]] RegionHeader& header() { return *reinterpret_cast<RegionHeader*>(base_); }
  [[nodiscard]] ProcessId self() const { return self_; }
  [[nodiscard]] const std::string& name_space() const { return name_space_; }

  // Records by number; nullptr for a number that no record has.
  [[nodiscard]] ProcessRecord* process(ProcessIndex index) { return at(header().processes, index); }
  [[nodiscard]] AgentRecord* agent(AgentSlot slot) { return at(header().agents, slot); }
  [[nodiscard]] ObjectRecord* object(ObjectIndex index) { return at(header().objects, index); }
  [[nodiscard]] TicketRecord* ticket(TicketIndex index) { return at(header().tickets, index); }
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

  // Adds a chunk of records. Under the registry guard, or the creation lock while the region is made.
  template <typename Table>
  Status grow(Table& table);

  // The one test of life. A pid is none: pids are reused, and differ between namespaces.
  [[nodiscard]] bool process_is_alive(ProcessId id);
  [[nodiscard]] FutexWord& life_word(ProcessRecord& process);
  // The process that an agent's slot belongs to; nullptr for a free slot.
  [[nodiscard]] ProcessRecord* process_of(AgentSlot slot);

 private:
  Status build();
  Status check_layout(bool* usable, std::string* detail);

  template <typename Table>
  [[nodiscard]] typename Table::Entry* at(Table& table, uint32_t index) {
    if (index >= count(table)) return nullptr;
    const size_t offset = table.page[index / Table::per_chunk].load(std::memory_order_relaxed) *
                          kPage;  // relaxed: published by count
    if (offset < kHeaderBytes || offset > kMappedRange - Table::chunk_bytes) return nullptr;
    return reinterpret_cast<typename Table::Entry*>(base_ + offset) + index % Table::per_chunk;
  }

  std::byte* base_ = nullptr;
  SharedFile file_;
  ProcessId self_;
  std::string name_space_;
};

// The file's name in POSIX shared memory: "/holdfast-<uid>-<namespace>".
std::string region_file_name(const std::string& name_space);

}  // namespace holdfast
