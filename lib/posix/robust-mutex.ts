/** A robust mutex as pthreads has it. */
import { type AcquireSyncOptions, checkNoOptions, quoted, syncTimeout } from '../arguments.js';
import { DISPOSE } from '../dispose.js';
import { DeadlockError, HoldfastError, NotHeldError, TimeoutError } from '../errors.js';
import { native, Outcome, Status } from '../native.js';
import { POSIX } from '../not-data.js';
import {
  checkPosixName,
  Opened,
  opening,
  type PosixOptions,
  Unlink,
  unlinkName,
} from './options.js';

/**
 * How a lock was taken. `owner-died`: its owner died with it. What the mutex protects may be half done: make it right,
 * then call {@link RobustMutex.consistent}, before the unlock.
 */
export type LockState = 'locked' | 'owner-died';

/**
 * A robust, process-shared `pthread_mutex_t` at the start of a file of POSIX shared memory, to share with programs in
 * other languages. Where all users are Node.js, use `Lock` of `holdfast`.
 *
 * It belongs to the kernel thread that locked it: only that thread (the main thread, or the worker) can unlock it, and
 * its end is the owner's death. So there are no promises here: every verb is synchronous, and no `await` should stand
 * between lock and unlock, as other tasks of the thread would meet a mutex that is theirs already. Threads are told
 * apart by their TID, which differ between PID namespaces: do not share one between containers.
 *
 * @example
 * ```ts
 * import { RobustMutex } from 'holdfast/posix';
 *
 * const mutex = new RobustMutex('/table'); // in C: shm_open, mmap, (pthread_mutex_t *)memory
 * if (mutex.lockSync() === 'owner-died') {
 *   repair();
 *   mutex.consistent();
 * }
 * try {
 *   work();
 * } finally {
 *   mutex.unlock();
 * }
 * ```
 */
export class RobustMutex implements Disposable {
  /** With its slash. */
  readonly name: string;
  /** @internal */
  readonly notData = POSIX;
  readonly #opened: Opened;

  /**
   * Opens it. A new one is a mutex before it has its name, so nobody ever sees a half-made one; a C program that makes
   * it should do likewise, or make it before this runs. Does not block.
   *
   * What is there must be a mutex of this machine's C library (glibc's and musl's differ), robust and process-shared; of
   * whatever type. It is told by the bytes in which those attributes show.
   *
   * @param name - of the shared memory: `/` and up to 250 bytes without another one
   * @param options - `create` (default `true`), `exclusive`, `allowOtherOwner`, and `mode` (default `0o600`) of a new
   *   one
   * @throws HoldfastError `ERR_HOLDFAST_NOT_FOUND`, `ERR_HOLDFAST_EXISTS`, `ERR_HOLDFAST_SYSTEM`
   * @throws HoldfastError `ERR_HOLDFAST_KIND_MISMATCH`: what is there is no such mutex, or not yet
   * @throws RegionError `ERR_HOLDFAST_REGION_CORRUPT`: too short for a mutex
   * @throws RegionError `ERR_HOLDFAST_REGION_ACCESS`, `ERR_HOLDFAST_NO_SPACE`
   * @throws TypeError, RangeError `ERR_HOLDFAST_INVALID_ARGUMENT`
   */
  constructor(name: string, options?: PosixOptions) {
    checkPosixName(name);
    const { how, mode } = opening(options, 'new RobustMutex()');
    this.name = name;
    const handle = native.mutexOpen(name, how, mode);
    if (handle === Status.KindMismatch) {
      throw new HoldfastError(
        `cannot open RobustMutex ${quoted(name)}: what is there is no robust, process-shared mutex ` +
          'of this C library, or is not initialized yet',
        'ERR_HOLDFAST_KIND_MISMATCH',
      );
    }
    this.#opened = new Opened('RobustMutex', name, handle);
  }

  /**
   * Locks it, and blocks this thread until then.
   *
   * @param options - `timeout` in ms; `<= 0`: one try
   * @returns whether its owner before died
   * @throws TimeoutError `ERR_HOLDFAST_TIMEOUT`
   * @throws DeadlockError `ERR_HOLDFAST_DEADLOCK`, at once: this thread has it
   * @throws HoldfastError `ERR_HOLDFAST_NOT_RECOVERABLE`: see {@link consistent}
   * @throws RegionError `ERR_HOLDFAST_REGION_CORRUPT`: its bytes were overwritten, and are no mutex any more
   * @throws ClosedError `ERR_HOLDFAST_CLOSED`
   * @throws TypeError `ERR_HOLDFAST_INVALID_ARGUMENT`
   */
  lockSync(options?: AcquireSyncOptions): LockState {
    const timeoutMs = syncTimeout(options, 'lockSync()');
    const { handle, title } = this.#opened;
    if (timeoutMs <= 0) {
      const state = this.tryLock();
      if (state !== null) return state;
      throw new TimeoutError(`${title} is not free`);
    }
    const deadlineMs = native.now() + timeoutMs;
    const outcome = native.mutexLock(handle, deadlineMs);
    if (outcome === Outcome.TimedOut) {
      throw new TimeoutError(`${title} was not to be had within ${timeoutMs} ms`);
    }
    return this.#state(outcome);
  }

  /**
   * Locks it if it is free. Never waits.
   *
   * @returns as {@link lockSync}; `null`: somebody has it, maybe this thread
   * @throws HoldfastError `ERR_HOLDFAST_NOT_RECOVERABLE`
   * @throws RegionError `ERR_HOLDFAST_REGION_CORRUPT`: see {@link lockSync}
   * @throws ClosedError `ERR_HOLDFAST_CLOSED`
   * @throws TypeError `ERR_HOLDFAST_INVALID_ARGUMENT`: there are no options
   */
  tryLock(options?: never): LockState | null {
    checkNoOptions(options, 'tryLock()', 'lockSync({ timeout })');
    const outcome = native.mutexTryLock(this.#opened.handle);
    return outcome === Outcome.TimedOut ? null : this.#state(outcome);
  }

  #state(outcome: number): LockState {
    const { title } = this.#opened;
    if (outcome === Status.Deadlock) {
      throw new DeadlockError(`${title} is held by this thread, which would block itself for ever`);
    }
    this.#opened.checked(outcome, 'lock');
    return outcome === Outcome.TakenAbandoned ? 'owner-died' : 'locked';
  }

  /**
   * Unlocks it. Where its owner had died and {@link consistent} was not called, nobody can ever lock it again.
   *
   * @throws NotHeldError `ERR_HOLDFAST_NOT_HELD`: this thread does not have it; nothing changes
   * @throws RegionError `ERR_HOLDFAST_REGION_CORRUPT`: its bytes were overwritten while this thread had it. It is of no
   *   use to anybody then
   * @throws ClosedError `ERR_HOLDFAST_CLOSED`
   */
  unlock(): void {
    this.#whileHeld(native.mutexUnlock(this.#opened.handle), 'unlock');
  }

  /**
   * Says that what the mutex protects is right again after its owner's death, as `pthread_mutex_consistent` does.
   * Without it the unlock makes the mutex useless: every lock throws `ERR_HOLDFAST_NOT_RECOVERABLE` from then on, and
   * only removing it and making a new one helps.
   *
   * @throws HoldfastError `ERR_HOLDFAST_SYSTEM`: no owner has died
   * @throws NotHeldError `ERR_HOLDFAST_NOT_HELD`: this thread does not have it
   * @throws ClosedError `ERR_HOLDFAST_CLOSED`
   */
  consistent(): void {
    const status = native.mutexConsistent(this.#opened.handle);
    if (status === Status.BadArgument) {
      throw new HoldfastError(
        `${this.#opened.title} is consistent: its last lock was not "owner-died"`,
        'ERR_HOLDFAST_SYSTEM',
      );
    }
    this.#whileHeld(status, 'mark as consistent');
  }

  #whileHeld(status: number, verb: string): void {
    if (status === Status.NotOwner) {
      throw new NotHeldError(`cannot ${verb} ${this.#opened.title}: this thread does not hold it`);
    }
    this.#opened.checked(status, verb);
  }

  /**
   * Closes this instance; the mutex stays. Idempotent.
   *
   * @throws HoldfastError `ERR_HOLDFAST_HELD`: this thread has it
   */
  close(): void {
    if (!this.#opened.isOpen) return;
    try {
      this.#opened.close();
    } catch (cause) {
      throw new HoldfastError(
        `cannot close ${this.#opened.title} while this thread holds it: unlock it first`,
        'ERR_HOLDFAST_HELD',
        { cause },
      );
    }
  }

  /** The same as {@link close}: for `using`. */
  [DISPOSE](): void {
    this.close();
  }

  /** Removes the name, as `shm_unlink` does: who has it open goes on with it. `false`: there was none. */
  unlink(): boolean {
    return RobustMutex.unlink(this.name);
  }

  /** Removes a name without opening it. `false`: there was none. */
  static unlink(name: string): boolean {
    return unlinkName(Unlink.SharedMemory, name, 'RobustMutex');
  }
}
