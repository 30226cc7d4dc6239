/**
 * What Lock and RLock have in common: opening and closing, and all that does not depend on who may
 * enter.
 */
import { randomUUID } from 'node:crypto';
import type { Opened } from './agent-word.js';
import { checkBoolean, checkName, checkOptions, quoted } from './arguments.js';
import { COMPANION, titleOf } from './companion.js';
import { DISPOSE } from './dispose.js';
import { ClosedError, HoldfastError } from './errors.js';
import { type LockHolder, lookAtHolder } from './holder.js';
import { inspected } from './inspected.js';
import { LockCore } from './lock-core.js';
import { Kind, native, OpenFlag, Status } from './native.js';
import { SHARED } from './not-data.js';
import { inForce, joinRegion, register } from './region.js';
import { statusError } from './status.js';

/** Options of `new Lock()` and `new RLock()`. */
export interface LockOptions {
  /**
   * Whether taking over from a holder that died emits a process warning (`HOLDFAST_ABANDONED`).
   * Default: what `configure()` says, which is `true` by default.
   */
  warnOnAbandoned?: boolean | undefined;
}

/** Plain data that stands for a lock, and gives it back in another process: see `open()`. */
export interface LockToken {
  readonly holdfast: 'Lock' | 'RLock';
  readonly namespace: string;
  readonly name: string;
}

/**
 * A key of the options which callers cannot reach: open what exists, create nothing.
 *
 * @internal
 */
export const EXISTING: unique symbol = Symbol('existing');

const OPTION_KEYS = ['warnOnAbandoned'];

/** This thread's cores, by name: two instances of one lock share one. */
const cores = new Map<string, LockCore>();

const forgotten = new FinalizationRegistry<LockCore>((core) => core.loseInstance());

/** What instances point to once they are closed: its fast paths are shut. */
let closedCore: LockCore | undefined;

/**
 * Base of {@link Lock} and {@link RLock}.
 *
 * @typeParam Core - the state behind it
 */
export abstract class Exclusive<Core extends LockCore> implements Disposable {
  /** The name that other threads and processes open it by; a made one, if none was given. */
  readonly name: string;
  /** @internal */
  readonly notData = SHARED;
  /** @internal */
  protected readonly warns: boolean;
  /** @internal Whether a `with()` has an async context of its own, from which deadlocks are seen. */
  protected readonly detects: boolean;
  #core: Core;

  /** @internal */
  protected constructor(
    kindName: 'Lock' | 'RLock',
    Core: new (opened: Opened) => Core,
    name: string | undefined,
    options: LockOptions | undefined,
  ) {
    checkOptions(options, OPTION_KEYS, `new ${kindName}()`);
    const warns = options?.warnOnAbandoned;
    if (warns !== undefined) checkBoolean(warns, '"warnOnAbandoned"');
    const isCompanion = options !== undefined && COMPANION in options;
    if (name !== undefined && !isCompanion) checkName(name);

    const exists = options !== undefined && EXISTING in options;
    this.name = name ?? `anonymous-${randomUUID()}`;
    const isTransient = name === undefined || isCompanion;
    const flags = exists ? 0 : OpenFlag.Create | (isTransient ? OpenFlag.Anonymous : 0);
    this.#core = openCore(kindName, Core, this.name, flags);
    const { warnOnAbandoned, detectDeadlocks } = inForce();
    this.warns = warns ?? warnOnAbandoned;
    this.detects = detectDeadlocks;
    forgotten.register(this, this.#core, this);
  }

  /** @internal Also what refuses `Lock.prototype.release.call(somethingElse)`. */
  protected get core(): Core {
    return this.#core;
  }

  /** @internal The core, of an instance that is open. */
  protected get openCore(): Core {
    const core = this.#core;
    if (core === closedCore) throw new ClosedError(`cannot use ${this.title}: it is closed`);
    return core;
  }

  private get title(): string {
    return titleOf(this.constructor.name, this.name);
  }

  /**
   * Whether anybody, in any process, holds it: one atomic load. The answer may be old as soon as
   * it is there; to act on it, use `tryAcquire()`.
   *
   * @throws ClosedError `ERR_HOLDFAST_CLOSED`
   * @throws UnlinkedError `ERR_HOLDFAST_UNLINKED`
   */
  get locked(): boolean {
    const core = this.openCore;
    core.refuseUnlinked();
    return core.isOwned;
  }

  /**
   * Who holds it, `null` if nobody does. As old as {@link locked}. Does not wait for the lock.
   *
   * @throws ClosedError `ERR_HOLDFAST_CLOSED`
   * @throws UnlinkedError `ERR_HOLDFAST_UNLINKED`
   */
  get holder(): LockHolder | null {
    const core = this.openCore;
    core.refuseUnlinked();
    return lookAtHolder(core);
  }

  /**
   * Releases what this thread took by `acquire`, `acquireSync` or `tryAcquire`; its current guard is released then.
   * Does not block.
   *
   * @throws NotHeldError `ERR_HOLDFAST_NOT_HELD`: this thread does not hold it, or holds it by a `with`, which
   *   releases it itself (or by its guard); nothing changes. Unlike Python's `Lock`, only the holder can release.
   * @throws ClosedError `ERR_HOLDFAST_CLOSED`
   */
  release(): void {
    const core = this.openCore;
    core.isReleasedByHand = true;
    core.releaseByHand();
  }

  /**
   * Closes this instance, in this thread only; idempotent. If it was the thread's last one of this
   * lock, waits of this thread reject with ClosedError. Does not block.
   *
   * @throws HoldfastError `ERR_HOLDFAST_HELD`: the last instance, and this thread holds the lock
   */
  close(): void {
    const core = this.#core;
    if (core === closedCore) return;
    core.closeInstance();
    forgotten.unregister(this);
    this.#core = closed() as Core;
  }

  /** The same as {@link close}: for `using`. */
  [DISPOSE](): void {
    this.close();
  }

  /**
   * Removes the lock for everybody: its name is free, and who waits for it, or uses it later, gets
   * UnlinkedError, in every process. Closes this instance too. Does not block.
   *
   * @throws HoldfastError `ERR_HOLDFAST_IN_USE`: somebody holds it; the message says who
   * @throws UnlinkedError `ERR_HOLDFAST_UNLINKED`: somebody was faster
   * @throws ClosedError `ERR_HOLDFAST_CLOSED`
   */
  unlink(): void {
    this.openCore.unlink();
    this.close();
  }

  /**
   * A token: plain data which travels through `process.send`, `workerData` or an environment
   * variable, and from which `open()` makes the same lock again. Works on a closed lock too.
   */
  abstract toJSON(): LockToken;

  /** What `console.log` shows. */
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    const state = inspected(() => {
      this.openCore.refuseUnlinked();
      return this.state();
    });
    return `${this.title} (${state})`;
  }

  /** @internal In a few words, for what `console.log` shows. */
  protected state(): string {
    return this.#core.isOwned ? 'locked' : 'free';
  }
}

function closed(): LockCore {
  if (closedCore === undefined) {
    const nothing = { name: '', kindName: 'Lock', handle: 0, agent: 0 };
    closedCore = new LockCore({ ...nothing, memory: new ArrayBuffer(64) });
    closedCore.shut(Status.BadHandle);
  }
  return closedCore;
}

/** The thread's core of that name, made if it has none. */
function openCore<Core extends LockCore>(
  kindName: 'Lock' | 'RLock',
  Core: new (opened: Opened) => Core,
  name: string,
  flags: number,
): Core {
  const agent = joinRegion();
  const doing = `cannot open ${kindName} ${quoted(name)}`;
  const known = cores.get(name);
  // Unlinked, and still open here: its name may stand for a new object by now.
  if (known !== undefined && !known.isUnlinked) {
    if (known.kindName === kindName) return known.adopt() as Core;
    throw new HoldfastError(
      `${doing}: the name is in use by an object of kind ${known.kindName}`,
      'ERR_HOLDFAST_KIND_MISMATCH',
    );
  }
  const handle = native.openObject(name, Kind[kindName], flags, 0, 0);
  if (handle < 0) throw statusError(handle, doing, native.detail());
  const memory = native.view(handle);
  if (typeof memory === 'number') throw statusError(memory, doing, native.detail());

  const core = new Core({ name, kindName, handle, agent, memory });
  cores.set(name, core);
  register(handle, core);
  core.onEnd = () => {
    if (cores.get(name) === core) cores.delete(name);
  };
  return core.adopt();
}
