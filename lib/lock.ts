/** The lock: one holder at a time, among all threads of all processes. */
import {
  type AcquireOptions,
  type AcquireSyncOptions,
  checkAcquireOptions,
  checkFunction,
  checkNoOptions,
  refusePromise,
  syncTimeout,
  WAITING_VERBS,
} from './arguments.js';
import { Exclusive, type LockOptions, type LockToken } from './exclusive.js';
import { By, type LockGuard } from './guard.js';
import { LockCore } from './lock-core.js';
import { inForce } from './region.js';
import { runInside } from './scope.js';
import { isTurnDue } from './turn.js';

/**
 * A lock that processes and worker threads of one machine share by its name, and that a death
 * cannot leave held: the next owner gets it, and its guard says `abandoned: true`.
 *
 * It is as `multiprocessing.Lock` of Python, with these differences: only the holder can release
 * it, and the verbs without `Sync` do not block. To the other threads a thread is one holder;
 * within it the lock excludes promises from one another too, first come, first served. It is not
 * recursive: see `RLock` for that. Between threads it is fair by time, not by order: who runs may
 * go before who must be woken, until somebody has waited for 1 ms.
 *
 * @example
 * ```ts
 * const orders = new Lock('orders');
 * await orders.with(async () => {
 *   // no other promise, thread or process is in here
 * });
 * ```
 */
export class Lock extends Exclusive<LockCore> {
  /**
   * Opens the lock of that name, and makes it where there is none. Does not wait for anybody who
   * holds it.
   *
   * @param name - 1 to 255 bytes of UTF-8 without NUL. Without one the lock gets a unique name,
   *   and is removed when the last process that has it open closes it or ends.
   * @throws HoldfastError `ERR_HOLDFAST_KIND_MISMATCH`: the name belongs to something else
   * @throws RegionError the shared memory cannot be used: see its codes
   * @throws TypeError, RangeError `ERR_HOLDFAST_INVALID_ARGUMENT`
   */
  constructor(name?: string, options?: LockOptions) {
    super('Lock', LockCore, name, options);
  }

  /**
   * Waits for the lock without blocking the event loop, which stays alive meanwhile. Where the
   * thread itself holds the lock this waits too: two promises exclude each other.
   *
   * @param options - `timeout` in ms, `signal`; as `navigator.locks.request` of the Web Locks API,
   *   an abort rejects with `signal.reason`. If the lock was granted before the abort was seen, it
   *   is passed on. If the time is up just when the lock is granted, the acquire succeeds.
   * @returns the guard, to be released by the caller
   * @throws TimeoutError `ERR_HOLDFAST_TIMEOUT` (all of these as rejections)
   * @throws ClosedError, UnlinkedError, RegionError
   * @throws TypeError `ERR_HOLDFAST_INVALID_ARGUMENT`
   */
  acquire(options?: AcquireOptions): Promise<LockGuard> {
    return this.#acquire(options, By.Promise);
  }

  #acquire(options: AcquireOptions | undefined, by: number): Promise<LockGuard> {
    if (options === undefined && !isTurnDue()) {
      const guard = this.core.take(by);
      // Not an async function: one promise less, and nothing that could throw.
      if (guard !== null) return Promise.resolve(guard);
    }
    try {
      checkAcquireOptions(options, 'acquire()');
      return this.openCore.acquire(options, this.warns, by);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * Waits for the lock and blocks this thread until then. Goes before promises of this thread that
   * wait, as they could not run anyway.
   *
   * @param options - `timeout` in ms
   * @throws TimeoutError `ERR_HOLDFAST_TIMEOUT`; also for `timeout <= 0` while promises of this
   *   thread wait, since one try does not go before them
   * @throws DeadlockError `ERR_HOLDFAST_DEADLOCK`, at once: this thread holds the lock itself, by
   *   whatever verb
   * @throws ClosedError, UnlinkedError, RegionError
   * @throws TypeError `ERR_HOLDFAST_INVALID_ARGUMENT`
   */
  acquireSync(options?: AcquireSyncOptions): LockGuard {
    return this.#acquireSync(options, By.Sync);
  }

  #acquireSync(options: AcquireSyncOptions | undefined, by: number): LockGuard {
    if (options === undefined) {
      const guard = this.core.take(by);
      if (guard !== null) return guard;
    }
    const timeoutMs = syncTimeout(options, 'acquireSync()');
    return this.openCore.acquireSync(timeoutMs, this.warns, by);
  }

  /**
   * Tries once, and never waits.
   *
   * @returns the guard, or `null`: somebody holds the lock, maybe this thread, or promises of this
   *   thread wait for it
   * @throws ClosedError, UnlinkedError, RegionError
   * @throws TypeError `ERR_HOLDFAST_INVALID_ARGUMENT`: there are no options
   */
  tryAcquire(options?: never): LockGuard | null {
    if (options !== undefined) checkNoOptions(options, 'tryAcquire()', WAITING_VERBS);
    return this.core.take(By.Sync) ?? this.openCore.tryAcquire(this.warns, By.Sync);
  }

  /**
   * Holds the lock while `fn` works, and until the promise that it returns is settled. Waits as
   * {@link acquire} does.
   *
   * @param fn - gets the guard; it may release it early
   * @returns what `fn` returns
   * @throws DeadlockError `ERR_HOLDFAST_DEADLOCK`: called, without a time-out, from inside of a `with` that holds this
   *   lock; on Node.js 24 and later, or where `configure({ detectDeadlocks: true })` asks for it. Elsewhere it waits for
   *   ever, with a process warning (`HOLDFAST_DEADLOCK`) after a second or two
   * @throws what `fn` throws, or what {@link acquire} throws; all as rejections
   */
  async with<T>(
    fn: (guard: LockGuard) => T | PromiseLike<T>,
    options?: AcquireOptions,
  ): Promise<T> {
    checkFunction(fn, 'with()');
    const by = this.detects ? By.Scoped : By.With;
    // A promise of what is had already would cost more; `fn` runs in a microtask either way.
    let guard = options === undefined && !isTurnDue() ? this.core.take(by) : null;
    if (guard === null) guard = await this.#acquire(options, by);
    else await null;
    try {
      return await (this.detects ? runInside(guard, fn, guard) : fn(guard));
    } finally {
      guard.dispose();
    }
  }

  /**
   * Holds the lock while `fn` works. Blocks as {@link acquireSync} does.
   *
   * @param fn - gets the guard; it may release it early
   * @returns what `fn` returns
   * @throws what `fn` throws, or what {@link acquireSync} throws
   * @throws TypeError `ERR_HOLDFAST_INVALID_ARGUMENT`: `fn` returned a promise, so its work went on
   *   after the release; use {@link with}
   */
  withSync<T>(fn: (guard: LockGuard) => T & Settled<T>, options?: AcquireSyncOptions): T {
    checkFunction(fn, 'withSync()');
    // The fast path once more, as the call in between costs a fifth of the whole.
    const free = options === undefined ? this.core.take(By.WithSync) : null;
    const guard = free ?? this.#acquireSync(options, By.WithSync);
    try {
      return settled(fn(guard));
    } finally {
      guard.dispose();
    }
  }

  override toJSON(): LockToken {
    return { holdfast: 'Lock', namespace: inForce().namespace, name: this.name };
  }
}

/**
 * What `withSync()` asks of what its function returns: no type of a promise goes with it, as the work would go on after
 * the release.
 */
export type Settled<T> = Extract<T, PromiseLike<unknown>> extends never ? unknown : never;

/**
 * What work under a sync hold gave, which must not be a promise.
 *
 * @internal
 */
export function settled<T>(result: T): T {
  refusePromise(
    result,
    'withSync() holds the lock only until its function returns, and that returned a promise: ' +
      'use with()',
  );
  return result;
}
