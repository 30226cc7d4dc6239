/**
 * Looks, once a second, at what this thread holds. A timer, and not the verbs, since what is found so (somebody waits
 * for a lock that this very thread holds and does not release) is worth no nanosecond of an acquire.
 *
 * There is one timer a thread, and none while nothing is looked at. It keeps no event loop alive.
 */
import { setTimeout } from './timers.js';

const PERIOD_MS = 1_000;

/** Whoever is looked at. */
export interface Watched {
  /** Whether to look again; else it is looked at when it asks for it anew. Must not throw. */
  look(): boolean;
}

const watched = new Set<Watched>();
let isTimed = false;

/** Has `object` looked at from now on. */
export function watch(object: Watched): void {
  watched.add(object);
  if (!isTimed) startTimer();
}

function startTimer(): void {
  isTimed = true;
  setTimeout(lookAtAll, PERIOD_MS).unref();
}

function lookAtAll(): void {
  isTimed = false;
  for (const object of watched) if (!object.look()) watched.delete(object);
  if (watched.size > 0) startTimer();
}

/** That of all threads' promises that wait, one may wait for its own task. */
export function warnOfDeadlock(title: string): void {
  process.emitWarning(
    `${title} is held by this thread, a task of which has waited for it for a second. If that is the task that ` +
      'holds it, it waits for itself, for ever. Where with() calls with(), that is a DeadlockError at once under ' +
      'configure({ detectDeadlocks: true }) or HOLDFAST_DEBUG=1.',
    { type: 'HoldfastWarning', code: 'HOLDFAST_DEADLOCK' },
  );
}
