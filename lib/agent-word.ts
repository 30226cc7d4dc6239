/**
 * One object's lock word as one agent (this thread) sees it: to take it, to free it, to say in words
 * how that failed. Who of the thread may take it is decided in `lock-core.ts`.
 */
import { titleOf } from './companion.js';
import { TimeoutError } from './errors.js';
import { isTakeable, OFFERED, OWNER, UNLINKED, WAITERS_AWAKE } from './lock-word.js';
import { native, Outcome, Release } from './native.js';
import { statusError } from './status.js';

/** Where and as what an object was opened. */
export interface Opened {
  readonly name: string;
  /** As the class is called: `Lock`. */
  readonly kindName: string;
  readonly handle: number;
  /** This thread's slot: what the word names it by. */
  readonly agent: number;
  readonly memory: ArrayBuffer;
}

export class AgentWord {
  // Plain fields, as all of this is internal.
  readonly agent: number;
  /** `[0]` the lock word, `[1]` an RLock's depth. */
  readonly words: Int32Array;
  /** `[1]` the fencing token. Only the owner touches it, so it needs no atomic operation. */
  readonly tokens: Float64Array;
  readonly handle: number;
  readonly name: string;
  readonly kindName: string;

  constructor(opened: Opened) {
    this.agent = opened.agent;
    this.words = new Int32Array(opened.memory);
    this.tokens = new Float64Array(opened.memory);
    this.handle = opened.handle;
    this.name = opened.name;
    this.kindName = opened.kindName;
  }

  /** fast.acquire (SYNC POINT: lock-word; Atomics are sequentially consistent), beside the flags that it may leave standing: one swap, and one try. */
  protected takeBeside(seen: number): boolean {
    return (
      isTakeable(seen) && Atomics.compareExchange(this.words, 0, seen, seen | this.agent) === seen
    );
  }

  /** Counts the acquisition that has just been made: once for each, by whatever way it came. */
  protected nextToken(): number {
    const tokens = this.tokens;
    const token = (tokens[1] as number) + 1;
    tokens[1] = token;
    return token;
  }

  /** Frees the word, from whatever flags stand beside this agent. */
  protected free(): void {
    const { agent, words } = this;
    if (Atomics.compareExchange(words, 0, agent, 0) === agent) return;
    const awake = agent | WAITERS_AWAKE;
    if (Atomics.compareExchange(words, 0, awake, WAITERS_AWAKE) === awake) return;
    this.freeNatively(Release.Plain);
  }

  protected freeNatively(how: number): void {
    const status = native.lockRelease(this.handle, how);
    if (status < 0) throw statusError(status, `cannot release ${this.title}`);
  }

  /** Frees what the addon has taken for a request that is gone; other outcomes need nothing. */
  protected giveBack(outcome: number): void {
    if (outcome === Outcome.Taken) this.free();
    else if (outcome === Outcome.TakenAbandoned) this.freeNatively(Release.Untold);
  }

  get isOwned(): boolean {
    return (Atomics.load(this.words, 0) & OWNER) !== 0;
  }

  /** Whether the word names this agent. */
  protected get isMine(): boolean {
    return (Atomics.load(this.words, 0) & OWNER) === this.agent;
  }

  /** Held, or kept for an agent that waits. */
  protected get isAnothers(): boolean {
    return (Atomics.load(this.words, 0) & (OWNER | OFFERED)) !== 0;
  }

  get isUnlinked(): boolean {
    return (Atomics.load(this.words, 0) & UNLINKED) !== 0;
  }

  /** The object as messages name it: `Lock "orders"`. */
  get title(): string {
    return titleOf(this.kindName, this.name);
  }

  protected timedOut(timeoutMs: number): TimeoutError {
    const holder = native.lockHolder(this.handle);
    const who = Array.isArray(holder) ? `; held by pid ${holder[0]}, thread ${holder[1]}` : '';
    return timeoutMs > 0
      ? new TimeoutError(`${this.title} was not to be had within ${timeoutMs} ms${who}`)
      : new TimeoutError(`${this.title} is not free${who}`);
  }

  protected warnAbandoned(): void {
    process.emitWarning(
      `${this.title} was abandoned: its holder died while it held. ` +
        'What the lock protects may be half done; this guard has `abandoned: true`.',
      { type: 'HoldfastWarning', code: 'HOLDFAST_ABANDONED' },
    );
  }
}
