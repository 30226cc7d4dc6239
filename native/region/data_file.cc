#include "region/data_file.h"

#include <dirent.h>
#include <sys/mman.h>

#include <string_view>
#include <vector>

namespace holdfast {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// "12.3~"
bool is_number_and_generation(std::string_view text) {
  size_t dots = 0;
  if (text.size() < 4 || text.back() != '~') return false;
  text.remove_suffix(1);
  for (size_t i = 0; i < text.size(); ++i) {
    if (is_digit(text[i])) continue;
    if (text[i] != '.' || i == 0 || i + 1 == text.size()) return false;
    ++dots;
  }
  return dots == 1;
}

}  // namespace

uint32_t element_bytes(uint32_t type) {
  // int8, uint8, int16, uint16, int32, uint32, int64, uint64, float32, float64: lib/element-type.ts
  constexpr uint32_t kBytes[] = {0, 1, 1, 2, 2, 4, 4, 8, 8, 4, 8};
  return type < sizeof kBytes / sizeof kBytes[0] ? kBytes[type] : 0;
}

uint64_t data_bytes(const Parameters& parameters) {
  return uint64_t{element_bytes(parameters.first)} * parameters.second;
}

std::string data_file_name(Region& region, ObjectIndex index, uint32_t generation) {
  return region.file_name() + "." + std::to_string(index) + "." + std::to_string(generation) + "~";
}

void remove_data_file(Region& region, ObjectIndex index, uint32_t generation) {
  // Once the region's own name is gone, a new one may have it, and objects with our objects' numbers.
  if (!region.has_its_name()) return;
  ::shm_unlink(data_file_name(region, index, generation).c_str());
}

void remove_data_files(const std::string& region_file) {
  DIR* entries = ::opendir("/dev/shm");
  if (entries == nullptr) return;
  const std::string prefix = region_file.substr(1) + ".";
  std::vector<std::string> found;
  while (const dirent* entry = ::readdir(entries)) {
    const std::string_view name = entry->d_name;
    if (name.starts_with(prefix) && is_number_and_generation(name.substr(prefix.size()))) {
      found.push_back("/" + std::string(name));
    }
  }
  ::closedir(entries);
  for (const std::string& name : found) ::shm_unlink(name.c_str());
}

}  // namespace holdfast
