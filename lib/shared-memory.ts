/** What SharedValue and SharedArray have in common: memory of elements, its lock, atomics, and waits for a change. */
import { constants } from 'node:buffer';
import {
  type AcquireOptions,
  type AcquireSyncOptions,
  checkAcquireOptions,
  invalidRange,
  invalidType,
  shown,
  syncTimeout,
} from './arguments.js';
import { COMPANION, companionName } from './companion.js';
import {
  checkBits,
  checkValue,
  type Element,
  type ElementArray,
  type ElementType,
  type ElementValue,
  elementOf,
  elementOfCode,
} from './element-type.js';
import { EXISTING, type LockOptions } from './exclusive.js';
import type { LockGuard } from './guard.js';
import type { Settled } from './lock.js';
import { UNLINKED } from './lock-word.js';
import { Kind, native, Outcome, Question, Status } from './native.js';
import { RLock } from './rlock.js';
import { SharedObject } from './shared-object.js';
import { statusError } from './status.js';
import type { ObjectCore, Want } from './waiter.js';

/** How a `wait` ended, as `Atomics.wait` has it. */
export type WaitResult = 'ok' | 'not-equal' | 'timed-out';

/** As many elements an array can have; and no `ArrayBuffer` is longer than this. */
const MAX_LENGTH = 2 ** 31 - 1;
const MAX_BYTES = constants.MAX_LENGTH;

/** All waiters, in {@link native.memoryNotify}. */
const ALL = 2 ** 32 - 1;

/** The typed arrays of this thread, by the core whose memory they show. */
const arrays = new WeakMap<ObjectCore, ElementArray<ElementType>>();

/**
 * In place of the type: open what exists, with its own parameters.
 *
 * @internal
 */
export const AS_IT_IS = EXISTING as unknown as never;

/** What an object is to be made of. */
interface Contents {
  readonly type: unknown;
  /** How many elements, or their values. A function, as it is asked once the type has been checked. */
  readonly contents: (element: Element) => number | readonly unknown[];
}

/** Base of {@link SharedValue} and {@link SharedArray}. */
export abstract class SharedMemoryObject<
  K extends 'SharedValue' | 'SharedArray',
  T extends ElementType,
> extends SharedObject<K> {
  /** The type of its elements. */
  readonly type: T;
  /**
   * Its own lock, recursive. It lives as long as anybody has the object open, and is unlinked with it. Its
   * {@link RLock.name} is internal, as no other name can collide with it.
   */
  readonly lock: RLock;
  /** @internal */
  protected readonly element: Element;
  /** @internal */
  protected readonly count: number;

  /** @internal */
  protected constructor(kindName: K, name: string | undefined, { type, contents }: Contents) {
    const isExisting = type === AS_IT_IS;
    const element = isExisting ? undefined : elementOf(type);
    const wanted = element === undefined ? 0 : contents(element);
    const count = typeof wanted === 'number' ? wanted : wanted.length;
    if (element !== undefined) checkCount(element, count);
    const bytes =
      element === undefined || typeof wanted === 'number' ? undefined : bytesOf(element, wanted);
    const made = {
      first: element?.code ?? 0,
      second: count,
      describe,
      open: (objectName: string, flags: number) =>
        native.openMemory(
          objectName,
          Kind[kindName],
          flags,
          element?.code ?? 0,
          count,
          isAllZero(bytes) ? undefined : bytes,
        ),
    };
    super(kindName, name, made, isExisting ? { [EXISTING]: true } : undefined);
    try {
      const core = this.core;
      const found = elementOfCode(core.ask(Question.First));
      if (found === undefined) {
        throw statusError(Status.Corrupt, `cannot open ${core.title}`, 'an unknown element type');
      }
      this.element = found;
      this.type = found.type as T;
      this.count = core.ask(Question.Second);
      if (!arrays.has(core)) arrays.set(core, mapped(core, found, this.count));
      const companion = companionName(native.memoryId(core.handle), this.name);
      this.lock = new RLock(companion, { [COMPANION]: true } as LockOptions);
    } catch (error) {
      super.close();
      throw error;
    }
  }

  /** The memory, of an object that is open and not over. @internal */
  protected get memory(): ElementArray<T> {
    const core = this.core;
    core.refuseEnded();
    // An atomic load, so that a loop on a plain element sees it change.
    if ((Atomics.load(core.words, 0) & UNLINKED) !== 0) throw core.error(Status.Unlinked);
    return arrays.get(core) as ElementArray<T>;
  }

  /**
   * Holds {@link lock} while `fn` works, and until the promise that it returns is settled. Does not block.
   *
   * @param options - `timeout` in ms, `signal`
   * @returns what `fn` returns
   * @throws what `fn` throws, or what `RLock.acquire` throws; all as rejections
   */
  withLock<R>(fn: (guard: LockGuard) => R | PromiseLike<R>, options?: AcquireOptions): Promise<R> {
    return this.lock.with(fn, options);
  }

  /**
   * Holds {@link lock} while `fn` works. Blocks this thread until it has the lock.
   *
   * @param options - `timeout` in ms
   * @returns what `fn` returns
   * @throws what `fn` throws, or what `RLock.acquireSync` throws
   */
  withLockSync<R>(fn: (guard: LockGuard) => R & Settled<R>, options?: AcquireSyncOptions): R {
    return this.lock.withSync(fn, options);
  }

  /**
   * Closes this instance and its {@link lock}, in this thread only; idempotent. A typed array that was taken from it
   * stays usable. Waits of this thread reject with ClosedError if it was the thread's last instance. Does not block.
   *
   * @throws HoldfastError `ERR_HOLDFAST_HELD`: the last instance, and this thread holds its lock
   */
  override close(): void {
    this.lock.close();
    super.close();
  }

  /**
   * Removes the object and its lock for everybody, and the memory with them: its name is free, and who waits for it,
   * or uses it later, gets UnlinkedError. A typed array over it that somebody has shows memory that is no longer the
   * object's. Closes this instance too. Does not block.
   *
   * @throws HoldfastError `ERR_HOLDFAST_IN_USE`: somebody holds its lock
   * @throws UnlinkedError `ERR_HOLDFAST_UNLINKED`: somebody was faster
   * @throws ClosedError `ERR_HOLDFAST_CLOSED`
   */
  override unlink(): void {
    void this.memory;
    this.lock.unlink();
    super.unlink();
  }

  /** @internal */
  protected override state(): string {
    return this.count === 1 ? this.type : `${this.count} x ${this.type}`;
  }

  // ---- elements; callers have checked the index ----

  /** @internal */
  protected readAt(index: number): ElementValue<T> {
    return this.memory[index] as ElementValue<T>;
  }

  /** @internal */
  protected writeAt(index: number, value: ElementValue<T>): void {
    const memory = this.memory;
    checkValue(this.element, value);
    memory[index] = value;
  }

  /** As `Atomics` takes it: JavaScript cares which of the integer types it is, TypeScript need not. @internal */
  protected integers(verb: string): Int32Array {
    const memory = this.memory;
    if (this.element.isInteger) return memory as unknown as Int32Array;
    throw invalidType(`${verb} needs an integer type, not ${this.type}: use withLock()`);
  }

  /** One of `Atomics`' changes. @internal */
  protected changeAt(
    verb: 'add' | 'sub' | 'and' | 'or' | 'xor' | 'exchange' | 'store',
    index: number,
    value: ElementValue<T>,
  ): ElementValue<T> {
    const integers = this.integers(`${verb}()`);
    if (verb === 'exchange' || verb === 'store') checkValue(this.element, value);
    else checkBits(this.element, value);
    return Atomics[verb](integers, index, value as number) as ElementValue<T>;
  }

  /** @internal */
  protected loadAt(index: number): ElementValue<T> {
    return Atomics.load(this.integers('load()'), index) as ElementValue<T>;
  }

  /** @internal */
  protected compareExchangeAt(
    index: number,
    expected: ElementValue<T>,
    replacement: ElementValue<T>,
  ): ElementValue<T> {
    const integers = this.integers('compareExchange()');
    checkValue(this.element, expected);
    checkValue(this.element, replacement);
    return Atomics.compareExchange(
      integers,
      index,
      expected as number,
      replacement as number,
    ) as ElementValue<T>;
  }

  // ---- waits ----

  /** @internal */
  protected async waitAt(
    index: number,
    expected: ElementValue<T>,
    options: AcquireOptions | undefined,
  ): Promise<WaitResult> {
    checkAcquireOptions(options, 'wait()');
    const want = this.wantAt('wait()', index, expected);
    const timeoutMs = options?.timeout ?? Number.POSITIVE_INFINITY;
    const signal = options?.signal;
    if (signal?.aborted) throw signal.reason;
    const core = this.core;
    if (timeoutMs <= 0) return resultOf(core.tryNow(want));
    return resultOf(await core.wait(want, { timeoutMs, signal }));
  }

  /** @internal */
  protected waitSyncAt(
    index: number,
    expected: ElementValue<T>,
    options: AcquireSyncOptions | undefined,
  ): WaitResult {
    const timeoutMs = syncTimeout(options, 'waitSync()');
    const want = this.wantAt('waitSync()', index, expected);
    const core = this.core;
    return resultOf(timeoutMs <= 0 ? core.tryNow(want) : core.waitSync(want, timeoutMs));
  }

  /** @internal */
  protected notifyAt(index: number, count: number): number {
    this.checkWaitable('notify()');
    if (typeof count !== 'number' || Number.isNaN(count)) {
      throw invalidType(`notify() takes a number of waiters, not ${shown(count)}`);
    }
    if (count < 0 || (!Number.isInteger(count) && count !== Number.POSITIVE_INFINITY)) {
      throw invalidRange(`notify() takes 0 or more waiters, or Infinity, not ${shown(count)}`);
    }
    const woken = native.memoryNotify(this.core.handle, index, Math.min(count, ALL));
    if (woken < 0) throw this.core.error(woken);
    return woken;
  }

  private wantAt(verb: string, index: number, expected: ElementValue<T>): Want {
    this.checkWaitable(verb);
    checkValue(this.element, expected);
    const bits = BigInt.asUintN(64, BigInt(expected));
    const { handle } = this.core;
    return {
      role: index,
      units: 0,
      prepare: (waiter) => {
        native.memoryExpect(waiter, Number(bits & 0xffff_ffffn), Number(bits >> 32n));
      },
      // It was notified, and is gone: the next one who waits for this element is.
      giveBack: (outcome) => {
        if (outcome === Outcome.Taken) native.memoryNotify(handle, index, 1);
      },
    };
  }

  private checkWaitable(verb: string): void {
    void this.memory;
    if (this.element.isInteger && this.element.bytes >= 4) return;
    throw invalidType(`${verb} needs an integer type of 32 or 64 bits, not ${this.type}`);
  }
}

function resultOf(outcome: number): WaitResult {
  if (outcome === Outcome.Taken) return 'ok';
  return outcome === Outcome.NotEqual ? 'not-equal' : 'timed-out';
}

function checkCount(element: Element, count: number): void {
  if (count <= MAX_LENGTH && count * element.bytes <= MAX_BYTES) return;
  const most = Math.min(MAX_LENGTH, Math.floor(MAX_BYTES / element.bytes));
  throw invalidRange(`an array of ${element.type} has at most ${most} elements, not ${count}`);
}

/** The values as they lie in memory, each checked. */
function bytesOf(element: Element, values: readonly unknown[]): Uint8Array {
  for (const value of values) checkValue(element, value);
  const typed = new element.Array(new ArrayBuffer(values.length * element.bytes));
  (typed as { set(values: readonly unknown[]): void }).set(values);
  return new Uint8Array(typed.buffer);
}

/** New memory is. */
function isAllZero(bytes: Uint8Array | undefined): boolean {
  return bytes === undefined || bytes.every((byte) => byte === 0);
}

function mapped(core: ObjectCore, element: Element, count: number): ElementArray<ElementType> {
  const buffer = native.memoryOf(core.handle);
  if (typeof buffer === 'number')
    throw statusError(buffer, `cannot open ${core.title}`, native.detail());
  return new element.Array(buffer, 0, count);
}

function describe(first: number, second: number): string {
  return `${second} x ${elementOfCode(first)?.type ?? `type ${first}`}`;
}
