/** Several locks, permits and sides at once, without the deadlock that comes of taking them in different orders. */
import {
  type AcquireOptions,
  type AcquireSyncOptions,
  checkAcquireOptions,
  checkFunction,
  invalidRange,
  invalidType,
  shown,
  syncTimeout,
} from './arguments.js';
import { ASYNC_DISPOSE, DISPOSE } from './dispose.js';
import { NotHeldError, TimeoutError } from './errors.js';
import { LockGuard } from './guard.js';
import { Lock, type Settled, settled } from './lock.js';
import { Kind, native } from './native.js';
import { orOfAnotherRealm } from './not-data.js';
import { RLock } from './rlock.js';
import { ReadSide, RWLock, WriteSide } from './rwlock.js';
import { type ReadGuard, WriteGuard } from './rwlock-guard.js';
import { Semaphore, type SemaphoreGuard } from './semaphore.js';

/** What {@link withAll} and {@link acquireAll} can take. Of a semaphore it is one permit. */
export type Lockable = Lock | RLock | Semaphore | ReadSide | WriteSide;

/** What an acquisition of each gives. */
export type GuardOf<T extends Lockable> = T extends Lock | RLock
  ? LockGuard
  : T extends Semaphore
    ? SemaphoreGuard
    : T extends ReadSide
      ? ReadGuard
      : WriteGuard;

/** The guards of several objects, in the order in which the objects were given. */
export type GuardsOf<T extends readonly Lockable[]> = {
  readonly [I in keyof T]: GuardOf<T[I]>;
};

/** What all guards have. */
interface Guard {
  readonly released: boolean;
  dispose(): void;
}

/** One of the objects, and where it stood among those given. */
interface Place {
  readonly object: Lockable;
  readonly index: number;
  readonly kind: number;
  readonly name: string;
}

/** What {@link acquireAll} gives: all the guards, and the way to end them together. */
export class AllGuard<T extends readonly Lockable[] = readonly Lockable[]>
  implements Disposable, AsyncDisposable
{
  /** One guard an object, in the order in which the objects were given. Each can be released for itself. */
  readonly guards: GuardsOf<T>;
  readonly #taken: readonly Guard[];

  /** @internal */
  constructor(guards: GuardsOf<T>, taken: readonly Guard[]) {
    this.guards = guards;
    this.#taken = taken;
  }

  /** Whether all of them are released. */
  get released(): boolean {
    return this.#taken.every((guard) => guard.released);
  }

  /**
   * Releases all that are not released yet, the last taken first. Does not block.
   *
   * @throws NotHeldError `ERR_HOLDFAST_NOT_HELD`: all of them are released already
   */
  release(): void {
    if (this.#taken.length > 0 && this.released) {
      throw new NotHeldError('cannot release what acquireAll() took: it is all released already');
    }
    releaseAll(this.#taken);
  }

  /** Releases what is not released yet: for `using`. */
  [DISPOSE](): void {
    releaseAll(this.#taken);
  }

  /** Releases what is not released yet: for `await using`. */
  async [ASYNC_DISPOSE](): Promise<void> {
    releaseAll(this.#taken);
  }
}

/**
 * Acquires several objects without blocking the event loop: all, or none. Whatever order they are given in, they are
 * taken in one order (by kind and name), which is the same in every process: so no two callers can hold what the other
 * waits for, as in the textbook's deadlock. What has been taken is held while the rest is waited for.
 *
 * @param objects - `Lock`, `RLock`, `Semaphore` (one permit each), `read` and `write` sides of `RWLock`s
 * @param options - `timeout` in ms, for all of them together; `signal`
 * @returns the guards, to be released by the caller
 * @throws TimeoutError `ERR_HOLDFAST_TIMEOUT`: nothing is held (all of these as rejections)
 * @throws ClosedError, UnlinkedError, RegionError, or `signal.reason`: nothing is held
 * @throws RangeError `ERR_HOLDFAST_INVALID_ARGUMENT`: the same object twice, or both sides of one RWLock
 * @throws TypeError `ERR_HOLDFAST_INVALID_ARGUMENT`
 */
export async function acquireAll<const T extends readonly Lockable[]>(
  objects: T,
  options?: AcquireOptions,
): Promise<AllGuard<T>> {
  const places = inOrder(objects, 'acquireAll()');
  checkAcquireOptions(options, 'acquireAll()');
  const signal = options?.signal;
  if (signal?.aborted) throw signal.reason;
  const left = deadline(options?.timeout);
  const taken: Guard[] = [];
  try {
    for (const { object } of places) {
      taken.push(await object.acquire({ timeout: left(), signal }));
    }
    return new AllGuard(asGiven(places, taken) as unknown as GuardsOf<T>, taken);
  } catch (error) {
    for (const guard of taken.reverse()) giveBack(guard);
    throw named(error, places, taken.length, options?.timeout);
  }
}

/**
 * As {@link acquireAll}, blocking this thread.
 *
 * @param options - `timeout` in ms, for all of them together
 * @throws DeadlockError `ERR_HOLDFAST_DEADLOCK`, at once: this thread holds one of them itself
 * @throws TimeoutError, ClosedError, UnlinkedError, RegionError: nothing is held
 * @throws TypeError, RangeError `ERR_HOLDFAST_INVALID_ARGUMENT`
 */
export function acquireAllSync<const T extends readonly Lockable[]>(
  objects: T,
  options?: AcquireSyncOptions,
): AllGuard<T> {
  const places = inOrder(objects, 'acquireAllSync()');
  const left = deadline(syncTimeout(options, 'acquireAllSync()'));
  const taken: Guard[] = [];
  try {
    for (const { object } of places) taken.push(object.acquireSync({ timeout: left() }));
    return new AllGuard(asGiven(places, taken) as unknown as GuardsOf<T>, taken);
  } catch (error) {
    for (const guard of taken.reverse()) giveBack(guard);
    throw named(error, places, taken.length, options?.timeout);
  }
}

/**
 * Holds several objects while `fn` works, and until the promise that it returns is settled. Takes them as
 * {@link acquireAll} does, and an `RLock` among them as its `with` does: what `fn` calls may enter it again.
 *
 * @param objects - as in {@link acquireAll}
 * @param fn - gets the guards, in the order in which the objects were given
 * @param options - `timeout` in ms, for all of them together; `signal`
 * @returns what `fn` returns
 * @throws what `fn` throws, or what {@link acquireAll} throws; all as rejections
 */
export async function withAll<const T extends readonly Lockable[], R>(
  objects: T,
  fn: (guards: GuardsOf<T>) => R | PromiseLike<R>,
  options?: AcquireOptions,
): Promise<R> {
  const places = inOrder(objects, 'withAll()');
  checkFunction(fn, 'withAll() after its objects');
  checkAcquireOptions(options, 'withAll()');
  const signal = options?.signal;
  if (signal?.aborted) throw signal.reason;
  const left = deadline(options?.timeout);
  const taken: Guard[] = [];
  let isWorking = false;
  const step = async (): Promise<R> => {
    const place = places[taken.length];
    if (place === undefined) {
      isWorking = true;
      return fn(asGiven(places, taken) as unknown as GuardsOf<T>);
    }
    const inside = async (guard: Guard): Promise<R> => {
      taken.push(guard);
      try {
        return await step();
      } catch (error) {
        if (!isWorking) giveBack(guard);
        throw error;
      }
    };
    return place.object.with(inside, { timeout: left(), signal });
  };
  try {
    return await step();
  } catch (error) {
    throw isWorking ? error : named(error, places, taken.length, options?.timeout);
  }
}

/**
 * Holds several objects while `fn` works. Blocks this thread, and takes them, as {@link acquireAllSync} does, and an
 * `RLock` among them as its `withSync` does: the sync verbs that `fn` calls may enter it again.
 *
 * @param fn - gets the guards, in the order in which the objects were given
 * @param options - `timeout` in ms, for all of them together
 * @returns what `fn` returns
 * @throws what `fn` throws, or what {@link acquireAllSync} throws
 * @throws TypeError `ERR_HOLDFAST_INVALID_ARGUMENT`: `fn` returned a promise; use {@link withAll}
 */
export function withAllSync<const T extends readonly Lockable[], R>(
  objects: T,
  fn: (guards: GuardsOf<T>) => R & Settled<R>,
  options?: AcquireSyncOptions,
): R {
  const places = inOrder(objects, 'withAllSync()');
  checkFunction(fn, 'withAllSync() after its objects');
  const left = deadline(syncTimeout(options, 'withAllSync()'));
  const taken: Guard[] = [];
  let isWorking = false;
  const step = (): R => {
    const place = places[taken.length];
    if (place === undefined) {
      isWorking = true;
      return fn(asGiven(places, taken) as unknown as GuardsOf<T>);
    }
    const inside = (guard: Guard): R => {
      taken.push(guard);
      try {
        return step();
      } catch (error) {
        if (!isWorking) giveBack(guard);
        throw error;
      }
    };
    return place.object.withSync(inside as never, { timeout: left() });
  };
  try {
    return settled(step());
  } catch (error) {
    throw isWorking ? error : named(error, places, taken.length, options?.timeout);
  }
}

/** The objects in the one order that all processes keep to. */
function inOrder(objects: readonly Lockable[], where: string): Place[] {
  if (!Array.isArray(objects)) {
    throw invalidType(`${where} takes an array of locks first, not ${shown(objects)}`);
  }
  const places = (objects as Lockable[]).map((object, index) => ({
    object,
    index,
    kind: kindOf(object, `element ${index} of ${where}`),
    name: object.name,
  }));
  places.sort((a, b) => a.kind - b.kind || compare(a.name, b.name));
  places.forEach(({ kind, name, object }, i) => {
    const before = places[i - 1];
    if (before?.kind !== kind || before.name !== name) return;
    const what = kind === Kind.RWLock ? 'RWLock' : object.constructor.name;
    throw invalidRange(
      `${where} has ${what} ${JSON.stringify(name)} twice: it could never have both at once`,
    );
  });
  return places;
}

function kindOf(object: unknown, what: string): number {
  if (object instanceof Lock) return Kind.Lock;
  if (object instanceof RLock) return Kind.RLock;
  if (object instanceof Semaphore) return Kind.Semaphore;
  if (object instanceof ReadSide || object instanceof WriteSide) return Kind.RWLock;
  if (object instanceof RWLock) {
    throw invalidType(`${what} is an RWLock: give one of its sides, .read or .write`);
  }
  throw invalidType(
    `${what} must be a Lock, an RLock, a Semaphore or a side of an RWLock, not ${shown(object)}` +
      orOfAnotherRealm(object),
  );
}

/** By code units, which are the same everywhere; a locale's order may differ between processes. */
function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

/** How many milliseconds are left, at each call. */
function deadline(timeoutMs = Number.POSITIVE_INFINITY): () => number {
  const endMs = native.now() + timeoutMs;
  return () => (timeoutMs <= 0 ? timeoutMs : Math.max(0, endMs - native.now()));
}

function asGiven(places: readonly Place[], taken: readonly Guard[]): readonly Guard[] {
  const guards: Guard[] = [];
  places.forEach(({ index }, i) => {
    guards[index] = taken[i] as Guard;
  });
  return guards;
}

/** Releases what was taken for nothing: if it was abandoned, that is told to the next owner. */
function giveBack(guard: Guard): void {
  if (guard instanceof LockGuard || guard instanceof WriteGuard) guard.giveBack();
  else guard.dispose();
}

/** The last taken first. One that cannot be released does not keep the others. */
function releaseAll(taken: readonly Guard[]): void {
  const errors: unknown[] = [];
  for (const guard of [...taken].reverse()) {
    try {
      guard.dispose();
    } catch (error) {
      errors.push(error);
    }
  }
  if (errors.length > 0) throw errors[0];
}

/** A time-out of all, which says what was not to be had. */
function named(
  error: unknown,
  places: readonly Place[],
  taken: number,
  timeoutMs = Number.POSITIVE_INFINITY,
): unknown {
  if (!(error instanceof TimeoutError)) return error;
  const time = timeoutMs > 0 ? `within ${timeoutMs} ms` : 'at once';
  return new TimeoutError(
    `not all of ${places.length} objects were to be had ${time}, but ${taken}: ${error.message}`,
    { cause: error },
  );
}
