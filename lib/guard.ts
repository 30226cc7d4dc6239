/**
 * What an acquisition gives: the proof that one holds, and the way to end it.
 */
import { NotHeldError } from './errors.js';
import type { LockCore } from './lock-core.js';

/**
 * One acquisition of a {@link Lock} or {@link RLock}. Made by their verbs only; it is worth nothing
 * in another process or thread. Use it with `using` or `await using`, or call `release()`.
 *
 * A guard that is dropped without `release()` goes on holding until its thread ends: a collector
 * that released it would do so while the work under it may still run.
 */
export class LockGuard implements Disposable, AsyncDisposable {
  readonly #core: LockCore;

  /**
   * The fencing token: grows with every acquisition of the lock, by whomever, for the life of the
   * shared memory. Send it along with what you write, and have the resource refuse a smaller one
   * than it has seen: then a holder that was declared over cannot write late.
   */
  readonly token: number;

  /**
   * Whether the holder before died while it held, so that what the lock protects may be half done.
   * One owner only is told: whoever gets it next. As `EOWNERDEAD` of POSIX robust mutexes.
   */
  readonly abandoned: boolean;

  /** @internal */
  constructor(core: LockCore, token: number, abandoned: boolean) {
    this.#core = core;
    this.token = token;
    this.abandoned = abandoned;
  }

  /** Whether this acquisition is over, by `release()` of the guard or of its lock. */
  get released(): boolean {
    return this.#core.guard !== this;
  }

  /**
   * Releases. Does not block, and wakes or hands on to who waits.
   *
   * @throws NotHeldError `ERR_HOLDFAST_NOT_HELD`: it is released already
   */
  release(): void {
    const core = this.#core;
    if (core.guard !== this) throw releasedAlready(core);
    core.guard = null;
    core.leave();
  }

  /** Releases, unless that is done already: for `using`. */
  [Symbol.dispose](): void {
    if (!this.released) this.release();
  }

  /** Releases, unless that is done already: for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.released) this.release();
  }
}

/** @internal */
export function releasedAlready(core: LockCore): NotHeldError {
  return new NotHeldError(`cannot release ${core.title}: this guard is released already`);
}
