/**
 * In which synchronous run of this thread's code something was done: a run lasts until the code that the event loop
 * has called, or a microtask, returns to it or awaits. What holds only as long as nobody else can have run needs that.
 *
 * One microtask ends a run, queued when the run is first asked for. So what was queued before it counts as the same
 * run, and so does what one caller starts side by side: `a(); b()` is one run, though `a` awaits.
 *
 * @internal
 */

// Not queueMicrotask(), which costs more, and which test runners replace.
const settled = Promise.resolve();

let current = 0;
let isEndQueued = false;

/** The number of this run. Costs a microtask a run, however often it is called. */
export function thisRun(): number {
  if (!isEndQueued) {
    isEndQueued = true;
    void settled.then(endRun);
  }
  return current;
}

/** Whether it is still the run that {@link thisRun} gave. */
export function isThisRun(run: number): boolean {
  return run === current;
}

function endRun(): void {
  current++;
  isEndQueued = false;
}
