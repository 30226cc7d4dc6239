/**
 * The one state behind all instances of one lock in one thread: who holds it here, who waits here.
 *
 * To the other agents (threads, of this and other processes) this thread is one agent: it owns the
 * lock or not, and has one place in the queue, its ticket. Inside, requests of this thread's
 * promises stand in a FIFO, and a release passes the lock to the first of them without a word to
 * anybody, as waking another event loop costs about 1000 times as much as a lock. `mayPassOn` has
 * the bounds of that.
 *
 * Invariants:
 * - C1: `guard !== null` if and only if the word names this agent, outside of the calls here.
 * - C2: nobody holds and somebody waits here => this agent has a ticket, or a turn is awaited.
 * - C3: a ticket => somebody waits here. So the fast path, which a ticket forbids, need only see
 *   that `gate` is 0.
 *
 * @internal
 */
import type { AcquireOptions } from './arguments.js';
import { ClosedError, DeadlockError, HoldfastError, TimeoutError } from './errors.js';
import { LockGuard } from './guard.js';
import { isTakeable, OWNER, STARVING, WAITERS, WAITERS_AWAKE } from './lock-word.js';
import { native, Outcome, Status } from './native.js';
import { type RegionObject, unregister } from './region.js';
import { Fifo, Request, type RequestOwner } from './request.js';
import { statusError } from './status.js';
import { afterTurn, isTurnUsedUp, type Passer } from './turn.js';

/** How long a thread may keep for itself a lock that other threads wait for. */
const TENURE_MS = 1;

/** Bits of {@link LockCore.gate}. */
const Gate = {
  /** Somebody of this thread waits. */
  Queue: 1,
  /** This tenure's `contendedSinceMs` is set, and must be forgotten with the tenure. */
  Contended: 2,
  /** All instances were garbage-collected: close as soon as nobody holds and nobody waits. */
  Orphan: 4,
  /** `endStatus` says why this core can do nothing any more. */
  Ended: 8,
} as const;

/** Ways of `native.lockRelease`. */
const Release = {
  /** Wakes the head of the object's queue; whoever runs may be faster. */
  Plain: 0,
  /** Hands over to the head outright. */
  Fair: 1,
  /** It was taken abandoned, and nobody was told: the next owner is. */
  Untold: 2,
} as const;

/** Where and as what a core's object was opened. */
export interface Opened {
  readonly name: string;
  /** As the class is called: `Lock`. */
  readonly kindName: string;
  readonly handle: number;
  /** This thread's slot: what the word names it by. */
  readonly agent: number;
  readonly memory: ArrayBuffer;
}

export class LockCore implements RegionObject, RequestOwner<LockGuard>, Passer {
  // Plain fields, as all of this is internal: the hot ones first, to share a cache line.

  /** 0: nothing special, both fast paths are open. */
  gate = 0;
  /** The current guard, while this thread holds. */
  guard: LockGuard | null = null;
  readonly agent: number;
  /** `[0]` the lock word, `[1]` an RLock's depth. */
  readonly words: Int32Array;
  /** `[1]` the fencing token. */
  readonly tokens: Float64Array;

  readonly name: string;
  readonly kindName: string;
  readonly handle: number;
  /** Open `Lock` objects in this thread. */
  instances = 0;
  readonly queue = new Fifo<LockGuard>();
  /** Whether this agent stands in the object's queue, in async mode. */
  hasTicket = false;
  /** When this tenure was first seen to be contended; 0: not yet. */
  contendedSinceMs = 0;
  endStatus = 0;
  /** Called once, when the last instance is closed. */
  onEnd: (() => void) | null = null;

  constructor(opened: Opened) {
    this.name = opened.name;
    this.kindName = opened.kindName;
    this.handle = opened.handle;
    this.agent = opened.agent;
    this.words = new Int32Array(opened.memory);
    this.tokens = new Float64Array(opened.memory);
  }

  // ---- the fast paths: no closures, no options, no calls into the addon ----

  /** One try by one or two swaps. `null` says only that this was not the way. */
  take(): LockGuard | null {
    if (this.gate !== 0) return null;
    const seen = Atomics.compareExchange(this.words, 0, 0, this.agent);
    if (seen !== 0 && !this.takeBeside(seen)) return null;
    return this.admit(false, false);
  }

  private takeBeside(seen: number): boolean {
    return (
      isTakeable(seen) && Atomics.compareExchange(this.words, 0, seen, seen | this.agent) === seen
    );
  }

  /** The word names this agent now, by whatever way: counts the token up, makes the guard. */
  admit(abandoned: boolean, _byPromise: boolean): LockGuard {
    const guard = new LockGuard(this, this.nextToken(), abandoned);
    this.guard = guard;
    return guard;
  }

  nextToken(): number {
    const tokens = this.tokens;
    const token = (tokens[1] as number) + 1;
    tokens[1] = token;
    return token;
  }

  /** The holder is done: `guard` is `null` again, the word still names this agent. */
  leave(): void {
    const agent = this.agent;
    if (this.gate !== 0) this.leaveGated();
    else if (Atomics.compareExchange(this.words, 0, agent, 0) !== agent) this.free();
  }

  // ---- the verbs' slow paths ----

  /** One try by every way. Never waits. */
  tryAcquire(warns: boolean): LockGuard | null {
    const guard = this.take();
    if (guard !== null) return guard;
    this.refuseEnded();
    // Those who wait here came first. And a ticket must not be overtaken by its own agent.
    if (this.guard !== null || this.queue.head !== null) return null;
    return this.taken(native.lockTry(this.handle), warns);
  }

  /** Blocks the thread. Its waiting promises lend their ticket: they cannot run meanwhile. */
  acquireSync(timeoutMs: number, warns: boolean): LockGuard {
    const guard = timeoutMs > 0 ? this.take() : this.tryAcquire(warns);
    if (guard !== null) return guard;
    if (timeoutMs <= 0) throw this.timedOut(timeoutMs);
    this.refuseEnded();
    if (this.guard !== null) {
      throw new DeadlockError(
        `${this.title} is held by this thread, which would block itself for ever`,
      );
    }
    const deadlineMs = native.now() + timeoutMs;
    const keepTicket = this.queue.head !== null;
    for (;;) {
      // Returns every 60 ms or so, for a worker that is terminated: JS is where that takes effect.
      const outcome = native.lockAcquireSync(this.handle, deadlineMs, keepTicket);
      if (outcome === Outcome.Pending) continue;
      this.hasTicket = outcome === Outcome.TimedOut && keepTicket;
      if (outcome === Outcome.TimedOut) throw this.timedOut(timeoutMs);
      if (outcome < 0) this.deliver(outcome);
      const taken = this.taken(outcome, warns);
      if (taken !== null) return taken;
    }
  }

  /** A promise of the lock. Errors, bad ones included, come as rejections. */
  acquire(options: AcquireOptions | undefined, warns: boolean): Promise<LockGuard> {
    const timeoutMs = options?.timeout ?? Number.POSITIVE_INFINITY;
    const signal = options?.signal;
    if (signal?.aborted) return Promise.reject(signal.reason);
    try {
      const guard = timeoutMs > 0 ? this.take() : this.tryAcquire(warns);
      if (guard !== null) return Promise.resolve(guard);
      if (timeoutMs <= 0) throw this.timedOut(timeoutMs);
      this.refuseEnded();
    } catch (error) {
      return Promise.reject(error);
    }
    return new Promise((resolve, reject) => {
      const request = new Request(this, { resolve, reject }, { timeoutMs, signal, warns });
      this.queue.push(request);
      this.gate |= Gate.Queue;
      this.pump();
    });
  }

  // ---- the requests of this thread ----

  /** Sees to it that the head of the queue gets its turn. Harmless at any time. */
  private pump(): void {
    if (this.guard !== null || this.hasTicket || this.queue.head === null) return;
    const outcome = native.lockWait(this.handle);
    if (outcome === Outcome.Pending) this.hasTicket = true;
    else this.deliver(outcome);
  }

  passOnAfterTurn(): void {
    this.pump();
    this.endIfOrphaned();
  }

  ready(outcome: number): void {
    this.hasTicket = false;
    this.deliver(outcome);
    this.endIfOrphaned();
  }

  /** This agent's wait is over: its ticket is gone, and the outcome goes to the head. */
  private deliver(outcome: number): void {
    const { head } = this.queue;
    if (outcome < 0) this.rejectAll(() => statusError(outcome, `cannot acquire ${this.title}`));
    else if (head === null) this.giveBack(outcome);
    else this.grant(head, outcome === Outcome.TakenAbandoned);
  }

  private grant(request: Request<LockGuard>, abandoned: boolean): void {
    this.remove(request);
    const guard = this.admit(abandoned, true);
    if (abandoned && request.warns) this.warnAbandoned();
    request.resolve(guard);
  }

  private remove(request: Request<LockGuard>): void {
    this.queue.remove(request);
    if (this.queue.head === null) this.gate &= ~Gate.Queue;
  }

  private rejectAll(error: () => Error): void {
    for (let { head } = this.queue; head !== null; head = this.queue.head) {
      this.remove(head);
      head.reject(error());
    }
  }

  /** A request's time is up. The head gets a last look: if it is granted by now, it has it. */
  expired(request: Request<LockGuard>): void {
    if (request === this.queue.head && this.guard === null) {
      const outcome = this.lastLook(request);
      if (outcome === Outcome.Taken || outcome === Outcome.TakenAbandoned || outcome < 0) {
        this.hasTicket = false;
        this.deliver(outcome);
        return;
      }
    }
    this.remove(request);
    request.reject(this.timedOut(request.timeoutMs));
    this.endIfOrphaned();
  }

  private lastLook(head: Request<LockGuard>): number {
    if (!this.hasTicket) return native.lockTry(this.handle);
    if (head.after !== null) {
      // Others wait behind it: their place in the object's queue is this ticket.
      return native.lockAcquireSync(this.handle, native.now(), true);
    }
    this.hasTicket = false;
    return native.lockCancel(this.handle);
  }

  aborted(request: Request<LockGuard>): void {
    this.remove(request);
    request.reject(request.signal?.reason);
    if (this.queue.head === null) this.dropTicket();
    this.endIfOrphaned();
  }

  private dropTicket(): void {
    if (!this.hasTicket) return;
    this.hasTicket = false;
    this.giveBack(native.lockCancel(this.handle));
  }

  // ---- freeing the word ----

  /** A release while somebody of this thread waits, or something else is special. */
  private leaveGated(): void {
    const { head } = this.queue;
    if (head === null) {
      this.endTenure();
      this.free();
      this.endIfOrphaned();
      return;
    }
    const word = Atomics.load(this.words, 0);
    const nowMs = native.now();
    const isTurnOver = isTurnUsedUp(nowMs);
    if (!isTurnOver && this.mayPassOn(word, nowMs)) {
      this.grant(head, false);
      return;
    }
    this.endTenure();
    try {
      if ((word & WAITERS) === 0) this.free();
      else this.freeNatively(Release.Fair);
    } catch (error) {
      this.rejectAll(() => statusError(Status.Corrupt, `cannot acquire ${this.title}`));
      throw error;
    }
    // With a ticket the next look comes by way of the event loop anyway.
    if ((word & WAITERS) === 0) afterTurn(this);
    else this.pump();
  }

  /** Whether the lock may stay in this thread although other agents wait for it, if any do. */
  private mayPassOn(word: number, nowMs: number): boolean {
    if ((word & STARVING) !== 0) return false;
    if ((word & WAITERS) === 0) return true;
    if (this.contendedSinceMs === 0) {
      this.contendedSinceMs = nowMs;
      this.gate |= Gate.Contended;
    }
    return nowMs - this.contendedSinceMs < TENURE_MS;
  }

  private endTenure(): void {
    this.contendedSinceMs = 0;
    this.gate &= ~Gate.Contended;
  }

  /** Frees the word, from whatever flags stand beside this agent. */
  private free(): void {
    const { agent, words } = this;
    if (Atomics.compareExchange(words, 0, agent, 0) === agent) return;
    const awake = agent | WAITERS_AWAKE;
    if (Atomics.compareExchange(words, 0, awake, WAITERS_AWAKE) === awake) return;
    this.freeNatively(Release.Plain);
  }

  private freeNatively(how: number): void {
    const status = native.lockRelease(this.handle, how);
    if (status < 0) throw statusError(status, `cannot release ${this.title}`);
  }

  /** Frees what the addon has taken for a request that is gone; other outcomes need nothing. */
  private giveBack(outcome: number): void {
    if (outcome === Outcome.Taken) this.free();
    else if (outcome === Outcome.TakenAbandoned) this.freeNatively(Release.Untold);
  }

  // ---- words ----

  /** The object as messages name it: `Lock "orders"`. */
  get title(): string {
    return `${this.kindName} ${JSON.stringify(this.name)}`;
  }

  get isHeld(): boolean {
    return this.guard !== null;
  }

  /** Whether any agent holds it. */
  get isOwned(): boolean {
    this.refuseEnded();
    return (Atomics.load(this.words, 0) & OWNER) !== 0;
  }

  /** The guard for an outcome of the addon's, `null` if that took nothing. */
  private taken(outcome: number, warns: boolean): LockGuard | null {
    if (outcome < 0) throw statusError(outcome, `cannot acquire ${this.title}`);
    if (outcome !== Outcome.Taken && outcome !== Outcome.TakenAbandoned) return null;
    const abandoned = outcome === Outcome.TakenAbandoned;
    if (abandoned && warns) this.warnAbandoned();
    return this.admit(abandoned, false);
  }

  private warnAbandoned(): void {
    process.emitWarning(
      `${this.title} was abandoned: its holder died while it held. ` +
        'What the lock protects may be half done; its next guard has `abandoned: true`.',
      { type: 'HoldfastWarning', code: 'HOLDFAST_ABANDONED' },
    );
  }

  private timedOut(timeoutMs: number): TimeoutError {
    const holder = native.lockHolder(this.handle);
    const who = Array.isArray(holder) ? `; held by pid ${holder[0]}, thread ${holder[1]}` : '';
    return timeoutMs > 0
      ? new TimeoutError(`${this.title} was not to be had within ${timeoutMs} ms${who}`)
      : new TimeoutError(`${this.title} is not free${who}`);
  }

  // ---- the end ----

  /** Removes the object for everybody. */
  unlink(): void {
    this.refuseEnded();
    const status = native.unlink(this.handle);
    if (status < 0) throw statusError(status, `cannot unlink ${this.title}`, native.detail());
    this.hasTicket = false;
    this.rejectAll(() => statusError(Status.Unlinked, `cannot acquire ${this.title}`));
  }

  /** One instance less. The last one ends the core. */
  closeInstance(): void {
    if (this.instances > 1) {
      this.instances--;
      return;
    }
    if (this.guard !== null) {
      throw new HoldfastError(
        `cannot close ${this.title} while this thread holds it: release it first`,
        'ERR_HOLDFAST_HELD',
      );
    }
    this.instances = 0;
    this.end();
  }

  /** An instance was garbage-collected. Guards and waiting promises outlive it. */
  loseInstance(): void {
    this.instances--;
    if (this.instances > 0) return;
    this.gate |= Gate.Orphan;
    this.endIfOrphaned();
  }

  /** One instance more. */
  adopt(): this {
    this.instances++;
    this.gate &= ~Gate.Orphan;
    return this;
  }

  private endIfOrphaned(): void {
    if ((this.gate & Gate.Orphan) === 0) return;
    if (this.guard === null && this.queue.head === null) this.end();
  }

  private end(): void {
    this.rejectAll(() => new ClosedError(`${this.title} was closed`));
    this.dropTicket();
    this.endWith(Status.BadHandle);
  }

  /** Shuts the fast paths for good, and names the reason for the slow ones. */
  shut(status: number): void {
    this.gate = Gate.Ended;
    this.endStatus = status;
  }

  endWith(status: number): void {
    if ((this.gate & Gate.Ended) !== 0) return;
    this.shut(status);
    this.hasTicket = false;
    this.rejectAll(() => statusError(status, `cannot acquire ${this.title}`));
    this.onEnd?.();
    unregister(this.handle);
    native.close(this.handle);
  }

  refuseEnded(): void {
    if ((this.gate & Gate.Ended) === 0) return;
    throw statusError(this.endStatus, `cannot use ${this.title}`);
  }
}
