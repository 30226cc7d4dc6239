/** One number in shared memory. */
import type { AcquireOptions, AcquireSyncOptions } from './arguments.js';
import type { ElementType, ElementValue, IntegerValue, WaitableValue } from './element-type.js';
import { SharedMemoryObject, type WaitResult } from './shared-memory.js';

/**
 * A number that processes and worker threads of one machine share by its name, with a lock of its own: as
 * `multiprocessing.Value` of Python.
 *
 * Reading `value` and writing it are two steps: `count.value += 1` is **not** atomic, and loses increments of others.
 * `count.add(1)` is, and so is anything under {@link withLock}.
 *
 * @typeParam T - its type; 64-bit integers are `bigint`s
 *
 * @example
 * ```ts
 * const count = new SharedValue('count', 'int32');
 * count.add(1);
 * await count.withLock(() => {
 *   count.value = count.value * 2;
 * });
 * ```
 */
export class SharedValue<T extends ElementType = ElementType> extends SharedMemoryObject<
  'SharedValue',
  T
> {
  /**
   * Opens the value of that name, and makes it where there is none. Does not block.
   *
   * @param name - 1 to 255 bytes of UTF-8 without NUL. Without one (`undefined`) the value gets a unique name, and is
   *   removed when the last process that has it open closes it or ends.
   * @param type - `int8` to `uint64`, `float32` or `float64`
   * @param initial - what it is made with; default 0. An existing one keeps what it has.
   * @throws HoldfastError `ERR_HOLDFAST_OTHER_PARAMETERS`: it exists with another type
   * @throws HoldfastError `ERR_HOLDFAST_KIND_MISMATCH`: the name belongs to something else
   * @throws RegionError the shared memory cannot be used: see its codes
   * @throws TypeError, RangeError `ERR_HOLDFAST_INVALID_ARGUMENT`: also for a value that the type cannot hold
   */
  constructor(name: string | undefined, type: T, initial?: ElementValue<T>) {
    super('SharedValue', name, {
      type,
      contents: () => (initial === undefined ? 1 : [initial]),
    });
  }

  /**
   * What it is now: one read, never half of a write. Setting it checks, and never wraps or cuts; a `float32` is
   * rounded to what it can hold, as a `Float32Array` does.
   *
   * @throws TypeError, RangeError `ERR_HOLDFAST_INVALID_ARGUMENT` when set: the type cannot hold the value
   * @throws ClosedError, UnlinkedError
   */
  get value(): ElementValue<T> {
    return this.readAt(0);
  }

  set value(value: ElementValue<T>) {
    this.writeAt(0, value);
  }

  /** The value, read atomically. Integer types only, as all of these. */
  load(): IntegerValue<T> {
    return this.loadAt(0) as IntegerValue<T>;
  }

  /** Writes atomically. */
  store(value: IntegerValue<T>): void {
    this.changeAt('store', 0, value);
  }

  /** Adds in one step, and returns the value before. Wraps around on overflow, as `Atomics.add` does. */
  add(value: IntegerValue<T>): ElementValue<T> {
    return this.changeAt('add', 0, value);
  }

  /** Subtracts in one step, and returns the value before. Wraps around, as `Atomics.sub` does. */
  sub(value: IntegerValue<T>): ElementValue<T> {
    return this.changeAt('sub', 0, value);
  }

  /** Bitwise AND in one step; returns the value before. */
  and(value: IntegerValue<T>): ElementValue<T> {
    return this.changeAt('and', 0, value);
  }

  /** Bitwise OR in one step; returns the value before. */
  or(value: IntegerValue<T>): ElementValue<T> {
    return this.changeAt('or', 0, value);
  }

  /** Bitwise XOR in one step; returns the value before. */
  xor(value: IntegerValue<T>): ElementValue<T> {
    return this.changeAt('xor', 0, value);
  }

  /** Writes, and returns the value before, in one step. */
  exchange(value: IntegerValue<T>): ElementValue<T> {
    return this.changeAt('exchange', 0, value);
  }

  /**
   * Writes `replacement` only if the value is `expected`, in one step.
   *
   * @returns the value before: it was replaced if that is `expected`
   */
  compareExchange(expected: IntegerValue<T>, replacement: IntegerValue<T>): ElementValue<T> {
    return this.compareExchangeAt(0, expected, replacement);
  }

  /**
   * Waits until somebody notifies, if the value is `expected` now; nothing is lost between the look and the wait. As
   * `Atomics.waitAsync`, but between processes. Does not block. Types of 32 and 64 bits.
   *
   * @param options - `timeout` in ms, `signal`
   * @returns `ok`: notified; `not-equal`: the value is another already; `timed-out`
   * @throws ClosedError, UnlinkedError, or `signal.reason`; all as rejections
   * @throws TypeError, RangeError `ERR_HOLDFAST_INVALID_ARGUMENT`
   */
  wait(expected: WaitableValue<T>, options?: AcquireOptions): Promise<WaitResult> {
    return this.waitAt(0, expected, options);
  }

  /**
   * As {@link wait}, but blocks this thread.
   *
   * @param options - `timeout` in ms
   */
  waitSync(expected: WaitableValue<T>, options?: AcquireSyncOptions): WaitResult {
    return this.waitSyncAt(0, expected, options);
  }

  /**
   * Wakes who waits, in any process, first come, first served. Store first, then notify. Does not block.
   *
   * @param count - how many at most; default: all
   * @returns how many were woken
   */
  notify(count: number = Number.POSITIVE_INFINITY): number {
    return this.notifyAt(0, count);
  }
}
