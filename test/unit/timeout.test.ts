import { Lock, TimeoutError } from 'holdfast';
import { describe, expect, it } from 'vitest';
import { rejectedBy, thrownBy } from '../support/errors.js';
import { ownNamespace, uniqueName } from '../support/namespace.js';
import { turns, watch } from '../support/promises.js';

ownNamespace('timeout');

/** Between which times a wait is to end. */
interface Due {
  readonly after: number;
  before: number;
}
/** What timers round by. */
const TICK_MS = 2;

describe('a time-out', () => {
  it.each([0, -1, -Infinity, 0.25, 5, 60_000, 2 ** 31, 2 ** 53, Number.MAX_VALUE, Infinity])(
    'of %d ms does not hinder taking a free lock',
    async (timeout) => {
      const lock = new Lock(uniqueName());
      (await lock.acquire({ timeout })).release();
      lock.acquireSync({ timeout }).release();
      expect(await lock.with(() => 1, { timeout })).toBe(1);
      expect(lock.withSync(() => 2, { timeout })).toBe(2);
    },
  );

  it('undefined means for ever, as if it were left out', async () => {
    const lock = new Lock(uniqueName());
    const options = { timeout: undefined } as unknown as { timeout: number };
    const first = await lock.acquire(options);
    const second = lock.acquire(options);
    const marker = await rejectedBy(() => lock.acquire({ timeout: 5 }));
    expect(marker).toBeInstanceOf(TimeoutError);
    first.release();
    (await second).release();
  });

  it('rejects with a TimeoutError, never before its time', async () => {
    const lock = new Lock(uniqueName());
    const held = lock.acquireSync();
    for (const timeout of [0.5, 1, 2, 7, 20, 50.5]) {
      const start = performance.now();
      const error = await rejectedBy(() => lock.acquire({ timeout }));
      expect(performance.now() - start).toBeGreaterThanOrEqual(timeout);
      expect(error).toBeInstanceOf(TimeoutError);
      expect(error.code).toBe('ERR_HOLDFAST_TIMEOUT');
    }
    expect(held.released).toBe(false);
    held.release();
    expect(lock.locked).toBe(false);
  });

  it('of 0 or less is one try: the wait ends, and nobody is queued', async () => {
    const lock = new Lock(uniqueName());
    const held = await lock.acquire();
    for (const timeout of [0, -5, -Infinity]) {
      const error = await rejectedBy(() => lock.acquire({ timeout }));
      expect(error).toBeInstanceOf(TimeoutError);
      const errorSync = thrownBy(() => lock.acquireSync({ timeout }));
      expect(errorSync).toBeInstanceOf(TimeoutError);
    }
    held.release();
    expect(lock.locked).toBe(false);
  });

  it.each([2 ** 31 - 1, 2 ** 31, 2 ** 32, 2 ** 53, 1e300, Number.MAX_VALUE])(
    'of %d ms, beyond what timers can count, is not over at once',
    async (timeout) => {
      const lock = new Lock(uniqueName());
      const held = lock.acquireSync();
      const long = lock.acquire({ timeout });
      const watched = watch(long);
      const short = await rejectedBy(() => lock.acquire({ timeout: 30 }));
      expect(short).toBeInstanceOf(TimeoutError);
      expect(watched.state).toBe('pending');
      held.release();
      (await long).release();
    },
  );

  it('beyond what timers can count is cut to that: more would fire at once, again and again', async () => {
    const lock = new Lock(uniqueName());
    const held = lock.acquireSync();
    const warnings: string[] = [];
    const note = ({ name }: Error) => warnings.push(name);
    process.on('warning', note);
    const long = lock.acquire({ timeout: 2 ** 32 });
    await turns();
    process.off('warning', note);
    expect(warnings).toEqual([]);
    held.release();
    (await long).release();
  });

  it('ends the waits of one queue each at its own time, whatever their order', async () => {
    const lock = new Lock(uniqueName());
    const held = lock.acquireSync();
    const ended: Due[] = [];
    const waits = [60, 5, 120, 30].map(async (timeout) => {
      const due = { after: performance.now() + timeout, before: Number.POSITIVE_INFINITY };
      const wait = rejectedBy(() => lock.acquire({ timeout }));
      due.before = performance.now() + timeout + TICK_MS;
      await wait;
      expect(performance.now()).toBeGreaterThanOrEqual(due.after);
      ended.push(due);
    });
    await Promise.all(waits);
    // All of them were due in this order, if this thread did not lose its processor among the calls.
    const late = ended.filter((one, i) =>
      ended.slice(0, i).some((other) => one.before < other.after),
    );
    expect(late).toEqual([]);
    held.release();
    lock.acquireSync({ timeout: 0 }).release();
  });

  it('that did not happen is forgotten: the hold outlasts it', async () => {
    const lock = new Lock(uniqueName());
    const held = await lock.acquire({ timeout: 5 });
    await rejectedBy(() => lock.acquire({ timeout: 20 }));
    expect(held.released).toBe(false);
    expect(lock.locked).toBe(true);
    held.release();
  });
});
