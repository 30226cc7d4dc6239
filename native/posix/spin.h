// Waiting on a running processor for a moment, before the cost of a sleep.
#pragma once

#include <unistd.h>

namespace holdfast {

inline void pause_processor() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("isb" ::: "memory");
#endif
}

// On a single processor nobody leaves while we spin.
inline bool spinning_helps() {
  static const bool several = ::sysconf(_SC_NPROCESSORS_ONLN) > 1;
  return several;
}

}  // namespace holdfast
