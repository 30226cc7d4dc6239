/** The semaphore: so many permits, among all threads of all processes. */
import {
  type AcquireOptions,
  type AcquireSyncOptions,
  checkAcquireOptions,
  checkBoolean,
  checkFunction,
  checkNoOptions,
  checkOptions,
  invalidRange,
  invalidType,
  shown,
  syncTimeout,
  WAITING_VERBS,
} from './arguments.js';
import { type Claim, claimLater, claimNow, claimSync } from './claim.js';
import { ASYNC_DISPOSE, DISPOSE } from './dispose.js';
import { DeadlockError, NotHeldError } from './errors.js';
import { EXISTING } from './exclusive.js';
import { here, type Leakable, notePlace, watchOver } from './leak.js';
import { type Settled, settled } from './lock.js';
import { Action, native, Outcome, Question, Status } from './native.js';
import { inForce } from './region.js';
import { heldAround, runInside } from './scope.js';
import { SharedObject } from './shared-object.js';
import { isTurnDue, turned } from './turn.js';
import type { ObjectCore } from './waiter.js';

/** Options of `new Semaphore()`. */
export interface SemaphoreOptions {
  /**
   * Whether permits belong to the thread that acquired them. Default `true`: that thread alone can release them, and
   * its death gives them back. `false`: a plain counter for signalling, which anybody may raise; a death gives
   * nothing back.
   */
  owned?: boolean | undefined;
}

/** Options of `Semaphore.with`. */
export interface SemaphoreWithOptions extends AcquireOptions {
  /** How many permits to hold. Default 1. */
  permits?: number | undefined;
}

/** Options of `Semaphore.withSync`. */
export interface SemaphoreWithSyncOptions extends AcquireSyncOptions {
  /** How many permits to hold. Default 1. */
  permits?: number | undefined;
}

const MAX_PERMITS = 2 ** 31 - 1;
const WITH_KEYS = ['permits', 'timeout', 'signal'];

/** The permits of one acquisition, owned: what its guard and its semaphore know of it. */
class Permits implements Leakable {
  readonly count: number;
  /** Of a bare acquire, and not of a `with()`. */
  readonly isBare: boolean;
  /** Given back, by the guard or by `release(n)`. */
  isOver = false;
  /** Of a `with()` that runs in an async context of its own. */
  isScoped = false;
  /** Until it has been held for long: see leak.ts. */
  guard: SemaphoreGuard | null = null;
  before: Permits | null = null;
  after: Permits | null = null;
  /** `null`: they are not owned. */
  readonly holdings: Holdings | null;

  constructor(holdings: Holdings | null, count: number, bare: boolean) {
    this.holdings = holdings;
    this.count = count;
    this.isBare = bare;
  }

  get title(): string {
    return this.holdings?.core.title ?? '';
  }

  get isHarmless(): boolean {
    return this.isOver || (this.isBare && this.holdings?.isReleasedByHand === true);
  }
}

/** Permits of guards that are not released, the oldest first. */
class PermitsList {
  head: Permits | null = null;
  #tail: Permits | null = null;

  push(permits: Permits): void {
    permits.before = this.#tail;
    if (this.#tail === null) this.head = permits;
    else this.#tail.after = permits;
    this.#tail = permits;
  }

  remove(permits: Permits): void {
    const { before, after } = permits;
    if (before === null) this.head = after;
    else before.after = after;
    if (after === null) this.#tail = before;
    else after.before = before;
    permits.before = null;
    permits.after = null;
  }

  loosen(): void {
    for (let permits = this.head; permits !== null; permits = permits.after) {
      if (permits.guard !== null) watchOver(permits.guard, permits);
      permits.guard = null;
    }
  }
}

/** What this thread holds of one owned semaphore, whichever instance it came by. */
class Holdings {
  readonly core: ObjectCore;
  /** Of bare acquires: what `release(n)` may give back. */
  readonly #bare = new PermitsList();
  /** Of `with()`s. */
  readonly #kept = new PermitsList();
  /** Whether that is in use here: then a guard may be dropped. */
  isReleasedByHand = false;
  /** As many permits are in there. */
  #inGuards = 0;
  /** Held still, of guards that `release(n)` has ended. */
  #rest = 0;

  constructor(core: ObjectCore) {
    this.core = core;
    core.loosen = () => this.loosen();
    core.isAllScoped = () => this.scoped === core.held;
  }

  /** As many are held by `with()`s that run in async contexts of their own. */
  scoped = 0;

  scope(permits: Permits): void {
    permits.isScoped = true;
    this.scoped += permits.count;
  }

  /** How many `release(n)` may give back. */
  get byHand(): number {
    return this.#inGuards + this.#rest;
  }

  add(permits: Permits): void {
    if (permits.isBare) {
      this.#bare.push(permits);
      this.#inGuards += permits.count;
    } else {
      this.#kept.push(permits);
    }
  }

  remove(permits: Permits): void {
    if (permits.isBare) {
      this.#bare.remove(permits);
      this.#inGuards -= permits.count;
    } else {
      this.#kept.remove(permits);
    }
    if (permits.isScoped) this.scoped -= permits.count;
    permits.isScoped = false;
  }

  loosen(): void {
    this.#bare.loosen();
    this.#kept.loosen();
  }

  /** `n` were given back by hand: the oldest guards end, as many as it takes. */
  end(n: number): void {
    this.#rest -= n;
    for (let { head } = this.#bare; head !== null && this.#rest < 0; { head } = this.#bare) {
      head.isOver = true;
      this.remove(head);
      this.#rest += head.count;
    }
  }
}

const holdings = new WeakMap<ObjectCore, Holdings>();

function holdingsOf(core: ObjectCore): Holdings {
  let known = holdings.get(core);
  if (known === undefined) {
    known = new Holdings(core);
    holdings.set(core, known);
  }
  return known;
}

/**
 * One acquisition from a {@link Semaphore}. Made by its verbs only. Use it with `using` or `await using`, or call
 * `release()`; one that is dropped goes on holding until its thread ends, and is warned of as a `LockGuard` is.
 */
export class SemaphoreGuard implements Disposable, AsyncDisposable {
  /** How many permits it stands for. */
  readonly permits: number;
  readonly #core: ObjectCore;
  readonly #own: Permits;

  /** @internal */
  constructor(core: ObjectCore, own: Permits) {
    this.#core = core;
    this.permits = own.count;
    this.#own = own;
  }

  /**
   * Whether this acquisition is over: by `release()` here, or, with owned permits of a bare acquire, because
   * `release(n)` of the semaphore has ended it.
   */
  get released(): boolean {
    return this.#own.isOver;
  }

  /**
   * Gives its permits back, and wakes who waits for them. Does not block.
   *
   * @throws NotHeldError `ERR_HOLDFAST_NOT_HELD`: they are released already
   * @throws RangeError `ERR_HOLDFAST_INVALID_ARGUMENT`: not owned, and others have released up to 2^31-1
   * @throws ClosedError `ERR_HOLDFAST_CLOSED`: not owned, and the semaphore was closed meanwhile
   */
  release(): void {
    if (this.released) {
      throw new NotHeldError(`cannot release ${this.#core.title}: this guard is released already`);
    }
    const { holdings } = this.#own;
    giveBack(this.#core, this.permits, holdings !== null);
    this.#own.isOver = true;
    holdings?.remove(this.#own);
  }

  /** @internal */
  get isOver(): boolean {
    return this.#own.isOver;
  }

  /** @internal How many permits of `core` it stands for. */
  permitsOf(core: ObjectCore): number {
    return this.#core === core && !this.#own.isOver ? this.permits : 0;
  }

  /** @internal Its `with` runs in an async context of its own. */
  beScoped(): void {
    this.#own.holdings?.scope(this.#own);
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

function giveBack(core: ObjectCore, permits: number, isOwned: boolean): void {
  core.refuseEnded();
  const status = native.act(core.handle, Action.Release, permits);
  if (status === Status.NotOwner) {
    throw new NotHeldError(
      `cannot release ${permits} of ${core.title}: this thread holds ${core.held}`,
    );
  }
  if (status === Status.Full) {
    throw invalidRange(
      `cannot release ${permits} of ${core.title}: it would have more than ${MAX_PERMITS} permits`,
    );
  }
  if (status < 0) throw core.error(status);
  if (isOwned) core.held -= permits;
}

/** For `release(n)` of more than bare acquires took. */
function notHeld(core: ObjectCore, n: number, byHand: number): NotHeldError {
  const doing = `cannot release ${n} of ${core.title}`;
  if (core.held === byHand) return new NotHeldError(`${doing}: this thread holds ${byHand}`);
  return new NotHeldError(
    `${doing}: this thread holds ${core.held}, of which ${core.held - byHand} by a with(), which releases them ` +
      'at its end; to release them earlier, use its guard',
  );
}

/** How many permits are acquired, and how. */
interface Wanted {
  readonly units: number;
  /** For a bare acquire, and not for a `with()`. */
  readonly isBare: boolean;
  /** `null`: the semaphore is not owned. */
  readonly holdings: Holdings | null;
}

class PermitClaim implements Claim<SemaphoreGuard> {
  readonly role = 0;
  readonly units: number;
  guard: SemaphoreGuard | null = null;
  readonly #core: ObjectCore;
  readonly #semaphore: Semaphore;
  readonly #holdings: Holdings | null;
  readonly #isBare: boolean;
  readonly #place = here();

  constructor(core: ObjectCore, semaphore: Semaphore, wanted: Wanted) {
    this.#core = core;
    this.#semaphore = semaphore;
    this.units = wanted.units;
    this.#isBare = wanted.isBare;
    this.#holdings = wanted.holdings;
  }

  took(): void {
    const holdings = this.#holdings;
    const own = new Permits(holdings, this.units, this.#isBare);
    this.guard = new SemaphoreGuard(this.#core, own);
    if (holdings === null) return;
    this.#core.held += this.units;
    holdings.add(own);
    own.guard = this.guard;
    notePlace(this.guard, this.#place);
  }

  giveBack(outcome: number): void {
    if (outcome === Outcome.Taken) native.act(this.#core.handle, Action.Release, this.units);
  }

  undo(): void {
    try {
      this.guard?.dispose();
    } catch {
      // Closed in the same breath, or no room for permits that are not owned: there is nobody to give them to.
    }
  }

  refuseDeadlock(): void {
    const { permits, owned } = this.#semaphore;
    if (!owned) return;
    const held = this.#core.held + this.#core.heldByOtherRealms;
    if (this.units <= permits - held) return;
    throw new DeadlockError(
      `${this.#core.title} has ${permits} permits, of which this thread holds ${held}: ` +
        `it would block itself for ever if it waited for ${this.units}`,
    );
  }

  refuseOwnWait(): void {
    const { permits, owned } = this.#semaphore;
    if (!owned) return;
    let around = 0;
    for (const held of heldAround()) {
      if (held instanceof SemaphoreGuard) around += held.permitsOf(this.#core);
    }
    if (this.units <= permits - around) return;
    throw new DeadlockError(
      `${this.#core.title} has ${permits} permits, of which ${around} are held by with()s that this is called from: ` +
        `it would wait for ${this.units} for ever; what shall go on after a with() is to be started outside of it`,
    );
  }
}

/**
 * So many permits, which processes and worker threads of one machine share by its name, and which a death cannot keep:
 * what a dead process had acquired is free again at once.
 *
 * It is as `multiprocessing.BoundedSemaphore` of Python, with these differences: permits are owned, so only the thread
 * that acquired can release; several can be acquired in one step; the verbs without `Sync` do not block. With
 * `owned: false` it is as `multiprocessing.Semaphore`: a counter that anybody may raise.
 *
 * First come, first served, whoever waits: a promise, a blocked thread, another process. Who waits for several permits
 * is not overtaken by those who want fewer. Only a blocking wait goes before the waiting promises of its own thread,
 * which could not run anyway; those queue up again behind.
 *
 * @example
 * ```ts
 * const downloads = new Semaphore('downloads', 3);
 * await downloads.with(() => fetch(url)); // at most 3 at once, in all processes
 * ```
 */
export class Semaphore extends SharedObject<'Semaphore'> {
  /** How many permits it was made with. */
  readonly permits: number;
  /** Whether permits belong to the thread that acquired them. */
  readonly owned: boolean;
  /** Whether a `with()` has an async context of its own, from which deadlocks are seen. */
  readonly #detects: boolean;
  readonly #holdings: Holdings | null;

  /**
   * Opens the semaphore of that name, and makes it where there is none. Does not wait for anybody.
   *
   * @param name - 1 to 255 bytes of UTF-8 without NUL; without one (`undefined`) a unique name is made
   * @param permits - 0 to 2^31-1: how many there are, or are at first if they are not owned
   * @throws HoldfastError `ERR_HOLDFAST_OTHER_PARAMETERS`: it exists with other permits, or another `owned`
   * @throws HoldfastError `ERR_HOLDFAST_KIND_MISMATCH`: the name belongs to something else
   * @throws RegionError the shared memory cannot be used: see its codes
   * @throws TypeError, RangeError `ERR_HOLDFAST_INVALID_ARGUMENT`
   */
  constructor(name?: string, permits = 1, options?: SemaphoreOptions) {
    checkOptions(options, ['owned'], 'new Semaphore()');
    const owned = options?.owned ?? true;
    checkBoolean(owned, '"owned"');
    checkCount(permits, 0, MAX_PERMITS, '"permits" of new Semaphore()');
    super('Semaphore', name, { first: permits, second: owned ? 1 : 0, describe }, options);
    const exists = options !== undefined && EXISTING in options;
    this.permits = exists ? this.core.ask(Question.First) : permits;
    this.owned = exists ? this.core.ask(Question.Second) !== 0 : owned;
    this.#holdings = this.owned ? holdingsOf(this.core) : null;
    this.#detects = this.owned && inForce().detectDeadlocks;
  }

  /**
   * How many permits nobody has, at this moment, in any process.
   *
   * @throws ClosedError, UnlinkedError
   */
  get available(): number {
    return this.core.ask(Question.Value);
  }

  /**
   * Waits for permits without blocking the event loop, which stays alive meanwhile.
   *
   * @param n - how many, all in one step: 1 to {@link permits}, or to 2^31-1 if they are not owned. Default 1
   * @param options - `timeout` in ms, `signal`; an abort rejects with `signal.reason`
   * @returns the guard, to be released by the caller
   * @throws TimeoutError `ERR_HOLDFAST_TIMEOUT` (all of these as rejections)
   * @throws ClosedError, UnlinkedError, RegionError
   * @throws TypeError, RangeError `ERR_HOLDFAST_INVALID_ARGUMENT`
   */
  acquire(n?: number, options?: AcquireOptions): Promise<SemaphoreGuard>;
  acquire(options?: AcquireOptions): Promise<SemaphoreGuard>;
  // Not an async function, as in RWLock: of two promises the outer one waits three microtasks for the inner one.
  acquire(first?: number | AcquireOptions, second?: AcquireOptions): Promise<SemaphoreGuard> {
    try {
      const { n, options } = this.#asked(first, second, 'acquire()');
      checkAcquireOptions(options, 'acquire()');
      return this.#acquire(n, true, options);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #acquire(
    n: number,
    isBare: boolean,
    options: AcquireOptions | undefined,
  ): Promise<SemaphoreGuard> {
    if (isTurnDue()) return turned().then(() => this.#claimLater(n, isBare, options));
    return this.#claimLater(n, isBare, options);
  }

  #claimLater(
    n: number,
    isBare: boolean,
    options: AcquireOptions | undefined,
  ): Promise<SemaphoreGuard> {
    return claimLater(this.core, this.#claim(n, isBare), options);
  }

  /**
   * Waits for permits and blocks this thread until then.
   *
   * @param n - as in {@link acquire}
   * @param options - `timeout` in ms
   * @throws TimeoutError `ERR_HOLDFAST_TIMEOUT`
   * @throws DeadlockError `ERR_HOLDFAST_DEADLOCK`, at once: so many are this thread's own that the rest can never be
   *   enough
   * @throws ClosedError, UnlinkedError, RegionError
   * @throws TypeError, RangeError `ERR_HOLDFAST_INVALID_ARGUMENT`
   */
  acquireSync(n?: number, options?: AcquireSyncOptions): SemaphoreGuard;
  acquireSync(options?: AcquireSyncOptions): SemaphoreGuard;
  acquireSync(first?: number | AcquireSyncOptions, second?: AcquireSyncOptions): SemaphoreGuard {
    const { n, options } = this.#asked(first, second, 'acquireSync()');
    const timeoutMs = syncTimeout(options, 'acquireSync()');
    return claimSync(this.core, this.#claim(n, true), timeoutMs);
  }

  /**
   * Tries once, and never waits.
   *
   * @param n - as in {@link acquire}
   * @returns the guard, or `null`: there are too few, or others wait for them
   * @throws ClosedError, UnlinkedError, RegionError
   * @throws TypeError, RangeError `ERR_HOLDFAST_INVALID_ARGUMENT`
   */
  tryAcquire(n = 1, options?: never): SemaphoreGuard | null {
    const given: unknown = typeof n === 'object' && n !== null ? n : options;
    if (given !== undefined) checkNoOptions(given, 'tryAcquire()', WAITING_VERBS);
    this.#checkWanted(n, 'tryAcquire()');
    return claimNow(this.core, this.#claim(n, true));
  }

  /**
   * Holds permits while `fn` works, and until the promise that it returns is settled. Waits as {@link acquire} does.
   *
   * @param fn - gets the guard; it may release it early
   * @param options - `permits` (default 1), `timeout` in ms, `signal`
   * @returns what `fn` returns
   * @throws DeadlockError `ERR_HOLDFAST_DEADLOCK`: called, without a time-out, from inside of `with`s that hold too many
   *   for this to be had, as `Lock.with` detects it
   * @throws what `fn` throws, or what {@link acquire} throws; all as rejections
   */
  async with<T>(
    fn: (guard: SemaphoreGuard) => T | PromiseLike<T>,
    options?: SemaphoreWithOptions,
  ): Promise<T> {
    checkFunction(fn, 'with()');
    const { n, rest } = this.#withOptions(options, 'with()');
    checkAcquireOptions(rest, 'with()');
    const guard = await this.#acquire(n, false, rest);
    try {
      if (!this.#detects) return await fn(guard);
      guard.beScoped();
      return await runInside(guard, fn, guard);
    } finally {
      guard.dispose();
    }
  }

  /**
   * Holds permits while `fn` works. Blocks as {@link acquireSync} does.
   *
   * @param fn - gets the guard; it may release it early
   * @param options - `permits` (default 1), `timeout` in ms
   * @returns what `fn` returns
   * @throws what `fn` throws, or what {@link acquireSync} throws
   * @throws TypeError `ERR_HOLDFAST_INVALID_ARGUMENT`: `fn` returned a promise; use {@link with}
   */
  withSync<T>(
    fn: (guard: SemaphoreGuard) => T & Settled<T>,
    options?: SemaphoreWithSyncOptions,
  ): T {
    checkFunction(fn, 'withSync()');
    const { n, rest } = this.#withOptions(options, 'withSync()');
    const guard = claimSync(this.core, this.#claim(n, false), syncTimeout(rest, 'withSync()'));
    try {
      return settled(fn(guard));
    } finally {
      guard.dispose();
    }
  }

  /**
   * Gives permits back without a guard at hand, and wakes who waits for them. Does not block.
   *
   * If they are owned, those that `acquire`, `acquireSync` and `tryAcquire` took in this thread, the oldest first: as
   * many of those guards end as it takes. What is left of the last one's permits is given back by the next `release`.
   * The permits of a `with` are its own.
   *
   * @param n - how many. Default 1
   * @throws NotHeldError `ERR_HOLDFAST_NOT_HELD`: this thread took fewer so, and nothing changes
   * @throws RangeError `ERR_HOLDFAST_INVALID_ARGUMENT`: not owned, and there would be more than 2^31-1; nothing changes
   * @throws ClosedError, UnlinkedError
   */
  release(n = 1): void {
    checkCount(n, 1, MAX_PERMITS, 'release()');
    const { core } = this;
    const own = this.#holdings;
    if (own === null) {
      giveBack(core, n, false);
      return;
    }
    own.isReleasedByHand = true;
    if (own.byHand < n) {
      core.refuseOver();
      throw notHeld(core, n, own.byHand);
    }
    giveBack(core, n, true);
    own.end(n);
  }

  /** @internal */
  protected override state(): string {
    return `${this.available} of ${this.permits} available`;
  }

  #claim(units: number, isBare: boolean): PermitClaim {
    return new PermitClaim(this.core, this, { units, isBare, holdings: this.#holdings });
  }

  #asked<Options extends object>(
    first: number | Options | undefined,
    second: Options | undefined,
    where: string,
  ): { n: number; options: Options | undefined } {
    const isShort = typeof first === 'object' && first !== null && second === undefined;
    const n = isShort || first === undefined ? 1 : first;
    this.#checkWanted(n, where);
    return { n, options: isShort ? first : second };
  }

  #withOptions<Options extends { permits?: number | undefined }>(
    options: Options | undefined,
    where: string,
  ): { n: number; rest: Omit<Options, 'permits'> | undefined } {
    if (options === undefined) {
      this.#checkWanted(1, where);
      return { n: 1, rest: undefined };
    }
    checkOptions(options, WITH_KEYS, where);
    const { permits: n = 1, ...rest } = options;
    this.#checkWanted(n, `"permits" of ${where}`);
    return { n, rest };
  }

  #checkWanted(n: unknown, what: string): asserts n is number {
    checkCount(n, 1, MAX_PERMITS, what);
    if (!this.owned || n <= this.permits) return;
    throw invalidRange(
      `${what}: ${n} permits can never be had, as Semaphore ${JSON.stringify(this.name)} has ` +
        `${this.permits}`,
    );
  }
}

/** In an error: what two processes made of one name. */
function describe(permits: number, owned: number): string {
  const count = permits === 1 ? '1 permit' : `${permits} permits`;
  return owned === 0 ? `${count}, not owned` : `${count}, owned`;
}

function checkCount(
  value: unknown,
  least: number,
  most: number,
  what: string,
): asserts value is number {
  if (typeof value !== 'number') {
    throw invalidType(`${what} must be a number of permits, not ${shown(value)}`);
  }
  if (!Number.isInteger(value) || value < least || value > most) {
    throw invalidRange(`${what} must be a whole number from ${least} to ${most}, not ${value}`);
  }
}
