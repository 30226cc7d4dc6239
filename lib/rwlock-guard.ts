/** What an acquisition of either side of an RWLock gives, and what a thread holds of one. */
import { offAbort, onAbort } from './abort.js';
import {
  type AcquireOptions,
  type AcquireSyncOptions,
  checkAcquireOptions,
  syncTimeout,
} from './arguments.js';
import { type Claim, claimLater, claimSync } from './claim.js';
import { ASYNC_DISPOSE, DISPOSE } from './dispose.js';
import { DeadlockError, NotHeldError } from './errors.js';
import { asKnown, here, isStandIn, notePlace, replaceBy } from './leak.js';
import { Action, native, Outcome } from './native.js';
import { HELD_BY_OTHER_REALM } from './region.js';
import { heldAround } from './scope.js';
import type { ObjectCore } from './waiter.js';

/** What is wanted or given back, as the addon has it. */
const Role = { Read: 1, Write: 2, Upgrade: 3 } as const;

/**
 * How a side is taken, once for each acquisition: its guard has it, and what that becomes.
 *
 * @internal
 */
export interface Taking {
  /** Whether to emit a warning if the lock turns out to be abandoned. */
  readonly warns: boolean;
  /** By a bare acquire, and not by a `with()`. */
  readonly isBare: boolean;
  /** By a `with()` that runs in an async context of its own. */
  isScoped: boolean;
  /** Ends the upgrade that the share waits for. */
  upgrade: AbortController | null;
}

/**
 * What this thread holds of one RWLock, whichever instance it came by.
 *
 * @internal
 */
export class Holds {
  readonly core: ObjectCore;
  writer: WriteGuard | null = null;
  /** Whether `release()` of a side is in use here: then a guard may be dropped. */
  isReleasedByHand = false;
  /** In the order in which they came. */
  readonly readers = new Set<ReadGuard>();
  /** Readers are all told of an abandonment until a writer is; one warning of it is enough. */
  #isReaderWarned = false;

  constructor(core: ObjectCore) {
    this.core = core;
  }

  addReader(guard: ReadGuard): void {
    this.readers.add(asKnown(guard));
    this.#count();
  }

  removeReader(guard: ReadGuard): void {
    this.readers.delete(asKnown(guard));
    this.#count();
  }

  /** Keeps no guard from being collected that has been held for long. */
  loosen(): void {
    const readers = [...this.readers];
    // All of them anew, as their order counts.
    this.readers.clear();
    for (const share of readers) this.readers.add(isStandIn(share) ? share : share.standIn());
    if (this.writer !== null && !isStandIn(this.writer)) this.writer = this.writer.standIn();
  }

  setWriter(guard: WriteGuard | null): void {
    this.writer = guard;
    this.#count();
  }

  #count(): void {
    this.core.held = this.readers.size + (this.writer === null ? 0 : 1);
  }

  get isAllScoped(): boolean {
    for (const share of this.readers) if (!share.isScoped) return false;
    return this.writer?.isScoped ?? true;
  }

  /** Whether a `with()` that the caller is inside of holds either side, by another guard than `except`. */
  isHeldAround(except?: ReadGuard): boolean {
    for (const held of heldAround()) {
      const isSide = held instanceof ReadGuard || held instanceof WriteGuard;
      if (isSide && held.last !== except && !held.isOver && held.isOf(this.core)) return true;
    }
    return false;
  }

  /** Throws for a status. */
  act(action: number, units = 0): void {
    this.core.act(action, units);
  }

  /** For what is known to be held, where nobody could do anything about an error. */
  giveBack(action: number, units = 0): void {
    native.act(this.core.handle, action, units);
  }

  warn(isReader: boolean, abandoned: boolean, warns: boolean): void {
    const isNew = !(isReader && this.#isReaderWarned);
    this.#isReaderWarned = isReader && abandoned;
    if (!abandoned || !warns || !isNew) return;
    process.emitWarning(
      `${this.core.title} was abandoned: a writer died while it held. ` +
        'What the lock protects may be half done; this guard has `abandoned: true`.',
      { type: 'HoldfastWarning', code: 'HOLDFAST_ABANDONED' },
    );
  }
}

const holds = new WeakMap<ObjectCore, Holds>();

/** @internal */
export function holdsOf(core: ObjectCore): Holds {
  let known = holds.get(core);
  if (known === undefined) {
    const fresh = new Holds(core);
    known = fresh;
    holds.set(core, fresh);
    core.loosen = () => fresh.loosen();
    core.isAllScoped = () => fresh.isAllScoped;
  }
  return known;
}

/** What the guards of both sides have in common: how they end, and what they become. */
export abstract class SideGuard implements Disposable, AsyncDisposable {
  readonly #holds: Holds;
  readonly #taking: Taking;
  #next: ReadGuard | WriteGuard | null = null;

  /** @internal */
  constructor(holds: Holds, taking: Taking) {
    this.#holds = holds;
    this.#taking = taking;
  }

  /** Whether it is over: released, by whatever verb, or turned into the other side. */
  abstract get released(): boolean;

  /**
   * Gives the side back. Does not block.
   *
   * @throws NotHeldError `ERR_HOLDFAST_NOT_HELD`: it is over already
   */
  abstract release(): void;

  /** @internal */
  protected get holds(): Holds {
    return this.#holds;
  }

  /** @internal */
  protected get taking(): Taking {
    return this.#taking;
  }

  /** @internal It is released, and `guard` has its hold. */
  protected became<Guard extends ReadGuard | WriteGuard>(guard: Guard): Guard {
    this.#next = guard;
    return guard;
  }

  /** @internal Whether `release()` of the side may release it: no `with()` does. */
  get isBare(): boolean {
    return this.#taking.isBare;
  }

  /** @internal Its `with` runs in an async context of its own. */
  beScoped(): void {
    this.#taking.isScoped = true;
  }

  /** @internal */
  get isScoped(): boolean {
    return this.#taking.isScoped;
  }

  /** @internal */
  get title(): string {
    return this.#holds.core.title;
  }

  /** @internal Who calls `release()` of the side has dropped its guard on purpose. */
  get isHarmless(): boolean {
    return this.released || (this.isBare && this.#holds.isReleasedByHand);
  }

  /** @internal Also what it became. */
  get isOver(): boolean {
    return this.released && (this.#next?.isOver ?? true);
  }

  /** @internal What it became, by upgrades and downgrades; else itself. */
  get last(): SideGuard {
    return this.#next?.last ?? this;
  }

  /** @internal Whether it is a side of `core`; of what it became too. */
  isOf(core: ObjectCore): boolean {
    return this.#holds.core === core;
  }

  /** @internal Of what it became too. */
  endAll(): void {
    if (!this.released) this.release();
    else this.#next?.endAll();
  }

  /** @internal Releases, unless that is done already: `with` and the like, which call by no symbol. */
  dispose(): void {
    if (!this.released) this.release();
  }

  /** Releases, unless that is done already: for `using`. */
  [DISPOSE](): void {
    this.dispose();
  }

  /** Releases, unless that is done already: for `await using`. */
  async [ASYNC_DISPOSE](): Promise<void> {
    this.dispose();
  }
}

/**
 * One share of an `RWLock`'s read side. Made by its verbs only. Use it with `using` or `await using`, or call
 * `release()`; one that is dropped goes on holding until its thread ends, and is warned of as a `LockGuard` is.
 */
export class ReadGuard extends SideGuard {
  /**
   * Whether a writer died while it held, and no writer has been told since: what the lock protects may be half done.
   * Every reader is told, until a writer is, who can mend it.
   */
  readonly abandoned: boolean;

  /** @internal */
  constructor(holds: Holds, abandoned: boolean, taking: Taking) {
    super(holds, taking);
    this.abandoned = abandoned;
  }

  /** @internal What the thread is to know in its place: nothing else keeps this one from being collected. */
  standIn(): ReadGuard {
    const standIn = new ReadGuard(this.holds, this.abandoned, this.taking);
    replaceBy<ReadGuard>(this, standIn);
    return standIn;
  }

  /** Whether this share is over: released, by whatever verb, or turned into the write side. */
  override get released(): boolean {
    return !this.holds.readers.has(asKnown(this));
  }

  /**
   * Gives the share back. Does not block. An {@link upgrade} of it that still waits rejects with NotHeldError.
   *
   * @throws NotHeldError `ERR_HOLDFAST_NOT_HELD`: it is over already
   */
  override release(): void {
    if (this.released) throw releasedAlready(this.holds);
    this.taking.upgrade?.abort(
      new NotHeldError(`${this.holds.core.title}: the share was released before its upgrade`),
    );
    this.holds.act(Action.Release, Role.Read);
    this.holds.removeReader(this);
  }

  /**
   * Turns this share into the write side, without a writer in between. Waits, without blocking the event loop, for
   * the other readers to leave; nobody new comes in meanwhile, and it goes before all who wait. Until then the share
   * stays, also after a time-out or an abort.
   *
   * @param options - `timeout` in ms, `signal`
   * @returns the guard of the write side; this one is released
   * @throws DeadlockError `ERR_HOLDFAST_DEADLOCK`, at once: another reader is waiting for its upgrade. It waits for
   *   this share, and this one would wait for its: release, and take the write side (all of these as rejections)
   * @throws TimeoutError `ERR_HOLDFAST_TIMEOUT`
   * @throws NotHeldError `ERR_HOLDFAST_NOT_HELD`: it is over already, or was released while this waited
   * @throws ClosedError, UnlinkedError, RegionError
   * @throws TypeError `ERR_HOLDFAST_INVALID_ARGUMENT`
   */
  async upgrade(options?: AcquireOptions): Promise<WriteGuard> {
    checkAcquireOptions(options, 'upgrade()');
    const signal = options?.signal;
    if (signal?.aborted) throw signal.reason;
    if (this.released) throw releasedAlready(this.holds);
    if (this.taking.upgrade !== null) throw upgradeDeadlock(this.holds);
    const ending = new AbortController();
    const forward = { aborted: () => ending.abort(signal?.reason) };
    if (signal !== undefined) onAbort(signal, forward);
    this.taking.upgrade = ending;
    try {
      const claim = new UpgradeClaim(this.holds, this, this.taking);
      return this.became(
        await claimLater(this.holds.core, claim, {
          timeout: options?.timeout,
          signal: ending.signal,
        }),
      );
    } catch (error) {
      throw this.#explained(error);
    } finally {
      this.taking.upgrade = null;
      if (signal !== undefined) offAbort(signal, forward);
    }
  }

  /**
   * As {@link upgrade}, blocking this thread.
   *
   * @param options - `timeout` in ms
   * @throws DeadlockError `ERR_HOLDFAST_DEADLOCK`, at once: another reader is waiting for its upgrade, or this thread
   *   has other shares, which it could not release meanwhile
   * @throws TimeoutError, NotHeldError, ClosedError, UnlinkedError, RegionError
   * @throws TypeError `ERR_HOLDFAST_INVALID_ARGUMENT`
   */
  upgradeSync(options?: AcquireSyncOptions): WriteGuard {
    const timeoutMs = syncTimeout(options, 'upgradeSync()');
    if (this.released) throw releasedAlready(this.holds);
    try {
      const claim = new UpgradeClaim(this.holds, this, this.taking);
      return this.became(claimSync(this.holds.core, claim, timeoutMs));
    } catch (error) {
      throw this.#explained(error);
    }
  }

  #explained(error: unknown): unknown {
    const isNative = error instanceof DeadlockError && !worded.has(error);
    return isNative ? upgradeDeadlock(this.holds) : error;
  }
}

/**
 * The write side of an `RWLock`, held. Made by its verbs only. Use it with `using` or `await using`, or call
 * `release()`; one that is dropped goes on holding until its thread ends, and is warned of as a `LockGuard` is.
 */
export class WriteGuard extends SideGuard {
  /** The fencing token: grows with every acquisition of the write side, for the life of the shared memory. */
  readonly token: number;
  /** Whether a writer died while it held. One writer is told; readers are until then. */
  readonly abandoned: boolean;

  /** @internal */
  constructor(holds: Holds, abandoned: boolean, taking: Taking) {
    super(holds, taking);
    this.token = holds.core.tokens[1] as number;
    this.abandoned = abandoned;
  }

  /** @internal What the thread is to know in its place: nothing else keeps this one from being collected. */
  standIn(): WriteGuard {
    const standIn = new WriteGuard(this.holds, this.abandoned, this.taking);
    replaceBy<WriteGuard>(this, standIn);
    return standIn;
  }

  /** Whether it is over: released, by whatever verb, or turned into a share. */
  override get released(): boolean {
    return this.holds.writer !== asKnown(this);
  }

  /**
   * Gives the write side back, and lets in who is next. Does not block.
   *
   * @throws NotHeldError `ERR_HOLDFAST_NOT_HELD`: it is over already
   */
  override release(): void {
    if (this.released) throw releasedAlready(this.holds);
    this.holds.act(Action.Release, Role.Write);
    this.holds.setWriter(null);
  }

  /**
   * Releases what its taker never came to use: if it was abandoned, the next writer is told.
   *
   * @internal
   */
  giveBack(): void {
    if (this.released) return;
    if (this.abandoned) {
      this.holds.act(Action.ReleaseUntold);
      this.holds.setWriter(null);
    } else {
      this.release();
    }
  }

  /**
   * Turns the write side into a share, without a writer in between; readers at the head of the queue come in too.
   * Does not block.
   *
   * @returns the guard of the share; this one is released
   * @throws NotHeldError `ERR_HOLDFAST_NOT_HELD`: it is over already
   */
  downgrade(): ReadGuard {
    if (this.released) throw releasedAlready(this.holds);
    this.holds.act(Action.Downgrade);
    this.holds.setWriter(null);
    const guard = new ReadGuard(this.holds, this.abandoned, this.taking);
    this.holds.addReader(guard);
    notePlace(guard, here());
    return this.became(guard);
  }
}

function releasedAlready(holds: Holds): NotHeldError {
  return new NotHeldError(`cannot use this guard of ${holds.core.title}: it is released already`);
}

/** Those with words of their own; others come from the addon, and say less. */
const worded = new WeakSet<DeadlockError>();

function deadlock(holds: Holds, why: string): DeadlockError {
  const error = new DeadlockError(
    `${holds.core.title}: this thread would block itself for ever, as ${why}`,
  );
  worded.add(error);
  return error;
}

function refuseOtherRealms(holds: Holds): void {
  if (holds.core.heldByOtherRealms !== 0) throw deadlock(holds, `it ${HELD_BY_OTHER_REALM}`);
}

function upgradeDeadlock(holds: Holds): DeadlockError {
  return new DeadlockError(
    `${holds.core.title}: another reader is waiting for its upgrade, and for this share to go, so neither ` +
      'could ever go on: release the share, then acquire the write side',
  );
}

/** Of a wait from inside of a `with()`. */
function ownWait(holds: Holds, why: string): DeadlockError {
  const error = new DeadlockError(
    `${holds.core.title}: this would wait for ever, as ${why}; what shall go on after a with() is to be started ` +
      'outside of it',
  );
  worded.add(error);
  return error;
}

/** @internal */
export class ReadClaim implements Claim<ReadGuard> {
  readonly role = Role.Read;
  readonly units = 1;
  guard: ReadGuard | null = null;
  readonly #holds: Holds;
  readonly #taking: Taking;
  readonly #place = here();

  constructor(holds: Holds, taking: Taking) {
    this.#holds = holds;
    this.#taking = taking;
  }

  took(outcome: number): void {
    const abandoned = outcome === Outcome.TakenAbandoned;
    this.guard = new ReadGuard(this.#holds, abandoned, this.#taking);
    this.#holds.addReader(this.guard);
    notePlace(this.guard, this.#place);
    this.#holds.warn(true, abandoned, this.#taking.warns);
  }

  giveBack(outcome: number): void {
    if (outcome === Outcome.Taken || outcome === Outcome.TakenAbandoned) {
      this.#holds.giveBack(Action.Release, Role.Read);
    }
  }

  undo(): void {
    this.guard?.dispose();
  }

  refuseDeadlock(): void {
    const { writer, readers } = this.#holds;
    if (writer !== null) throw deadlock(this.#holds, 'it holds the write side');
    if (readers.size > 0) {
      throw deadlock(this.#holds, 'a writer waits first, for a share that this thread has already');
    }
    refuseOtherRealms(this.#holds);
  }

  refuseOwnWait(): void {
    if (!this.#holds.isHeldAround()) return;
    const isWritten = this.#holds.writer !== null;
    const why = isWritten
      ? 'holds the write side'
      : 'has a share already, for which a writer waits first';
    throw ownWait(this.#holds, `a with() that it is called from ${why}`);
  }
}

/** @internal */
export class WriteClaim implements Claim<WriteGuard> {
  readonly role: number = Role.Write;
  readonly units = 1;
  guard: WriteGuard | null = null;
  protected readonly holds: Holds;
  readonly #taking: Taking;
  readonly #place = here();

  constructor(holds: Holds, taking: Taking) {
    this.holds = holds;
    this.#taking = taking;
  }

  took(outcome: number): void {
    const abandoned = outcome === Outcome.TakenAbandoned;
    this.guard = new WriteGuard(this.holds, abandoned, this.#taking);
    this.holds.setWriter(this.guard);
    notePlace(this.guard, this.#place);
    this.holds.warn(false, abandoned, this.#taking.warns);
  }

  giveBack(outcome: number): void {
    if (outcome === Outcome.Taken) this.holds.giveBack(Action.Release, Role.Write);
    if (outcome === Outcome.TakenAbandoned) this.holds.giveBack(Action.ReleaseUntold);
  }

  undo(): void {
    const { guard } = this;
    if (guard === null || guard.released) return;
    this.giveBack(guard.abandoned ? Outcome.TakenAbandoned : Outcome.Taken);
    this.holds.setWriter(null);
  }

  refuseDeadlock(): void {
    const { writer, readers } = this.holds;
    if (writer !== null) throw deadlock(this.holds, 'it holds the write side');
    if (readers.size > 0) throw deadlock(this.holds, 'it holds a share');
    refuseOtherRealms(this.holds);
  }

  refuseOwnWait(): void {
    if (!this.holds.isHeldAround()) return;
    const side = this.holds.writer === null ? 'a share' : 'the write side';
    throw ownWait(this.holds, `a with() that it is called from holds ${side}`);
  }
}

class UpgradeClaim extends WriteClaim {
  override readonly role = Role.Upgrade;
  readonly #share: ReadGuard;

  constructor(holds: Holds, share: ReadGuard, taking: Taking) {
    super(holds, taking);
    this.#share = share;
  }

  override took(outcome: number): void {
    this.holds.removeReader(this.#share);
    super.took(outcome);
  }

  /** The share stays. */
  override giveBack(outcome: number): void {
    if (outcome === Outcome.Taken) this.holds.giveBack(Action.Downgrade);
    if (outcome === Outcome.TakenAbandoned) this.holds.giveBack(Action.DowngradeUntold);
  }

  override undo(): void {
    const { guard } = this;
    if (guard === null || guard.released) return;
    super.undo();
    this.holds.addReader(this.#share);
  }

  override refuseDeadlock(): void {
    if (this.holds.readers.size > 1) {
      throw deadlock(this.holds, 'it has other shares, which it could not release meanwhile');
    }
    refuseOtherRealms(this.holds);
  }

  override refuseOwnWait(): void {
    if (!this.holds.isHeldAround(this.#share)) return;
    throw ownWait(this.holds, 'a with() that it is called from holds another share');
  }
}
