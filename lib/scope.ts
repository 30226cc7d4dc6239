/**
 * Inside of which calls of `with()` the running code is. It is Node's async context that knows: all that the function
 * of a `with()` calls, awaits and starts is inside, in whatever turn of the loop it runs.
 */
import { AsyncLocalStorage } from 'node:async_hooks';

/** What a `with()` holds. */
export interface Held {
  /** It has been given back, and will not be held again. */
  readonly isOver: boolean;
}

/** One `with()`, and those around it. */
export interface Scope {
  readonly held: Held;
  outer: Scope | undefined;
}

// Only ever run(), for the extent of one call: enterWith() would leak a hold into whatever else the
// caller does afterwards, and make strangers the same holder.
export const scopes = new AsyncLocalStorage<Scope>();

/**
 * Whether that costs nothing: from Node.js 24 on, without `--no-async-context-frame`. Before, the first `run()` of a
 * thread makes all its promises slower, for good. (The storage of then has this property, and no other sign.)
 */
export const isContextFree = !('enabled' in scopes);

/** What the calls of `with()` hold that the running code is inside of, from the innermost. */
export function* heldAround(): Iterable<Held> {
  for (let scope = scopes.getStore(); scope !== undefined; scope = scope.outer) yield scope.held;
}

/** Calls `fn` inside of a `with()` that holds `held`. */
export function runInside<Guard, T>(held: Held, fn: (guard: Guard) => T, guard: Guard): T {
  return scopes.run({ held, outer: livingFrom(scopes.getStore()) }, fn, guard);
}

/** Whether the running code is inside of a `with()` that holds `held`. */
export function isInside(held: Held): boolean {
  for (let scope = scopes.getStore(); scope !== undefined; scope = scope.outer) {
    if (scope.held === held) return true;
  }
  return false;
}

/**
 * The scopes from here outwards that have not ended; the others are dropped. Where each `with()` starts the next one
 * before it ends, the list would else be as long as their history.
 */
function livingFrom(innermost: Scope | undefined): Scope | undefined {
  const first = skipEnded(innermost);
  for (let scope = first; scope !== undefined; scope = scope.outer) {
    scope.outer = skipEnded(scope.outer);
  }
  return first;
}

function skipEnded(from: Scope | undefined): Scope | undefined {
  let scope = from;
  while (scope?.held.isOver) scope = scope.outer;
  return scope;
}
