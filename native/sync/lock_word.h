// The lock's word: 32 bits, changed by compare-and-swap only. lib/lock-word.ts has the same bits.
//
//   bits 0-15  owner      agent slot of the holder, 0 = free
//   bit 16     WAITERS    somebody is queued
//   bit 17     WOKEN      one of the queued is awake and will look
//   bit 18     STARVING   one of the queued has waited too long: no barging, the release hands over
//   bit 19     ABANDONED  the last owner died holding it; the next one is to be told
//   bit 20     UNLINKED   the object is over
//
// Invariants. "Guard free" = nobody is inside the object's guard, dead or alive.
//   I1  owner != 0 is the only holder. An agent whose ticket waits never takes the lock by the fast path
//       (repair reads "the word names a waiting ticket's agent" as a hand-over that was cut short).
//   I2  guard free => (WAITERS <=> some ticket is Waiting or Woken).
//       Legal: WAITERS with nobody queued, after a death; costs one slow release.
//       Never legal: somebody queued without WAITERS.
//   I3  WOKEN => some ticket is Woken. Legal: WOKEN clear although one is; costs one wake too many.
//   I4  STARVING => owner != 0. Legal: STARVING clear although a ticket is starved; it sets it again when
//       it looks and loses.
//   I5  ABANDONED => owner == 0. It keeps the fast path off, so that the lock is taken under the guard, by the
//       one compare-and-swap that clears the bit: exactly one owner is told.
//   I6  guard free and owner == 0 and somebody queued => some ticket is Woken.
//   I7  UNLINKED => owner == 0 and nobody queued, for ever.
//
// Transitions (F: no guard needed, JavaScript does them too; G: under the guard)
//   step           from                                          to
//   ------------   -------------------------------------------   ------------------------------------------
//   fast.acquire F owner 0, no STARVING ABANDONED UNLINKED       owner me, WAITERS and WOKEN stay
//   fast.release F owner me, no STARVING; WAITERS => WOKEN       owner 0, WAITERS and WOKEN stay
//   look.take    G owner 0, no UNLINKED                          owner me; WAITERS = others queued; WOKEN off
//                                                                if it was mine; STARVING ABANDONED off
//   look.note    G owner another                                 WAITERS on; WOKEN off if it was mine;
//                                                                STARVING on if I have waited too long
//   cancel       G any                                           WAITERS = others queued; WOKEN off if mine
//   release.free G owner me, nobody queued                       0
//   wake.free    G owner me, somebody queued                     owner 0, WOKEN on
//   handoff      G owner me, somebody queued, STARVING or fair   owner the next; STARVING off; WOKEN off if
//                                                                it was the next one's; WAITERS = others queued
//   reap.release G owner dead                                    owner 0, ABANDONED on, STARVING off
//   fix          G owner 0, somebody queued, none Woken          WOKEN on
//   repair       G any                                           WAITERS, WOKEN as the tickets say; STARVING off
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

// Masks by use.
inline constexpr uint32_t kBlocksFastAcquire = kOwnerMask | kStarving | kAbandoned | kUnlinked;

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
