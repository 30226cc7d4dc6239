/**
 * The lock word: 32 bits of shared memory that say who holds a lock, and what whoever changes them
 * must mind. The addon and the fast path in `lock-core.ts` both change it, always by one
 * compare-and-swap. `native/sync/lock_word.h` has the same bits.
 *
 * | owner | O | U | A | S | W | K | state | acquire | release |
 * | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |
 * | 0 | 0 | 0 | 0 | 0 | 0 | 0 | free | **fast** | not held |
 * | 0 | 0 | 0 | 0 | 0 | 1 | 0 | free, its waiter not woken: only after a crash | **fast** | not held |
 * | 0 | 0 | 0 | 0 | 0 | 1 | 1 | free, a waiter on the way, or none that runs | **fast** (barging) | not held |
 * | 0 | 0 | 0 | 0 | 0 | 0 | 1 | free, the woken one gave up: only after a crash | **fast** | not held |
 * | 0 | 0 | 0 | 1 | 0 | any | any | free, its holder died | native, which tells the taker | not held |
 * | 0 | 1 | 0 | any | 0 | any | any | free, kept for a waiter until its wake lapses | native | not held |
 * | 0 | 0 | 1 | 0 | 0 | 0 | 0 | over: unlinked | error | not held |
 * | n | 0 | 0 | 0 | 0 | 0 | 0 | held, nobody waits | wait | **fast** |
 * | n | 0 | 0 | 0 | 0 | 1 | 1 | held, nobody left to wake | wait | **fast** |
 * | n | 0 | 0 | 0 | 0 | 1 | 0 | held, somebody sleeps | wait | native: wakes the first |
 * | n | 0 | 0 | 0 | 0 | 0 | 1 | held, slack of a crash | wait | native: clears it |
 * | n | 0 | 0 | 0 | 1 | any | any | held, somebody waited over 1 ms | wait | native: offers it |
 * | n | any | 1 | any | any | any | any | cannot be: a held lock is not unlinked | - | - |
 * | n | any | any | 1 | any | any | any | cannot be: taking clears A in the same swap | - | - |
 * | n | 1 | any | any | any | any | any | cannot be: taking clears O in the same swap | - | - |
 * | 0 | any | any | any | 1 | any | any | cannot be: freeing clears S in the same swap | - | - |
 *
 * "Wait" is native too. "Fast" is one `Atomics` call in JS, and holds only while this agent has no
 * ticket for the lock: a repair reads "the word names a ticket's agent" as a take that was cut short.
 *
 * @internal
 */

/** The owner's agent slot, 1 to 65535; 0: free. The top bits stay 0, so the word is positive. */
export const OWNER = 0xffff;
/** W: some ticket is queued. Clear while one is queued: never. */
export const WAITERS = 1 << 16;
/** K: a queued ticket was woken and has not come yet, or all were and do not run: nobody need be woken. */
export const WOKEN = 1 << 17;
/** S: the next release offers the lock to a waiter; nobody may barge. */
export const STARVING = 1 << 18;
/** A: the last owner died while it held, and no one was told yet. */
export const ABANDONED = 1 << 19;
/** U: the object is over, for everybody and for ever. */
export const UNLINKED = 1 << 20;
/** O: free, and kept for a waiter that was told, until its wake lapses. */
export const OFFERED = 1 << 21;

/** The flags that may stand beside a fast acquire and a fast release. */
export const WAITERS_AWAKE = WAITERS | WOKEN;

/** Whether a fast acquire may turn the word `seen` into `seen | me`. */
export function isTakeable(seen: number): boolean {
  return (seen & ~WAITERS_AWAKE) === 0;
}
