// A test framework in one small header: one executable a file, which has TEST()s and no main().
//
//   TEST(lock_free_word_is_taken) {
//     CHECK(word == 0);
//     CHECK_EQ(owner_of(word), 3);   // prints both sides
//     REQUIRE(region.is_open());     // as CHECK, and leaves the test
//   }
//
// Checks may run on any thread. A forked child ends with `_exit(harness::failures())`, and its
// parent checks the exit code. A test that hangs is ended by SIGALRM.
// Arguments, if any: run only the tests whose names contain one of them.
#pragma once

#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstring>
#include <sstream>
#include <type_traits>
#include <vector>

namespace harness {

struct Case {
  const char* name;
  void (*run)();
};

// Only what hangs takes so long, however busy the machine is.
inline constexpr unsigned watchdog_s = 100;
// A driver's is longer, as those that it forked tell what hangs; and with each of them it has got on.
inline void renew_watchdog() { alarm(2 * watchdog_s); }
inline std::vector<Case> cases;
inline std::atomic<int> failed_checks{0};

inline int failures() { return failed_checks.load() > 255 ? 255 : failed_checks.load(); }

inline bool check(bool ok, const char* file, int line, const char* what) {
  if (ok) return true;
  failed_checks.fetch_add(1);
  std::fprintf(stderr, "%s:%d: CHECK failed: %s\n", file, line, what);
  return false;
}

// Enumerations print as their numbers.
template <typename T>
auto printable(const T& value) {
  if constexpr (std::is_enum_v<T>) {
    return static_cast<long long>(value);
  } else if constexpr (sizeof(T) == 1 && std::is_integral_v<T>) {
    return static_cast<int>(value);
  } else {
    return value;
  }
}

template <typename A, typename B>
bool check_eq(const A& a, const B& b, const char* file, int line, const char* what) {
  if (a == b) return true;
  std::ostringstream text;
  text << what << " (" << printable(a) << " != " << printable(b) << ")";
  return check(false, file, line, text.str().c_str());
}

struct Register {
  Register(const char* name, void (*run)()) { cases.push_back({name, run}); }
};

inline bool selected(const char* name, int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    if (std::strstr(name, argv[i]) != nullptr) return true;
  }
  return argc <= 1;
}

inline int run_all(int argc, char** argv) {
  int passed = 0;
  int failed = 0;
  for (const Case& test : cases) {
    if (!selected(test.name, argc, argv)) continue;
    renew_watchdog();
    const int before = failed_checks.load();
    test.run();
    const bool ok = failed_checks.load() == before;
    ++(ok ? passed : failed);
    std::fprintf(stderr, "%s %s\n", ok ? "ok    " : "FAILED", test.name);
  }
  std::fprintf(stderr, "%d passed, %d failed\n", passed, failed);
  return failed == 0 ? 0 : 1;
}

}  // namespace harness

#define TEST(name)                                                    \
  static void test_##name();                                          \
  static const harness::Register register_##name(#name, test_##name); \
  static void test_##name()

#define CHECK(...) harness::check(static_cast<bool>(__VA_ARGS__), __FILE__, __LINE__, #__VA_ARGS__)
#define CHECK_EQ(a, b) harness::check_eq((a), (b), __FILE__, __LINE__, #a " == " #b)
#define REQUIRE(...) \
  if (!CHECK(__VA_ARGS__)) return

// NOLINTNEXTLINE(misc-definitions-in-headers): one executable includes this once
int main(int argc, char** argv) { return harness::run_all(argc, argv); }
