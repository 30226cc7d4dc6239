// The limit that holdfast is compared with: an uncontended lock + unlock pair in C, and the same contended
// between processes. Prints one JSON object. Arguments: the rounds of a pair, then (optional) processes and
// increments each.
#include <pthread.h>
#include <semaphore.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "posix/deadline.h"

using holdfast::monotonic_ns;

namespace {

struct Shared {
  pthread_mutex_t mutex;
  sem_t semaphore;
  pthread_barrier_t start;
  volatile int64_t counter;
};

double per_pair_ns(int64_t begin, long rounds) {
  return static_cast<double>(monotonic_ns() - begin) / static_cast<double>(rounds);
}

// As a C program makes it: nothing of holdfast's is in its way.
bool make_robust(pthread_mutex_t& mutex) {
  pthread_mutexattr_t attributes;
  return pthread_mutexattr_init(&attributes) == 0 &&
         pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED) == 0 &&
         pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST) == 0 &&
         pthread_mutex_init(&mutex, &attributes) == 0;
}

double mutex_pair_ns(Shared& shared, long rounds) {
  const int64_t begin = monotonic_ns();
  for (long i = 0; i < rounds; ++i) {
    pthread_mutex_lock(&shared.mutex);
    pthread_mutex_unlock(&shared.mutex);
  }
  return per_pair_ns(begin, rounds);
}

double semaphore_pair_ns(Shared& shared, long rounds) {
  const int64_t begin = monotonic_ns();
  for (long i = 0; i < rounds; ++i) {
    sem_wait(&shared.semaphore);
    sem_post(&shared.semaphore);
  }
  return per_pair_ns(begin, rounds);
}

// `processes` of them, `increments` each, under one mutex: nanoseconds for an increment, all together.
double contended_ns(Shared& shared, int processes, long increments) {
  pthread_barrierattr_t attributes;
  pthread_barrierattr_init(&attributes);
  pthread_barrierattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
  pthread_barrier_init(&shared.start, &attributes, static_cast<unsigned>(processes) + 1);
  shared.counter = 0;
  for (int process = 0; process < processes; ++process) {
    if (fork() == 0) {
      pthread_barrier_wait(&shared.start);
      for (long i = 0; i < increments; ++i) {
        pthread_mutex_lock(&shared.mutex);
        shared.counter = shared.counter + 1;
        pthread_mutex_unlock(&shared.mutex);
      }
      _exit(0);
    }
  }
  pthread_barrier_wait(&shared.start);
  const int64_t begin = monotonic_ns();
  while (wait(nullptr) > 0) {
  }
  const double each = per_pair_ns(begin, increments * processes);
  return shared.counter == increments * processes ? each : -1;
}

}  // namespace

int main(int argc, char** argv) {
  const long rounds = argc > 1 ? std::strtol(argv[1], nullptr, 10) : 5'000'000;
  const int processes = argc > 2 ? static_cast<int>(std::strtol(argv[2], nullptr, 10)) : 0;
  const long increments = argc > 3 ? std::strtol(argv[3], nullptr, 10) : 0;
  void* memory =
      mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return 1;
  auto& shared = *static_cast<Shared*>(memory);
  if (!make_robust(shared.mutex) || sem_init(&shared.semaphore, 1, 1) != 0) return 1;
  std::printf("{\"mutexPairNs\": %.3f, \"semaphorePairNs\": %.3f", mutex_pair_ns(shared, rounds),
              semaphore_pair_ns(shared, rounds));
  if (processes > 0) {
    std::printf(", \"contendedNs\": %.3f", contended_ns(shared, processes, increments));
  }
  std::printf("}\n");
  return 0;
}
