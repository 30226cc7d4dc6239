/**
 * The timers of this package, as they were when it was loaded.
 *
 * A test that puts others in their place (`mock.timers`, `vi.useFakeTimers()`, Sinon) drives what it tests by a clock of
 * its own; a lock that is passed on in a turn of the loop, or waits for another process, goes by the real ones. Copies
 * and no bindings, since some replace what `node:timers` exports as well. Those who replace only the globals do no harm
 * before this is loaded either; `mock.timers` of `node:test`, enabled before, does, and nothing helps.
 *
 * @internal
 */
import timers from 'node:timers';

export const { setTimeout, clearTimeout, setImmediate } = timers;
const queueMicrotask = globalThis.queueMicrotask;

/** The wall clock. */
export const wallClockMs = Date.now;

/** Throws `error` where nobody catches it, when the code that runs now is done: as an exception of a callback is. */
export function throwUncaught(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
}
