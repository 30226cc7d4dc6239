// Times every call into holdfast, and judges every error. Times are of the monotonic clock, in ms, the same in all
// processes.
import { readFileSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';

/** Of the environment, for a busy machine. */
export const PATIENCE = Number(process.env.SCRIBBLE_PATIENCE ?? 1);
/** So much later than its time-out may a wait end. */
export const LATE_MS = 1000 * PATIENCE;
const TICK_MS = 20;

export const nowMs = () => Number(process.hrtime.bigint()) / 1e6;

/** How long this thread has waited for a processor, in all. */
function starvedMs() {
  return Number(readFileSync('/proc/thread-self/schedstat', 'utf8').split(' ')[1]) / 1e6;
}

/** How late timers of this thread have been, in all: what a busy machine, or a blocking call, takes from its loop. */
export class Heart {
  #stalledMs = 0;
  #last = nowMs();

  constructor(onBeat) {
    this.timer = setInterval(() => {
      const now = nowMs();
      this.#stalledMs += Math.max(0, now - this.#last - TICK_MS);
      this.#last = now;
      onBeat();
    }, TICK_MS);
    this.timer.unref();
  }

  /** With what other timers of the same turn, which run before this one's, do not see yet. */
  get stalledMs() {
    return this.#stalledMs + Math.max(0, nowMs() - this.#last - TICK_MS);
  }
}

/** The waits of one thread. `report(finding)` gets what must not happen. */
export class Waits {
  codes = {};
  heart = new Heart(() => this.#look());
  #running = new Set();
  #report;

  constructor(report) {
    this.#report = report;
  }

  /** For the verbs of one object: runs `call`, which is to end within `timeoutMs`. */
  of(object) {
    return (verb, timeoutMs, call) => this.#time(`${object}.${verb}`, timeoutMs, call);
  }

  /** Errors of holdfast are what damage may lead to; no others. */
  judge(error, where) {
    const code = error?.code;
    // A RangeError is an answer too: a plain semaphore has all the permits that there can be, by its bytes.
    const isMisuse = code === 'ERR_HOLDFAST_INVALID_ARGUMENT' && !(error instanceof RangeError);
    if (/^ERR_HOLDFAST_/.test(code) && !isMisuse) {
      this.codes[code] = (this.codes[code] ?? 0) + 1;
      return code;
    }
    this.#report({ what: 'error', detail: `${where}: ${error?.stack ?? error}` });
    return null;
  }

  #time(what, timeoutMs, call) {
    // Where it never comes back from this call, others see by /proc what it was.
    if (isMainThread) process.title = `in ${what}`;
    const entry = {
      what,
      timeoutMs,
      from: nowMs(),
      stalledMs: this.heart.stalledMs,
      starvedMs: starvedMs(),
      tellAtMs: LATE_MS,
    };
    let result;
    try {
      result = call();
    } finally {
      if (isMainThread) process.title = 'in no call';
      // No loop turned meanwhile: what kept this thread is the call, or others that had the processor.
      this.#check(entry, starvedMs() - entry.starvedMs);
    }
    if (typeof result?.then !== 'function') return result;
    this.#running.add(entry);
    return result.finally(() => {
      this.#running.delete(entry);
      this.#check(entry, this.heart.stalledMs - entry.stalledMs);
    });
  }

  /** Tells of a late wait, and a second later of one that still goes on. */
  #check(entry, stalledMs) {
    const to = nowMs();
    const lateMs = to - entry.from - entry.timeoutMs - stalledMs;
    if (lateMs <= entry.tellAtMs) return;
    entry.tellAtMs = lateMs + LATE_MS;
    const { what, timeoutMs, from } = entry;
    const goesOn = this.#running.has(entry);
    const how = goesOn ? 'goes on after' : 'ended after';
    const detail = `${what}, time-out ${Math.round(timeoutMs)} ms, ${how} ${Math.round(to - from)} ms`;
    this.#report({ what: 'late', verb: what, goesOn, detail, lateMs, from, to });
  }

  #look() {
    for (const entry of this.#running) {
      this.#check(entry, this.heart.stalledMs - entry.stalledMs);
    }
  }
}
