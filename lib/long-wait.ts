/**
 * A wait which is not over when its waiter is told: what it was told stays on its ticket until its user is done
 * with that, so that a death in between is seen by the others. A notification goes to the next one; a barrier whose
 * action runs breaks.
 *
 * | state | by | the ticket | ends by |
 * | --- | --- | --- | --- |
 * | over | - | None | `begin` |
 * | queued | `begin` | Waiting; or told, and nobody has looked | being told, time-out, abort, `done` |
 * | told | `told`, `toldSync`, `begin` | what `LongWant.stays` says | `takeNote`, `act`, `done` |
 *
 * @internal
 */
import { type Abortable, offAbort, onAbort } from './abort.js';
import { native, OrElse, Outcome, Status } from './native.js';
import { type RegionObject, register, unregister } from './region.js';
import { Request, type RequestOwner } from './request.js';
import { statusError } from './status.js';
import type { ObjectCore, WaitOptions } from './waiter.js';

/** As many stay open for the next waits. */
const MAX_SPARE = 64;

/** What an object's kind makes of being told. */
export interface LongWant {
  /** Whether who is told this has something that stays on its ticket. */
  stays(outcome: number): boolean;
  /** Gives that back, as nobody wants it any more. The core may be about to close: by the addon itself. */
  giveBack(wait: LongWait): void;
}

const State = { Over: 0, Queued: 1, Told: 2 } as const;

/** One waiter: at most one wait at a time. Got by {@link LongWait.of}, and given back by {@link done}. */
export class LongWait implements RegionObject, RequestOwner<number> {
  readonly isHeld = false;
  readonly handle: number;
  readonly core: ObjectCore;
  readonly #want: LongWant;
  #request: Request<number> | null = null;
  #state: number = State.Over;
  /** What is listened to from before the wait until it is done. */
  #signal: AbortSignal | undefined;
  readonly #listening: Abortable = { aborted() {} };

  private constructor(core: ObjectCore, want: LongWant) {
    const handle = native.openWaiter(core.handle);
    if (handle < 0) throw statusError(handle, `cannot wait for ${core.title}`, native.detail());
    this.core = core;
    this.#want = want;
    this.handle = handle;
    register(handle, this);
    core.longWaits.add(this);
  }

  /**
   * A waiter at the object. `want` is the same in all calls for one kind. A signal that takes no listener throws here,
   * where nothing has been changed, and not in {@link told}.
   */
  static of(core: ObjectCore, want: LongWant, signal?: AbortSignal): LongWait {
    core.refuseEnded();
    core.withdrawTorn();
    const wait = core.spareWaits.pop() ?? new LongWait(core, want);
    try {
      if (signal !== undefined) onAbort(signal, wait.#listening);
      wait.#signal = signal;
    } catch (error) {
      wait.done();
      throw error;
    }
    return wait;
  }

  get name(): string {
    return this.core.name;
  }

  /** Queues the waiter (`Pending`), or has it told at once. */
  begin(): number {
    return this.#heard(this.attempt(OrElse.Queue));
  }

  /** A promise of what a waiter that is queued will be told. `TimedOut` is an outcome. */
  told(options: WaitOptions): Promise<number> {
    return new Promise((resolve, reject) => {
      const request = new Request(this, { resolve, reject }, { ...options, warns: false });
      request.begin();
      this.#request = request;
    });
  }

  /** The same, blocking the thread. */
  toldSync(deadlineMs: number): number {
    this.core.blocking = this;
    const outcome = native.attemptSync(this.handle, 0, 1, deadlineMs);
    this.core.blocking = null;
    return this.#heard(outcome);
  }

  /** JavaScript was torn out of {@link toldSync}. */
  withdraw(): void {
    this.done();
  }

  /** Who was told takes note: what stays on the ticket is used now, and would die with this thread. */
  takeNote(): void {
    this.core.refuseEnded(); // by then it was given back
    this.#state = State.Over;
    this.attempt(OrElse.Cancel);
  }

  /** A change that only who was told can make, and that ends what stays on the ticket. */
  act(action: number): number {
    this.core.refuseEnded();
    this.#state = State.Over;
    const outcome = native.act(this.handle, action, 0);
    if (outcome < 0) throw this.core.error(outcome);
    return outcome;
  }

  /** To be called on every way out. What stays on the ticket is given back. */
  done(): void {
    if (this.#signal !== undefined) offAbort(this.#signal, this.#listening);
    this.#signal = undefined;
    this.#dismiss();
    const { core } = this;
    if (core.blocking === this) core.blocking = null; // torn out of toldSync()
    if (core.endStatus !== 0) return; // it has ended with the core
    if (core.spareWaits.length < MAX_SPARE) {
      core.spareWaits.push(this);
    } else {
      core.longWaits.delete(this);
      this.endWith(Status.BadHandle);
    }
    core.endIfOrphaned();
  }

  /** An attempt of the addon's; throws for a negative status. */
  attempt(orElse: number): number {
    const outcome = native.attempt(this.handle, 0, 1, orElse);
    if (outcome < 0) throw this.core.error(outcome);
    return outcome;
  }

  /** Out of the queue, or back with what stays on the ticket. A negative status: the object is over. */
  #dismiss(): number {
    let outcome: number = Outcome.Cancelled;
    if (this.#state === State.Queued) {
      outcome = native.attempt(this.handle, 0, 1, OrElse.Cancel);
      this.#note(outcome);
    }
    if (this.#state === State.Told) this.#want.giveBack(this);
    this.#state = State.Over;
    return outcome;
  }

  #note(outcome: number): void {
    if (outcome === Outcome.Pending) this.#state = State.Queued;
    else this.#state = this.#want.stays(outcome) ? State.Told : State.Over;
  }

  #heard(outcome: number): number {
    this.#note(outcome);
    if (outcome < 0) throw this.core.error(outcome);
    return outcome;
  }

  // ---- what ends a promise ----

  ready(outcome: number): void {
    const request = this.#end();
    this.#note(outcome);
    // None: JavaScript was torn out of a blocking wait, by `vm` with a time-out.
    if (request === null) this.done();
    else if (outcome < 0) request.reject(this.core.error(outcome));
    else request.resolve(outcome);
  }

  expired(): void {
    const outcome = native.attempt(this.handle, 0, 1, OrElse.Cancel);
    this.ready(outcome === Outcome.Cancelled ? Outcome.TimedOut : outcome);
  }

  aborted(request: Request<number>): void {
    this.#dismiss();
    this.#end();
    request.reject(request.signal?.reason);
  }

  /** The object is over, for the reason `status`. */
  endWith(status: number): void {
    const outcome = status === Status.BadHandle ? this.#dismiss() : status;
    this.#state = State.Over;
    // Unlinked, and closed before it was told: the first is the reason.
    this.#end()?.reject(this.core.error(outcome < 0 ? outcome : status));
    unregister(this.handle);
    native.close(this.handle);
  }

  #end(): Request<number> | null {
    const request = this.#request;
    this.#request = null;
    request?.end();
    return request;
  }
}
