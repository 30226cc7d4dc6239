// A region's file as a scribbler sees it: where the records are, and which of them are in use. The tables are read once,
// before anything is damaged; whatever is read later is checked against them.
#pragma once

#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "region/layout.h"

namespace scribble {

using namespace holdfast;

// All of a file, mapped for reading and writing; nothing of one that is not there (any more).
class Mapped {
 public:
  explicit Mapped(const std::string& path) {
    const int fd = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
    struct stat file{};
    if (fd < 0 || ::fstat(fd, &file) != 0) return;
    const auto bytes = static_cast<size_t>(file.st_size);
    void* memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    ::close(fd);
    if (memory == MAP_FAILED) return;
    base_ = static_cast<std::byte*>(memory);
    bytes_ = bytes;
  }

  [[nodiscard]] size_t bytes() const { return bytes_; }
  [[nodiscard]] std::byte* at(size_t offset) const { return base_ + offset; }
  template <typename T>
  [[nodiscard]] T& as(size_t offset) const {
    return *reinterpret_cast<T*>(base_ + offset);
  }

 private:
  std::byte* base_ = nullptr;
  size_t bytes_ = 0;
};

// Where the records of one table are.
struct Records {
  size_t record_bytes = 0;
  uint32_t per_chunk = 1;
  std::vector<size_t> chunks;

  [[nodiscard]] uint32_t count() const { return static_cast<uint32_t>(chunks.size()) * per_chunk; }
  [[nodiscard]] size_t offset(uint32_t index) const {
    return chunks[index / per_chunk] + size_t{index % per_chunk} * record_bytes;
  }
};

class Target {
 public:
  explicit Target(const std::string& path) : file(path) {
    if (file.bytes() < kHeaderBytes) {
      std::fprintf(stderr, "not a region: %s\n", path.c_str());
      std::exit(2);
    }
    processes = records(header().processes);
    agents = records(header().agents);
    objects = records(header().objects);
    tickets = records(header().tickets);
    for (const std::string& data_path : data_paths(path)) {
      if (const Mapped found(data_path); found.bytes() >= 4) data.push_back(found);
    }
  }

  [[nodiscard]] RegionHeader& header() const { return file.as<RegionHeader>(0); }
  [[nodiscard]] ProcessRecord& process(uint32_t index) const {
    return file.as<ProcessRecord>(processes.offset(index));
  }
  [[nodiscard]] AgentRecord& agent(uint32_t index) const {
    return file.as<AgentRecord>(agents.offset(index));
  }
  [[nodiscard]] ObjectRecord& object(uint32_t index) const {
    return file.as<ObjectRecord>(objects.offset(index));
  }
  [[nodiscard]] TicketRecord& ticket(uint32_t index) const {
    return file.as<TicketRecord>(tickets.offset(index));
  }

  // Numbers of the records that are in use now.
  [[nodiscard]] std::vector<uint32_t> used_processes() const {
    return used(processes, [this](uint32_t i) { return process(i).state != ProcessState::Free; });
  }
  [[nodiscard]] std::vector<uint32_t> used_agents() const {
    return used(agents, [this](uint32_t i) { return agent(i).process != 0; });
  }
  [[nodiscard]] std::vector<uint32_t> used_objects() const {
    return used(objects, [this](uint32_t i) { return object(i).state != ObjectState::Free; });
  }
  [[nodiscard]] std::vector<uint32_t> used_tickets() const {
    return used(tickets, [this](uint32_t i) { return ticket(i).agent != 0; });
  }
  [[nodiscard]] std::vector<uint32_t> queued_tickets() const {
    return used(tickets,
                [this](uint32_t i) { return ticket(i).agent != 0 && ticket(i).state != 0; });
  }

  Mapped file;
  Records processes, agents, objects, tickets;
  std::vector<Mapped> data;  // of shared arrays

 private:
  template <typename Table>
  [[nodiscard]] Records records(const Table& table) const {
    Records found{sizeof(typename Table::Entry), Table::per_chunk, {}};
    const uint32_t chunks = std::min(table.count / Table::per_chunk, Table::max_chunks);
    for (uint32_t chunk = 0; chunk < chunks; ++chunk) {
      const size_t start = table.page[chunk] * kPage;
      if (start < kHeaderBytes || start + Table::chunk_bytes > file.bytes()) break;
      found.chunks.push_back(start);
    }
    return found;
  }

  template <typename IsUsed>
  static std::vector<uint32_t> used(const Records& table, IsUsed is_used) {
    std::vector<uint32_t> found;
    for (uint32_t i = 0; i < table.count(); ++i) {
      if (is_used(i)) found.push_back(i);
    }
    return found;
  }

  // region/data_file.h: "<region's file>.<number>.<generation>~"
  static std::vector<std::string> data_paths(const std::string& path) {
    const size_t slash = path.rfind('/') + 1;
    const std::string folder = path.substr(0, slash);
    const std::string prefix = path.substr(slash) + ".";
    std::vector<std::string> found;
    DIR* entries = ::opendir(folder.c_str());
    if (entries == nullptr) return found;
    while (const dirent* entry = ::readdir(entries)) {
      const std::string name = entry->d_name;
      if (name.starts_with(prefix) && name.ends_with("~")) found.push_back(folder + name);
    }
    ::closedir(entries);
    std::ranges::sort(found);
    return found;
  }
};

}  // namespace scribble
