/**
 * How long locks may be passed on inside this thread, or be had at once by its promises, before its event loop must turn.
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
 * A single task that always finds its lock free is such a chain as well, and may go on for 4 ms. Those who ask count
 * here, and look at a clock now and then, as that costs about as much as the lock. For these it is known when the loop has
 * turned: the first look leaves an immediate behind.
 *
 * @internal
 */
import { native } from './native.js';
import { setImmediate, throwUncaught } from './timers.js';

/** Long enough for some thousand passes, short beside what a busy loop's other work takes. */
const BUDGET_MS = 1;

/** The same for promises that have at once what they ask for: others wait for nothing meanwhile but their I/O. */
const FREE_BUDGET_MS = 4;

/** At most so many of them between two looks at the clock. */
const MAX_STRIDE = 1023;

/** Whoever passes on again when the loop has turned. */
export interface Passer {
  passOnAfterTurn(): void;
}

let chainStartMs = 0;
let passers: Passer[] = [];

/** When somebody looked first in this turn of the loop; 0: nobody has. */
let turnSeenMs = 0;
/** Fewer where what is done under the locks takes long: then each look is worth it. Learned from turn to turn. */
let stride = 63;
let untilLook = stride;
/** The loop must turn first. */
let isDue = false;

/** Whether the chain of passes, begun at its first call here, has used up this turn. */
export function isTurnUsedUp(nowMs: number): boolean {
  if (chainStartMs === 0) {
    chainStartMs = nowMs;
    return false;
  }
  return nowMs - chainStartMs >= BUDGET_MS;
}

/**
 * Whether a promise that would have at once what it asks for must let the loop turn first, before it takes anything. To
 * be asked for each of them, and again at will: once it is so, it stays so until the loop has turned.
 */
export function isTurnDue(): boolean {
  return --untilLook < 0 && lookAtClock();
}

function lookAtClock(): boolean {
  const nowMs = native.now();
  untilLook = stride;
  if (turnSeenMs === 0) {
    turnSeenMs = nowMs;
    setImmediate(turnIsOver);
    return false;
  }
  const spentMs = nowMs - turnSeenMs;
  if (spentMs < FREE_BUDGET_MS) return false;
  if (!isDue) {
    const isLate = spentMs > FREE_BUDGET_MS * 1.25;
    stride = isLate ? stride >> 2 : Math.min(2 * stride + 1, MAX_STRIDE);
  }
  isDue = true;
  untilLook = 0;
  return true;
}

function turnIsOver(): void {
  turnSeenMs = 0;
  isDue = false;
  untilLook = stride;
}

/** A turn of the loop, for what has no queue of its own to wait in. */
export function turned(): Promise<void> {
  return new Promise((resolve) => afterTurn({ passOnAfterTurn: resolve }));
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
