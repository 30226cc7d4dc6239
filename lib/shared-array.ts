/** An array of numbers in shared memory. */
import {
  type AcquireOptions,
  type AcquireSyncOptions,
  invalidRange,
  invalidType,
  shown,
} from './arguments.js';
import type {
  ElementArray,
  ElementType,
  ElementValue,
  IntegerValue,
  WaitableValue,
} from './element-type.js';
import { SharedMemoryObject, type WaitResult } from './shared-memory.js';

/**
 * An array of numbers that processes and worker threads of one machine share by its name, with a lock of its own: as
 * `multiprocessing.Array` of Python. Its memory is reserved when it is made, so a full `/dev/shm` is an error then and
 * never a crash later.
 *
 * {@link array} is a typed array over the memory itself, with nothing in between; {@link at} and {@link set} check.
 * Neither `a.array[0]++` nor `a.set(0, a.at(0) + 1)` is atomic: use {@link add}, or {@link withLock}.
 *
 * @typeParam T - the type of its elements; 64-bit integers are `bigint`s
 *
 * @example
 * ```ts
 * const scores = new SharedArray('scores', 'float64', 1000);
 * await scores.withLock(() => scores.array.sort());
 * ```
 */
export class SharedArray<T extends ElementType = ElementType>
  extends SharedMemoryObject<'SharedArray', T>
  implements Iterable<ElementValue<T>>
{
  /**
   * Opens the array of that name, and makes it where there is none. Does not wait for anybody.
   *
   * @param name - 1 to 255 bytes of UTF-8 without NUL. Without one (`undefined`) the array gets a unique name, and is
   *   removed when the last process that has it open closes it or ends.
   * @param type - `int8` to `uint64`, `float32` or `float64`
   * @param lengthOrData - how many elements, all 0; or their values. An existing array must have as many, and keeps
   *   what it has.
   * @throws HoldfastError `ERR_HOLDFAST_OTHER_PARAMETERS`: it exists with another type or length
   * @throws HoldfastError `ERR_HOLDFAST_KIND_MISMATCH`: the name belongs to something else
   * @throws RegionError `ERR_HOLDFAST_NO_SPACE`: `/dev/shm` cannot hold it; nothing was made
   * @throws RegionError the shared memory cannot be used: see its codes
   * @throws TypeError, RangeError `ERR_HOLDFAST_INVALID_ARGUMENT`
   */
  constructor(name: string | undefined, type: T, lengthOrData: number | Iterable<ElementValue<T>>) {
    super('SharedArray', name, { type, contents: () => contentsOf(lengthOrData) });
  }

  /** How many elements it has. */
  get length(): number {
    return this.count;
  }

  /**
   * The memory itself. It may be used after {@link close} too, and is not checked: it wraps and cuts as the platform
   * does, and an index out of range reads `undefined`. It cannot be transferred to another thread: open the array there.
   *
   * @throws ClosedError, UnlinkedError
   */
  get array(): ElementArray<T> {
    return this.memory;
  }

  /**
   * The element at `index`.
   *
   * @param index - 0 to `length - 1`; negative ones count from the end, as in `Array.prototype.at`
   * @throws RangeError `ERR_HOLDFAST_INVALID_ARGUMENT`: there is no such element
   * @throws ClosedError, UnlinkedError
   */
  at(index: number): ElementValue<T> {
    return this.readAt(this.#checked(index));
  }

  /** The same as {@link at}. */
  get(index: number): ElementValue<T> {
    return this.at(index);
  }

  /**
   * Writes an element. Never wraps or cuts; a `float32` is rounded to what it can hold.
   *
   * @throws TypeError, RangeError `ERR_HOLDFAST_INVALID_ARGUMENT`: there is no such element, or the type cannot hold
   *   the value
   * @throws ClosedError, UnlinkedError
   */
  set(index: number, value: ElementValue<T>): void {
    this.writeAt(this.#checked(index), value);
  }

  /** Element by element; others may write meanwhile. */
  *[Symbol.iterator](): IterableIterator<ElementValue<T>> {
    for (let i = 0; i < this.count; i++) yield this.readAt(i);
  }

  /** The element, read atomically. Integer types only, as all of these. */
  load(index: number): IntegerValue<T> {
    return this.loadAt(this.#checked(index)) as IntegerValue<T>;
  }

  /** Writes atomically. */
  store(index: number, value: IntegerValue<T>): void {
    this.changeAt('store', this.#checked(index), value);
  }

  /** Adds in one step, and returns the value before. Wraps around on overflow, as `Atomics.add` does. */
  add(index: number, value: IntegerValue<T>): ElementValue<T> {
    return this.changeAt('add', this.#checked(index), value);
  }

  /** Subtracts in one step, and returns the value before. Wraps around, as `Atomics.sub` does. */
  sub(index: number, value: IntegerValue<T>): ElementValue<T> {
    return this.changeAt('sub', this.#checked(index), value);
  }

  /** Bitwise AND in one step; returns the value before. */
  and(index: number, value: IntegerValue<T>): ElementValue<T> {
    return this.changeAt('and', this.#checked(index), value);
  }

  /** Bitwise OR in one step; returns the value before. */
  or(index: number, value: IntegerValue<T>): ElementValue<T> {
    return this.changeAt('or', this.#checked(index), value);
  }

  /** Bitwise XOR in one step; returns the value before. */
  xor(index: number, value: IntegerValue<T>): ElementValue<T> {
    return this.changeAt('xor', this.#checked(index), value);
  }

  /** Writes, and returns the value before, in one step. */
  exchange(index: number, value: IntegerValue<T>): ElementValue<T> {
    return this.changeAt('exchange', this.#checked(index), value);
  }

  /**
   * Writes `replacement` only if the element is `expected`, in one step.
   *
   * @returns the value before: it was replaced if that is `expected`
   */
  compareExchange(
    index: number,
    expected: IntegerValue<T>,
    replacement: IntegerValue<T>,
  ): ElementValue<T> {
    return this.compareExchangeAt(this.#checked(index), expected, replacement);
  }

  /**
   * Waits until somebody notifies of this element, if it is `expected` now; nothing is lost between the look and the
   * wait. As `Atomics.waitAsync`, but between processes. Does not block. Types of 32 and 64 bits.
   *
   * @param options - `timeout` in ms, `signal`
   * @returns `ok`: notified; `not-equal`: the element is another already; `timed-out`
   * @throws ClosedError, UnlinkedError, or `signal.reason`; all as rejections
   * @throws TypeError, RangeError `ERR_HOLDFAST_INVALID_ARGUMENT`
   */
  async wait(
    index: number,
    expected: WaitableValue<T>,
    options?: AcquireOptions,
  ): Promise<WaitResult> {
    return this.waitAt(this.#checked(index), expected, options);
  }

  /**
   * As {@link wait}, but blocks this thread.
   *
   * @param options - `timeout` in ms
   */
  waitSync(index: number, expected: WaitableValue<T>, options?: AcquireSyncOptions): WaitResult {
    return this.waitSyncAt(this.#checked(index), expected, options);
  }

  /**
   * Wakes who waits for this element, in any process, first come, first served. Store first, then notify. Does not
   * block.
   *
   * @param count - how many at most; default: all
   * @returns how many were woken
   */
  notify(index: number, count: number = Number.POSITIVE_INFINITY): number {
    return this.notifyAt(this.#checked(index), count);
  }

  #checked(index: number): number {
    if (typeof index !== 'number') {
      throw invalidType(`an index must be a number, not ${shown(index)}`);
    }
    const found = index < 0 ? index + this.count : index;
    if (Number.isInteger(found) && found >= 0 && found < this.count) return found;
    throw invalidRange(
      `an index of this array is an integer from ${-this.count} to ${this.count - 1}, ` +
        `not ${shown(index)}`,
    );
  }
}

function contentsOf(lengthOrData: unknown): number | readonly unknown[] {
  if (typeof lengthOrData === 'number') {
    if (Number.isInteger(lengthOrData) && lengthOrData >= 0) return lengthOrData;
    throw invalidRange(`a length must be an integer of 0 or more, not ${shown(lengthOrData)}`);
  }
  const isIterable =
    typeof lengthOrData === 'object' && lengthOrData !== null && Symbol.iterator in lengthOrData;
  if (isIterable) return [...(lengthOrData as Iterable<unknown>)];
  throw invalidType(`"lengthOrData" must be a length or values, not ${shown(lengthOrData)}`);
}
