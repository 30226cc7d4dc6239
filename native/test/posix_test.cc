// The wrappers over the kernel's and libc's primitives: deadlines, futexes, robust mutexes, named
// semaphores, shared files. What is promised to others is tested from another process.
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <limits>
#include <vector>

#include "fixture.h"
#include "posix/deadline.h"
#include "posix/futex.h"
#include "posix/named_mutex.h"
#include "posix/named_semaphore.h"
#include "posix/robust_mutex.h"
#include "posix/shared_file.h"
#include "sync/lock.h"

namespace {

using namespace holdfast;
using fixture::Child;
using fixture::ends_well;
using fixture::fresh_name;
using processes::Shared;

constexpr int64_t kMsNs = 1'000'000;
constexpr int64_t kMaxNs = std::numeric_limits<int64_t>::max();

// True where `word` has a sleeper of another thread or process: a FUTEX_REQUEUE of it to the same
// word moves it and wakes nobody.
bool has_sleeper(FutexWord& word) {
  return ::syscall(SYS_futex, &word, FUTEX_CMP_REQUEUE, 0, 1, &word, word.load()) > 0;
}
void await_sleeper(FutexWord& word) {
  while (!has_sleeper(word)) ::sched_yield();
}

void skip(const char* why) { std::fprintf(stderr, "skipped: %s\n", why); }

bool futex_waitv_works() {
  FutexWord word{1};
  const FutexWatch watch{&word, 0};
  return futex_wait_any({&watch, 1}, Deadline::never()) != FutexWake::Unsupported;
}

}  // namespace

// ---- Deadline ----

TEST(deadline__never) {
  CHECK(Deadline::never().is_never());
  CHECK(!Deadline::never().passed());
  CHECK(!Deadline::at_ns(kMaxNs - 1).is_never());
  CHECK(!Deadline::at_ns(kMaxNs - 1).passed());
}

TEST(deadline__after_ns__that_would_overflow_is_never) {
  CHECK(Deadline::after_ns(kMaxNs).is_never());
  CHECK(Deadline::after_ns(kMaxNs - 1).is_never());
  CHECK(Deadline::after_ns(kMaxNs - monotonic_ns()).is_never());
  const Deadline far = Deadline::after_ns(kMaxNs / 2);
  CHECK(!far.is_never());
  CHECK(!far.passed());
}

TEST(deadline__after_ns__is_from_now) {
  const int64_t before = monotonic_ns();
  const Deadline deadline = Deadline::after_ns(kMsNs);
  CHECK(deadline.ns() >= before + kMsNs);
  CHECK(deadline.ns() <= monotonic_ns() + kMsNs);
}

TEST(deadline__passed__from_its_very_moment_on) {
  const int64_t now = monotonic_ns();
  CHECK(Deadline::at_ns(now).passed());
  CHECK(Deadline::at_ns(0).passed());
  CHECK(Deadline::after_ns(0).passed());
  CHECK(Deadline::after_ns(-1).passed());
  CHECK(Deadline::after_ns(-kMaxNs).passed());
}

TEST(deadline__at_ms__as_javascript_has_it) {
  CHECK_EQ(Deadline::at_ms(1.5).ns(), 1'500'000);
  CHECK(Deadline::at_ms(std::numeric_limits<double>::infinity()).is_never());
  CHECK(Deadline::at_ms(9.0e12).is_never());
  CHECK(Deadline::at_ms(1e300).is_never());
  CHECK(!Deadline::at_ms(8.9e12).is_never());
  CHECK(!Deadline::at_ms(8.9e12).passed());
}

TEST(deadline__at_ms__that_is_no_moment_has_passed) {
  for (const double ms : {0.0, -0.0, -1.0, -1e300, -std::numeric_limits<double>::infinity(),
                          std::numeric_limits<double>::quiet_NaN()}) {
    CHECK(Deadline::at_ms(ms).passed());
  }
}

// The kernel answers EINVAL to a timespec with a negative part, which nobody can tell from a
// wake-up.
TEST(deadline__to_timespec__is_one_that_the_kernel_takes) {
  for (const int64_t ns : {int64_t{0}, int64_t{1}, int64_t{999'999'999}, int64_t{1'000'000'000},
                           int64_t{1'000'000'001}, kMaxNs - 1, int64_t{-1}, -kMaxNs}) {
    const timespec until = Deadline::at_ns(ns).to_timespec();
    CHECK(until.tv_sec >= 0);
    CHECK(until.tv_nsec >= 0 && until.tv_nsec < 1'000'000'000);
  }
  const timespec until = Deadline::at_ns(2'000'000'003).to_timespec();
  CHECK_EQ(until.tv_sec, 2);
  CHECK_EQ(until.tv_nsec, 3);
}

TEST(deadline__sooner) {
  CHECK_EQ(Deadline::sooner(Deadline::at_ns(5), Deadline::at_ns(4)).ns(), 4);
  CHECK_EQ(Deadline::sooner(Deadline::at_ns(5), Deadline::never()).ns(), 5);
  CHECK(Deadline::sooner(Deadline::never(), Deadline::never()).is_never());
}

// ---- Futex ----

TEST(futex_wait__a_value_that_differs__returns_at_once) {
  const FutexWord word{7};
  CHECK_EQ(futex_wait(word, 8, Deadline::never()), FutexWake::Look);
}

TEST(futex_wait__times_out_and_not_before_its_deadline) {
  const FutexWord word{7};
  const int64_t until = monotonic_ns() + 3 * kMsNs;
  FutexWake wake = FutexWake::Look;
  while (wake == FutexWake::Look) wake = futex_wait(word, 7, Deadline::at_ns(until));
  CHECK_EQ(wake, FutexWake::TimedOut);
  CHECK(monotonic_ns() >= until);
}

TEST(futex_wait__a_deadline_of_long_ago__times_out) {
  const FutexWord word{7};
  for (const int64_t ns : {int64_t{0}, int64_t{1}, int64_t{-1}, int64_t{-1'000'000'000}}) {
    CHECK_EQ(futex_wait(word, 7, Deadline::at_ns(ns)), FutexWake::TimedOut);
  }
}

TEST(futex_wake__nobody_sleeps) {
  const FutexWord word{7};
  futex_wake(word, 1);
  CHECK_EQ(word.load(), 7u);
}

TEST(futex_wake__from_another_process) {
  Shared<FutexWord> word;
  Child sleeper([&] {
    while (word->load() == 0) CHECK_EQ(futex_wait(*word, 0, Deadline::never()), FutexWake::Look);
  });
  await_sleeper(*word);
  word->store(1);
  futex_wake(*word, 1);
  CHECK(sleeper.wait().well());
}

TEST(futex_wake__at_most_as_many_as_asked) {
  Shared<FutexWord> word;
  Shared<std::atomic<int>> awake;
  processes::Signal woken;
  std::vector<Child> sleepers;
  for (int i = 0; i < 3; ++i) {
    sleepers.emplace_back([&] {
      CHECK_EQ(futex_wait(*word, 0, Deadline::never()), FutexWake::Look);
      awake->fetch_add(1);
      woken.raise();
    });
  }
  // All three asleep: that many are moved.
  while (::syscall(SYS_futex, &*word, FUTEX_CMP_REQUEUE, 0, 9, &*word, 0) != 3) ::sched_yield();
  futex_wake(*word, 1);
  woken.await();
  CHECK_EQ(::syscall(SYS_futex, &*word, FUTEX_CMP_REQUEUE, 0, 9, &*word, 0), 2);
  CHECK_EQ(awake->load(), 1);
  futex_wake(*word, 9);
  for (Child& sleeper : sleepers) CHECK(sleeper.wait().well());
}

TEST(futex_wait__an_interrupting_signal__is_a_look) {
  FutexWord word{0};
  struct sigaction action{};
  struct sigaction before{};
  action.sa_handler = [](int) {};
  ::sigaction(SIGUSR1, &action, &before);
  std::atomic<bool> back{false};
  std::thread sleeper([&] {
    CHECK_EQ(futex_wait(word, 0, Deadline::never()), FutexWake::Look);
    back.store(true);
  });
  while (!back.load()) {
    if (has_sleeper(word)) ::pthread_kill(sleeper.native_handle(), SIGUSR1);
    ::sched_yield();
  }
  sleeper.join();
  ::sigaction(SIGUSR1, &before, nullptr);
  CHECK_EQ(word.load(), 0u);
}

TEST(futex_wait_any__a_value_that_differs__returns_at_once) {
  if (!futex_waitv_works()) return skip("this kernel has no futex_waitv");
  const FutexWord words[3] = {1, 2, 3};
  const FutexWatch watches[] = {{&words[0], 1}, {&words[1], 2}, {&words[2], 4}};
  CHECK_EQ(futex_wait_any(watches, Deadline::never()), FutexWake::Look);
}

TEST(futex_wait_any__times_out_and_not_before_its_deadline) {
  if (!futex_waitv_works()) return skip("this kernel has no futex_waitv");
  const FutexWord words[2] = {1, 2};
  const FutexWatch watches[] = {{&words[0], 1}, {&words[1], 2}};
  const int64_t until = monotonic_ns() + 3 * kMsNs;
  FutexWake wake = FutexWake::Look;
  while (wake == FutexWake::Look) wake = futex_wait_any(watches, Deadline::at_ns(until));
  CHECK_EQ(wake, FutexWake::TimedOut);
  CHECK(monotonic_ns() >= until);
  CHECK_EQ(futex_wait_any(watches, Deadline::at_ns(-1)), FutexWake::TimedOut);
}

TEST(futex_wait_any__each_of_its_words_wakes_it_from_another_process) {
  if (!futex_waitv_works()) return skip("this kernel has no futex_waitv");
  constexpr size_t kWords = kMaxFutexWatches;
  struct Words {
    FutexWord word[kWords];
  };
  Shared<Words> shared;
  for (const size_t which : {size_t{0}, size_t{1}, kWords / 2, kWords - 1}) {
    Child sleeper([&] {
      FutexWatch watches[kWords];
      for (size_t i = 0; i < kWords; ++i) watches[i] = {&shared->word[i], 0};
      while (shared->word[which].load() == 0) {
        CHECK_EQ(futex_wait_any(watches, Deadline::never()), FutexWake::Look);
      }
    });
    // Asleep by now or not: the comparison and the sleep are one step.
    shared->word[which].store(1);
    futex_wake(shared->word[which], 1);
    CHECK(sleeper.wait().well());
    shared->word[which].store(0);
  }
}

TEST(futex_wait_any__more_than_the_kernel_takes__watches_the_first) {
  if (!futex_waitv_works()) return skip("this kernel has no futex_waitv");
  std::vector<FutexWord> words(kMaxFutexWatches + 10);
  std::vector<FutexWatch> watches;
  for (const FutexWord& word : words) watches.push_back({&word, 0});
  CHECK_EQ(futex_wait_any(watches, Deadline::after_ns(1)), FutexWake::TimedOut);
  words[kMaxFutexWatches - 1].store(1);
  CHECK_EQ(futex_wait_any(watches, Deadline::never()), FutexWake::Look);
}

// ---- RobustMutex ----

using Lock = RobustMutex::Lock;

// ThreadSanitizer ends a program that unlocks what it does not hold, which here is the test.
#if defined(__SANITIZE_THREAD__)
constexpr bool kReportsMisuse = true;
#else
constexpr bool kReportsMisuse = false;
#endif

TEST(robust_mutex__lock_busy_unlock) {
  Shared<RobustMutex> memory;
  RobustMutex& mutex = *memory;
  REQUIRE(mutex.init());
  CHECK_EQ(mutex.lock(), Lock::Held);
  std::thread([&] {
    CHECK_EQ(mutex.try_lock(), Lock::Busy);
    if (kReportsMisuse) return;
    CHECK(!mutex.unlock());  // another's
    CHECK_EQ(errno, EPERM);
  }).join();
  CHECK(mutex.unlock());
  if (!kReportsMisuse) CHECK(!mutex.unlock());  // nobody's
  std::thread([&] {
    CHECK_EQ(mutex.try_lock(), Lock::Held);
    CHECK(mutex.unlock());
  }).join();
}

TEST(robust_mutex__consistent_where_nothing_died__refused) {
  Shared<RobustMutex> memory;
  RobustMutex& mutex = *memory;
  REQUIRE(mutex.init());
  CHECK(!mutex.consistent());
  CHECK_EQ(mutex.lock(), Lock::Held);
  CHECK(!mutex.consistent());
  CHECK(mutex.unlock());
}

TEST(robust_mutex__a_threads_end__is_an_owners_death) {
  for (const bool wait : {true, false}) {
    Shared<RobustMutex> memory;
    RobustMutex& mutex = *memory;
    REQUIRE(mutex.init());
    std::thread([&] { CHECK_EQ(mutex.lock(), Lock::Held); }).join();
    CHECK_EQ(wait ? mutex.lock() : mutex.try_lock(), Lock::OwnerDied);
    CHECK(mutex.consistent());
    CHECK(mutex.unlock());
    CHECK_EQ(mutex.lock(), Lock::Held);  // told once
    CHECK(mutex.unlock());
  }
}

TEST(robust_mutex__a_processes_death_by_sigkill__is_an_owners_death) {
  Shared<RobustMutex> mutex;
  REQUIRE(mutex->init());
  processes::Signal locked;
  Child owner([&] {
    CHECK_EQ(mutex->lock(), Lock::Held);
    locked.raise();
    for (;;) ::pause();
  });
  locked.await();
  CHECK_EQ(mutex->try_lock(), Lock::Busy);
  CHECK(owner.end(SIGKILL).killed());
  CHECK_EQ(mutex->try_lock(), Lock::OwnerDied);
  CHECK(mutex->consistent());
  CHECK(mutex->unlock());
  CHECK_EQ(mutex->try_lock(), Lock::Held);
  CHECK(mutex->unlock());
}

TEST(robust_mutex__an_orderly_exit_of_its_process__is_an_owners_death_too) {
  Shared<RobustMutex> mutex;
  REQUIRE(mutex->init());
  CHECK(ends_well([&] { CHECK_EQ(mutex->lock(), Lock::Held); }));
  CHECK_EQ(mutex->lock(), Lock::OwnerDied);
  CHECK(mutex->consistent());
  CHECK(mutex->unlock());
}

TEST(robust_mutex__a_sleeper_is_woken_by_the_owners_death) {
  Shared<RobustMutex> mutex;
  REQUIRE(mutex->init());
  processes::Signal locked;
  Child owner([&] {
    CHECK_EQ(mutex->lock(), Lock::Held);
    locked.raise();
    for (;;) ::pause();
  });
  locked.await();
  const ptrdiff_t offset = [] {
    Shared<RobustMutex> memory;
    RobustMutex& probe = *memory;
    if (!probe.init() || probe.lock() != Lock::Held) return ptrdiff_t{-1};
    const ptrdiff_t found = probe.futex_word_offset();
    probe.unlock();
    return found;
  }();
  REQUIRE(offset >= 0);
  Child sleeper([&] {
    CHECK_EQ(mutex->lock(), Lock::OwnerDied);
    CHECK(mutex->consistent());
    CHECK(mutex->unlock());
  });
  await_sleeper(*reinterpret_cast<FutexWord*>(reinterpret_cast<std::byte*>(&*mutex) + offset));
  CHECK(owner.end(SIGKILL).killed());
  CHECK(sleeper.wait().well());
}

TEST(robust_mutex__unlocked_without_consistent__is_not_recoverable_for_ever) {
  Shared<RobustMutex> memory;
  RobustMutex& mutex = *memory;
  REQUIRE(mutex.init());
  std::thread([&] { CHECK_EQ(mutex.lock(), Lock::Held); }).join();
  CHECK_EQ(mutex.lock(), Lock::OwnerDied);
  CHECK(mutex.unlock());
  CHECK_EQ(mutex.lock(), Lock::NotRecoverable);
  CHECK_EQ(mutex.try_lock(), Lock::NotRecoverable);
}

TEST(robust_mutex__a_repairer_that_dies__is_a_death_again) {
  Shared<RobustMutex> memory;
  RobustMutex& mutex = *memory;
  REQUIRE(mutex.init());
  std::thread([&] { CHECK_EQ(mutex.lock(), Lock::Held); }).join();
  std::thread([&] { CHECK_EQ(mutex.lock(), Lock::OwnerDied); }).join();  // before consistent()
  std::thread([&] {
    CHECK_EQ(mutex.lock(), Lock::OwnerDied);
    CHECK(mutex.consistent());  // and after
  }).join();
  CHECK_EQ(mutex.lock(), Lock::OwnerDied);
  CHECK(mutex.consistent());
  CHECK(mutex.unlock());
}

TEST(named_mutex__unlock_untold__the_next_but_one_is_told_at_the_latest) {
  const std::string name = "/" + fresh_name();
  NamedMutex mutex;
  REQUIRE(mutex.open(name, {CreateFile::Exclusively, 0600}) == Status::Ok);
  CHECK_EQ(unlink_shared_memory(name), Status::Ok);
  std::thread([&] { CHECK(mutex.lock(Deadline::never()) == NamedMutex::Result::Held); }).join();
  CHECK(mutex.lock(Deadline::never()) == NamedMutex::Result::OwnerDied);
  mutex.unlock_untold();
  CHECK(!mutex.is_held_by_this_thread());
  // This thread may well be faster than the one that dies with it.
  NamedMutex::Result next = mutex.lock(Deadline::never());
  while (next == NamedMutex::Result::Held) {
    CHECK_EQ(mutex.unlock(), Status::Ok);
    ::sched_yield();
    next = mutex.lock(Deadline::never());
  }
  CHECK(next == NamedMutex::Result::OwnerDied);
  CHECK_EQ(mutex.consistent(), Status::Ok);
  CHECK_EQ(mutex.unlock(), Status::Ok);
}

TEST(robust_mutex__futex_word_offset__is_where_the_owners_tid_and_its_death_stand) {
  Shared<RobustMutex> memory;
  RobustMutex& mutex = *memory;
  REQUIRE(mutex.init());
  ptrdiff_t offset = -1;
  const auto word = [&] {
    return reinterpret_cast<FutexWord*>(reinterpret_cast<std::byte*>(&mutex) + offset)->load();
  };
  std::thread([&] {
    CHECK_EQ(mutex.lock(), Lock::Held);
    offset = mutex.futex_word_offset();
    if (!CHECK(offset >= 0) || !CHECK(offset % 4 == 0)) return;
    CHECK(offset + sizeof(uint32_t) <= sizeof(RobustMutex));
    CHECK_EQ(word() & FUTEX_TID_MASK, static_cast<uint32_t>(::syscall(SYS_gettid)));
    CHECK_EQ(word() & kFutexOwnerDiedBit, 0u);
  }).join();
  REQUIRE(offset >= 0);
  CHECK((word() & kFutexOwnerDiedBit) != 0);
  CHECK_EQ(kFutexOwnerDiedBit, static_cast<uint32_t>(FUTEX_OWNER_DIED));
  CHECK_EQ(kFutexWaitersBit, static_cast<uint32_t>(FUTEX_WAITERS));
}

TEST(robust_mutex__futex_word_offset__of_one_not_locked_just_now__is_not_found) {
  struct Two {
    RobustMutex mutexes[2];
  };
  Shared<Two> memory;
  RobustMutex(&mutexes)[2] = memory->mutexes;
  REQUIRE(mutexes[0].init() && mutexes[1].init());
  CHECK(mutexes[0].futex_word_offset() < 0);
  CHECK_EQ(mutexes[0].lock(), Lock::Held);
  CHECK(mutexes[0].futex_word_offset() >= 0);
  CHECK(mutexes[1].futex_word_offset() < 0);
  CHECK(mutexes[0].unlock());
}

TEST(robust_mutex__self_test) {
  CHECK_EQ(prove_robust_mutexes(), Status::Ok);
  CHECK_EQ(prove_robust_mutexes(), Status::Ok);
}

// ---- NamedSemaphore ----

namespace {

using Create = NamedSemaphore::Create;

// A name that is unlinked at the end of its test.
struct SemaphoreName {
  std::string text = "/" + fresh_name();
  ~SemaphoreName() { static_cast<void>(NamedSemaphore::unlink(text.c_str())); }
  [[nodiscard]] const char* get() const { return text.c_str(); }
};

int value_of(const NamedSemaphore& semaphore) {
  int value = -1;
  CHECK_EQ(semaphore.value(&value), Status::Ok);
  return value;
}

}  // namespace

TEST(named_semaphore__missing__is_not_found_unless_created) {
  const SemaphoreName name;
  NamedSemaphore semaphore;
  CHECK_EQ(semaphore.open(name.get(), Create::Never, 0600, 1), Status::NotFound);
  CHECK_EQ(semaphore.open(name.get(), Create::IfMissing, 0600, 3), Status::Ok);
  CHECK_EQ(value_of(semaphore), 3);
}

TEST(named_semaphore__there_already__keeps_its_value) {
  const SemaphoreName name;
  NamedSemaphore first;
  CHECK_EQ(first.open(name.get(), Create::Exclusively, 0600, 2), Status::Ok);
  NamedSemaphore second;
  CHECK_EQ(second.open(name.get(), Create::Exclusively, 0600, 5), Status::Exists);
  CHECK_EQ(second.open(name.get(), Create::IfMissing, 0600, 5), Status::Ok);
  CHECK_EQ(value_of(second), 2);
  CHECK_EQ(second.open(name.get(), Create::Never, 0600, 5), Status::Ok);
  CHECK_EQ(value_of(second), 2);
}

TEST(named_semaphore__wait_try_wait_and_post) {
  const SemaphoreName name;
  NamedSemaphore semaphore;
  REQUIRE(semaphore.open(name.get(), Create::Exclusively, 0600, 2) == Status::Ok);
  CHECK_EQ(semaphore.wait(Deadline::never()), Status::Ok);
  CHECK_EQ(semaphore.try_wait(), Status::Ok);
  CHECK_EQ(value_of(semaphore), 0);
  CHECK_EQ(semaphore.try_wait(), Status::TimedOut);
  CHECK_EQ(semaphore.post(), Status::Ok);
  CHECK_EQ(value_of(semaphore), 1);
  CHECK_EQ(semaphore.wait(Deadline::after_ns(3'600'000 * kMsNs)), Status::Ok);
}

TEST(named_semaphore__wait__times_out_not_before_its_deadline) {
  const SemaphoreName name;
  NamedSemaphore semaphore;
  REQUIRE(semaphore.open(name.get(), Create::Exclusively, 0600, 0) == Status::Ok);
  const int64_t until = monotonic_ns() + 3 * kMsNs;
  CHECK_EQ(semaphore.wait(Deadline::at_ns(until)), Status::TimedOut);
  CHECK(monotonic_ns() >= until);
}

TEST(named_semaphore__wait__with_a_deadline_of_long_ago) {
  const SemaphoreName name;
  NamedSemaphore semaphore;
  REQUIRE(semaphore.open(name.get(), Create::Exclusively, 0600, 1) == Status::Ok);
  CHECK_EQ(semaphore.wait(Deadline::at_ns(-1)), Status::Ok);  // it can be had
  CHECK_EQ(semaphore.wait(Deadline::at_ns(-1)), Status::TimedOut);
  CHECK_EQ(semaphore.wait(Deadline::at_ns(0)), Status::TimedOut);
}

TEST(named_semaphore__across_a_fork) {
  const SemaphoreName name;
  NamedSemaphore semaphore;
  REQUIRE(semaphore.open(name.get(), Create::Exclusively, 0600, 0) == Status::Ok);
  Child inherits([&] { CHECK_EQ(semaphore.wait(Deadline::never()), Status::Ok); });
  Child opens([&] {
    NamedSemaphore own;
    CHECK_EQ(own.open(name.get(), Create::Never, 0600, 0), Status::Ok);
    CHECK_EQ(own.wait(Deadline::never()), Status::Ok);
  });
  CHECK_EQ(semaphore.post(), Status::Ok);
  CHECK_EQ(semaphore.post(), Status::Ok);
  CHECK(inherits.wait().well());
  CHECK(opens.wait().well());
  CHECK_EQ(value_of(semaphore), 0);
}

TEST(named_semaphore__a_killed_holders_permit_is_lost) {  // as its header says
  const SemaphoreName name;
  NamedSemaphore semaphore;
  REQUIRE(semaphore.open(name.get(), Create::Exclusively, 0600, 1) == Status::Ok);
  processes::Signal taken;
  Child holder([&] {
    CHECK_EQ(semaphore.wait(Deadline::never()), Status::Ok);
    taken.raise();
    for (;;) ::pause();
  });
  taken.await();
  CHECK(holder.end(SIGKILL).killed());
  CHECK_EQ(value_of(semaphore), 0);
}

TEST(named_semaphore__unlink__users_go_on_and_the_name_is_free) {
  const SemaphoreName name;
  NamedSemaphore old;
  REQUIRE(old.open(name.get(), Create::Exclusively, 0600, 7) == Status::Ok);
  CHECK_EQ(NamedSemaphore::unlink(name.get()), Status::Ok);
  CHECK_EQ(NamedSemaphore::unlink(name.get()), Status::NotFound);
  NamedSemaphore fresh;
  CHECK_EQ(fresh.open(name.get(), Create::Exclusively, 0600, 1), Status::Ok);
  CHECK_EQ(fresh.try_wait(), Status::Ok);
  CHECK_EQ(value_of(old), 7);
  CHECK_EQ(value_of(fresh), 0);
}

TEST(named_semaphore__closed__is_a_bad_handle) {
  const SemaphoreName name;
  NamedSemaphore semaphore;
  int value = 0;
  CHECK_EQ(semaphore.post(), Status::BadHandle);
  REQUIRE(semaphore.open(name.get(), Create::Exclusively, 0600, 1) == Status::Ok);
  semaphore.close();
  semaphore.close();
  CHECK_EQ(semaphore.post(), Status::BadHandle);
  CHECK_EQ(semaphore.wait(Deadline::never()), Status::BadHandle);
  CHECK_EQ(semaphore.try_wait(), Status::BadHandle);
  CHECK_EQ(semaphore.value(&value), Status::BadHandle);
}

TEST(named_semaphore__what_cannot_be__is_a_bad_argument_or_full) {
  const SemaphoreName name;
  NamedSemaphore semaphore;
  CHECK_EQ(semaphore.open("/a/b", Create::IfMissing, 0600, 1), Status::BadArgument);
  CHECK_EQ(semaphore.open("/", Create::IfMissing, 0600, 1), Status::BadArgument);
  CHECK_EQ(semaphore.open(("/" + std::string(300, 'x')).c_str(), Create::IfMissing, 0600, 1),
           Status::BadArgument);
  CHECK_EQ(semaphore.open(name.get(), Create::IfMissing, 0600, 1u << 31), Status::BadArgument);
  REQUIRE(semaphore.open(name.get(), Create::IfMissing, 0600, SEM_VALUE_MAX) == Status::Ok);
  CHECK_EQ(semaphore.post(), Status::Full);
}

// ---- SharedFile ----

namespace {

// A file's name, which is removed at the end of its test.
struct FileName {
  std::string text = "/" + fresh_name();
  ~FileName() { ::shm_unlink(text.c_str()); }
  [[nodiscard]] std::string path() const { return "/dev/shm" + text; }
  [[nodiscard]] mode_t mode() const {
    struct stat file{};
    return ::stat(path().c_str(), &file) == 0 ? file.st_mode & 07777 : 0;
  }
};

uint64_t size_of(const SharedFile& file) {
  uint64_t bytes = ~uint64_t{0};
  CHECK_EQ(file.size(&bytes), Status::Ok);
  return bytes;
}

// A process that has the file open and announced, until it is killed.
struct User {
  explicit User(const FileName& name)
      : process([&] {
          SharedFile file;
          CHECK_EQ(file.open_locked(name.text, 0600, true), Status::Ok);
          CHECK_EQ(file.truncate(100), Status::Ok);
          CHECK_EQ(file.announce_presence(), Status::Ok);
          file.unlock_creation();
          in.raise();
          for (;;) ::pause();
        }) {
    in.await();
  }
  processes::Signal in;
  Child process;
};

// Until the process has the file open: then it asks for the creation lock, or is about to.
void await_user(const SharedFile& file, const Child& child) {
  const std::string pid = std::to_string(child.pid());
  while ((" " + file.users() + ",").find(" " + pid + ",") == std::string::npos) ::sched_yield();
}

}  // namespace

TEST(shared_file__missing__is_not_found_unless_created) {
  const FileName name;
  SharedFile file;
  CHECK_EQ(file.open_locked(name.text, 0600, false), Status::NotFound);
  CHECK(!file.is_open());
  CHECK_EQ(file.open_locked(name.text, 0600, true), Status::Ok);
  CHECK(file.is_open());
  CHECK_EQ(size_of(file), 0u);
}

TEST(shared_file__mode__is_exactly_as_asked_whatever_the_umask) {
  for (const mode_t mask : {0000, 0022, 0077, 0777}) {
    for (const mode_t mode : {0600, 0660}) {
      const FileName name;
      const mode_t before = ::umask(mask);
      SharedFile file;
      CHECK_EQ(file.open_locked(name.text, mode, true), Status::Ok);
      ::umask(before);
      CHECK_EQ(name.mode(), mode);
    }
  }
}

TEST(shared_file__wider_mode_than_asked__refused) {
  const FileName name;
  for (const mode_t wider : {0660, 0604, 0666, 0700, 0640}) {
    ::shm_unlink(name.text.c_str());
    {
      SharedFile file;
      CHECK_EQ(file.open_locked(name.text, wider, true), Status::Ok);
      CHECK_EQ(file.truncate(1), Status::Ok);
    }
    SharedFile file;
    CHECK_EQ(file.open_locked(name.text, 0600, true), Status::Access);
    CHECK_EQ(name.mode(), wider);  // not ours to change
    file.close();
    CHECK_EQ(file.open_locked(name.text, wider, true), Status::Ok);
  }
}

TEST(shared_file__narrower_mode_than_asked__accepted_and_kept) {
  const FileName name;
  {
    SharedFile file;
    CHECK_EQ(file.open_locked(name.text, 0600, true), Status::Ok);
    CHECK_EQ(file.truncate(1), Status::Ok);
  }
  SharedFile file;
  CHECK_EQ(file.open_locked(name.text, 0660, true), Status::Ok);
  CHECK_EQ(name.mode(), 0600u);
}

// It died between making the file, where the umask took away from the mode, and setting the mode.
TEST(shared_file__left_empty_by_a_creator_that_died__mode_is_as_asked) {
  const FileName name;
  const int fd = ::shm_open(name.text.c_str(), O_RDWR | O_CREAT, 0660);
  CHECK_EQ(::fchmod(fd, 0640), 0);
  ::close(fd);
  SharedFile file;
  CHECK_EQ(file.open_locked(name.text, 0660, true), Status::Ok);
  CHECK_EQ(name.mode(), 0660u);
}

TEST(shared_file__of_another_owner__refused) {
  if (::geteuid() != 0) {
    return skip("giving a file away needs root");
  }
  const FileName name;
  const int fd = ::shm_open(name.text.c_str(), O_RDWR | O_CREAT, 0600);
  CHECK_EQ(::fchown(fd, 65534, 65534), 0);
  ::close(fd);
  SharedFile file;
  CHECK_EQ(file.open_locked(name.text, 0600, true), Status::Access);
  CHECK_EQ(file.open_locked(name.text, 0600, false), Status::Access);
}

TEST(shared_file__a_link_at_its_name__refused) {
  const FileName name;
  const FileName target;
  SharedFile file;
  CHECK_EQ(file.open_locked(target.text, 0600, true), Status::Ok);
  CHECK_EQ(::symlink(target.path().c_str(), name.path().c_str()), 0);
  CHECK_EQ(file.open_locked(name.text, 0600, true), Status::Access);
}

TEST(shared_file__reserve__grows_and_never_shrinks) {
  const FileName name;
  SharedFile file;
  CHECK_EQ(file.open_locked(name.text, 0600, true), Status::Ok);
  CHECK_EQ(file.reserve(10'000), Status::Ok);
  CHECK_EQ(size_of(file), 10'000u);
  CHECK_EQ(file.reserve(4'000), Status::Ok);
  CHECK_EQ(size_of(file), 10'000u);
  CHECK_EQ(file.truncate(5), Status::Ok);
  CHECK_EQ(size_of(file), 5u);
  CHECK_EQ(file.truncate(0), Status::Ok);
  CHECK_EQ(size_of(file), 0u);
}

TEST(shared_file__map__larger_than_the_file_is_usable_as_it_grows) {
  const FileName name;
  SharedFile file;
  CHECK_EQ(file.open_locked(name.text, 0600, true), Status::Ok);
  std::byte* base = nullptr;
  CHECK_EQ(file.map(size_t{1} << 20, &base), Status::Ok);
  CHECK_EQ(file.reserve(8192), Status::Ok);
  base[5000] = std::byte{42};
  CHECK(ends_well([&] {
    std::byte* elsewhere = nullptr;
    CHECK_EQ(file.map(8192, &elsewhere), Status::Ok);
    CHECK_EQ(elsewhere[5000], std::byte{42});
  }));
  SharedFile::unmap(base, size_t{1} << 20);
}

TEST(shared_file__read__from_the_start_or_not_at_all) {
  const FileName name;
  SharedFile file;
  CHECK_EQ(file.open_locked(name.text, 0600, true), Status::Ok);
  CHECK_EQ(file.reserve(4), Status::Ok);
  char bytes[8] = "xxxxxxx";
  CHECK_EQ(file.read_at(0, bytes, 4), Status::Ok);
  CHECK_EQ(bytes[3], '\0');
  CHECK_EQ(file.read_at(0, bytes, 5), Status::NotFound);
}

TEST(shared_file__remove) {
  const FileName name;
  SharedFile file;
  CHECK_EQ(file.open_locked(name.text, 0600, true), Status::Ok);
  CHECK_EQ(file.remove(name.text), Status::Ok);
  CHECK_EQ(file.remove(name.text), Status::NotFound);
}

TEST(shared_file__moved__has_one_owner) {
  const FileName name;
  SharedFile first;
  CHECK_EQ(first.open_locked(name.text, 0600, true), Status::Ok);
  SharedFile second(std::move(first));
  CHECK(second.is_open());
  SharedFile third;
  third = std::move(second);
  CHECK(third.is_open());
  CHECK_EQ(size_of(third), 0u);
}

TEST(shared_file__alone_and_users__with_another_process) {
  const FileName name;
  SharedFile file;
  {
    const User user(name);
    CHECK_EQ(file.open_locked(name.text, 0600, false), Status::Ok);
    CHECK(!file.alone());
    CHECK_EQ(file.users(), std::to_string(user.process.pid()));
    file.unlock_creation();
    const User another(name);
    const std::string users = file.users();
    CHECK(users.find(std::to_string(user.process.pid())) != std::string::npos);
    CHECK(users.find(std::to_string(another.process.pid())) != std::string::npos);
    CHECK(users.find(", ") != std::string::npos);
    CHECK(!file.alone());
  }
  CHECK(file.alone());
  CHECK_EQ(file.users(), "");
}

TEST(shared_file__alone__own_presence_does_not_count) {
  const FileName name;
  SharedFile file;
  CHECK_EQ(file.open_locked(name.text, 0600, true), Status::Ok);
  CHECK(file.alone());
  CHECK_EQ(file.announce_presence(), Status::Ok);
  CHECK(file.alone());
  // But another open file of this process does.
  file.unlock_creation();
  SharedFile other;
  CHECK_EQ(other.open_locked(name.text, 0600, false), Status::Ok);
  CHECK(!other.alone());
  file.close();
  CHECK(other.alone());
}

TEST(shared_file__presence__ends_with_a_killed_process) {
  const FileName name;
  User user(name);
  SharedFile file;
  CHECK_EQ(file.open_locked(name.text, 0600, false), Status::Ok);
  CHECK(!file.alone());
  CHECK(user.process.end(SIGKILL).killed());
  CHECK(file.alone());
}

TEST(shared_file__creation_lock__excludes_and_dies_with_its_holder) {
  const FileName name;
  Shared<std::atomic<bool>> got_it;
  processes::Signal go;
  Child other([&] {
    go.await();
    SharedFile file;
    CHECK_EQ(file.open_locked(name.text, 0600, true), Status::Ok);
    got_it->store(true);
    for (;;) ::pause();  // holds it until it is killed
  });
  Child third([&] {
    go.await();
    SharedFile file;
    while (!got_it->load()) ::sched_yield();
    CHECK_EQ(file.open_locked(name.text, 0600, true), Status::Ok);
    got_it->store(false);
  });
  SharedFile mine;
  CHECK_EQ(mine.open_locked(name.text, 0600, true), Status::Ok);
  go.raise(2);
  await_user(mine, other);
  CHECK(!got_it->load());
  mine.unlock_creation();
  await_user(mine, third);  // after `other` got it
  CHECK(got_it->load());
  CHECK(other.end(SIGKILL).killed());
  CHECK(third.wait().well());
  CHECK(!got_it->load());
}

TEST(shared_file__removed_while_waiting_for_the_creation_lock__the_new_file_is_opened) {
  for (const bool create : {true, false}) {
    const FileName name;
    processes::Signal go;
    Child other([&] {
      go.await();
      SharedFile file;
      CHECK_EQ(file.open_locked(name.text, 0600, create), create ? Status::Ok : Status::NotFound);
      if (!create) return;
      CHECK_EQ(size_of(file), 0u);  // not the 10 bytes that it waited for
      CHECK_EQ(file.truncate(20), Status::Ok);
    });
    SharedFile mine;
    CHECK_EQ(mine.open_locked(name.text, 0600, true), Status::Ok);
    CHECK_EQ(mine.truncate(10), Status::Ok);
    CHECK(mine.has_a_name());
    go.raise();
    await_user(mine, other);
    CHECK_EQ(mine.remove(name.text), Status::Ok);
    CHECK(!mine.has_a_name());
    mine.unlock_creation();
    CHECK(other.wait().well());
    if (!create) continue;
    SharedFile fresh;
    CHECK_EQ(fresh.open_locked(name.text, 0600, false), Status::Ok);
    CHECK_EQ(size_of(fresh), 20u);
    CHECK(fresh.has_a_name());
    CHECK(!fresh.is_same_as(mine));
  }
}

TEST(shared_file__is_same_as__by_its_inode) {
  const FileName name;
  SharedFile first;
  SharedFile second;
  CHECK_EQ(first.open_locked(name.text, 0600, true), Status::Ok);
  first.unlock_creation();
  CHECK_EQ(second.open_locked(name.text, 0600, true), Status::Ok);
  CHECK(first.is_same_as(second));
  CHECK(!first.is_same_as(SharedFile()));
}

TEST(shared_file__lock_byte__is_told_to_others_until_its_holder_ends) {
  const FileName name;
  processes::Signal locked;
  Child holder([&] {
    SharedFile file;
    CHECK_EQ(file.open_locked(name.text, 0600, true), Status::Ok);
    CHECK_EQ(file.lock_byte(17), Status::Ok);
    CHECK(!file.is_locked_by_another(17));  // by itself
    file.unlock_creation();
    locked.raise();
    for (;;) ::pause();
  });
  locked.await();
  SharedFile file;
  CHECK_EQ(file.open_locked(name.text, 0600, false), Status::Ok);
  CHECK(file.is_locked_by_another(17));
  CHECK(!file.is_locked_by_another(16));
  CHECK(!file.is_locked_by_another(18));
  CHECK(file.alone());  // is another byte
  CHECK(file.lock_byte(17) != Status::Ok);
  CHECK_EQ(file.lock_byte(18), Status::Ok);
  CHECK(holder.end(SIGKILL).killed());
  CHECK(!file.is_locked_by_another(17));
  CHECK_EQ(file.lock_byte(17), Status::Ok);
}

TEST(shared_file__close__gives_up_its_locks_although_a_mapping_stays) {
  const FileName name;
  SharedFile mapped;
  std::byte* base = nullptr;
  CHECK_EQ(mapped.open_locked(name.text, 0600, true), Status::Ok);
  CHECK_EQ(mapped.reserve(4096), Status::Ok);
  CHECK_EQ(mapped.map(4096, &base), Status::Ok);
  CHECK_EQ(mapped.announce_presence(), Status::Ok);
  CHECK_EQ(mapped.lock_byte(20), Status::Ok);
  mapped.close();
  base[0] = std::byte{1};
  SharedFile other;
  CHECK_EQ(other.open_locked(name.text, 0600, false), Status::Ok);
  CHECK(other.alone());
  CHECK(!other.is_locked_by_another(20));
  SharedFile::unmap(base, 4096);
}

// ---- A full /dev/shm ----

namespace {

bool write_text(const char* path, const std::string& text) {
  const int fd = ::open(path, O_WRONLY | O_CLOEXEC);
  const bool ok =
      fd >= 0 && ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  ::close(fd);
  return ok;
}

// A mount namespace of its own, as root or in a user namespace, with a /dev/shm of `bytes`. The
// reason why not.
const char* small_dev_shm(const char* size_option) {
  const std::string uid = std::to_string(::geteuid());
  if (::unshare(CLONE_NEWNS) != 0) {
    if (::unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) return "no mount namespace may be made here";
    if (!write_text("/proc/self/uid_map", uid + " " + uid + " 1"))
      return "no uid_map may be written";
  }
  if (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return "mounts stay shared";
  if (::mount("tmpfs", "/dev/shm", "tmpfs", 0, size_option) != 0) return "no tmpfs may be mounted";
  return nullptr;
}

template <typename Body>
void in_a_small_dev_shm(const char* size_option, Body body) {
  Shared<std::atomic<const char*>> why_not;  // literals: at the same address in a forked child
  CHECK(ends_well([&] {
    why_not->store(small_dev_shm(size_option));
    if (why_not->load() == nullptr) body();
  }));
  if (why_not->load() != nullptr) skip(why_not->load());
}

}  // namespace

TEST(shared_file__reserve__on_a_full_dev_shm__is_no_space_and_leaves_it_as_it_was) {
  in_a_small_dev_shm("size=2m", [] {
    SharedFile file;
    REQUIRE(file.open_locked("/small", 0600, true) == Status::Ok);
    CHECK_EQ(file.reserve(1 << 20), Status::Ok);
    CHECK_EQ(file.reserve(3 << 20), Status::NoSpace);
    CHECK_EQ(size_of(file), uint64_t{1} << 20);
    // Nothing of it is kept: the rest is there for another.
    SharedFile other;
    REQUIRE(other.open_locked("/other", 0600, true) == Status::Ok);
    CHECK_EQ(other.reserve(1 << 20), Status::Ok);
    CHECK_EQ(other.reserve((1 << 20) + 1), Status::NoSpace);
    CHECK_EQ(file.reserve((1 << 20) + 1), Status::NoSpace);
    CHECK_EQ(other.remove("/other"), Status::Ok);
    other.close();
    CHECK_EQ(file.reserve(2 << 20), Status::Ok);
  });
}

TEST(region__on_a_full_dev_shm__is_no_space_and_never_a_sigbus) {
  in_a_small_dev_shm("size=128k", [] {
    Region region;
    std::string detail;
    CHECK_EQ(region.open("small", 0600, &detail), Status::NoSpace);
  });
  // Room for the header and not for all tables; then for all, and not for many objects.
  in_a_small_dev_shm("size=300k", [] {
    Region region;
    std::string detail;
    CHECK_EQ(region.open("small", 0600, &detail), Status::NoSpace);
  });
  in_a_small_dev_shm("size=1m", [] {
    fixture::Member member("small");
    REQUIRE(member.status() == Status::Ok);
    const AgentSlot agent = member.claim_agent();
    Status status = Status::Ok;
    int made = 0;
    for (; status == Status::Ok && made < 100'000; ++made) {
      Seat seat;
      status = fixture::open_seat(member.region(), agent, std::to_string(made), &seat);
    }
    CHECK_EQ(status, Status::NoSpace);
    CHECK(made > 256);
    // What is there goes on working; what is not can still not be made.
    Seat seat;
    CHECK_EQ(fixture::open_seat(member.region(), agent, "0", &seat), Status::Ok);
    CHECK_EQ(lock::try_acquire(member.region(), seat), Outcome::Taken);
    CHECK_EQ(fixture::open_seat(member.region(), agent, "another", &seat), Status::NoSpace);
  });
}

// A limit on file sizes is no full disk, but the host must not die of it: the kernel's SIGXFSZ is
// its own choice.
TEST(shared_file__reserve__beyond_a_file_size_limit__is_an_error) {
  const FileName name;
  CHECK(ends_well([&] {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{1 << 16, 1 << 16};
    CHECK_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
    SharedFile file;
    CHECK_EQ(file.open_locked(name.text, 0600, true), Status::Ok);
    CHECK_EQ(file.reserve(1 << 16), Status::Ok);
    CHECK(file.reserve(1 << 17) != Status::Ok);
    CHECK_EQ(size_of(file), uint64_t{1} << 16);
  }));
}
