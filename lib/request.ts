/**
 * Promises of this thread that wait for one object: a FIFO of requests, each with its time-out and
 * its signal.
 */
import { type Abortable, offAbort, onAbort } from './abort.js';
import { By, type LockGuard } from './guard.js';
import { here } from './leak.js';
import { native } from './native.js';
import { waitBegins, waitEnds } from './region.js';
import { clearTimeout, setTimeout } from './timers.js';

/** The longest that `setTimeout` can do; with more it fires at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** A hold that its holder gave up for the time of a wait, to take it back with the same guards. */
export interface Suspension {
  /** The innermost guard. */
  guard: LockGuard;
  /** By which verb it was held. */
  readonly by: number;
  /** What waits for the lock to be had again, while it does. */
  request: Request<LockGuard> | null;
  isOver: boolean;
}

/** Who is told about a request that gives up. */
export interface RequestOwner<Guard> {
  expired(request: Request<Guard>): void;
  aborted(request: Request<Guard>): void;
}

/** One promise that waits. */
export class Request<Guard> implements Abortable {
  // The links belong to Fifo: a list rather than an array, as any of 10,000 may leave at any time.
  before: Request<Guard> | null = null;
  after: Request<Guard> | null = null;
  readonly resolve: (guard: Guard | PromiseLike<Guard>) => void;
  readonly reject: (reason: unknown) => void;
  readonly timeoutMs: number;
  /** Its `AbortSignal`, if it has one. */
  readonly signal: AbortSignal | undefined;
  /** Whether to emit a warning if the lock turns out to be abandoned. */
  readonly warns: boolean;
  /** For which verb it waits. */
  readonly by: number;
  /** Where it was asked for, under `HOLDFAST_DEBUG=1`. */
  readonly place: string | undefined;
  /** A hold that was given up for a wait, and is to be taken back: nothing new is acquired. */
  suspension: Suspension | null = null;
  readonly #owner: RequestOwner<Guard>;
  #deadlineMs = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    owner: RequestOwner<Guard>,
    settle: {
      resolve: (guard: Guard | PromiseLike<Guard>) => void;
      reject: (reason: unknown) => void;
    },
    wait: { timeoutMs: number; signal: AbortSignal | undefined; warns: boolean; by?: number },
  ) {
    this.#owner = owner;
    this.resolve = settle.resolve;
    this.reject = settle.reject;
    this.timeoutMs = wait.timeoutMs;
    this.signal = wait.signal;
    this.warns = wait.warns;
    this.by = wait.by ?? By.Promise;
    this.place = here();
  }

  /** Listens to its signal and starts its clock. Where the signal throws it has not begun. */
  begin(): void {
    if (this.signal !== undefined) onAbort(this.signal, this);
    waitBegins();
    if (this.timeoutMs === Number.POSITIVE_INFINITY) return;
    this.#deadlineMs = native.now() + this.timeoutMs;
    this.#arm(this.timeoutMs);
  }

  /** Leaves neither timer nor listener behind: to be called on every way out. */
  end(): void {
    waitEnds();
    clearTimeout(this.#timer);
    if (this.signal !== undefined) offAbort(this.signal, this);
  }

  aborted(): void {
    this.#owner.aborted(this);
  }

  #arm(leftMs: number): void {
    this.#timer = setTimeout(onTimer, Math.min(Math.ceil(leftMs), MAX_TIMER_MS), this);
  }

  /** Timers count whole milliseconds on the loop's own clock, so one may fire a bit early. */
  onTimer(): void {
    const leftMs = this.#deadlineMs - native.now();
    if (leftMs > 0) this.#arm(leftMs);
    else this.#owner.expired(this);
  }
}

function onTimer<Guard>(request: Request<Guard>): void {
  request.onTimer();
}

/** Requests in the order in which they came; whoever is in it waits, and has begun. */
export class Fifo<Guard> {
  head: Request<Guard> | null = null;
  #tail: Request<Guard> | null = null;

  push(request: Request<Guard>): void {
    request.begin(); // first, as it may throw
    request.before = this.#tail;
    if (this.#tail === null) this.head = request;
    else this.#tail.after = request;
    this.#tail = request;
  }

  /** Takes out a request that is in it, wherever it stands. */
  remove(request: Request<Guard>): void {
    const { before, after } = request;
    if (before === null) this.head = after;
    else before.after = after;
    if (after === null) this.#tail = before;
    else after.before = before;
    request.before = null;
    request.after = null;
    request.end();
  }
}
