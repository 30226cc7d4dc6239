/**
 * How long locks may be passed on inside this thread before its event loop must turn.
 *
 * A lock goes from one promise of this thread to the next in a microtask. Where each holder asks
 * again at once, that chain never ends, and timers and I/O of the whole thread would wait for
 * ever: microtasks run until none is left. So after 1 ms of passing on the next one comes through
 * `setImmediate`, and meanwhile the lock stands free: a thread that is busy with its I/O must not
 * sit on it.
 *
 * Nothing tells where one turn of the loop ends and the next begins. A chain that spans some turns
 * by itself, as it waits for I/O while it holds, gets here a bit early, which costs it about a
 * microsecond. The other way round, a chain that is never interrupted, cannot happen.
 *
 * @internal
 */
import { setImmediate, throwUncaught } from './timers.js';

/** Long enough for some thousand passes, short beside what a busy loop's other work takes. */
const BUDGET_MS = 1;

/** Whoever passes on again when the loop has turned. */
export interface Passer {
  passOnAfterTurn(): void;
}

let chainStartMs = 0;
let passers: Passer[] = [];

/** Whether the chain of passes, begun at its first call here, has used up this turn. */
export function isTurnUsedUp(nowMs: number): boolean {
  if (chainStartMs === 0) {
    chainStartMs = nowMs;
    return false;
  }
  return nowMs - chainStartMs >= BUDGET_MS;
}

/** The event loop has just called in: what is passed on now begins a new chain. */
export function freshTurn(): void {
  chainStartMs = 0;
}

/** Has `passer` called once the event loop has turned. */
export function afterTurn(passer: Passer): void {
  if (passers.push(passer) === 1) setImmediate(resume);
}

/** All of them share one chain, and with it one budget. */
function resume(): void {
  freshTurn();
  const due = passers;
  passers = [];
  for (const passer of due) {
    try {
      passer.passOnAfterTurn();
    } catch (error) {
      throwUncaught(error); // the others have their turn
    }
  }
}
