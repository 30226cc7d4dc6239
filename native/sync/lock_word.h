// The lock's word: 32 bits, changed by compare-and-swap only. lib/lock-word.ts has the same bits.
//
//   bits 0-15  owner      agent slot of the holder, 0 = free
//   bit 16     WAITERS    somebody is queued
//   bit 17     WOKEN      one of the queued is awake and will look
//   bit 18     STARVING   one of the queued has waited too long: no barging, the release offers
//   bit 19     ABANDONED  the last owner died holding it; the next one is to be told
//   bit 20     UNLINKED   the object is over
//   bit 21     OFFERED    free, and kept for one of the queued until its wake lapses: no barging
//
// Invariants. "Guard free" = nobody is inside the object's guard, dead or alive.
//   I1  owner != 0 is the only holder, and took the lock itself. An agent whose ticket is queued never takes it
//       by the fast path (repair reads "the word names a queued ticket's agent" as a take that was cut short).
//   I2  guard free => (WAITERS <=> some ticket is queued: Waiting, Woken or Passed).
//       Legal: WAITERS with nobody queued, after a death; costs one slow release.
//       Never legal: somebody queued without WAITERS.
//   I3  WOKEN => some ticket is Woken, or none is Waiting: a release need wake nobody. Legal: WOKEN clear
//       although it need not be; costs one slow release, or one wake too many.
//   I4  STARVING => owner != 0. Legal: STARVING clear although a ticket is starved; it sets it again when
//       it looks and loses.
//   I5  ABANDONED => owner == 0. It keeps the fast path off, so that the lock is taken under the guard, by the
//       one compare-and-swap that clears the bit: exactly one owner is told.
//   I6  guard free and owner == 0 and somebody Waiting => some ticket is Woken. Who is Passed was told and not
//       told otherwise since: it looks as soon as it runs.
//   I7  UNLINKED => owner == 0 and nobody queued, for ever.
//   I8  OFFERED => owner == 0; guard free and OFFERED => the ticket that it is for is Woken. So it lapses.
//
// Transitions (F: no guard needed, JavaScript does them too; G: under the guard)
//   step           from                                          to
//   ------------   -------------------------------------------   ------------------------------------------
//   fast.acquire F owner 0, no STARVING ABANDONED UNLINKED       owner me, WAITERS and WOKEN stay
//                  OFFERED
//   fast.release F owner me, no STARVING; WAITERS => WOKEN       owner 0, WAITERS and WOKEN stay
//   look.take    G owner 0, no UNLINKED; OFFERED only to me, or  owner me; WAITERS = others queued; WOKEN =
//                  where I am Passed                             others Woken; STARVING ABANDONED OFFERED off
//   look.note    G owner another, or OFFERED to another          WAITERS on; if held: WOKEN = others Woken,
//                                                                STARVING on if I have waited too long
//   cancel       G any                                           WAITERS = others queued; WOKEN, OFFERED as the
//                                                                tickets say
//   release.free G owner me, nobody queued                       0
//   wake.free    G owner me, somebody queued                     owner 0, WOKEN on, STARVING off
//   offer        G owner me, STARVING or fair, somebody Waiting  owner 0, OFFERED and WOKEN on, STARVING off
//                  or Woken
//   pass         G any; a ticket was Woken too long ago          WOKEN, OFFERED as the tickets say
//   reap.release G owner dead                                    owner 0, ABANDONED on, STARVING off
//   fix          G owner 0, somebody Waiting, none Woken         WOKEN on
//   repair       G any                                           WAITERS, WOKEN as the tickets say; STARVING,
//                                                                OFFERED off
//   unlink       G owner 0                                       UNLINKED alone
#pragma once

#include <cstdint>

#include "region/layout.h"

namespace holdfast::lock_word {

inline constexpr uint32_t kOwnerMask = 0xffff;
inline constexpr uint32_t kWaiters = 1u << 16;
inline constexpr uint32_t kWoken = 1u << 17;
inline constexpr uint32_t kStarving = 1u << 18;
inline constexpr uint32_t kAbandoned = 1u << 19;
inline constexpr uint32_t kUnlinked = 1u << 20;
inline constexpr uint32_t kOffered = 1u << 21;

// Masks by use.
inline constexpr uint32_t kBlocksFastAcquire =
    kOwnerMask | kStarving | kAbandoned | kUnlinked | kOffered;

constexpr AgentSlot owner(uint32_t word) { return word & kOwnerMask; }
constexpr bool is_unlinked(uint32_t word) { return (word & kUnlinked) != 0; }
constexpr uint32_t with_owner(uint32_t word, AgentSlot agent) {
  return (word & ~kOwnerMask) | agent;
}
constexpr uint32_t with(uint32_t word, uint32_t flag, bool on) {
  return on ? word | flag : word & ~flag;
}
constexpr bool fast_release_allowed(uint32_t word) {
  return (word & kStarving) == 0 && ((word & kWaiters) == 0 || (word & kWoken) != 0);
}

}  // namespace holdfast::lock_word
