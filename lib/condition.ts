/** The condition: waiting under a lock for what others do under it. */
import { crc32 } from 'node:zlib';
import {
  type AcquireOptions,
  type AcquireSyncOptions,
  checkAcquireOptions,
  checkFunction,
  checkOptions,
  invalidRange,
  invalidType,
  quoted,
  refusePromise,
  shown,
  syncTimeout,
} from './arguments.js';
import { NotHeldError } from './errors.js';
import { EXISTING, type LockOptions, type LockToken } from './exclusive.js';
import type { LockGuard } from './guard.js';
import { Lock, type Settled } from './lock.js';
import type { LockCore } from './lock-core.js';
import { LongWait, type LongWant } from './long-wait.js';
import { Action, native, OrElse, Outcome } from './native.js';
import { orOfAnotherRealm } from './not-data.js';
import { RLock } from './rlock.js';
import { type Made, type ObjectToken, SharedObject } from './shared-object.js';

/** Options of `new Condition()`. */
export interface ConditionOptions {
  /**
   * The name that other threads and processes open it by: with a lock that they open by its name. Default: a unique
   * one, and the condition is removed when the last process that has it open closes it or ends.
   */
  name?: string | undefined;
}

/** Plain data that stands for a condition and its lock: see `open()`. */
export interface ConditionToken extends ObjectToken<'Condition'> {
  readonly lock: LockToken;
}

const OPTION_KEYS = ['name'];
const MAX_COUNT = 2 ** 31 - 1;

// To the next one first: who dies in between wakes one too many, which a waiter must bear anyway.
const A_NOTIFICATION: LongWant = {
  stays: (outcome) => outcome === Outcome.Taken,
  giveBack(wait) {
    native.act(wait.core.handle, Action.Notify, 1);
    native.attempt(wait.handle, 0, 1, OrElse.Cancel);
  },
};

/**
 * A place to wait, under a lock, until somebody who holds the lock says that something has changed. A wait gives up
 * the lock, all levels of an RLock, and has it again when it ends, however it ends.
 *
 * It is as `multiprocessing.Condition` of Python. A notification that a waiter got and did not live to use goes to
 * the next one. For that a waiter may be woken without need now and then: ask for what you wait for in a loop, or use
 * `waitFor()`.
 *
 * Who "holds the lock" is, for a Lock and for an RLock held by a guard or a sync verb, this thread; for an RLock held
 * by `with(fn)` it is what is called from `fn`. So it is for a Lock held by `with(fn)` where `detectDeadlocks` is on, see
 * `configure()`; else no more is known than the thread.
 *
 * @example
 * ```ts
 * const lock = new Lock('queue');
 * const filled = new Condition(lock, { name: 'queue filled' });
 *
 * const item = await lock.with(() => filled.waitFor(() => queue.take()));
 *
 * await lock.with(() => {
 *   queue.put(item);
 *   filled.notify();
 * });
 * ```
 */
export class Condition extends SharedObject<'Condition'> {
  /** The lock that a wait gives up and takes back. Several conditions may share one. */
  readonly lock: Lock | RLock;
  readonly #ownsLock: boolean;

  /**
   * Opens the condition, and makes it where there is none. Does not block.
   *
   * @param lock - default: a new RLock without a name, which the condition's `close()` closes
   * @throws HoldfastError `ERR_HOLDFAST_OTHER_PARAMETERS`: the named condition exists, with another lock
   * @throws HoldfastError `ERR_HOLDFAST_KIND_MISMATCH`: the name belongs to something else
   * @throws ClosedError the lock is closed
   * @throws RegionError the shared memory cannot be used: see its codes
   * @throws TypeError, RangeError `ERR_HOLDFAST_INVALID_ARGUMENT`
   */
  constructor(lock?: Lock | RLock, options?: ConditionOptions) {
    if (lock !== undefined && !(lock instanceof Lock || lock instanceof RLock)) {
      throw invalidType(
        `new Condition() takes a Lock or an RLock first, not ${shown(lock)}${orOfAnotherRealm(lock)}; ` +
          'a name goes into the options: { name }',
      );
    }
    checkOptions(options, OPTION_KEYS, 'new Condition()');
    if (lock !== undefined) coreOf(lock).refuseEnded();
    const own = lock === undefined ? new RLock() : undefined;
    const used = lock ?? (own as RLock);
    try {
      super('Condition', options?.name, madeFor(used), options);
    } catch (error) {
      own?.close();
      throw error;
    }
    this.lock = used;
    this.#ownsLock = own !== undefined || (options !== undefined && OWNED in options);
  }

  /**
   * Gives up the lock, waits to be notified, and takes the lock back: all that without blocking the event loop, which
   * stays alive meanwhile. The lock's guards are good again when this ends, also where it ends with an error; for
   * taking it back there is no time-out and no abort.
   *
   * @param options - `timeout` in ms (`<= 0`: `false` at once, and the lock is kept); `signal`: an abort rejects with
   *   `signal.reason`, and a notification that came first goes to the next one
   * @returns `true`: notified; `false`: the time was up
   * @throws NotHeldError `ERR_HOLDFAST_NOT_HELD` (all of these as rejections): the caller does not hold the lock;
   *   nothing has changed. Also where the lock's guard was disposed of before this was over: await the wait.
   * @throws ClosedError, UnlinkedError: the condition is over, or the lock is, which is not had again then
   * @throws RegionError
   * @throws TypeError `ERR_HOLDFAST_INVALID_ARGUMENT`
   */
  async wait(options?: AcquireOptions): Promise<boolean> {
    checkAcquireOptions(options, 'wait()');
    const lock = this.#heldLock('wait()');
    const { timeout = Number.POSITIVE_INFINITY, signal } = options ?? {};
    if (signal?.aborted) throw signal.reason;
    return timeout > 0 && this.#wait(lock, timeout, signal);
  }

  /**
   * The same, and blocks this thread. No promise of this thread gets the lock meanwhile, as it could not run.
   *
   * @param options - `timeout` in ms (`<= 0`: `false` at once, and the lock is kept)
   * @returns as {@link wait}
   * @throws NotHeldError, ClosedError, UnlinkedError, RegionError, TypeError as {@link wait}
   */
  waitSync(options?: AcquireSyncOptions): boolean {
    const timeoutMs = syncTimeout(options, 'waitSync()');
    const lock = this.#heldLock('waitSync()');
    return timeoutMs > 0 && this.#waitSync(lock, timeoutMs);
  }

  /**
   * Waits until `predicate` gives something truthy. Asks first, and again after each notification, always with the
   * lock held.
   *
   * @param predicate - may be async; the lock is held until its promise is settled
   * @param options - `timeout` in ms over all waits (`<= 0`: asks once), `signal`
   * @returns the predicate's last value: a falsy one after a time-out
   * @throws what `predicate` throws, or what {@link wait} throws; all as rejections, with the lock held
   */
  async waitFor<T>(predicate: () => T | PromiseLike<T>, options?: AcquireOptions): Promise<T> {
    checkFunction(predicate, 'waitFor()');
    checkAcquireOptions(options, 'waitFor()');
    this.#heldLock('waitFor()');
    const { timeout = Number.POSITIVE_INFINITY, signal } = options ?? {};
    if (signal?.aborted) throw signal.reason;
    const deadlineMs = native.now() + timeout;
    for (;;) {
      const value = await predicate();
      if (value) return value;
      const leftMs = deadlineMs - native.now();
      if (!(leftMs > 0)) return value;
      await this.wait({ timeout: leftMs, signal });
    }
  }

  /**
   * The same, and blocks this thread.
   *
   * @param predicate - must not be async
   * @param options - `timeout` in ms over all waits (`<= 0`: asks once)
   * @returns the predicate's last value: a falsy one after a time-out
   * @throws what `predicate` throws, or what {@link waitSync} throws
   * @throws TypeError `ERR_HOLDFAST_INVALID_ARGUMENT`: `predicate` returned a promise; use {@link waitFor}
   */
  waitForSync<T>(predicate: () => T, options?: AcquireSyncOptions): T {
    checkFunction(predicate, 'waitForSync()');
    const timeoutMs = syncTimeout(options, 'waitForSync()');
    this.#heldLock('waitForSync()');
    const deadlineMs = native.now() + timeoutMs;
    for (;;) {
      const value = predicate();
      refusePromise(
        value,
        'waitForSync() blocks this thread, and its predicate returned a promise: use waitFor()',
      );
      if (value) return value;
      const leftMs = deadlineMs - native.now();
      if (!(leftMs > 0)) return value;
      this.waitSync({ timeout: leftMs });
    }
  }

  /**
   * Wakes the `n` who have waited longest, or all if there are fewer. They go on when they have the lock, so not
   * before the caller has released it. Who begins to wait afterwards is not woken by this. Does not block, and waits
   * for no waiter.
   *
   * @param n - an integer from 0 on. Default: 1
   * @returns how many were woken
   * @throws NotHeldError `ERR_HOLDFAST_NOT_HELD`: the caller does not hold the lock
   * @throws ClosedError, UnlinkedError
   * @throws TypeError, RangeError `ERR_HOLDFAST_INVALID_ARGUMENT`
   */
  notify(n = 1): number {
    if (typeof n !== 'number') {
      throw invalidType(`notify() takes a number of waiters, not ${shown(n)}`);
    }
    if (!Number.isInteger(n) || n < 0 || n > MAX_COUNT) {
      throw invalidRange(
        `notify() takes an integer from 0 to ${MAX_COUNT}, not ${n}; notifyAll() wakes all`,
      );
    }
    this.#heldLock('notify()');
    return this.core.act(Action.Notify, n);
  }

  /**
   * Wakes all who wait; as {@link notify}.
   *
   * @returns how many were woken
   * @throws NotHeldError `ERR_HOLDFAST_NOT_HELD`: the caller does not hold the lock
   * @throws ClosedError, UnlinkedError
   */
  notifyAll(): number {
    this.#heldLock('notifyAll()');
    return this.core.act(Action.Notify, MAX_COUNT);
  }

  /** Holds the lock while `fn` works: as `lock.with()`, which see. */
  with<T>(fn: (guard: LockGuard) => T | PromiseLike<T>, options?: AcquireOptions): Promise<T> {
    return this.lock.with(fn, options);
  }

  /** Holds the lock while `fn` works, and blocks: as `lock.withSync()`, which see. */
  withSync<T>(fn: (guard: LockGuard) => T & Settled<T>, options?: AcquireSyncOptions): T {
    return this.lock.withSync(fn, options);
  }

  /**
   * Closes this instance, in this thread only; idempotent. If it was the thread's last one of this condition, waits
   * of this thread reject with ClosedError, when they have the lock again. A lock that the condition made itself, or
   * that was opened along with it from its token, is closed too. Does not block.
   *
   * @throws HoldfastError `ERR_HOLDFAST_HELD`: that lock would be closed, and this thread holds it
   */
  override close(): void {
    if (this.#ownsLock) this.lock.close();
    super.close();
  }

  /**
   * Removes the condition for everybody: who waits gets UnlinkedError, when it has the lock again. The lock stays,
   * but for one that {@link close} closes. Does not block.
   *
   * @throws HoldfastError `ERR_HOLDFAST_HELD`: that lock would be closed, and this thread holds it
   * @throws ClosedError, UnlinkedError
   */
  override unlink(): void {
    this.core.refuseOver();
    if (this.#ownsLock) this.lock.close();
    super.unlink();
  }

  /** A token: plain data from which `open()` makes the same condition again, with its lock. */
  override toJSON(): ConditionToken {
    return { ...super.toJSON(), lock: this.lock.toJSON() };
  }

  /** @internal */
  protected override state(): string {
    return `of ${this.lock.constructor.name} ${quoted(this.lock.name)}`;
  }

  /** The lock's core, if the caller holds it. */
  #heldLock(verb: string): LockCore {
    this.core.refuseOver();
    const lock = coreOf(this.lock);
    lock.refuseEnded();
    if (lock.isHeldByCaller()) return lock;
    throw new NotHeldError(
      `${verb} of ${this.core.title} needs ${lock.title}, which the caller does not hold`,
    );
  }

  async #wait(lock: LockCore, timeoutMs: number, signal: AbortSignal | undefined) {
    const { warns } = insideOf(this.lock);
    const wait = LongWait.of(this.core, A_NOTIFICATION, signal);
    try {
      // First the queue, then the lock: whoever gets that and notifies finds this one waiting.
      wait.begin();
      const told = wait.told({ timeoutMs, signal });
      const suspension = lock.suspend();
      let outcome: number = Outcome.TimedOut;
      try {
        outcome = await told;
      } finally {
        await lock.resume(suspension, warns);
      }
      if (signal?.aborted) throw signal.reason;
      return noted(wait, outcome);
    } finally {
      wait.done();
    }
  }

  #waitSync(lock: LockCore, timeoutMs: number): boolean {
    const { warns } = insideOf(this.lock);
    const deadlineMs = native.now() + timeoutMs;
    const wait = LongWait.of(this.core, A_NOTIFICATION);
    try {
      wait.begin();
      const suspension = lock.suspendSync();
      let outcome: number = Outcome.TimedOut;
      try {
        outcome = wait.toldSync(deadlineMs);
      } finally {
        lock.resumeSync(suspension, warns);
      }
      return noted(wait, outcome);
    } finally {
      wait.done();
    }
  }
}

/** With the lock had again: only now does a notification count as used. */
function noted(wait: LongWait, outcome: number): boolean {
  if (outcome !== Outcome.Taken) return false;
  wait.takeNote();
  return true;
}

/** What a condition needs of its lock, and callers do not. */
interface Inside {
  readonly openCore: LockCore;
  readonly warns: boolean;
}

function insideOf(lock: Lock | RLock): Inside {
  return lock as unknown as Inside;
}

function coreOf(lock: Lock | RLock): LockCore {
  return insideOf(lock).openCore;
}

/** A key of the options which callers cannot reach: the lock was opened for this condition alone. */
const OWNED: unique symbol = Symbol('owned');

/**
 * The condition that a token stands for, with its lock opened along.
 *
 * @param openLock - opens the lock that the token names; checks that it is a lock's
 * @internal
 */
export function openCondition(
  token: { readonly name: string; readonly lock?: unknown },
  openLock: (token: unknown) => Lock | RLock,
): Condition {
  const lock = openLock(token.lock);
  try {
    const options = { name: token.name, [EXISTING]: true, [OWNED]: true };
    return new Condition(lock, options as ConditionOptions & LockOptions);
  } catch (error) {
    lock.close();
    throw error;
  }
}

/** A condition serves one lock: of a named one, all who open it must say the same. */
function madeFor(lock: Lock | RLock): Made {
  const first = crc32(lock.name);
  return {
    first,
    second: lock instanceof RLock ? 1 : 0,
    describe: (hash) => (hash === first ? `lock ${quoted(lock.name)}` : 'another lock'),
  };
}
