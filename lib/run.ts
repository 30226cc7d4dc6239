/**
 * In which synchronous run of this thread's code something was done. A run ends with the code that the event loop, or a
 * microtask, has called; and before that wherever a promise is made, as nobody but the caller knows whose code goes on
 * then. `await` makes one, and so does a call of an async function: of `Promise.all([a(), b()])` each has a run of its own.
 *
 * Told by a microtask and by the hook of V8 for new promises, which is there from the first question of a run to its end.
 */
import v8 from 'node:v8';

// Not queueMicrotask(), which costs more, and which test runners replace.
const settled = Promise.resolve();

let current = 0;
let forgetHook: (() => void) | null = null;

/** The number of this run. What it costs, about a microsecond, it costs once a run. */
export function thisRun(): number {
  if (forgetHook === null) {
    void settled.then(endRun);
    forgetHook = v8.promiseHooks.onInit(endRun) as () => void;
  }
  return current;
}

/** Whether it is still the run that {@link thisRun} gave. */
export function isThisRun(run: number): boolean {
  return run === current;
}

/** Of a run that is over already it ends nothing but the one that began after, in the same code. */
function endRun(): void {
  current++;
  forgetHook?.();
  forgetHook = null;
}
