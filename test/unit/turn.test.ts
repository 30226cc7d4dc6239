import { Lock, type LockGuard, RWLock, Semaphore } from 'holdfast';
import { expect, it } from 'vitest';
import { reasonOf, rejectedBy } from '../support/errors.js';
import { ownNamespace, uniqueName } from '../support/namespace.js';

ownNamespace('turn');

/**
 * Acquires and releases until the event loop must turn first: the acquire that waits for that. The lock is free
 * meanwhile.
 */
async function untilDue(
  lock: Lock,
  options?: { timeout?: number; signal?: AbortSignal },
): Promise<{ waiting: Promise<LockGuard> }> {
  for (;;) {
    const waiting = lock.acquire(options);
    if (!lock.locked) return { waiting };
    (await waiting).release();
  }
}

it('who waits for a turn of the loop comes before those who ask later, and holds nothing', async () => {
  const lock = new Lock(uniqueName());
  const order: number[] = [];
  const note = (number: number) => (guard: LockGuard) => {
    order.push(number);
    guard.release();
  };
  const { waiting } = await untilDue(lock);
  const all = [waiting.then(note(1))];
  for (const number of [2, 3, 4]) all.push(lock.acquire().then(note(number)));
  expect(lock.locked).toBe(false);
  expect(lock.tryAcquire()).toBeNull();
  await Promise.all(all);
  expect(order).toEqual([1, 2, 3, 4]);
});

it('a sync verb goes before who waits for a turn of the loop', async () => {
  const lock = new Lock(uniqueName());
  const { waiting } = await untilDue(lock);
  const held = lock.acquireSync();
  held.release();
  (await waiting).release();
});

it('an abort ends the wait for a turn of the loop', async () => {
  const lock = new Lock(uniqueName());
  const controller = new AbortController();
  const { waiting } = await untilDue(lock, { signal: controller.signal });
  controller.abort(new Error('no longer'));
  expect(await reasonOf(() => waiting)).toBe(controller.signal.reason);
  lock.acquireSync({ timeout: 0 }).release();
});

it('close() ends the wait for a turn of the loop', async () => {
  const lock = new Lock(uniqueName());
  const { waiting } = await untilDue(lock);
  lock.close();
  expect((await rejectedBy(() => waiting)).code).toBe('ERR_HOLDFAST_CLOSED');
});

it('one try is made after a turn of the loop', async () => {
  const lock = new Lock(uniqueName());
  const { waiting } = await untilDue(lock, { timeout: 0 });
  (await waiting).release();
  const again = await untilDue(lock, { timeout: 0 });
  const held = lock.acquireSync();
  expect((await rejectedBy(() => again.waiting)).code).toBe('ERR_HOLDFAST_TIMEOUT');
  held.release();
});

it('permits and sides are left to others while a turn of the loop is waited for', async () => {
  const lock = new Lock(uniqueName());
  const [semaphore, table] = [new Semaphore(uniqueName()), new RWLock(uniqueName())];
  const { waiting } = await untilDue(lock);
  const [permit, side] = [semaphore.acquire(), table.write.acquire()];
  expect(semaphore.available).toBe(1);
  expect(table.write.locked).toBe(false);
  for (const guard of await Promise.all([waiting, permit, side])) guard.release();
});
