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
 * - C3: a ticket => `gate` is not 0. So the fast path, which a ticket forbids, need only see that.
 */
import { AgentWord } from './agent-word.js';
import type { AcquireOptions } from './arguments.js';
import { ClosedError, DeadlockError, HoldfastError, NotHeldError } from './errors.js';
import { By, isHeldAround, LockGuard } from './guard.js';
import type { SeenHolder } from './holder.js';
import { here, isDebug, notePlace } from './leak.js';
import { STARVING, WAITERS } from './lock-word.js';
import { native, Outcome, Release, Status } from './native.js';
import { HELD_BY_OTHER_REALM, type RegionObject, unregister } from './region.js';
import { Fifo, Request, type RequestOwner, type Suspension } from './request.js';
import { statusError } from './status.js';
import { afterTurn, isTurnDue, isTurnUsedUp, type Passer, turned } from './turn.js';
import { type Watched, warnOfDeadlock, watch } from './watch.js';

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
  /** The current guard was abandoned, and is given back: the next owner must be told. */
  Untold: 16,
  /** This agent stands in the object's queue: its fast path would overtake its own ticket. */
  Ticket: 32,
} as const;

/** @internal */
export const HELD_BY_WITH =
  'it is held by a with(), which releases it at its end; to release it earlier, use its guard';

export class LockCore
  extends AgentWord
  implements RegionObject, RequestOwner<LockGuard>, Passer, Watched
{
  /** 0: nothing special, both fast paths are open. */
  gate = 0;
  /** The current guard, while this thread holds. */
  guard: LockGuard | null = null;
  /** By which verb {@link guard} holds. */
  by: number = By.Sync;
  /** Open `Lock` objects in this thread. */
  instances = 0;
  readonly queue = new Fifo<LockGuard>();
  /** When this tenure was first seen to be contended; 0: not yet. */
  contendedSinceMs = 0;
  endStatus = 0;
  seenHolder: SeenHolder | null = null;
  /** Holds that wait for a condition, by what {@link holdOf} says of their guards. */
  #suspended: Map<object, Suspension> | null = null;
  /** Whether `release()` of the lock is in use here: then a guard may be dropped. */
  isReleasedByHand = false;
  /** Whether {@link look} is called once a second, and nothing is to be noted of who holds. */
  isWatched = false;
  /** What the last look saw: who holds, and who has waited longest. */
  #seen: { guard: LockGuard; head: Request<LockGuard> } | null = null;
  #isWarned = false;
  /** Called once, when the last instance is closed. */
  onEnd: (() => void) | null = null;

  // ---- the fast paths: no closures, no options, no calls into the addon ----

  /** One try by one or two swaps. `null` says only that this was not the way. */
  take(by: number): LockGuard | null {
    if (this.gate !== 0) return null;
    const seen = Atomics.compareExchange(this.words, 0, 0, this.agent);
    if (seen !== 0 && !this.takeBeside(seen)) return null;
    return this.admit(false, by);
  }

  /** The word names this agent now, by whatever way: counts the token up, makes the guard. */
  admit(abandoned: boolean, by: number): LockGuard {
    const guard = new LockGuard(this, this.nextToken(), abandoned);
    this.guard = guard;
    this.by = by;
    if (!this.isWatched) this.noteHeld(guard);
    return guard;
  }

  /** The holder is done: `guard` is `null` again, the word still names this agent. */
  leave(): void {
    const agent = this.agent;
    if (this.gate !== 0) this.leaveGated();
    else if (Atomics.compareExchange(this.words, 0, agent, 0) !== agent) this.free();
  }

  /** A release has failed. If nothing is changed by it, not even here: it can be called again. */
  keepHold(guard: LockGuard): boolean {
    if (this.guard !== null || !this.isMine) return false;
    this.guard = guard;
    return true;
  }

  /** Whether this agent stands in the object's queue; {@link ready} is called when that ends. */
  private get hasTicket(): boolean {
    return (this.gate & Gate.Ticket) !== 0;
  }

  private set hasTicket(has: boolean) {
    this.gate = has ? this.gate | Gate.Ticket : this.gate & ~Gate.Ticket;
  }

  // ---- the verbs' slow paths ----

  /** One try by every way. Never waits. */
  tryAcquire(warns: boolean, by: number): LockGuard | null {
    const guard = this.take(by);
    if (guard !== null) return guard;
    this.refuseEnded();
    // Those who wait here came first. And a ticket must not be overtaken by its own agent.
    if (this.guard !== null || this.queue.head !== null) return null;
    const outcome = native.lockTry(this.handle);
    if (outcome !== Outcome.Pending) this.hasTicket = false;
    return this.taken(outcome, warns, by);
  }

  /** Blocks the thread. Its waiting promises lend their ticket: they cannot run meanwhile. */
  acquireSync(timeoutMs: number, warns: boolean, by: number): LockGuard {
    const guard = timeoutMs > 0 ? this.take(by) : this.tryAcquire(warns, by);
    if (guard !== null) return guard;
    if (timeoutMs <= 0) throw this.timedOut(timeoutMs);
    this.refuseEnded();
    if (this.guard !== null) throw this.selfBlocked();
    if (native.heldByOtherRealms(this.handle) > 0) {
      throw new DeadlockError(`${this.title} ${HELD_BY_OTHER_REALM}`);
    }
    const deadlineMs = native.now() + timeoutMs;
    const keepTicket = this.queue.head !== null;
    // Before the call: where JavaScript is torn out of it (`vm` with a time-out), nothing after it
    // runs, and the ticket stays. Then ready() is called, and gives back what nobody wants.
    this.hasTicket = true;
    const outcome = native.lockAcquireSync(this.handle, deadlineMs, keepTicket);
    this.hasTicket = outcome === Outcome.TimedOut && keepTicket;
    if (outcome === Outcome.TimedOut) throw this.timedOut(timeoutMs);
    if (outcome < 0) this.deliver(outcome);
    return this.taken(outcome, warns, by) as LockGuard;
  }

  protected selfBlocked(): DeadlockError {
    return new DeadlockError(
      `${this.title} is held by this thread, which would block itself for ever`,
    );
  }

  /** A promise of the lock. Errors, bad ones included, come as rejections. */
  acquire(options: AcquireOptions | undefined, warns: boolean, by: number): Promise<LockGuard> {
    const timeoutMs = options?.timeout ?? Number.POSITIVE_INFINITY;
    const signal = options?.signal;
    if (signal?.aborted) return Promise.reject(signal.reason);
    const isDue = isTurnDue();
    if (isDue && timeoutMs <= 0) return turned().then(() => this.acquire(options, warns, by));
    try {
      let guard: LockGuard | null = null;
      if (!isDue) guard = timeoutMs > 0 ? this.take(by) : this.tryAcquire(warns, by);
      if (guard !== null) {
        return signal === undefined ? Promise.resolve(guard) : this.unlessAborted(guard, signal);
      }
      if (timeoutMs <= 0) throw this.timedOut(timeoutMs);
      this.refuseEnded();
      if (timeoutMs === Number.POSITIVE_INFINITY) this.refuseOwnWait();
    } catch (error) {
      return Promise.reject(error);
    }
    return new Promise((resolve, reject) => {
      this.enqueue(new Request(this, { resolve, reject }, { timeoutMs, signal, warns, by }), isDue);
    });
  }

  private enqueue(request: Request<LockGuard>, isTurnDue = false): void {
    this.queue.push(request);
    this.gate |= Gate.Queue;
    if (this.guard !== null && !this.isWatched) this.beWatched();
    // Only for itself: those before it have a ticket, or await a turn of the loop on purpose.
    if (this.queue.head !== request) return;
    // A lock that would be had now stands free until then. For one that would not be there is no chain to break.
    if (isTurnDue && !this.isAnothers) afterTurn(this);
    else this.pump();
  }

  /** Throws where the wait would be for a `with()` that the caller is inside of, which waits for the caller. */
  private refuseOwnWait(): void {
    if (this.guard === null || !isHeldAround(this)) return;
    throw new DeadlockError(
      `${this.title} is held by a with() that this is called from, and would wait for that to end, for ever; ` +
        'what shall go on after it is to be started outside of it',
    );
  }

  // ---- whoever holds and does not release ----

  /** It is held since just now, and not looked at yet. */
  protected noteHeld(guard: LockGuard): void {
    this.beWatched();
    if (isDebug) notePlace(guard, here());
  }

  private beWatched(): void {
    this.isWatched = !isDebug;
    watch(this);
  }

  look(): boolean {
    this.loosen();
    const { guard } = this;
    const { head } = this.queue;
    this.isWatched = guard !== null && head !== null && !this.#isWarned && !isDebug;
    if (guard === null || head === null || this.#isWarned) {
      this.#seen = null;
      return false;
    }
    if (this.#seen?.guard === guard && this.#seen.head === head && !this.isScoped) {
      this.#isWarned = true;
      warnOfDeadlock(this.title);
    }
    this.#seen = { guard, head };
    return true;
  }

  /** Keeps no guard from being collected that has been held for long. */
  protected loosen(): void {
    if (this.guard !== null && !this.guard.isStandIn) this.guard = this.guard.standIn();
  }

  /** Whether it is known who is inside: then nobody waits for what it holds itself. */
  protected get isScoped(): boolean {
    return this.guard !== null && this.by === By.Scoped;
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
    // Cancelled: a blocking wait that JavaScript was torn out of. Promises that came since queue anew.
    if (outcome === Outcome.Cancelled) this.pump();
    else this.deliver(outcome);
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
    let guard = this.admit(abandoned, request.by);
    notePlace(guard, request.place);
    if (request.suspension !== null) guard = this.putBack(request.suspension, guard);
    const { signal } = request;
    request.resolve(signal === undefined ? guard : this.unlessAborted(guard, signal));
    // Last: `process.emitWarning` is anybody's to replace, and may throw.
    if (abandoned && request.warns) this.warnAbandoned();
  }

  /**
   * The guard, unless the code that granted it aborts its request in the same breath. Costs a
   * microtask or two, so only requests with a signal come here.
   */
  async unlessAborted(guard: LockGuard, signal: AbortSignal): Promise<LockGuard> {
    await null;
    if (!signal.aborted) return guard;
    guard.giveBack();
    throw signal.reason;
  }

  /** The release that comes next tells the next owner of the abandonment. */
  keepUntold(): void {
    this.gate |= Gate.Untold;
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

  // ---- holds given up for a wait (conditions) ----

  /** Whether the calling code may be the holder. Of a hold without an async context nobody can tell more. */
  isHeldByCaller(): boolean {
    return this.guard !== null && (!this.isScoped || isHeldAround(this));
  }

  /** Gives up the hold for a while, with all its levels, and lets the next one have the lock. */
  suspend(): Suspension {
    const suspension = this.takeOut();
    try {
      this.leave();
    } catch (error) {
      if (this.isMine) this.putBack(suspension, suspension.guard);
      throw error;
    }
    return suspension;
  }

  /**
   * The same, by a thread that blocks next: the lock goes to no promise of it, and none keeps a place in
   * the object's queue, as a lock that is handed to a blocked thread helps nobody.
   */
  suspendSync(): Suspension {
    const suspension = this.takeOut();
    this.endTenure();
    try {
      this.free();
    } catch (error) {
      if (this.isMine) this.putBack(suspension, suspension.guard);
      throw error;
    }
    // Where JavaScript is torn out of the wait (`vm` with a time-out), they go on by themselves.
    if (this.queue.head !== null) afterTurn(this);
    return suspension;
  }

  /** Waits until the hold is had again: the same guards. */
  resume(suspension: Suspension, warns: boolean): Promise<unknown> {
    try {
      this.refuseOver(suspension);
      const guard = this.take(By.Promise);
      if (guard !== null) return Promise.resolve(this.putBack(suspension, guard));
      this.refuseEnded();
    } catch (error) {
      this.forget(suspension);
      return Promise.reject(error);
    }
    const again = new Promise<LockGuard>((resolve, reject) => {
      const forEver = Number.POSITIVE_INFINITY;
      const wait = { timeoutMs: forEver, signal: undefined, warns, by: By.Promise };
      const request = new Request(this, { resolve, reject }, wait);
      request.suspension = suspension;
      suspension.request = request;
      this.enqueue(request);
    });
    again.catch(() => this.forget(suspension));
    return again;
  }

  resumeSync(suspension: Suspension, warns: boolean): void {
    try {
      this.refuseOver(suspension);
      const guard = this.acquireSync(Number.POSITIVE_INFINITY, warns, By.Sync);
      this.putBack(suspension, guard);
    } catch (error) {
      this.forget(suspension);
      throw error;
    }
  }

  /** By which verb the guard, which is not released, has got its hold. */
  byOf(guard: LockGuard): number {
    return this.suspensionOf(guard)?.by ?? this.by;
  }

  /** How the guard's hold is given up for a wait, if it is. */
  suspensionOf(guard: LockGuard): Suspension | undefined {
    return this.#suspended?.get(this.holdOf(guard));
  }

  /** The guard was disposed of while its hold is given up: there is nothing to come back to. */
  endSuspended(_guard: LockGuard, suspension: Suspension): void {
    this.forget(suspension);
    const { request } = suspension;
    if (request === null) return;
    this.remove(request);
    request.reject(this.waitOver());
    if (this.queue.head === null) this.dropTicket();
  }

  /** What all guards of one hold have in common. */
  protected holdOf(guard: LockGuard): object {
    return guard;
  }

  /** The lock's hold is taken out: the word still names this agent. */
  protected takeOut(): Suspension {
    const guard = this.guard as LockGuard;
    this.guard = null;
    const suspension: Suspension = { guard, by: this.by, request: null, isOver: false };
    this.#suspended ??= new Map();
    this.#suspended.set(this.holdOf(guard), suspension);
    return suspension;
  }

  /** The lock was acquired anew, by `fresh`, for a hold that was given up: its guard is the holder's. */
  protected putBack(suspension: Suspension, fresh: LockGuard): LockGuard {
    const { guard } = suspension;
    this.#suspended?.delete(this.holdOf(guard));
    suspension.request = null;
    this.guard = guard;
    this.by = suspension.by;
    guard.renew(fresh);
    return guard;
  }

  /** The hold will not be had again. */
  protected forget(suspension: Suspension): void {
    suspension.isOver = true;
    this.#suspended?.delete(this.holdOf(suspension.guard));
  }

  private refuseOver(suspension: Suspension): void {
    if (suspension.isOver) throw this.waitOver();
  }

  private waitOver(): NotHeldError {
    return new NotHeldError(
      `${this.title} was disposed of while a wait had given it up: await the wait under the lock`,
    );
  }

  // ---- freeing the word ----

  /** `lock.release()`: gives back what a bare acquire took, and nobody's `with()`. */
  releaseByHand(): void {
    const { guard } = this;
    if (guard === null) throw this.notReleased('this thread does not hold it');
    if (!guard.isBare) throw this.notReleased(HELD_BY_WITH);
    guard.release();
  }

  protected notReleased(why: string): NotHeldError {
    return new NotHeldError(`cannot release ${this.title}: ${why}`);
  }

  /** A release while somebody of this thread waits, or something else is special. */
  private leaveGated(): void {
    const { head } = this.queue;
    if ((this.gate & Gate.Untold) !== 0) {
      // Until it is done: who calls again tells as well.
      this.freeNatively(Release.Untold);
      this.endTenure();
      this.pump();
      this.endIfOrphaned();
      return;
    }
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
      if (!this.isMine) {
        this.rejectAll(() => statusError(Status.Corrupt, `cannot acquire ${this.title}`));
      }
      throw error;
    }
    // In another's hands, or kept for one: the next look comes by way of the event loop anyway. Else nobody runs that
    // waits, and this thread would have the lock again at once.
    if (this.isAnothers) this.pump();
    else afterTurn(this);
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
    this.gate &= ~(Gate.Contended | Gate.Untold);
  }

  /** The guard for an outcome of the addon's, `null` if that took nothing. */
  private taken(outcome: number, warns: boolean, by: number): LockGuard | null {
    if (outcome < 0) throw statusError(outcome, `cannot acquire ${this.title}`);
    if (outcome !== Outcome.Taken && outcome !== Outcome.TakenAbandoned) return null;
    const abandoned = outcome === Outcome.TakenAbandoned;
    if (abandoned && warns) this.warnAbandoned();
    return this.admit(abandoned, by);
  }

  // ---- the end ----

  get isHeld(): boolean {
    return this.guard !== null;
  }

  /** Removes the object for everybody. */
  unlink(): void {
    this.refuseEnded();
    const doing = `cannot unlink ${this.title}`;
    if (this.isUnlinked) throw statusError(Status.Unlinked, doing);
    const status = native.unlink(this.handle);
    if (status < 0) throw statusError(status, doing, native.detail());
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
    if (this.#suspended !== null && this.#suspended.size > 0) return;
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

  /** Also where somebody, anywhere, has unlinked it: for looks at the word, which are not done by the addon. */
  refuseUnlinked(): void {
    this.refuseEnded();
    if (this.isUnlinked) throw statusError(Status.Unlinked, `cannot use ${this.title}`);
  }
}
