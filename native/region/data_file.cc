#include "region/data_file.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
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

void remove_data_file(Region& region, ObjectIndex index, uint32_t generation,
                      RemovedFiles& removed) {
  // Once the region's own name is gone, a new one may have it, and objects with our objects' numbers.
  if (!region.has_its_name()) return;
  removed.remove(data_file_name(region, index, generation));
}

bool data_file_is_gone(Region& region, ObjectIndex index, uint32_t generation) {
  // One folder for both looks, whatever is mounted meanwhile.
  const int folder = ::open(kShmFolder, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) return false;
  const auto finds = [folder](const std::string& name, struct stat* file) {
    return ::fstatat(folder, name.c_str() + 1, file, AT_SYMLINK_NOFOLLOW) == 0;
  };
  struct stat file{};
  const bool is_missing =
      !finds(data_file_name(region, index, generation), &file) && errno == ENOENT;
  const bool is_ours = is_missing && finds(region.file_name(), &file) && region.is_its_file(file);
  ::close(folder);
  return is_ours;
}

void remove_data_files(const std::string& region_file, RemovedFiles& removed) {
  DIR* entries = ::opendir(kShmFolder);
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
  for (const std::string& name : found) removed.remove(name);
}

}  // namespace holdfast
