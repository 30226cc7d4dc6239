/** The recursive lock: as Lock, but its holder may enter again. */
import {
  type AcquireOptions,
  type AcquireSyncOptions,
  checkAcquireOptions,
  checkFunction,
  checkNoOptions,
  syncTimeout,
  WAITING_VERBS,
} from './arguments.js';
import { DeadlockError } from './errors.js';
import { Exclusive, type LockOptions, type LockToken } from './exclusive.js';
import { By, isBare, LockGuard, notHeldBy } from './guard.js';
import { asKnown, replaceBy } from './leak.js';
import { type Settled, settled } from './lock.js';
import { HELD_BY_WITH, LockCore } from './lock-core.js';
import { inForce } from './region.js';
import type { Suspension } from './request.js';
import { isThisRun, thisRun } from './run.js';
import { type Held, isInside, runInside } from './scope.js';
import { isTurnDue, turned } from './turn.js';

/** One stay in the lock, from its first level to its last. */
class Hold implements Held {
  /** The verb of its first level: who may enter again. */
  readonly by: number;
  /** In which run of this thread's code a bare sync verb took it. */
  readonly run: number;
  /** So many calls of `withSync()` that hold it are on the stack: all that runs is called from them. */
  callers = 0;
  levels = 1;
  token: number;

  constructor(by: number, token: number) {
    this.by = by;
    this.run = by === By.Sync ? thisRun() : -1;
    this.token = token;
  }

  get isOver(): boolean {
    return this.levels === 0;
  }
}

/** One level of a hold. Levels end in any order, the hold with the last of them. */
class LevelGuard extends LockGuard {
  readonly #core: RLockCore;
  readonly hold: Hold;
  // The levels that are not released form a list, from the innermost, which is the core's `guard`.
  outer: LevelGuard | null = null;
  inner: LevelGuard | null = null;
  #isReleased = false;
  readonly #by: number;

  constructor(core: RLockCore, hold: Hold, abandoned: boolean, by: number) {
    super(core, hold.token, abandoned);
    this.#core = core;
    this.hold = hold;
    this.#by = by;
  }

  override get isBare(): boolean {
    return isBare(this.#by);
  }

  /** It is the innermost from now on. */
  enter(): this {
    this.outer = this.#core.guard;
    if (this.outer !== null) this.outer.inner = this;
    this.#core.guard = this;
    return this;
  }

  override get released(): boolean {
    return this.#isReleased && asKnown(this).#isReleased;
  }

  override release(): void {
    if (this.#isReleased) {
      const known = asKnown(this);
      if (known.#isReleased) throw notHeldBy(this.#core, this);
      known.release();
      return;
    }
    if (this.#core.hold !== this.hold) throw notHeldBy(this.#core, this);
    this.#isReleased = true;
    try {
      this.#core.leaveLevel(this);
    } catch (error) {
      this.#isReleased = !this.#core.keepHold(this);
      throw error;
    }
  }

  /** Takes its place in the list; this one is to the core as though it was released. */
  override standIn(): LevelGuard {
    const standIn = new LevelGuard(this.#core, this.hold, this.abandoned, this.#by);
    replaceBy<LevelGuard>(this, standIn);
    this.#isReleased = true;
    const { inner, outer } = this;
    standIn.outer = outer;
    standIn.inner = inner;
    if (outer !== null) outer.inner = standIn;
    if (inner !== null) inner.outer = standIn;
    this.outer = null;
    this.inner = null;
    return standIn;
  }

  /** Ends without a release: the hold it belongs to was given up for a wait, and is not had again. */
  end(): void {
    this.#isReleased = true;
  }
}

class RLockCore extends LockCore {
  declare guard: LevelGuard | null;
  hold: Hold | null = null;

  override admit(abandoned: boolean, by: number): LockGuard {
    const hold = new Hold(by, this.nextToken());
    this.hold = hold;
    this.words[1] = 1;
    const guard = new LevelGuard(this, hold, abandoned, by).enter();
    if (!this.isWatched) this.noteHeld(guard);
    return guard;
  }

  /** One level more, if the calling code is the holder; else `null`. */
  reenter(by: number): LevelGuard | null {
    const hold = this.hold;
    if (hold === null || !isHolder(hold, by)) return null;
    this.words[1] = ++hold.levels;
    const guard = new LevelGuard(this, hold, false, by).enter();
    if (!this.isWatched) this.noteHeld(guard);
    return guard;
  }

  protected override loosen(): void {
    let innermost: LevelGuard | null = null;
    for (let level = this.guard; level !== null; level = level.outer) {
      const known = level.isStandIn ? level : level.standIn();
      innermost ??= known;
      level = known;
    }
    this.guard = innermost;
  }

  leaveLevel(guard: LevelGuard): void {
    const { inner, outer } = guard;
    if (inner === null) this.guard = outer;
    else inner.outer = outer;
    if (outer !== null) outer.inner = inner;

    guard.hold.levels--;
    if (guard.hold.levels > 0) {
      this.words[1] = guard.hold.levels;
      return;
    }
    this.hold = null;
    this.leave();
  }

  override keepHold(guard: LevelGuard): boolean {
    if (!super.keepHold(guard)) return false;
    guard.hold.levels = 1;
    this.hold = guard.hold;
    return true;
  }

  /** The innermost level that was taken by a bare acquire; of a hold by `with`, only from inside. */
  override releaseByHand(): void {
    const { hold } = this;
    if (hold === null) throw this.notReleased('this thread does not hold it');
    if (hold.by === By.With && !isInside(hold)) {
      throw this.notReleased('another task holds it, by a with(): its guards release it');
    }
    let level = this.guard;
    while (level !== null && !level.isBare) level = level.outer;
    if (level === null) throw this.notReleased(HELD_BY_WITH);
    level.release();
  }

  protected override get isScoped(): boolean {
    return this.hold?.by === By.With;
  }

  override isHeldByCaller(): boolean {
    const { hold } = this;
    return hold !== null && (!this.isScoped || isInside(hold));
  }

  protected override holdOf(guard: LevelGuard): object {
    return guard.hold;
  }

  protected override takeOut(): Suspension {
    const suspension = super.takeOut();
    this.hold = null;
    return suspension;
  }

  protected override putBack(suspension: Suspension, fresh: LevelGuard): LevelGuard {
    const innermost = super.putBack(suspension, fresh) as LevelGuard;
    const { hold } = innermost;
    this.hold = hold;
    hold.token = fresh.token;
    this.words[1] = hold.levels;
    for (let guard = innermost.outer; guard !== null; guard = guard.outer) guard.renew(fresh);
    return innermost;
  }

  /** Ends one level; the others are had again. */
  override endSuspended(guard: LevelGuard, suspension: Suspension): void {
    if (guard.hold.levels === 1) {
      super.endSuspended(guard, suspension);
      return;
    }
    guard.end();
    guard.hold.levels--;
    const { inner, outer } = guard;
    if (outer !== null) outer.inner = inner;
    if (inner !== null) inner.outer = outer;
    else suspension.guard = outer as LevelGuard;
  }

  /** All levels are over: none could be released any more. */
  protected override forget(suspension: Suspension): void {
    if (suspension.isOver) return;
    super.forget(suspension);
    let guard: LevelGuard | null = suspension.guard as LevelGuard;
    if (guard !== null) guard.hold.levels = 0;
    for (; guard !== null; guard = guard.outer) guard.end();
  }

  protected override selfBlocked(): DeadlockError {
    return new DeadlockError(
      `${this.title} is held by this thread, by another task, or since before a promise was made, and the thread ` +
        'would block itself for ever; who holds by with() or withSync() can enter again',
    );
  }

  /** Levels of whoever holds it; what a former holder left there does not count. */
  get depth(): number {
    this.refuseUnlinked();
    return this.isOwned ? Atomics.load(this.words, 1) : 0;
  }
}

function isHolder(hold: Hold, by: number): boolean {
  if (isSync(hold.by)) return isSync(by) && (hold.callers > 0 || isThisRun(hold.run));
  return hold.by === By.With && isInside(hold);
}

function isSync(by: number): boolean {
  return by === By.Sync || by === By.WithSync;
}

/**
 * A {@link Lock} that its holder can acquire again; it is free when each acquisition is released.
 *
 * Python's `RLock` belongs to a thread. Here many promises share a thread, so who is "the same
 * holder" depends on how the lock was taken:
 *
 * 1. By `acquireSync` or `tryAcquire`, outside of any `with` that holds it: every *sync* verb that is
 *    called in the same synchronous run of code enters again. A run ends with the code that the event
 *    loop has called, and wherever a promise is made or settled: by `await`, or by calling an async
 *    function. After that, as rule 3. By `withSync(fn)`: every sync verb that is called from `fn`. `acquire` and `with`
 *    wait, as any other promise.
 * 2. By `with(fn)`: every verb, sync or async, that is called from the async context of `fn`
 *    enters again: `fn` itself, all that it awaits, and all that it starts.
 * 3. By a bare `acquire()`, outside of any `with` that holds it: the hold belongs to its guard
 *    alone. Another `acquire()` waits.
 *
 * A sync verb of the thread that is not the same holder could never succeed: DeadlockError, at
 * once. Work that `with` started but did not await, and that enters after the hold has ended, is a
 * new acquirer.
 *
 * Each acquisition has its own guard. Those of one hold can be released in any order and share one
 * fencing token; `abandoned` is told by the first only.
 */
export class RLock extends Exclusive<RLockCore> {
  /**
   * Opens the lock of that name, and makes it where there is none; see `Lock`'s constructor.
   *
   * @param name - 1 to 255 bytes of UTF-8 without NUL; without one a unique name is made
   * @throws HoldfastError `ERR_HOLDFAST_KIND_MISMATCH`: the name belongs to something else
   * @throws RegionError the shared memory cannot be used: see its codes
   * @throws TypeError, RangeError `ERR_HOLDFAST_INVALID_ARGUMENT`
   */
  constructor(name?: string, options?: LockOptions) {
    super('RLock', RLockCore, name, options);
  }

  /**
   * How many acquisitions whoever holds it has not released yet, in any process; 0 if it is free.
   *
   * @throws ClosedError `ERR_HOLDFAST_CLOSED`
   * @throws UnlinkedError `ERR_HOLDFAST_UNLINKED`
   */
  get depth(): number {
    return this.openCore.depth;
  }

  /**
   * Enters again at once if the caller is the holder by rule 2; else waits as `Lock.acquire` does,
   * without blocking the event loop.
   *
   * @param options - `timeout` in ms, `signal`
   * @returns the guard of this acquisition
   * @throws TimeoutError `ERR_HOLDFAST_TIMEOUT` (all of these as rejections)
   * @throws ClosedError, UnlinkedError, RegionError, or `signal.reason`
   * @throws TypeError `ERR_HOLDFAST_INVALID_ARGUMENT`
   */
  acquire(options?: AcquireOptions): Promise<LockGuard> {
    return this.#acquire(options, By.Promise);
  }

  #acquire(options: AcquireOptions | undefined, by: number): Promise<LockGuard> {
    try {
      if (options !== undefined) checkAcquireOptions(options, 'acquire()');
      const core = this.openCore;
      if (core.hold === null) return core.acquire(options, this.warns, by);
      if (options?.signal?.aborted) return Promise.reject(options.signal.reason);
      // As every promise that would have it at once; the hold is the caller's, and is kept meanwhile.
      if (isTurnDue()) return turned().then(() => this.#acquire(options, by));
      const guard = core.reenter(by);
      return guard === null ? core.acquire(options, this.warns, by) : Promise.resolve(guard);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * Enters again at once if the caller is the holder; else waits, and blocks this thread.
   *
   * @param options - `timeout` in ms
   * @throws TimeoutError `ERR_HOLDFAST_TIMEOUT`
   * @throws DeadlockError `ERR_HOLDFAST_DEADLOCK`, at once: this thread holds the lock, but the
   *   caller is not the same holder
   * @throws ClosedError, UnlinkedError, RegionError
   * @throws TypeError `ERR_HOLDFAST_INVALID_ARGUMENT`
   */
  acquireSync(options?: AcquireSyncOptions): LockGuard {
    return this.#acquireSync(options, By.Sync);
  }

  #acquireSync(options: AcquireSyncOptions | undefined, by: number): LockGuard {
    const timeoutMs =
      options === undefined ? Number.POSITIVE_INFINITY : syncTimeout(options, 'acquireSync()');
    const core = this.openCore;
    return core.reenter(by) ?? core.acquireSync(timeoutMs, this.warns, by);
  }

  /**
   * Enters again if the caller is the holder; else tries once. Never waits.
   *
   * @returns the guard, or `null`: somebody else holds it, or promises of this thread wait for it
   * @throws ClosedError, UnlinkedError, RegionError
   * @throws TypeError `ERR_HOLDFAST_INVALID_ARGUMENT`: there are no options
   */
  tryAcquire(options?: never): LockGuard | null {
    if (options !== undefined) checkNoOptions(options, 'tryAcquire()', WAITING_VERBS);
    const core = this.openCore;
    return core.reenter(By.Sync) ?? core.tryAcquire(this.warns, By.Sync);
  }

  /**
   * Holds the lock while `fn` works, and until the promise that it returns is settled. All that is
   * called from `fn` may enter again: rule 2.
   *
   * @param fn - gets the guard; it may release it early
   * @returns what `fn` returns
   * @throws what `fn` throws, or what {@link acquire} throws; all as rejections
   */
  async with<T>(
    fn: (guard: LockGuard) => T | PromiseLike<T>,
    options?: AcquireOptions,
  ): Promise<T> {
    checkFunction(fn, 'with()');
    const guard = (await this.#acquire(options, By.With)) as LevelGuard;
    const { hold } = guard;
    try {
      if (isInside(hold)) return await fn(guard);
      return await runInside(hold, fn, guard);
    } finally {
      guard.dispose();
    }
  }

  /**
   * Holds the lock while `fn` works. Blocks as {@link acquireSync} does; sync verbs called from `fn`
   * enter again.
   *
   * @param fn - gets the guard; it may release it early
   * @returns what `fn` returns
   * @throws what `fn` throws, or what {@link acquireSync} throws
   * @throws TypeError `ERR_HOLDFAST_INVALID_ARGUMENT`: `fn` returned a promise; use {@link with}
   */
  withSync<T>(fn: (guard: LockGuard) => T & Settled<T>, options?: AcquireSyncOptions): T {
    checkFunction(fn, 'withSync()');
    const guard = this.#acquireSync(options, By.WithSync) as LevelGuard;
    const { hold } = guard;
    hold.callers++;
    try {
      return settled(fn(guard));
    } finally {
      hold.callers--;
      guard.dispose();
    }
  }

  /** @internal */
  protected override state(): string {
    const holder = this.holder;
    if (holder === null) return 'free';
    return `held by pid ${holder.pid}, thread ${holder.thread}, depth ${this.depth}`;
  }

  override toJSON(): LockToken {
    return { holdfast: 'RLock', namespace: inForce().namespace, name: this.name };
  }
}
