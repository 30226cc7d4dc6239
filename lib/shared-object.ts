/** What the objects beside the lock have in common as classes: opening, closing, removing. */
import { randomUUID } from 'node:crypto';
import { checkName, quoted } from './arguments.js';
import { DISPOSE } from './dispose.js';
import { ClosedError, HoldfastError } from './errors.js';
import { EXISTING } from './exclusive.js';
import { inspected } from './inspected.js';
import { Kind, native, OpenFlag, Status } from './native.js';
import { SHARED } from './not-data.js';
import { inForce, joinRegion, register } from './region.js';
import { statusError } from './status.js';
import { ObjectCore } from './waiter.js';

/** The kinds of object beside the locks. */
export type ObjectKind =
  | 'Semaphore'
  | 'Event'
  | 'Condition'
  | 'Barrier'
  | 'RWLock'
  | 'SharedValue'
  | 'SharedArray';

/** Plain data that stands for an object, and gives it back in another process: see `open()`. */
export interface ObjectToken<K extends ObjectKind = ObjectKind> {
  readonly holdfast: K;
  readonly namespace: string;
  readonly name: string;
}

/** What an object is made with; whoever opens it must say the same. */
export interface Made {
  readonly first: number;
  readonly second: number;
  /** For the error: `3 permits, owned`. */
  describe(first: number, second: number): string;
  /** Opens it where that takes more than these. Returns a handle or a status. */
  open?(name: string, flags: number): number;
}

/** This thread's cores, by name: two instances of one object share one. */
const cores = new Map<string, ObjectCore>();

const forgotten = new FinalizationRegistry<ObjectCore>((core) => core.loseInstance());

/**
 * Base of the objects beside the lock.
 *
 * @typeParam K - which of them
 */
export abstract class SharedObject<K extends ObjectKind = ObjectKind> implements Disposable {
  /** The name that other threads and processes open it by; a made one, if none was given. */
  readonly name: string;
  /** @internal */
  readonly notData = SHARED;
  readonly #kindName: K;
  #core: ObjectCore | null;

  /** @internal */
  protected constructor(
    kindName: K,
    name: string | undefined,
    made: Made,
    options: object | undefined,
  ) {
    if (name !== undefined) checkName(name);
    this.name = name ?? `anonymous-${randomUUID()}`;
    this.#kindName = kindName;
    const exists = options !== undefined && EXISTING in options;
    const flags = exists ? 0 : OpenFlag.Create | (name === undefined ? OpenFlag.Anonymous : 0);
    this.#core = openCore(kindName, this.name, made, flags);
    forgotten.register(this, this.#core, this);
  }

  /** @internal */
  protected get core(): ObjectCore {
    const core = this.#core;
    if (core !== null) return core;
    throw new ClosedError(`cannot use ${this.#kindName} ${quoted(this.name)}: it is closed`);
  }

  /**
   * Closes this instance, in this thread only; idempotent. If it was the thread's last one of this object, waits of
   * this thread reject with ClosedError. Does not block.
   *
   * @throws HoldfastError `ERR_HOLDFAST_HELD`: the last instance, and this thread holds of it
   */
  close(): void {
    if (this.#core === null) return;
    this.#core.closeInstance();
    forgotten.unregister(this);
    this.#core = null;
  }

  /** The same as {@link close}: for `using`. */
  [DISPOSE](): void {
    this.close();
  }

  /**
   * Removes the object for everybody: its name is free, and who waits for it, or uses it later, gets UnlinkedError.
   * Closes this instance too. Does not block.
   *
   * @throws HoldfastError `ERR_HOLDFAST_IN_USE`: somebody holds of it; the message says who
   * @throws ClosedError `ERR_HOLDFAST_CLOSED`
   */
  unlink(): void {
    this.core.unlink();
    this.close();
  }

  /** A token: plain data from which `open()` makes the same object again, in any process of this user. */
  toJSON(): ObjectToken<K> {
    return { holdfast: this.#kindName, namespace: inForce().namespace, name: this.name };
  }

  /** What `console.log` shows. */
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    const state = inspected(() => {
      this.core.refuseOver();
      return this.state();
    });
    return `${this.#kindName} ${quoted(this.name)} (${state})`;
  }

  /** @internal In a few words, for {@link inspect}. */
  protected abstract state(): string;
}

function openCore(kindName: ObjectKind, name: string, made: Made, flags: number): ObjectCore {
  joinRegion();
  const doing = `cannot open ${kindName} ${quoted(name)}`;
  const handle =
    made.open?.(name, flags) ??
    native.openObject(name, Kind[kindName], flags, made.first, made.second);
  if (handle === Status.OtherParameters) {
    const [first = 0, second = 0] = native.detail().split(' ').map(Number);
    throw new HoldfastError(
      `${doing} with ${made.describe(made.first, made.second)}: it exists with ` +
        made.describe(first, second),
      'ERR_HOLDFAST_OTHER_PARAMETERS',
    );
  }
  if (handle < 0) throw statusError(handle, doing, native.detail());
  const known = cores.get(name);
  if (known !== undefined && known.handle === handle && known.endStatus === 0) {
    native.close(handle); // the core has its own open of it
    known.instances++;
    return known;
  }
  const memory = native.view(handle);
  if (typeof memory === 'number') throw statusError(memory, doing, native.detail());
  const core = new ObjectCore({ name, kindName, handle, memory });
  cores.set(name, core);
  register(handle, core);
  core.onEnd = () => {
    if (cores.get(name) === core) cores.delete(name);
  };
  core.instances = 1;
  return core;
}
