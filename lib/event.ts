/** The event: a flag that wakes all who wait for it. */
import {
  type AcquireOptions,
  type AcquireSyncOptions,
  checkAcquireOptions,
  checkOptions,
  syncTimeout,
} from './arguments.js';
import { Action, Outcome } from './native.js';
import { type Made, SharedObject } from './shared-object.js';
import type { Want } from './waiter.js';

/** Bit 0 of the object's word: the flag. */
const SET = 1;

const MADE: Made = { first: 0, second: 0, describe: () => 'no parameters' };

// Whoever is woken has nothing that could be given back.
const TO_BE_SET: Want = { role: 0, units: 1, giveBack() {} };

/**
 * A flag that processes and worker threads of one machine share by its name. It starts unset; `set()` wakes all who
 * wait, in every process, and lets everybody through from then on, until `clear()`.
 *
 * It is as `multiprocessing.Event` of Python. Nobody holds an event, so a death leaves it as it is.
 *
 * @example
 * ```ts
 * const ready = new Event('ready');
 * await ready.wait(); // here ...
 * ready.set(); // ... and there
 * ```
 */
export class Event extends SharedObject<'Event'> {
  /**
   * Opens the event of that name, and makes it, unset, where there is none. Does not block.
   *
   * @param name - 1 to 255 bytes of UTF-8 without NUL. Without one the event gets a unique name, and is removed when
   *   the last process that has it open closes it or ends.
   * @throws HoldfastError `ERR_HOLDFAST_KIND_MISMATCH`: the name belongs to something else
   * @throws RegionError the shared memory cannot be used: see its codes
   * @throws TypeError, RangeError `ERR_HOLDFAST_INVALID_ARGUMENT`
   */
  constructor(name?: string);
  /** @internal For tokens: {@link EXISTING}. A user gets an error for any option. */
  constructor(name?: string, options?: object);
  constructor(name?: string, options?: object) {
    checkOptions(options, [], 'new Event()');
    super('Event', name, MADE, options);
  }

  /**
   * Whether it is set: one atomic load, which waits for nobody. The answer may be old as soon as it is there.
   *
   * @throws ClosedError, UnlinkedError
   */
  get isSet(): boolean {
    const { core } = this;
    core.refuseOver();
    return (Atomics.load(core.words, 0) & SET) !== 0;
  }

  /**
   * Sets it, and wakes all who wait, in all processes; `clear()` right afterwards takes that back for nobody who
   * waited. On a set event nothing happens. Does not block, and waits for no waiter.
   *
   * @throws ClosedError, UnlinkedError
   */
  set(): void {
    const { core } = this;
    core.refuseOver();
    core.act(Action.Set);
  }

  /**
   * Unsets it: who comes from now on waits. Does not block.
   *
   * @throws ClosedError, UnlinkedError
   */
  clear(): void {
    const { core } = this;
    core.refuseOver();
    core.act(Action.Clear);
  }

  /**
   * Waits until it is set, without blocking the event loop, which stays alive meanwhile.
   *
   * @param options - `timeout` in ms (`<= 0`: only looks), `signal`: an abort rejects with `signal.reason`
   * @returns `true`: it was set, at once or while this waited, and maybe cleared since; `false`: the time was up
   * @throws ClosedError, UnlinkedError, RegionError (all of these as rejections)
   * @throws TypeError `ERR_HOLDFAST_INVALID_ARGUMENT`
   */
  async wait(options?: AcquireOptions): Promise<boolean> {
    checkAcquireOptions(options, 'wait()');
    const { timeout: timeoutMs = Number.POSITIVE_INFINITY, signal } = options ?? {};
    if (signal?.aborted) throw signal.reason;
    if (this.isSet) return true;
    if (timeoutMs <= 0) return false;
    const outcome = await this.core.wait(TO_BE_SET, { timeoutMs, signal });
    return outcome === Outcome.Taken;
  }

  /**
   * Waits until it is set, and blocks this thread until then.
   *
   * @param options - `timeout` in ms (`<= 0`: only looks)
   * @returns as {@link wait}
   * @throws ClosedError, UnlinkedError, RegionError
   * @throws TypeError `ERR_HOLDFAST_INVALID_ARGUMENT`
   */
  waitSync(options?: AcquireSyncOptions): boolean {
    const timeoutMs = syncTimeout(options, 'waitSync()');
    if (this.isSet) return true;
    if (timeoutMs <= 0) return false;
    return this.core.waitSync(TO_BE_SET, timeoutMs) === Outcome.Taken;
  }

  /** @internal */
  protected override state(): string {
    return this.isSet ? 'set' : 'unset';
  }
}
