/** The barrier: a fixed number of parties go on together. */
import {
  type AcquireOptions,
  type AcquireSyncOptions,
  checkAcquireOptions,
  checkOptions,
  invalidRange,
  invalidType,
  quoted,
  refusePromise,
  shown,
  syncTimeout,
} from './arguments.js';
import { BrokenBarrierError, TimeoutError } from './errors.js';
import { EXISTING } from './exclusive.js';
import { LongWait, type LongWant } from './long-wait.js';
import { Action, native, Outcome, Question } from './native.js';
import { type Made, type ObjectToken, SharedObject } from './shared-object.js';

/** Options of `new Barrier()`. */
export interface BarrierOptions {
  /**
   * What one of the parties, the last to come, runs when all are there and before any goes on. Of each process its
   * own, as a function does not travel: what counts is that of the last party.
   */
  action?: (() => void | PromiseLike<void>) | undefined;
  /** Milliseconds: the default for this instance's waits, and for those of who opens its token. Default: for ever. */
  timeout?: number | undefined;
}

/** Plain data that stands for a barrier: see `open()`. */
export interface BarrierToken extends ObjectToken<'Barrier'> {
  /** The default time-out of the instance that it comes from, in milliseconds; without one for ever. */
  readonly timeout?: number;
  /** That instance has an action. It is no data: who opens the token gives its own. */
  readonly action?: true;
}

const OPTION_KEYS = ['action', 'timeout'];

/**
 * Where `open()` puts the action that it was given, into the token.
 *
 * @internal
 */
export const ACTION: unique symbol = Symbol('action');

/** Indices travel as a positive 32-bit outcome. */
const MAX_PARTIES = 2 ** 31 - Outcome.FirstIndex;

// Only who runs the action has something to give back: the round.
const A_ROUND: LongWant = {
  stays: (outcome) => outcome === Outcome.RunAction,
  giveBack: (wait) => void native.act(wait.handle, Action.ActionFailed, 0),
};

/**
 * Lets a number of parties (promises, threads, processes) go on only together: each waits until the last has come.
 * Then the barrier stands ready for the next round. Where one of them dies, gives up or fails, no round could ever
 * be complete: the barrier breaks, for all of them, until `reset()`.
 *
 * It is as `multiprocessing.Barrier` of Python; the time-out is in milliseconds, and a party's death breaks it.
 *
 * @example
 * ```ts
 * const round = new Barrier('round', 5);
 * const index = await round.wait(); // 0 to 4, each once
 * ```
 */
export class Barrier extends SharedObject<'Barrier'> {
  /** How many parties a round has. */
  readonly parties: number;
  readonly #action: (() => void | PromiseLike<void>) | undefined;
  readonly #timeoutMs: number;

  /**
   * Opens the barrier of that name, and makes it where there is none. Does not block.
   *
   * @param name - 1 to 255 bytes of UTF-8 without NUL. Without one the barrier gets a unique name, and is removed
   *   when the last process that has it open closes it or ends.
   * @param parties - an integer from 1 on; the same for all who open it
   * @throws HoldfastError `ERR_HOLDFAST_OTHER_PARAMETERS`: it exists, for another number of parties
   * @throws HoldfastError `ERR_HOLDFAST_KIND_MISMATCH`: the name belongs to something else
   * @throws RegionError the shared memory cannot be used: see its codes
   * @throws TypeError, RangeError `ERR_HOLDFAST_INVALID_ARGUMENT`
   */
  constructor(name: string | undefined, parties: number, options?: BarrierOptions);
  /** A barrier without a name, reached by its token. */
  constructor(parties: number, options?: BarrierOptions);
  constructor(
    first: string | number | undefined,
    second?: number | BarrierOptions,
    third?: BarrierOptions,
  ) {
    const isNameless = typeof first === 'number';
    const parties = (isNameless ? first : second) as number;
    const options = (isNameless ? second : third) as BarrierOptions | undefined;
    checkOptions(options, OPTION_KEYS, 'new Barrier()');
    const exists = options !== undefined && EXISTING in options;
    if (!exists) checkParties(parties);
    const { action, timeout } = options ?? {};
    if (action !== undefined && typeof action !== 'function') {
      throw invalidType(`"action" of new Barrier() must be a function, not ${shown(action)}`);
    }
    checkAcquireOptions({ timeout }, exists ? "a barrier's token" : 'new Barrier()');
    super('Barrier', isNameless ? undefined : first, made(parties), options);
    this.parties = exists ? this.core.ask(Question.First) : parties;
    this.#action = action;
    this.#timeoutMs = timeout ?? Number.POSITIVE_INFINITY;
  }

  /**
   * Waits until all parties are there, without blocking the event loop, which stays alive meanwhile. The last one
   * to come runs the action.
   *
   * @param options - `timeout` in ms (`<= 0`: for the last party only); `signal`: an abort rejects with
   *   `signal.reason`, and breaks the barrier for the others. An aborted signal does so before this counts as a
   *   party, and breaks nothing.
   * @returns this party's index in the round: 0 to `parties - 1`, each once
   * @throws BrokenBarrierError `ERR_HOLDFAST_BROKEN_BARRIER` (all of these as rejections): at once, or while it
   *   waited; after its own time-out with a TimeoutError as `cause`
   * @throws what the action throws, in who ran it
   * @throws ClosedError, UnlinkedError, RegionError
   * @throws TypeError `ERR_HOLDFAST_INVALID_ARGUMENT`
   */
  async wait(options?: AcquireOptions): Promise<number> {
    checkAcquireOptions(options, 'wait()');
    const timeoutMs = options?.timeout ?? this.#timeoutMs;
    const signal = options?.signal;
    if (signal?.aborted) throw signal.reason;
    const wait = LongWait.of(this.core, A_ROUND, signal);
    try {
      let outcome = wait.begin();
      if (outcome === Outcome.Pending) {
        outcome =
          timeoutMs > 0 ? await wait.told({ timeoutMs, signal }) : wait.toldSync(native.now());
      }
      if (outcome === Outcome.RunAction) {
        if (signal?.aborted) throw signal.reason;
        outcome = await this.#run(wait);
      }
      return this.#index(outcome, timeoutMs);
    } finally {
      wait.done();
    }
  }

  /**
   * Waits until all parties are there, and blocks this thread until then. The last one to come runs the action.
   *
   * @param options - `timeout` in ms (`<= 0`: for the last party only)
   * @returns as {@link wait}
   * @throws BrokenBarrierError `ERR_HOLDFAST_BROKEN_BARRIER`, as {@link wait}
   * @throws what the action throws, in who ran it
   * @throws ClosedError, UnlinkedError, RegionError
   * @throws TypeError `ERR_HOLDFAST_INVALID_ARGUMENT`; also where the action returned a promise, which cannot be
   *   waited for here: that breaks the barrier
   */
  waitSync(options?: AcquireSyncOptions): number {
    const own = syncTimeout(options, 'waitSync()');
    const timeoutMs = options?.timeout === undefined ? this.#timeoutMs : own;
    const wait = LongWait.of(this.core, A_ROUND);
    try {
      const deadlineMs = native.now() + Math.max(timeoutMs, 0);
      let outcome = wait.begin();
      if (outcome === Outcome.Pending) outcome = wait.toldSync(deadlineMs);
      if (outcome === Outcome.RunAction) outcome = this.#runSync(wait);
      return this.#index(outcome, timeoutMs);
    } finally {
      wait.done();
    }
  }

  /**
   * Breaks the barrier: who waits, and who comes later, gets BrokenBarrierError, until `reset()`. Does not block.
   *
   * @throws ClosedError, UnlinkedError
   */
  abort(): void {
    const { core } = this;
    core.refuseOver();
    core.act(Action.Abort);
  }

  /**
   * Mends the barrier, empty; who waits gets BrokenBarrierError. Does not block.
   *
   * @throws ClosedError, UnlinkedError
   */
  reset(): void {
    const { core } = this;
    core.refuseOver();
    core.act(Action.Reset);
  }

  /**
   * As of every object; who waits gets UnlinkedError.
   *
   * @throws HoldfastError `ERR_HOLDFAST_HELD`: this thread runs the action
   */
  override unlink(): void {
    this.core.refuseHeld('unlink');
    super.unlink();
  }

  /**
   * Whether it is broken. As it was a moment ago.
   *
   * @throws ClosedError, UnlinkedError
   */
  get broken(): boolean {
    const { core } = this;
    core.refuseOver();
    return core.ask(Question.State) === 1;
  }

  /**
   * How many parties are there and wait, in all processes; 0 as soon as the round goes on. As it was a moment ago.
   *
   * @throws ClosedError, UnlinkedError
   */
  get nWaiting(): number {
    const { core } = this;
    core.refuseOver();
    return core.ask(Question.Value);
  }

  /** A token: plain data from which `open()` makes the same barrier again, with its time-out. */
  override toJSON(): BarrierToken {
    const timeout = Math.max(this.#timeoutMs, 0); // -Infinity is no JSON
    return {
      ...super.toJSON(),
      ...(timeout === Number.POSITIVE_INFINITY ? {} : { timeout }),
      ...(this.#action === undefined ? {} : { action: true }),
    };
  }

  /** @internal */
  protected override state(): string {
    return this.broken ? 'broken' : `${this.nWaiting} of ${this.parties} wait`;
  }

  // While the action runs this thread holds of the barrier: it is not to be closed then.

  async #run(wait: LongWait): Promise<number> {
    if (this.#action === undefined) return wait.act(Action.ActionDone);
    wait.core.held++;
    try {
      await this.#action();
      return wait.act(Action.ActionDone);
    } finally {
      wait.core.held--;
    }
  }

  #runSync(wait: LongWait): number {
    if (this.#action === undefined) return wait.act(Action.ActionDone);
    wait.core.held++;
    try {
      const result: unknown = this.#action();
      refusePromise(
        result,
        "waitSync() goes on when the barrier's action returns, and that returned a promise: use wait()",
      );
      return wait.act(Action.ActionDone);
    } finally {
      wait.core.held--;
    }
  }

  #index(outcome: number, timeoutMs: number): number {
    if (outcome >= Outcome.FirstIndex) return outcome - Outcome.FirstIndex;
    const { title } = this.core;
    if (outcome !== Outcome.TimedOut) throw new BrokenBarrierError(`${title} is broken`);
    const cause = new TimeoutError(`not all parties of ${title} came within ${timeoutMs} ms`);
    throw new BrokenBarrierError(`${title} is broken: ${cause.message}`, { cause });
  }
}

/**
 * The barrier that a token stands for.
 *
 * @internal
 */
export function openBarrier(token: {
  readonly name: string;
  readonly timeout?: unknown;
  readonly action?: unknown;
  readonly [ACTION]?: BarrierOptions['action'];
}): Barrier {
  const { name, timeout, action: isDeclared, [ACTION]: action } = token;
  if (isDeclared !== undefined && action === undefined) {
    throw invalidType(
      `cannot open Barrier ${quoted(name)} without an action: it was made with one, which is a function and does not ` +
        'travel, and whoever comes last runs its own. Give it by open(token, { action }), unpack(data, { action }) or ' +
        'forkArgs({ action })',
    );
  }
  return new Barrier(name, 1, { [EXISTING]: true, timeout, action } as BarrierOptions);
}

function checkParties(parties: unknown): void {
  if (typeof parties !== 'number') {
    throw invalidType(`"parties" of new Barrier() must be a number, not ${shown(parties)}`);
  }
  if (!Number.isInteger(parties) || parties < 1 || parties > MAX_PARTIES) {
    throw invalidRange(
      `"parties" of new Barrier() must be an integer from 1 to ${MAX_PARTIES}, not ${parties}`,
    );
  }
}

function made(parties: number): Made {
  return { first: parties, second: 0, describe: (first) => `${first} parties` };
}
