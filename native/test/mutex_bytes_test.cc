// Mutexes whose bytes somebody scribbled over: libc's functions trust each of them, and end the process over some.
#include <pthread.h>
#include <semaphore.h>

#include <array>
#include <cstring>
#include <vector>

#include "fixture.h"
#include "posix/named_mutex.h"
#include "posix/named_semaphore.h"
#include "posix/robust_mutex.h"
#include "region/region.h"
#include "wait/keeper.h"
#include "wait/ring.h"

namespace {

using namespace holdfast;
using fixture::Child;
using fixture::ends_well;
using fixture::fresh_name;
using fixture::Member;
using fixture::NameSpace;

using Bytes = std::array<unsigned char, sizeof(RobustMutex)>;

unsigned char* bytes_of(RobustMutex& mutex) { return reinterpret_cast<unsigned char*>(&mutex); }

Bytes made_with(int type, int protocol, int robust, int shared) {
  alignas(pthread_mutex_t) Bytes bytes{};
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_settype(&attributes, type);
  pthread_mutexattr_setprotocol(&attributes, protocol);
  pthread_mutexattr_setrobust(&attributes, robust);
  pthread_mutexattr_setpshared(&attributes, shared);
  CHECK_EQ(pthread_mutex_init(reinterpret_cast<pthread_mutex_t*>(bytes.data()), &attributes), 0);
  pthread_mutexattr_destroy(&attributes);
  return bytes;
}

// The first byte in which it shows whether a mutex is robust: where libc keeps the kind.
size_t kind_offset() {
  const Bytes robust = made_with(PTHREAD_MUTEX_ERRORCHECK, PTHREAD_PRIO_NONE, PTHREAD_MUTEX_ROBUST,
                                 PTHREAD_PROCESS_SHARED);
  const Bytes stalled = made_with(PTHREAD_MUTEX_ERRORCHECK, PTHREAD_PRIO_NONE,
                                  PTHREAD_MUTEX_STALLED, PTHREAD_PROCESS_SHARED);
  size_t offset = 0;
  while (offset < robust.size() && robust[offset] == stalled[offset]) ++offset;
  return offset;
}

// Every kind that a byte can name.
std::vector<unsigned char> all_kinds() {
  std::vector<unsigned char> kinds;
  for (int kind = 0; kind < 256; ++kind) kinds.push_back(static_cast<unsigned char>(kind));
  return kinds;
}

bool joins(const NameSpace& name_space) {
  return ends_well([&] { CHECK_EQ(Member(name_space.name()).status(), Status::Ok); });
}

void for_each_life(Region& region, auto change) {
  for (ProcessIndex i = 0; i < Region::count(region.header().processes); ++i) {
    change(*region.process(i));
  }
}

Keeper& start_keeper(const NameSpace& name_space) {
  auto& keeper = *new Keeper;  // its thread never ends
  std::string detail;
  CHECK_EQ(keeper.start(name_space.name(), 0600, &detail), Status::Ok);
  return keeper;
}

}  // namespace

// ---- Life mutexes ----

TEST(life_mutex__of_a_free_record__with_any_kind__is_made_anew_by_who_joins) {
  const NameSpace name_space;
  const Member living(name_space.name());
  REQUIRE(living.status() == Status::Ok);
  const size_t kind = kind_offset();
  for (const unsigned char value : all_kinds()) {
    for_each_life(living.region(), [&](ProcessRecord& process) {
      if (process.state.load() == ProcessState::Free) bytes_of(process.life)[kind] = value;
    });
    if (!CHECK(joins(name_space))) std::fprintf(stderr, "with kind %d\n", value);
    fixture::reap_all(living.region());
  }
  // Nobody was passed over.
  CHECK(living.region().process_limit() <= 3);
}

TEST(life_mutex__all_of_its_bytes__processes_come_and_go_all_the_same) {
  for (const int byte : {0x00, 0x01, 0x40, 0x80, 0xff}) {
    const NameSpace name_space;
    const Member living(name_space.name());
    REQUIRE(living.status() == Status::Ok);
    for_each_life(living.region(), [&](ProcessRecord& process) {
      if (process.state.load() == ProcessState::Free) {
        std::memset(bytes_of(process.life), byte, sizeof(RobustMutex));
      }
    });
    for (int i = 0; i < 3; ++i) {
      CHECK(joins(name_space));
      fixture::reap_all(living.region());
    }
    CHECK(living.region().process_limit() <= 3);
  }
}

// Its owner's death is told by what is made of the bytes then, and by the life byte.
TEST(life_mutex__of_the_living__with_any_bytes__newcomers_join_and_it_lives_until_it_ends) {
  for (const int byte : {0x00, 0x01, 0x40, 0x80, 0xff}) {
    const NameSpace name_space;
    processes::Signal in;
    Child living([&] {
      const Member member(name_space.name());
      CHECK_EQ(member.status(), Status::Ok);
      in.raise();
      for (;;) ::pause();
    });
    in.await();
    const Member other(name_space.name());
    Region& region = other.region();
    const ProcessIndex index = 1 - region.self().index;
    ProcessRecord& process = *region.process(index);
    const uint32_t generation = process.generation.load();
    std::memset(bytes_of(process.life), byte, sizeof(RobustMutex));
    CHECK(joins(name_space));
    CHECK(region.process_is_alive(index, generation));
    CHECK(living.end(SIGKILL).killed());
    CHECK(!region.process_is_alive(index, generation));
    fixture::reap_all(region);
    CHECK_EQ(process.state.load(), ProcessState::Free);
    CHECK(joins(name_space));
  }
}

// Its record says that it is nobody's: its life byte says that it is somebody's.
TEST(life_mutex__of_the_living__whose_record_is_said_to_be_free__is_left_alone) {
  const NameSpace name_space;
  const Member living(name_space.name());
  Region& region = living.region();
  ProcessRecord& process = region.self_record();
  const RobustMutex::Image whole = process.life.image();
  process.state.store(ProcessState::Free);
  CHECK(joins(name_space));
  CHECK(process.life.image() == whole);
  bytes_of(process.life)[kind_offset()] = 0xff;
  const RobustMutex::Image scribbled = process.life.image();
  CHECK(joins(name_space));
  CHECK(process.life.image() == scribbled);
  CHECK_EQ(process.generation.load(), region.self().generation);
}

TEST_IN_A_PROCESS(life_mutex__of_a_keeper__is_whole_again_when_it_was_rung) {
  const NameSpace name_space;
  Keeper& keeper = start_keeper(name_space);
  ProcessRecord& self = keeper.region().self_record();
  const RobustMutex::Image whole = self.life.image();
  auto* words = reinterpret_cast<FutexWord*>(&self.life);
  for (const uint32_t word : {0u, 0x01010101u, 0x40404040u, 0x80808080u, 0xffffffffu}) {
    for (size_t i = 0; i < whole.size(); ++i) words[i].store(word);
    ring_doorbell(self);
    while (self.life.image() != whole) std::this_thread::yield();
  }
}

// What a header says of where the futex word is: nobody writes there.
TEST_IN_A_PROCESS(life_mutex__of_a_keeper__stays_whole_where_the_header_says_another_offset) {
  const NameSpace name_space;
  Keeper& keeper = start_keeper(name_space);
  ProcessRecord& self = keeper.region().self_record();
  const RobustMutex::Image whole = self.life.image();
  for (uint32_t offset = 0; offset < sizeof(RobustMutex); offset += 4) {
    keeper.region().header().life_word_offset = offset;
    static_cast<void>(keeper.region().mend_own_life());
    CHECK(self.life.image() == whole);
  }
  CHECK(joins(name_space));
}

// ---- Named mutexes ----

namespace {

// One that nobody has the name of.
struct Mutex {
  Mutex() {
    const std::string name = "/" + fresh_name();
    CHECK_EQ(mutex.open(name, {CreateFile::Exclusively, 0600}), Status::Ok);
    CHECK_EQ(Mapping::open(name, {}, &memory), Status::Ok);
    CHECK_EQ(unlink_shared_memory(name), Status::Ok);
  }
  unsigned char* bytes() { return reinterpret_cast<unsigned char*>(memory->base()); }
  NamedMutex mutex;
  std::shared_ptr<Mapping> memory;
};

Deadline soon() { return Deadline::after_ns(1'000'000); }

}  // namespace

TEST(named_mutex__free__with_any_kind__is_locked_or_corrupt) {
  const size_t kind = kind_offset();
  for (const unsigned char value : all_kinds()) {
    const bool ok = ends_well([&] {
      Mutex one;
      one.bytes()[kind] = value;
      for (const bool waits : {false, true}) {
        const NamedMutex::Result result = waits ? one.mutex.lock(soon()) : one.mutex.try_lock();
        CHECK(result == NamedMutex::Result::Held || result == NamedMutex::Result::Corrupt);
        if (result == NamedMutex::Result::Held) CHECK_EQ(one.mutex.unlock(), Status::Ok);
      }
    });
    if (!CHECK(ok)) std::fprintf(stderr, "with kind %d\n", value);
  }
}

TEST(named_mutex__free__with_any_bytes__does_not_end_its_process) {
  for (const int byte : {0x00, 0x01, 0x40, 0x80, 0xff}) {
    CHECK(ends_well([&] {
      Mutex one;
      std::memset(one.bytes(), byte, sizeof(RobustMutex));
      CHECK_EQ(one.mutex.try_lock(), NamedMutex::Result::Corrupt);
      CHECK_EQ(one.mutex.lock(soon()), NamedMutex::Result::Corrupt);
      CHECK_EQ(one.mutex.unlock(), Status::NotOwner);
    }));
  }
}

TEST(named_mutex__held__with_any_of_its_bytes_changed__does_not_end_its_process) {
  for (size_t first = 0; first < sizeof(RobustMutex); first += 4) {
    for (const int byte : {0x00, 0x01, 0x10, 0x7f, 0xff}) {
      const bool ok = ends_well([&] {
        Mutex one;
        CHECK_EQ(one.mutex.try_lock(), NamedMutex::Result::Held);
        std::memset(one.bytes() + first, byte, 4);
        static_cast<void>(one.mutex.consistent());
        const Status status = one.mutex.unlock();
        CHECK(status == Status::Ok || status == Status::Corrupt || status == Status::NotOwner);
        // The thread's list of what it holds is good for another one.
        Mutex other;
        CHECK_EQ(other.mutex.try_lock(), NamedMutex::Result::Held);
        CHECK_EQ(other.mutex.unlock(), Status::Ok);
      });
      if (!CHECK(ok)) std::fprintf(stderr, "with 4 bytes of %d at %zu\n", byte, first);
    }
  }
}

TEST(named_mutex__held_among_others__is_unlocked_in_any_order) {
  for (const auto& order : {std::array{0, 1, 2}, std::array{2, 1, 0}, std::array{1, 0, 2},
                            std::array{1, 2, 0}, std::array{0, 2, 1}, std::array{2, 0, 1}}) {
    CHECK(ends_well([&] {
      Mutex all[3];
      RobustMutex foreign;  // of other native code
      REQUIRE(foreign.init());
      CHECK_EQ(all[0].mutex.try_lock(), NamedMutex::Result::Held);
      CHECK_EQ(foreign.lock(), RobustMutex::Lock::Held);
      CHECK_EQ(all[1].mutex.try_lock(), NamedMutex::Result::Held);
      CHECK_EQ(all[2].mutex.try_lock(), NamedMutex::Result::Held);
      for (const int i : order) CHECK_EQ(all[i].mutex.unlock(), Status::Ok);
      CHECK(foreign.unlock());
    }));
  }
}

TEST(named_mutex__with_priority_inheritance_and_an_owner_that_is_nobody__is_corrupt) {
  for (const int type : {PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_RECURSIVE, PTHREAD_MUTEX_ERRORCHECK}) {
    CHECK(ends_well([&] {
      Mutex one;
      const Bytes made =
          made_with(type, PTHREAD_PRIO_INHERIT, PTHREAD_MUTEX_ROBUST, PTHREAD_PROCESS_SHARED);
      std::memcpy(one.bytes(), made.data(), made.size());
      CHECK_EQ(one.mutex.try_lock(), NamedMutex::Result::Held);
      uint32_t owned[sizeof(RobustMutex) / 4];
      std::memcpy(owned, one.bytes(), sizeof owned);
      CHECK_EQ(one.mutex.unlock(), Status::Ok);
      // The futex word, wherever it is: it named this thread.
      size_t word = 0;
      while (owned[word] != static_cast<uint32_t>(::getpid())) ++word;
      const uint32_t nobody = 0x3ffffff0;
      std::memcpy(one.bytes() + word * 4, &nobody, sizeof nobody);
      CHECK_EQ(one.mutex.try_lock(), NamedMutex::Result::Corrupt);
      CHECK_EQ(one.mutex.lock(soon()), NamedMutex::Result::Corrupt);
    }));
  }
}

// ---- Named semaphores ----

TEST(named_semaphore__with_any_bytes_beside_its_value__is_used_or_corrupt) {
  for (size_t first = 0; first < sizeof(sem_t); first += 4) {
    for (const int byte : {0x00, 0x01, 0x7f, 0x80, 0xff}) {
      const bool ok = ends_well([&] {
        const std::string name = "/" + fresh_name();
        NamedSemaphore semaphore;
        CHECK_EQ(semaphore.open(name.c_str(), NamedSemaphore::Create::Exclusively, 0600, 1),
                 Status::Ok);
#if defined(__GLIBC__)
        const std::string file = "/sem." + name.substr(1);
#else
        const std::string file = name;
#endif
        std::shared_ptr<Mapping> memory;
        CHECK_EQ(Mapping::open(file, {}, &memory), Status::Ok);
        CHECK_EQ(NamedSemaphore::unlink(name.c_str()), Status::Ok);
        std::memset(memory->base() + first, byte, 4);
        static_cast<void>(semaphore.try_wait());
        static_cast<void>(semaphore.wait(soon()));
        static_cast<void>(semaphore.post());
        int value = 0;
        static_cast<void>(semaphore.value(&value));
      });
      if (!CHECK(ok)) std::fprintf(stderr, "with 4 bytes of %d at %zu\n", byte, first);
    }
  }
}
