/**
 * In which synchronous run of this thread's code something was done. A run ends with the code that the event loop, or a
 * microtask, has called; and before that wherever a promise is made or settled, as nobody but the caller knows whose code
 * goes on then. `await` makes one, and so does a call of an async function, which settles it when it returns: of
 * `Promise.all([a(), b()])` each has a run of its own.
 *
 * Told by a microtask and by the hooks of V8 for promises, which are there from the first question of a run to its end.
 * Both come too late for what was to be called next already: a reaction or a thenable is told by `before`, the rest of an
 * async function by `settled` of the one that ran before it; callbacks of `nextTick()`, and before Node.js 24 of
 * `queueMicrotask()`, have async ids of their own.
 */
import { executionAsyncId } from 'node:async_hooks';
import v8 from 'node:v8';

// Not queueMicrotask(), which costs more, and which test runners replace.
const settled = Promise.resolve();
const HOOKS = { init: endRun, before: endRun, settled: endRun };

let current = 0;
let asyncId = 0;
let forgetHooks: (() => void) | null = null;

/** The number of this run. What it costs, about a microsecond, it costs once a run. */
export function thisRun(): number {
  const id = executionAsyncId();
  if (id !== asyncId) endRun();
  if (forgetHooks === null) {
    asyncId = id;
    void settled.then(endRun);
    forgetHooks = v8.promiseHooks.createHook(HOOKS) as () => void;
  }
  return current;
}

/** Whether it is still the run that {@link thisRun} gave. */
export function isThisRun(run: number): boolean {
  return run === current && executionAsyncId() === asyncId;
}

/** Of a run that is over already it ends nothing but the one that began after, in the same code. */
function endRun(): void {
  current++;
  forgetHooks?.();
  forgetHooks = null;
}
