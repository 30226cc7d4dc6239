/**
 * The objects beside the lock, as one thread has them open: an object's handle, and the waiters at it. Every wait
 * has a waiter of its own, and with it a ticket and a place in the object's queue: this thread's promises stand
 * there beside other threads, first come, first served.
 *
 * @internal
 */
import { ClosedError, HoldfastError, TimeoutError } from './errors.js';
import { UNLINKED } from './lock-word.js';
import type { LongWait } from './long-wait.js';
import { native, OrElse, Outcome, Status } from './native.js';
import { type RegionObject, register, unregister } from './region.js';
import { Request, type RequestOwner } from './request.js';
import { statusError } from './status.js';
import { setImmediate, setTimeout } from './timers.js';
import { type Watched, warnOfDeadlock, watch } from './watch.js';

/** What is wanted of an object, in its kind's words. */
export interface Want {
  readonly role: number;
  readonly units: number;
  /**
   * Gives back what an attempt got that nobody wants any more: its promise was aborted in the meantime. The core may
   * be about to close, so this goes to the addon itself.
   */
  giveBack(outcome: number): void;
  /** Before the first attempt: tells the addon what more there is to know. */
  prepare?(waiter: number): void;
  /**
   * What is wanted has just been had (`Taken`, `TakenAbandoned`): takes note of it, before anything else runs, so
   * that `held` is right even while a promise of it has yet to be looked at. Must not throw.
   */
  took?(outcome: number): void;
  /**
   * For what is held: throws where a wait that blocks this thread could never end. Where this is given, such a wait
   * goes before the waiting promises of this thread: what they got meanwhile, nobody could use or release.
   */
  refuseDeadlock?(): void;
}

/** How a wait may end early. */
export interface WaitOptions {
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
}

/** As many waiters as this stay open for the next waits. */
const MAX_IDLE = 64;

/** One waiter: at most one wait at a time. */
class Waiter implements RegionObject, RequestOwner<number> {
  readonly isHeld = false;
  readonly handle: number;
  readonly #object: ObjectCore;
  /** Of the promise that waits, or of the blocking wait. */
  #want: Want | null = null;
  #request: Request<number> | null = null;
  /** When the promise began to wait, among those of this core. */
  turn = 0;
  /** What its ticket may still be queued for, as the guard was not to be had: it is not used again before that is over. */
  #left: Want | null = null;
  /** The promise waits, and a blocking wait has taken its ticket out for now. */
  #isAside = false;

  constructor(object: ObjectCore, handle: number) {
    this.#object = object;
    this.handle = handle;
    register(handle, this);
  }

  get name(): string {
    return this.#object.name;
  }

  /** A promise of the outcome; `TimedOut` is one. Rejects with `signal.reason`, or an error. */
  wait(want: Want, options: WaitOptions): Promise<number> {
    return new Promise((resolve, reject) => {
      const request = new Request(this, { resolve, reject }, { ...options, warns: false });
      try {
        request.begin();
      } catch (error) {
        this.#object.takeBack(this);
        throw error;
      }
      this.#want = want;
      this.#request = request;
      want.prepare?.(this.handle);
      const outcome = native.attempt(this.handle, want.role, want.units, OrElse.Queue);
      if (outcome !== Outcome.Pending) this.ready(outcome);
    });
  }

  ready(outcome: number): void {
    const want = this.#want;
    if (outcome === Status.Corrupt) this.#left = want;
    const request = this.#end();
    if (request === null) {
      this.#interrupted(want, outcome);
    } else if (outcome < 0) {
      request.reject(this.#object.error(outcome));
    } else {
      request.resolve(outcome);
      if (!isTaken(outcome)) return;
      want?.took?.(outcome);
      this.#object.beWatched();
    }
  }

  /** A blocking wait that JavaScript was torn out of (`vm` with a time-out) has ended: nobody wants it. */
  #interrupted(want: Want | null, outcome: number): void {
    if (want === null) return;
    if (outcome >= 0 && outcome !== Outcome.Cancelled) want.giveBack(outcome);
    this.endSync();
  }

  /** A blocking wait is made by this waiter: from here to {@link endSync}. */
  beginSync(want: Want): void {
    this.#want = want;
    this.#object.blocking = this;
  }

  /** `outcome`: of the blocking wait, which is over. */
  endSync(outcome = 0): void {
    if (outcome === Status.Corrupt) this.#left = this.#want;
    this.#want = null;
    if (this.#object.blocking === this) this.#object.blocking = null;
    this.#object.takeBack(this);
  }

  get isLeft(): boolean {
    return this.#left !== null;
  }

  /** Takes the ticket out that was left in the queue. False: the guard is still not to be had. */
  withdrawLeft(): boolean {
    const want = this.#left;
    if (want === null || this.#object.endStatus !== 0) return true;
    const outcome = native.attempt(this.handle, want.role, want.units, OrElse.Cancel);
    if (outcome === Status.Corrupt) return false;
    if (outcome >= 0 && outcome !== Outcome.Cancelled) want.giveBack(outcome);
    this.#left = null;
    this.#object.takeBack(this);
    return true;
  }

  withdraw(): void {
    const want = this.#want as Want;
    this.#interrupted(want, native.attempt(this.handle, want.role, want.units, OrElse.Cancel));
  }

  /** Takes a waiting promise's ticket out of the queue; one that has its grant already is told. */
  standAside(): void {
    const want = this.#want;
    if (this.#request === null || want === null || this.#isAside) return;
    const outcome = native.attempt(this.handle, want.role, want.units, OrElse.Cancel);
    if (outcome === Outcome.Cancelled) this.#isAside = true;
    else this.ready(outcome);
  }

  get isAside(): boolean {
    return this.#isAside;
  }

  /** Whether its promise waits for what only this thread could give back. */
  get isForOwn(): boolean {
    if (this.#request === null) return false;
    try {
      this.#want?.refuseDeadlock?.();
      return false;
    } catch {
      return true;
    }
  }

  /** Ends that. */
  queueAgain(): void {
    const want = this.#want;
    if (!this.#isAside || want === null) return;
    this.#isAside = false;
    const outcome = native.attempt(this.handle, want.role, want.units, OrElse.Queue);
    if (outcome !== Outcome.Pending) this.ready(outcome);
  }

  expired(): void {
    const want = this.#want as Want;
    const outcome = native.attempt(this.handle, want.role, want.units, OrElse.Cancel);
    this.ready(outcome === Outcome.Cancelled ? Outcome.TimedOut : outcome);
  }

  aborted(request: Request<number>): void {
    const want = this.#want as Want;
    const outcome = native.attempt(this.handle, want.role, want.units, OrElse.Cancel);
    if (outcome >= 0 && outcome !== Outcome.Cancelled) want.giveBack(outcome);
    if (outcome === Status.Corrupt) this.#left = want;
    this.#end();
    request.reject(request.signal?.reason);
  }

  /** The object is over, for the reason `status`. */
  endWith(status: number): void {
    const want = this.#want;
    if (want !== null && status === Status.BadHandle) {
      const outcome = native.attempt(this.handle, want.role, want.units, OrElse.Cancel);
      if (outcome >= 0 && outcome !== Outcome.Cancelled) want.giveBack(outcome);
      // Unlinked, and closed before it was told: the first is the reason.
      if (outcome < 0) status = outcome;
    }
    this.#end(false)?.reject(this.#object.error(status));
    unregister(this.handle);
    native.close(this.handle);
  }

  /** The wait is over. The waiter is free for the next one. */
  #end(isReusable = true): Request<number> | null {
    const request = this.#request;
    if (request === null) return null;
    request.end();
    this.#request = null;
    this.#want = null;
    this.#isAside = false;
    if (isReusable) this.#object.takeBack(this);
    return request;
  }
}

/** Less than the time for which a guard that was not to be had is waited for but shortly (`kStuckForNs`). */
const AGAIN_MS = 500;

/** Their tickets may still be queued, at the head maybe, and hold up those behind. */
const left = new Set<Waiter>();

function withdrawLater(waiter: Waiter): void {
  if (left.size === 0) setTimeout(withdrawAllLeft, AGAIN_MS).unref();
  left.add(waiter);
}

function withdrawAllLeft(): void {
  const stuck = new Set<string>();
  for (const waiter of left) {
    if (stuck.has(waiter.name)) continue;
    if (waiter.withdrawLeft()) left.delete(waiter);
    else stuck.add(waiter.name);
  }
  if (left.size > 0) setTimeout(withdrawAllLeft, AGAIN_MS).unref();
}

function isTaken(outcome: number): boolean {
  return outcome === Outcome.Taken || outcome === Outcome.TakenAbandoned;
}

/** One object, as one thread has it open: shared by all instances of it in the thread. */
export class ObjectCore implements RegionObject, Watched {
  readonly name: string;
  readonly kindName: string;
  readonly handle: number;
  /** The object's first cache line: `words[0]` an event's flag, `tokens[1]` a fencing token. */
  readonly words: Int32Array;
  readonly tokens: Float64Array;
  /** Open instances in this thread. */
  instances = 0;
  #held = 0;
  /** How often that has changed. */
  #changes = 0;
  /** Set by the kind's class: keeps no guard from being collected that has been held for long. */
  loosen: (() => void) | null = null;
  /** Set by the kind's class: whether all that is held is held by `with()`s whose async contexts are known. */
  isAllScoped: (() => boolean) | null = null;
  #isWatched = false;
  /** What the last look saw: who waited for what this thread has, and after how many changes of that. */
  #seen: { turn: number; changes: number } | null = null;
  #isWarned = false;
  endStatus = 0;
  onEnd: (() => void) | null = null;
  /** Waits that last longer than until they are told; those of them that are free. */
  readonly longWaits = new Set<LongWait>();
  /**
   * The wait that blocks this thread. So whoever sees one has it before it that JavaScript was torn out (`vm` with a
   * time-out); the loop takes it out of the queue as well, at its next turn.
   */
  blocking: { withdraw(): void } | null = null;
  readonly spareWaits: LongWait[] = [];
  readonly #waiters = new Set<Waiter>();
  #idle: Waiter[] = [];
  #turns = 0;

  constructor(opened: { name: string; kindName: string; handle: number; memory: ArrayBuffer }) {
    this.name = opened.name;
    this.kindName = opened.kindName;
    this.handle = opened.handle;
    this.words = new Int32Array(opened.memory);
    this.tokens = new Float64Array(opened.memory);
  }

  /** The object as messages name it: `Semaphore "ports"`. */
  get title(): string {
    return `${this.kindName} ${JSON.stringify(this.name)}`;
  }

  /** What this thread holds of it: permits, shares. Kept by the kind's class. */
  get held(): number {
    return this.#held;
  }

  set held(held: number) {
    this.#held = held;
    this.#changes++;
    if (this.instances === 0) this.#endSoonIfOrphaned();
  }

  get isHeld(): boolean {
    return this.#held !== 0;
  }

  /** Whoever holds and does not release is looked at. */
  beWatched(): void {
    if (this.#isWatched || this.#held === 0) return;
    this.#isWatched = true;
    watch(this);
  }

  look(): boolean {
    this.loosen?.();
    const waiting = this.#isWarned || this.#held === 0 ? undefined : this.#waitingForOwn();
    this.#isWatched = waiting !== undefined;
    if (waiting === undefined) {
      this.#seen = null;
      return false;
    }
    const { turn } = waiting;
    const changes = this.#changes;
    if (this.#seen?.turn === turn && this.#seen.changes === changes && !this.isAllScoped?.()) {
      this.#isWarned = true;
      warnOfDeadlock(this.title);
    }
    this.#seen = { turn, changes };
    return true;
  }

  /** The first that waits for what only this thread could give back. */
  #waitingForOwn(): Waiter | undefined {
    let first: Waiter | undefined;
    for (const waiter of this.#waiters) {
      if ((first === undefined || waiter.turn < first.turn) && waiter.isForOwn) first = waiter;
    }
    return first;
  }

  /** One try. `Pending`: it is not to be had. */
  tryNow(want: Want): number {
    this.refuseEnded();
    const waiter = this.#waiter();
    want.prepare?.(waiter.handle);
    const outcome = native.attempt(waiter.handle, want.role, want.units, OrElse.Leave);
    this.takeBack(waiter);
    return this.#outcome(want, outcome);
  }

  #outcome(want: Want, outcome: number): number {
    if (outcome < 0) throw this.error(outcome);
    if (isTaken(outcome)) {
      want.took?.(outcome);
      this.beWatched();
    }
    return outcome;
  }

  /** Waits without blocking. `timeoutMs <= 0` is up to the caller: this waits for a moment then. */
  wait(want: Want, options: WaitOptions): Promise<number> {
    if (options.signal?.aborted) return Promise.reject(options.signal.reason);
    this.refuseEnded();
    const waiter = this.#waiter();
    waiter.turn = ++this.#turns;
    this.beWatched();
    return waiter.wait(want, options);
  }

  /** Blocks the thread. `TimedOut` is an outcome. */
  waitSync(want: Want, timeoutMs: number): number {
    this.refuseEnded();
    if (want.refuseDeadlock === undefined) return this.#block(want, timeoutMs);
    this.#standAside();
    try {
      want.refuseDeadlock();
      return this.#block(want, timeoutMs);
    } finally {
      this.#queueAgain();
    }
  }

  /** The waiting promises of this thread leave the queue; they come back behind, in their order. */
  #standAside(): void {
    if (this.#idle.length === this.#waiters.size) return;
    // Where JavaScript is torn out of the blocking wait, not even `finally` runs.
    setImmediate(() => this.#queueAgain());
    for (const waiter of this.#waiters) waiter.standAside();
  }

  #queueAgain(): void {
    if (this.#idle.length === this.#waiters.size) return;
    const aside = [...this.#waiters].filter((waiter) => waiter.isAside);
    aside.sort((a, b) => a.turn - b.turn);
    for (const waiter of aside) waiter.queueAgain();
  }

  #block(want: Want, timeoutMs: number): number {
    const waiter = this.#waiter();
    waiter.beginSync(want);
    want.prepare?.(waiter.handle);
    const deadlineMs = native.now() + timeoutMs;
    const outcome = native.attemptSync(waiter.handle, want.role, want.units, deadlineMs);
    waiter.endSync(outcome);
    return this.#outcome(want, outcome);
  }

  /** A change that never waits; throws for a negative status. */
  act(action: number, units = 0): number {
    this.refuseEnded();
    const result = native.act(this.handle, action, units);
    if (result < 0) throw this.error(result);
    return result;
  }

  ask(question: number): number {
    this.refuseOver();
    const answer = native.ask(this.handle, question);
    if (answer < 0) throw this.error(answer);
    return answer;
  }

  /** Of {@link held}, what other realms of this thread have: to be added to it where a wait blocks the thread. */
  get heldByOtherRealms(): number {
    return native.heldByOtherRealms(this.handle);
  }

  error(status: number): Error {
    if (status === Status.BadHandle) return new ClosedError(`${this.title} is closed`);
    return statusError(status, `cannot use ${this.title}`);
  }

  timedOut(timeoutMs: number): TimeoutError {
    return timeoutMs > 0
      ? new TimeoutError(`${this.title} was not to be had within ${timeoutMs} ms`)
      : new TimeoutError(`${this.title} is not to be had at once`);
  }

  /** Takes what JavaScript was torn out of out of the queue, before this thread waits again: it might be told first. */
  withdrawTorn(): void {
    const torn = this.blocking;
    this.blocking = null;
    torn?.withdraw();
  }

  #waiter(): Waiter {
    this.withdrawTorn();
    const idle = this.#idle.pop();
    if (idle !== undefined) return idle;
    const handle = native.openWaiter(this.handle);
    if (handle < 0) throw statusError(handle, `cannot wait for ${this.title}`, native.detail());
    const waiter = new Waiter(this, handle);
    this.#waiters.add(waiter);
    return waiter;
  }

  /** The waiter's wait is over. */
  takeBack(waiter: Waiter): void {
    if (waiter.isLeft) {
      withdrawLater(waiter);
      return;
    }
    if (this.instances === 0) this.#endSoonIfOrphaned();
    if (this.#idle.length < MAX_IDLE) {
      this.#idle.push(waiter);
      return;
    }
    this.#waiters.delete(waiter);
    waiter.endWith(Status.BadHandle);
  }

  /** Nothing waits at the object's own handle. */
  ready(): void {}

  refuseEnded(): void {
    if (this.endStatus !== 0) throw this.error(this.endStatus);
  }

  /** Also where somebody, anywhere, has unlinked it. For calls of the addon that do not look. */
  refuseOver(): void {
    this.refuseEnded();
    if ((Atomics.load(this.words, 0) & UNLINKED) !== 0) throw this.error(Status.Unlinked);
  }

  /** One instance less. The last one ends the core; not while this thread holds any of it. */
  closeInstance(): void {
    if (this.instances > 1) {
      this.instances--;
      return;
    }
    this.refuseHeld('close');
    this.instances = 0;
    this.endWith(Status.BadHandle);
  }

  refuseHeld(verb: string): void {
    if (!this.isHeld) return;
    throw new HoldfastError(
      `cannot ${verb} ${this.title} while this thread holds of it: release that first`,
      'ERR_HOLDFAST_HELD',
    );
  }

  /** An instance was garbage-collected. What is held or waits outlives it, until the thread ends. */
  loseInstance(): void {
    this.instances--;
    this.endIfOrphaned();
  }

  /** All instances were garbage-collected: closes as soon as nobody holds and nobody waits. */
  endIfOrphaned(): void {
    if (this.instances !== 0 || this.isHeld) return;
    const isIdle =
      this.#idle.length === this.#waiters.size && this.spareWaits.length === this.longWaits.size;
    if (isIdle) this.endWith(Status.BadHandle);
  }

  /** When what has just ended is taken note of: a wait may have become a hold, a share an upgrade. */
  #endSoonIfOrphaned(): void {
    void Promise.resolve().then(() => this.endIfOrphaned());
  }

  unlink(): void {
    this.refuseEnded();
    const status = native.unlink(this.handle);
    if (status < 0) throw statusError(status, `cannot unlink ${this.title}`, native.detail());
  }

  endWith(status: number): void {
    if (this.endStatus !== 0) return;
    this.endStatus = status;
    for (const wait of this.longWaits) wait.endWith(status);
    for (const waiter of this.#waiters) waiter.endWith(status);
    this.#waiters.clear();
    this.#idle = [];
    this.onEnd?.();
    unregister(this.handle);
    native.close(this.handle);
  }
}
