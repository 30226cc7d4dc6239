/** The read-write lock: many readers or one writer, among all threads of all processes. */
import {
  type AcquireOptions,
  type AcquireSyncOptions,
  checkAcquireOptions,
  checkBoolean,
  checkFunction,
  checkNoOptions,
  checkOptions,
  syncTimeout,
  WAITING_VERBS,
} from './arguments.js';
import { type Claim, claimLater, claimNow, claimSync } from './claim.js';
import { NotHeldError } from './errors.js';
import type { LockOptions } from './exclusive.js';
import { type Settled, settled } from './lock.js';
import { Question } from './native.js';
import { SIDE } from './not-data.js';
import { inForce } from './region.js';
import {
  type Holds,
  holdsOf,
  ReadClaim,
  type ReadGuard,
  type Taking,
  WriteClaim,
  type WriteGuard,
} from './rwlock-guard.js';
import { runInside } from './scope.js';
import { SharedObject } from './shared-object.js';
import { isTurnDue, turned } from './turn.js';
import type { ObjectCore } from './waiter.js';

/** What either side needs of its lock. */
interface Access {
  readonly name: string;
  readonly warns: boolean;
  /** Whether a `with()` has an async context of its own, from which deadlocks are seen. */
  readonly detects: boolean;
  /** Throws ClosedError. */
  core(): ObjectCore;
}

/**
 * One side of an {@link RWLock}, with the verbs of a lock.
 *
 * @typeParam Guard - what an acquisition gives
 */
abstract class Side<Guard extends ReadGuard | WriteGuard> {
  /** @internal */
  readonly notData = SIDE;
  readonly #access: Access;

  /** @internal */
  constructor(access: Access) {
    this.#access = access;
  }

  /** The lock's name. */
  get name(): string {
    return this.#access.name;
  }

  /** @internal */
  protected get core(): ObjectCore {
    return this.#access.core();
  }

  /** @internal */
  protected get holds(): Holds {
    return holdsOf(this.core);
  }

  /** @internal */
  protected abstract claim(holds: Holds, taking: Taking): Claim<Guard>;

  #claim(isBare: boolean): Claim<Guard> {
    const { warns } = this.#access;
    return this.claim(this.holds, { warns, isBare, isScoped: false, upgrade: null });
  }

  #acquire(options: AcquireOptions | undefined, isBare: boolean): Promise<Guard> {
    try {
      checkAcquireOptions(options, 'acquire()');
      if (isTurnDue()) return turned().then(() => this.#claimLater(options, isBare));
      return this.#claimLater(options, isBare);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #claimLater(options: AcquireOptions | undefined, isBare: boolean): Promise<Guard> {
    return claimLater(this.core, this.#claim(isBare), options);
  }

  #acquireSync(options: AcquireSyncOptions | undefined, isBare: boolean): Guard {
    const timeoutMs = syncTimeout(options, 'acquireSync()');
    return claimSync(this.core, this.#claim(isBare), timeoutMs);
  }

  /**
   * Waits for this side without blocking the event loop, which stays alive meanwhile.
   *
   * @param options - `timeout` in ms, `signal`; an abort rejects with `signal.reason`
   * @returns the guard, to be released by the caller
   * @throws TimeoutError `ERR_HOLDFAST_TIMEOUT` (all of these as rejections)
   * @throws ClosedError, UnlinkedError, RegionError
   * @throws TypeError `ERR_HOLDFAST_INVALID_ARGUMENT`
   */
  acquire(options?: AcquireOptions): Promise<Guard> {
    return this.#acquire(options, true);
  }

  /**
   * Waits for this side and blocks this thread until then. Goes before promises of this thread that wait, as they
   * could not run anyway.
   *
   * @param options - `timeout` in ms
   * @throws TimeoutError `ERR_HOLDFAST_TIMEOUT`
   * @throws DeadlockError `ERR_HOLDFAST_DEADLOCK`, at once: this thread has the write side, or has a share and would
   *   wait for the write side, or has a share and would wait for another one behind a writer
   * @throws ClosedError, UnlinkedError, RegionError
   * @throws TypeError `ERR_HOLDFAST_INVALID_ARGUMENT`
   */
  acquireSync(options?: AcquireSyncOptions): Guard {
    return this.#acquireSync(options, true);
  }

  /**
   * Tries once, and never waits.
   *
   * @returns the guard, or `null`: the other side is held, or others wait
   * @throws ClosedError, UnlinkedError, RegionError
   * @throws TypeError `ERR_HOLDFAST_INVALID_ARGUMENT`: there are no options
   */
  tryAcquire(options?: never): Guard | null {
    if (options !== undefined) checkNoOptions(options, 'tryAcquire()', WAITING_VERBS);
    return claimNow(this.core, this.#claim(true));
  }

  /**
   * Holds this side while `fn` works, and until the promise that it returns is settled. Waits as {@link acquire}
   * does.
   *
   * @param fn - gets the guard. It may release it early, upgrade or downgrade it: what it became is released too
   * @returns what `fn` returns
   * @throws DeadlockError `ERR_HOLDFAST_DEADLOCK`: called, without a time-out, from inside of a `with` of this lock for
   *   which it would have to wait, as `Lock.with` detects it
   * @throws what `fn` throws, or what {@link acquire} throws; all as rejections
   */
  async with<T>(fn: (guard: Guard) => T | PromiseLike<T>, options?: AcquireOptions): Promise<T> {
    checkFunction(fn, 'with()');
    const guard = await this.#acquire(options, false);
    try {
      if (!this.#access.detects) return await fn(guard);
      guard.beScoped();
      return await runInside<Guard, T | PromiseLike<T>>(guard, fn, guard);
    } finally {
      guard.endAll();
    }
  }

  /**
   * Holds this side while `fn` works. Blocks as {@link acquireSync} does.
   *
   * @param fn - gets the guard. It may release it early, upgrade or downgrade it: what it became is released too
   * @returns what `fn` returns
   * @throws what `fn` throws, or what {@link acquireSync} throws
   * @throws TypeError `ERR_HOLDFAST_INVALID_ARGUMENT`: `fn` returned a promise; use {@link with}
   */
  withSync<T>(fn: (guard: Guard) => T & Settled<T>, options?: AcquireSyncOptions): T {
    checkFunction(fn, 'withSync()');
    const guard = this.#acquireSync(options, false);
    try {
      return settled(fn(guard));
    } finally {
      guard.endAll();
    }
  }

  /** Whether anybody, in any process, holds this side, at this moment. */
  abstract get locked(): boolean;

  /** Gives back what this thread took of this side by a bare acquire, without its guard at hand. Does not block. */
  abstract release(): void;
}

/** The side of an {@link RWLock} that any number may hold together. */
export class ReadSide extends Side<ReadGuard> {
  /**
   * Whether anybody, in any process, reads, at this moment.
   *
   * @throws ClosedError, UnlinkedError
   */
  override get locked(): boolean {
    return this.core.ask(Question.Value) > 0;
  }

  /**
   * Gives back the share that this thread got last by `acquire`, `acquireSync` or `tryAcquire`; its guard is released
   * then. Does not block.
   *
   * @throws NotHeldError `ERR_HOLDFAST_NOT_HELD`: this thread has none, or none but of a `with`, which releases it
   *   itself (or by its guard); nothing changes
   * @throws ClosedError `ERR_HOLDFAST_CLOSED`
   */
  override release(): void {
    const { holds } = this;
    holds.isReleasedByHand = true;
    const { readers } = holds;
    const last = [...readers].reverse().find((share) => share.isBare);
    if (last === undefined) {
      throw notHeld(this.core, readers.size === 0 ? 'has no share of it' : 'reads by a with()');
    }
    last.release();
  }

  /** @internal */
  protected override claim(holds: Holds, taking: Taking): Claim<ReadGuard> {
    return new ReadClaim(holds, taking);
  }
}

/** The side of an {@link RWLock} that one holds alone. */
export class WriteSide extends Side<WriteGuard> {
  /**
   * Whether anybody, in any process, writes, at this moment.
   *
   * @throws ClosedError, UnlinkedError
   */
  override get locked(): boolean {
    return this.core.ask(Question.State) === 1;
  }

  /**
   * Gives back the write side, if this thread took it by `acquire`, `acquireSync` or `tryAcquire`; its guard is
   * released then. Does not block.
   *
   * @throws NotHeldError `ERR_HOLDFAST_NOT_HELD`: it does not hold it, or by a `with`, which releases it itself (or by
   *   its guard); nothing changes
   * @throws ClosedError `ERR_HOLDFAST_CLOSED`
   */
  override release(): void {
    const { holds } = this;
    holds.isReleasedByHand = true;
    const { writer } = holds;
    if (writer === null) throw notHeld(this.core, 'does not hold its write side');
    if (!writer.isBare) throw notHeld(this.core, 'writes by a with()');
    writer.release();
  }

  /** @internal */
  protected override claim(holds: Holds, taking: Taking): Claim<WriteGuard> {
    return new WriteClaim(holds, taking);
  }
}

function notHeld(core: ObjectCore, what: string): NotHeldError {
  const remedy = what.endsWith('with()')
    ? ', which releases it at its end; to release it earlier, use its guard'
    : '';
  return new NotHeldError(`cannot release ${core.title}: this thread ${what}${remedy}`);
}

/**
 * A lock with two sides, which processes and worker threads of one machine share by its name: many may read together,
 * and one alone may write. A death cannot leave it held: a dead reader's share goes, a dead writer's lock passes on as
 * abandoned.
 *
 * In arrival order: who comes waits behind all who wait already, and readers that stand together are let in together.
 * So a stream of readers does not keep a writer out, nor writers a reader. It is not recursive. Python's
 * `multiprocessing` has none; sides, upgrade and downgrade are those of Java's `ReentrantReadWriteLock` and of
 * `parking_lot` in Rust.
 *
 * @example
 * ```ts
 * const table = new RWLock('table');
 * const row = await table.read.with(() => find(id));
 * await table.write.with(() => store(row));
 * ```
 */
export class RWLock extends SharedObject<'RWLock'> {
  /** The side for any number of readers. */
  readonly read: ReadSide;
  /** The side for one writer. */
  readonly write: WriteSide;

  /**
   * Opens the lock of that name, and makes it where there is none. Does not wait for anybody who holds it.
   *
   * @param name - 1 to 255 bytes of UTF-8 without NUL; without one a unique name is made
   * @param options - `warnOnAbandoned`: whether to emit a process warning when a writer has died
   * @throws HoldfastError `ERR_HOLDFAST_KIND_MISMATCH`: the name belongs to something else
   * @throws RegionError the shared memory cannot be used: see its codes
   * @throws TypeError, RangeError `ERR_HOLDFAST_INVALID_ARGUMENT`
   */
  constructor(name?: string, options?: LockOptions) {
    checkOptions(options, ['warnOnAbandoned'], 'new RWLock()');
    const warns = options?.warnOnAbandoned;
    if (warns !== undefined) checkBoolean(warns, '"warnOnAbandoned"');
    super('RWLock', name, { first: 0, second: 0, describe: () => 'no parameters' }, options);
    const { warnOnAbandoned, detectDeadlocks } = inForce();
    const access: Access = {
      name: this.name,
      warns: warns ?? warnOnAbandoned,
      detects: detectDeadlocks,
      core: () => this.core,
    };
    this.read = new ReadSide(access);
    this.write = new WriteSide(access);
  }

  /**
   * How many shares are held, in all processes, at this moment.
   *
   * @throws ClosedError, UnlinkedError
   */
  get readers(): number {
    return this.core.ask(Question.Value);
  }

  /** @internal */
  protected override state(): string {
    if (this.write.locked) return 'written';
    const { readers } = this;
    return readers === 0 ? 'free' : `${readers} reading`;
  }
}
