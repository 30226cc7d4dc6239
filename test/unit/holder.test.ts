import { Lock, RLock } from 'holdfast';
import { describe, expect, it } from 'vitest';
import { ownNamespace, uniqueName } from '../support/namespace.js';

ownNamespace('holder');

describe.each([
  ['Lock', Lock],
  ['RLock', RLock],
])('holder of a %s', (_, Kind) => {
  it('is null while nobody holds it', async () => {
    const lock = new Kind(uniqueName());
    expect(lock.holder).toBeNull();
    lock.acquireSync().release();
    expect(lock.holder).toBeNull();
    (await lock.acquire()).release();
    expect(lock.holder).toBeNull();
  });

  it('names this process and thread 0, from any instance', async () => {
    const name = uniqueName();
    const [lock, other] = [new Kind(name), new Kind(name)];
    for (const take of [() => lock.acquireSync(), () => lock.acquire()]) {
      const held = await take();
      expect(other.holder).toMatchObject({ pid: process.pid, thread: 0 });
      expect(other.holder?.since).toBeInstanceOf(Date);
      held.release();
    }
  });

  it('says the same moment each time, neither future nor before the hold', () => {
    const lock = new Kind(uniqueName());
    // Date and the lock's monotonic clock may be rounded differently.
    const rounding = 20;
    const before = Date.now() - rounding;
    const held = lock.acquireSync();
    const since = lock.holder?.since.getTime();
    expect(since).toBeGreaterThanOrEqual(before);
    expect(since).toBeLessThanOrEqual(Date.now() + rounding);
    const again = Array.from({ length: 500 }, () => lock.holder?.since.getTime());
    expect(new Set(again)).toEqual(new Set([since]));
    held.release();
    const next = lock.acquireSync();
    expect(lock.holder?.since.getTime()).toBeGreaterThanOrEqual(since as number);
    next.release();
  });
});
