/**
 * What an acquisition gives: the proof that one holds, and the way to end it.
 */
import { ASYNC_DISPOSE, DISPOSE } from './dispose.js';
import { NotHeldError } from './errors.js';
import { asKnown, isStandIn, originalOf, replaceBy } from './leak.js';
import type { LockCore } from './lock-core.js';
import { heldAround } from './scope.js';

/**
 * By which verb a hold was taken. It says who may release it without its guard (`lock.release()` gives back
 * only what a bare acquire took), and of an RLock who may enter again.
 *
 * @internal
 */
export const By = {
  Sync: 0,
  Promise: 1,
  With: 2,
  WithSync: 3,
  /** By `with`, and the async context knows who is inside. */
  Scoped: 4,
} as const;

/** @internal */
export function isBare(by: number): boolean {
  return by <= By.Promise;
}

/**
 * One acquisition of a {@link Lock} or {@link RLock}. Made by their verbs only; it is worth nothing
 * in another process or thread. Use it with `using` or `await using`, or call `release()`.
 *
 * A guard that is dropped without `release()` goes on holding until its thread ends: a collector
 * that released it would do so while the work under it may still run. Where it is collected, there is
 * one process warning for its lock, `HOLDFAST_LEAKED`, with the place of its acquisition under
 * `HOLDFAST_DEBUG=1`.
 */
export class LockGuard implements Disposable, AsyncDisposable {
  readonly #core: LockCore;

  /**
   * The fencing token: grows with every acquisition of the lock, by whomever, for the life of the
   * shared memory. Send it along with what you write, and have the resource refuse a smaller one
   * than it has seen: then a holder that was declared over cannot write late. A condition's wait under
   * this guard acquires anew, and so the number here is a higher one afterwards.
   */
  readonly token: number;

  /**
   * Whether the holder before died while it held, so that what the lock protects may be half done.
   * One owner only is told: whoever gets it next. As `EOWNERDEAD` of POSIX robust mutexes. Also `true`
   * from when a condition's wait took the lock back in such a state.
   */
  readonly abandoned: boolean;

  /** @internal */
  constructor(core: LockCore, token: number, abandoned: boolean) {
    this.#core = core;
    this.token = token;
    this.abandoned = abandoned;
  }

  /** @internal Whether `release()` of the lock may release it: no `with()` does. */
  get isBare(): boolean {
    return isBare(this.#core.byOf(this));
  }

  /** @internal Whether it is by this guard that the thread holds `core` now. */
  holds(core: LockCore): boolean {
    return this.#core === core && core.guard === asKnown(this);
  }

  /** @internal */
  get isOver(): boolean {
    return this.released;
  }

  /** @internal The lock was given up for a wait, and acquired anew by `fresh`. */
  renew(fresh: LockGuard): void {
    const self = this as { token: number; abandoned: boolean };
    self.token = fresh.token;
    if (fresh.abandoned) self.abandoned = true;
    originalOf<LockGuard>(this)?.renew(fresh);
  }

  /** @internal Whether it stands for another guard already, which may be collected. */
  get isStandIn(): boolean {
    return isStandIn(this);
  }

  /** @internal What the core is to know in its place: nothing else keeps this one from being collected. */
  standIn(): LockGuard {
    const standIn = new LockGuard(this.#core, this.token, this.abandoned);
    replaceBy<LockGuard>(this, standIn);
    return standIn;
  }

  /** @internal */
  get title(): string {
    return this.#core.title;
  }

  /** @internal Who calls `release()` of the lock has dropped its guard on purpose. */
  get isHarmless(): boolean {
    return this.released || (this.isBare && this.#core.isReleasedByHand);
  }

  /**
   * Whether this acquisition is over, by `release()` of the guard or of its lock. While a condition's wait
   * has given it up for a time it is not over, though nothing is held.
   */
  get released(): boolean {
    const core = this.#core;
    if (core.guard === this) return false;
    const known = asKnown(this);
    return core.guard !== known && core.suspensionOf(known) === undefined;
  }

  /**
   * Releases. Does not block, and wakes or hands on to who waits.
   *
   * @throws NotHeldError `ERR_HOLDFAST_NOT_HELD`: it is released already, or a condition's wait has given
   *   it up for a time
   */
  release(): void {
    const core = this.#core;
    if (core.guard !== this && core.guard !== asKnown(this)) throw notHeldBy(core, this);
    core.guard = null;
    try {
      core.leave();
    } catch (error) {
      core.keepHold(this);
      throw error;
    }
  }

  /**
   * Releases what its taker never came to use: if it was abandoned, the next owner is told.
   *
   * @internal
   */
  giveBack(): void {
    if (this.released) return;
    if (this.abandoned) this.#core.keepUntold();
    this.release();
  }

  /**
   * Releases, unless that is done already: for `using`. Where a condition's wait has given the acquisition
   * up for a time, it ends now, and the wait with NotHeldError.
   */
  [DISPOSE](): void {
    this.dispose();
  }

  /** The same, for `await using`. */
  async [ASYNC_DISPOSE](): Promise<void> {
    this.dispose();
  }

  /** @internal What both do, and `with` and the like, which call by no symbol. */
  dispose(): void {
    const core = this.#core;
    if (core.guard === this) this.release();
    else this.#disposeOfKnown(core);
  }

  #disposeOfKnown(core: LockCore): void {
    if (this.released) return;
    const known = asKnown(this);
    const suspension = core.guard === known ? undefined : core.suspensionOf(known);
    if (suspension === undefined) this.release();
    else core.endSuspended(known, suspension);
  }
}

/**
 * Whether the running code is inside of a `with()` that holds `core`.
 *
 * @internal
 */
export function isHeldAround(core: LockCore): boolean {
  for (const held of heldAround()) if (held instanceof LockGuard && held.holds(core)) return true;
  return false;
}

/** @internal */
export function notHeldBy(core: LockCore, guard: LockGuard): NotHeldError {
  const why =
    core.suspensionOf(asKnown(guard)) !== undefined
      ? "a condition's wait has given up the lock"
      : 'this guard is released already';
  return new NotHeldError(`cannot release ${core.title}: ${why}`);
}
