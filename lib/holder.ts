/** Who holds a lock, and since when. */
import type { AgentWord } from './agent-word.js';
import { native } from './native.js';
import { statusError } from './status.js';
import { wallClockMs } from './timers.js';

/** Who holds a lock. */
export interface LockHolder {
  readonly pid: number;
  /** `worker_threads.threadId`; 0 is the main thread. */
  readonly thread: number;
  /**
   * Since when: exact where the holder had to wait for the lock, else the moment when somebody
   * first waited for it or asked, as an uncontended acquire takes no time to look at a clock.
   */
  readonly since: Date;
}

/** An answer that was given, with the fencing token of the hold. */
export interface SeenHolder {
  readonly token: number;
  readonly pid: number;
  readonly thread: number;
  readonly sinceMs: number;
}

/** Reading two clocks, one of them in whole milliseconds, makes answers differ by less than this. */
const JITTER_MS = 5;

/**
 * Asks who holds the lock. One hold has one beginning, and a later one no earlier beginning, however
 * often it is asked: the last answer is kept.
 *
 * @internal
 */
export function lookAtHolder(
  word: AgentWord & { seenHolder: SeenHolder | null },
): LockHolder | null {
  const answer = native.lockHolder(word.handle);
  if (answer === null) return null;
  if (typeof answer === 'number') throw statusError(answer, `cannot look at ${word.title}`);
  const [pid, thread, heldForMs] = answer;
  const token = word.tokens[1] as number;
  const sinceMs = beginning(
    { token, pid, thread, sinceMs: wallClockMs() - heldForMs },
    word.seenHolder,
  );
  word.seenHolder = { token, pid, thread, sinceMs };
  return { pid, thread, since: new Date(sinceMs) };
}

function beginning(now: SeenHolder, seen: SeenHolder | null): number {
  if (seen === null) return now.sinceMs;
  if (now.token === seen.token && now.pid === seen.pid && now.thread === seen.thread) {
    return seen.sinceMs;
  }
  const isEarlier = now.sinceMs < seen.sinceMs && now.sinceMs > seen.sinceMs - JITTER_MS;
  return isEarlier ? seen.sinceMs : now.sinceMs;
}
