import { DeadlockError, Lock, TimeoutError } from 'holdfast';
import { describe, expect, it } from 'vitest';
import { rejectedBy, thrownBy } from '../support/errors.js';
import { ownNamespace, uniqueName } from '../support/namespace.js';

ownNamespace('deadlock');

const holds: [string, (lock: Lock) => unknown][] = [
  ['a promise`s guard', (lock) => lock.acquire()],
  ['a sync guard', (lock) => lock.acquireSync()],
  ['a guard of tryAcquire()', (lock) => lock.tryAcquire()],
];

describe.each(holds)('a sync acquire of what %s of this thread holds', (_, take) => {
  const hold = async () => {
    const lock = new Lock(uniqueName());
    await take(lock);
    return lock;
  };

  it.each([undefined, 1, 60_000, Infinity])(
    'throws DeadlockError at once, with timeout %s',
    async (timeout) => {
      const lock = await hold();
      const options = timeout === undefined ? {} : { timeout };
      for (const run of [() => lock.acquireSync(options), () => lock.withSync(() => {}, options)]) {
        const error = thrownBy(run);
        expect(error).toBeInstanceOf(DeadlockError);
        expect(error.code).toBe('ERR_HOLDFAST_DEADLOCK');
      }
      expect(lock.locked).toBe(true);
      lock.release();
      expect(lock.locked).toBe(false);
    },
  );

  it.each([0, -1])('is one try that times out, with timeout %d', async (timeout) => {
    const lock = await hold();
    expect(thrownBy(() => lock.acquireSync({ timeout }))).toBeInstanceOf(TimeoutError);
    lock.release();
  });

  it('is null from tryAcquire()', async () => {
    const lock = await hold();
    expect(lock.tryAcquire()).toBeNull();
    lock.release();
  });

  it('by another instance of the lock is the same', async () => {
    const lock = await hold();
    const other = new Lock(lock.name);
    expect(thrownBy(() => other.acquireSync())).toBeInstanceOf(DeadlockError);
    expect(other.tryAcquire()).toBeNull();
    lock.release();
  });
});

it('an async acquire of what this thread holds only waits', async () => {
  const lock = new Lock(uniqueName());
  const held = lock.acquireSync();
  const error = await rejectedBy(() => lock.acquire({ timeout: 5 }));
  expect(error).toBeInstanceOf(TimeoutError);
  const next = lock.acquire();
  held.release();
  (await next).release();
});

it('a sync acquire succeeds after the DeadlockError, once the lock is free', () => {
  const lock = new Lock(uniqueName());
  const held = lock.acquireSync();
  thrownBy(() => lock.acquireSync());
  held.release();
  lock.acquireSync({ timeout: 0 }).release();
});
