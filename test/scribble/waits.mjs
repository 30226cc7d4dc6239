// Times every call into holdfast, and judges every error. Times are of the monotonic clock, in ms, the same in all
// processes.
import { isMainThread } from 'node:worker_threads';

/** So much later than its time-out may a wait end. */
export const LATE_MS = 1000;
const TICK_MS = 20;

export const nowMs = () => Number(process.hrtime.bigint()) / 1e6;

/** How late timers of this thread have been, in all: what a busy machine, or a blocking call, takes from its loop. */
export class Heart {
  stalledMs = 0;
  beats = 0;
  #last = nowMs();

  constructor(onBeat) {
    this.timer = setInterval(() => {
      const now = nowMs();
      this.stalledMs += Math.max(0, now - this.#last - TICK_MS);
      this.#last = now;
      this.beats += 1;
      onBeat?.();
    }, TICK_MS);
    this.timer.unref();
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
    if (/^ERR_HOLDFAST_/.test(code) && code !== 'ERR_HOLDFAST_INVALID_ARGUMENT') {
      this.codes[code] = (this.codes[code] ?? 0) + 1;
      return code;
    }
    this.#report({ what: 'error', detail: `${where}: ${error?.stack ?? error}` });
    return null;
  }

  #time(what, timeoutMs, call) {
    // Where it never comes back from this call, others see by /proc what it was.
    if (isMainThread) process.title = `in ${what}`;
    const entry = { what, timeoutMs, from: nowMs(), stalledMs: this.heart.stalledMs, told: false };
    let result;
    try {
      result = call();
    } finally {
      if (isMainThread) process.title = 'in no call';
      // No loop turned meanwhile: whatever kept this thread is the call, or the machine, which the runner knows.
      this.#check(entry, 0);
    }
    if (typeof result?.then !== 'function') return result;
    this.#running.add(entry);
    return result.finally(() => {
      this.#running.delete(entry);
      this.#check(entry, this.heart.stalledMs - entry.stalledMs);
    });
  }

  #check(entry, stalledMs) {
    const to = nowMs();
    const lateMs = to - entry.from - entry.timeoutMs - stalledMs;
    if (lateMs <= LATE_MS || entry.told) return;
    entry.told = true;
    const { what, timeoutMs, from } = entry;
    const detail = `${what}, time-out ${Math.round(timeoutMs)} ms, ended after ${Math.round(to - from)} ms`;
    this.#report({ what: 'late', verb: what, detail, lateMs, from, to });
  }

  #look() {
    for (const entry of this.#running) {
      this.#check(entry, this.heart.stalledMs - entry.stalledMs);
    }
  }
}
