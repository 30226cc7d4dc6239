// Who sleeps is woken by whoever is to do so. Sleepers look for themselves now and then, which hides a wake that
// nobody made: here the clock stands an hour ahead where they fall asleep, so that none of them does.
#include <optional>
#include <thread>
#include <vector>

#include "objects_scene.h"
#include "region/guard.h"

namespace {

using namespace objects_scene;

constexpr int64_t kHourNs = 3'600'000'000'000;

// Whether that thread of this process sleeps on the futex.
bool sleeps_on(pid_t thread, const FutexWord& word) {
  const std::string path = "/proc/self/task/" + std::to_string(thread) + "/syscall";
  std::FILE* file = std::fopen(path.c_str(), "re");
  if (file == nullptr) return false;
  long call = -1;
  unsigned long at = 0;
  const int found = std::fscanf(file, "%ld %lx", &call, &at);
  std::fclose(file);
  return found == 2 && call == SYS_futex && at == reinterpret_cast<uintptr_t>(&word);
}

// Threads that sleep on a futex each, until each has been woken.
class Sleepers {
 public:
  // `sleep` is to end when the thread was woken. Returns when it is asleep.
  template <typename Sleep>
  void add(const FutexWord& word, Sleep sleep) {
    std::atomic<pid_t> thread{0};
    threads_.emplace_back([&thread, sleep] {
      const stopped_clock::Stop stop(monotonic_ns() + kHourNs);
      thread.store(::gettid());
      sleep();
    });
    while (thread.load() == 0 || !sleeps_on(thread.load(), word)) std::this_thread::yield();
  }
  // A sleeper that nobody wakes is a hang, which the watchdog ends.
  void join() {
    for (std::thread& thread : threads_) thread.join();
  }

 private:
  std::vector<std::thread> threads_;
};

}  // namespace

// One by one: each that was let in wakes the next.
TEST(guard__who_leaves__wakes_who_sleeps) {
  const fixture::NameSpace place;
  const fixture::Member member(place.name());
  Region& region = member.region();
  const Seat seat = fixture::seat_at(region, member.claim_agent(), "lock");
  GuardRecord& record = seat.object->guard;
  std::optional<Guard> inside(std::in_place, region, record);
  Sleepers sleepers;
  for (int i = 0; i < 3; ++i) {
    sleepers.add(record.word, [&] {
      const Guard guard(region, record);
      CHECK(!guard.needs_repair());
    });
  }
  inside->leave();
  sleepers.join();
  CHECK(fixture::is_free(record));
}

TEST(ring__more_sleepers_are_told_than_it_has_room_for__all_wake) {
  const fixture::NameSpace place;
  const fixture::Member member(place.name());
  Region& region = member.region();
  constexpr int kMany = 40;
  const Party setter = join(region, "event", Kind::Event, {});
  std::vector<Party> parties;
  for (int i = 0; i < kMany; ++i) parties.push_back(join(region, "event", Kind::Event, {}));
  Sleepers sleepers;
  for (Party& party : parties) {
    sleepers.add(party.waiter.ticket->state, [&] {
      CHECK_EQ(attempt_sync(region, party.wants(0, 1, OrElse::Queue), Deadline::never(),
                            Deadline::never()),
               Outcome::Taken);
    });
  }
  Seat home = setter.home;
  CHECK_EQ(act(region, home, nullptr, Action::Set, 0), kMany);
  sleepers.join();
}
