/** A semaphore as `sem_open` has it. */
import { type Abortable, offAbort, onAbort } from '../abort.js';
import {
  type AcquireOptions,
  type AcquireSyncOptions,
  checkAcquireOptions,
  checkNoOptions,
  invalidRange,
  invalidType,
  shown,
  syncTimeout,
} from '../arguments.js';
import { DISPOSE } from '../dispose.js';
import { ClosedError, TimeoutError } from '../errors.js';
import { native, Outcome, Status } from '../native.js';
import { POSIX } from '../not-data.js';
import { clearTimeout, setTimeout } from '../timers.js';
import {
  checkPosixName,
  Opened,
  opening,
  type PosixOptions,
  Unlink,
  unlinkName,
} from './options.js';

/** Options of `new NamedSemaphore()`. */
export interface NamedSemaphoreOptions extends PosixOptions {
  /** What a new one starts with: 0 to 2^31-1. Default: 0. */
  initial?: number | undefined;
}

const MAX_VALUE = 2 ** 31 - 1;

/** Between two looks of a promise that waits: at first, and at most. */
const FIRST_NAP_MS = 1;
const LONGEST_NAP_MS = 16;

/** One promise that waits. */
class Waiting implements Abortable {
  readonly deadlineMs: number;
  readonly resolve: () => void;
  readonly reject: (reason: unknown) => void;
  readonly signal: AbortSignal | undefined;
  readonly #queue: Waits;

  constructor(
    queue: Waits,
    settle: { resolve: () => void; reject: (reason: unknown) => void },
    wait: { timeoutMs: number; signal: AbortSignal | undefined },
  ) {
    this.#queue = queue;
    this.resolve = settle.resolve;
    this.reject = settle.reject;
    this.signal = wait.signal;
    this.deadlineMs = native.now() + wait.timeoutMs;
    if (this.signal !== undefined) onAbort(this.signal, this);
  }

  aborted(): void {
    this.#queue.leave(this);
    this.reject(this.signal?.reason);
  }

  end(): void {
    if (this.signal !== undefined) offAbort(this.signal, this);
  }
}

/**
 * The promises that wait for one semaphore, first come, first served, and the timer that looks for them.
 *
 * A look now and then, and no thread: a helper that sleeps in `sem_wait` cannot be called back, so that an abort, a
 * time-out or the end of a worker might leave it with a permit that nobody wants. Here a permit is only ever taken for
 * a promise that gets it.
 */
class Waits {
  readonly #opened: Opened;
  readonly #all = new Set<Waiting>();
  #timer: NodeJS.Timeout | undefined;
  #napMs = FIRST_NAP_MS;

  constructor(opened: Opened) {
    this.#opened = opened;
  }

  get isEmpty(): boolean {
    return this.#all.size === 0;
  }

  wait(timeoutMs: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#all.add(new Waiting(this, { resolve, reject }, { timeoutMs, signal }));
      this.#napMs = FIRST_NAP_MS;
      this.#arm();
    });
  }

  /** Takes what is there, and tells whose time is up. */
  look(): void {
    try {
      for (const waiting of this.#all) {
        if (!this.#take()) break;
        this.leave(waiting);
        waiting.resolve();
        this.#napMs = FIRST_NAP_MS;
      }
    } catch (error) {
      this.end(() => error);
    }
    const nowMs = native.now();
    for (const waiting of this.#all) {
      if (waiting.deadlineMs > nowMs) continue;
      this.leave(waiting);
      waiting.reject(new TimeoutError(`${this.#opened.title} stayed at 0`));
    }
    this.#arm();
  }

  #take(): boolean {
    const outcome = native.semaphoreTryWait(this.#opened.handle);
    return this.#opened.checked(outcome, 'wait for') === Outcome.Taken;
  }

  #arm(): void {
    clearTimeout(this.#timer);
    if (this.isEmpty) return;
    let napMs = this.#napMs;
    const nowMs = native.now();
    for (const { deadlineMs } of this.#all) napMs = Math.min(napMs, Math.ceil(deadlineMs - nowMs));
    this.#timer = setTimeout(() => this.look(), Math.max(1, napMs));
    this.#napMs = Math.min(2 * this.#napMs, LONGEST_NAP_MS);
  }

  leave(waiting: Waiting): void {
    this.#all.delete(waiting);
    waiting.end();
    if (this.isEmpty) clearTimeout(this.#timer);
  }

  end(error: () => unknown): void {
    for (const waiting of this.#all) {
      this.leave(waiting);
      waiting.reject(error());
    }
  }
}

/**
 * A POSIX named semaphore (`sem_open`), to share with programs in other languages. Its permits belong to nobody: a
 * process that is killed between `wait` and `post` takes its permit with it for ever. Where all users are Node.js,
 * `Semaphore` of `holdfast` gives it back.
 *
 * @example
 * ```ts
 * import { NamedSemaphore } from 'holdfast/posix';
 *
 * const jobs = new NamedSemaphore('/jobs'); // in C: sem_open("/jobs", O_CREAT, 0600, 0)
 * await jobs.wait();
 * ```
 */
export class NamedSemaphore implements Disposable {
  /** With its slash. */
  readonly name: string;
  /** @internal */
  readonly notData = POSIX;
  readonly #opened: Opened;
  readonly #waits: Waits;

  /**
   * Opens it, as `sem_open` does. Does not block.
   *
   * @param name - `/` and up to 250 bytes without another one
   * @param options - `create` (default `true`), `exclusive`, `allowOtherOwner`, `initial` (default 0) and `mode` (default
   *   `0o600`, from which the umask may take bits) of a new one
   * @throws HoldfastError `ERR_HOLDFAST_NOT_FOUND`, `ERR_HOLDFAST_EXISTS`, `ERR_HOLDFAST_SYSTEM`
   * @throws RegionError `ERR_HOLDFAST_REGION_ACCESS`, `ERR_HOLDFAST_NO_SPACE`
   * @throws TypeError, RangeError `ERR_HOLDFAST_INVALID_ARGUMENT`
   */
  constructor(name: string, options?: NamedSemaphoreOptions) {
    checkPosixName(name);
    const { how, mode } = opening(options, 'new NamedSemaphore()', ['initial']);
    const initial = options?.initial ?? 0;
    if (typeof initial !== 'number') {
      throw invalidType(`"initial" must be a number, not ${shown(initial)}`);
    }
    if (!Number.isInteger(initial) || initial < 0 || initial > MAX_VALUE) {
      throw invalidRange(`"initial" must be an integer from 0 to 2^31-1, not ${shown(initial)}`);
    }
    this.name = name;
    const handle = native.semaphoreOpen(name, how, mode, initial);
    this.#opened = new Opened('NamedSemaphore', name, handle);
    this.#waits = new Waits(this.#opened);
  }

  /**
   * What it stands at now; 0 while anybody waits. As `sem_getvalue`.
   *
   * @throws ClosedError `ERR_HOLDFAST_CLOSED`
   */
  get value(): number {
    return this.#opened.checked(native.semaphoreValue(this.#opened.handle), 'read');
  }

  /**
   * Adds a permit, which wakes one who waits. Does not block.
   *
   * @throws RangeError `ERR_HOLDFAST_INVALID_ARGUMENT`: it stands at its maximum, 2^31-1
   * @throws ClosedError `ERR_HOLDFAST_CLOSED`
   */
  post(): void {
    const status = native.semaphorePost(this.#opened.handle);
    if (status === Status.Full) {
      throw invalidRange(`cannot post ${this.#opened.title}: it stands at its maximum`);
    }
    this.#opened.checked(status, 'post');
    if (!this.#waits.isEmpty) this.#waits.look();
  }

  /**
   * Takes a permit if there is one. Never waits.
   *
   * @throws TypeError `ERR_HOLDFAST_INVALID_ARGUMENT`: there are no options
   * @throws ClosedError `ERR_HOLDFAST_CLOSED`
   */
  tryWait(options?: never): boolean {
    checkNoOptions(options, 'tryWait()', 'wait({ timeout }) or waitSync({ timeout })');
    const outcome = native.semaphoreTryWait(this.#opened.handle);
    return this.#opened.checked(outcome, 'wait for') === Outcome.Taken;
  }

  /**
   * Waits for a permit without blocking the event loop, which stays alive meanwhile.
   *
   * POSIX has no such wait, so this looks again and again, after 1 ms at first and then less often, every 16 ms at
   * last: a permit of another process is taken that much late, and one who is blocked in `sem_wait` may well be faster.
   * A `post()` of this instance is seen at once.
   *
   * @param options - `timeout` in ms, `signal`
   * @throws TimeoutError `ERR_HOLDFAST_TIMEOUT` (all of these as rejections)
   * @throws ClosedError, or `signal.reason`
   * @throws TypeError `ERR_HOLDFAST_INVALID_ARGUMENT`
   */
  async wait(options?: AcquireOptions): Promise<void> {
    checkAcquireOptions(options, 'wait()');
    const timeoutMs = options?.timeout ?? Number.POSITIVE_INFINITY;
    const signal = options?.signal;
    if (signal?.aborted) throw signal.reason;
    if (this.#waits.isEmpty && this.tryWait()) return;
    if (timeoutMs <= 0) throw new TimeoutError(`${this.#opened.title} stands at 0`);
    await this.#waits.wait(timeoutMs, signal);
  }

  /**
   * Waits for a permit and blocks this thread until then.
   *
   * @param options - `timeout` in ms
   * @throws TimeoutError `ERR_HOLDFAST_TIMEOUT`
   * @throws ClosedError `ERR_HOLDFAST_CLOSED`
   * @throws TypeError `ERR_HOLDFAST_INVALID_ARGUMENT`
   */
  waitSync(options?: AcquireSyncOptions): void {
    const timeoutMs = syncTimeout(options, 'waitSync()');
    const { handle } = this.#opened;
    const deadlineMs = native.now() + Math.max(0, timeoutMs);
    const outcome = this.#opened.checked(native.semaphoreWait(handle, deadlineMs), 'wait for');
    if (outcome === Outcome.TimedOut) {
      throw new TimeoutError(`${this.#opened.title} stayed at 0 for ${timeoutMs} ms`);
    }
  }

  /** Closes this instance; its waits reject with ClosedError. The semaphore stays. Idempotent. */
  close(): void {
    if (!this.#opened.isOpen) return;
    this.#waits.end(() => new ClosedError(`${this.#opened.title} was closed`));
    this.#opened.close();
  }

  /** The same as {@link close}: for `using`. */
  [DISPOSE](): void {
    this.close();
  }

  /** Removes the name, as `sem_unlink` does: who has it open goes on with it. `false`: there was none. */
  unlink(): boolean {
    return NamedSemaphore.unlink(this.name);
  }

  /** Removes a name without opening it. `false`: there was none. */
  static unlink(name: string): boolean {
    return unlinkName(Unlink.Semaphore, name, 'NamedSemaphore');
  }
}
