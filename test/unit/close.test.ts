import { ClosedError, Lock, RLock, RWLock, Semaphore } from 'holdfast';
import { describe, expect, it } from 'vitest';
import { rejectedBy, thrownBy } from '../support/errors.js';
import { ownNamespace, uniqueName } from '../support/namespace.js';
import { turns } from '../support/promises.js';

ownNamespace('close');

describe.each([
  ['Lock', Lock],
  ['RLock', RLock],
])('a closed %s', (_, Kind) => {
  type Verb = (lock: Lock | RLock) => unknown;
  const verbs: [string, Verb][] = [
    ['acquire', (lock) => lock.acquire()],
    ['acquire with a time-out of 0', (lock) => lock.acquire({ timeout: 0 })],
    ['acquireSync', (lock) => lock.acquireSync()],
    ['tryAcquire', (lock) => lock.tryAcquire()],
    ['with', (lock) => lock.with(() => {})],
    ['withSync', (lock) => lock.withSync(() => {})],
    ['release', (lock) => lock.release()],
    ['unlink', (lock) => lock.unlink()],
  ];
  it.each(verbs)('throws ClosedError from %s', async (_verb, verb) => {
    const lock = new Kind(uniqueName());
    lock.acquireSync().release();
    lock.close();
    const error = await rejectedBy(async () => verb(lock));
    expect(error).toBeInstanceOf(ClosedError);
    expect(error.code).toBe('ERR_HOLDFAST_CLOSED');
  });

  it('may be closed again, and disposed', () => {
    const lock = new Kind(uniqueName());
    lock.close();
    lock.close();
    lock[Symbol.dispose]();
    expect(thrownBy(() => lock.tryAcquire())).toBeInstanceOf(ClosedError);
  });

  it('is what disposal makes', () => {
    const name = uniqueName();
    let kept: Lock | RLock;
    {
      using lock = new Kind(name);
      kept = lock;
    }
    expect(thrownBy(() => kept.tryAcquire())).toBeInstanceOf(ClosedError);
  });

  it('can be opened anew by its name', () => {
    const name = uniqueName();
    new Kind(name).close();
    const again = new Kind(name);
    again.acquireSync({ timeout: 0 }).release();
  });

  it('keeps its name', () => {
    const name = uniqueName('kept-name');
    const lock = new Kind(name);
    lock.close();
    expect(lock.name).toBe(name);
  });
});

describe('close()', () => {
  it('is refused while this thread holds the lock, and changes nothing', async () => {
    const lock = new Lock(uniqueName());
    for (const take of [() => lock.acquireSync(), () => lock.acquire()]) {
      const held = await take();
      expect(thrownBy(() => lock.close()).code).toBe('ERR_HOLDFAST_HELD');
      expect(thrownBy(() => lock[Symbol.dispose]()).code).toBe('ERR_HOLDFAST_HELD');
      expect(held.released).toBe(false);
      expect(lock.locked).toBe(true);
      held.release();
    }
    lock.close();
  });

  it('of one instance leaves the others', async () => {
    const name = uniqueName();
    const [one, other] = [new Lock(name), new Lock(name)];
    const held = other.acquireSync();
    const waiting = other.acquire();
    held.release();
    const next = await waiting;
    next.release();
    one.close();
    other.acquireSync().release();
    expect(thrownBy(() => one.tryAcquire())).toBeInstanceOf(ClosedError);
    await turns();
    expect(other.locked).toBe(false);
  });

  it('closes a hundred instances of one name one by one', () => {
    const name = uniqueName();
    const locks = Array.from({ length: 100 }, () => new Lock(name));
    while (locks.length > 1) {
      locks.pop()?.close();
      locks[0]?.acquireSync({ timeout: 0 }).release();
    }
    locks[0]?.close();
    new Lock(name).acquireSync({ timeout: 0 }).release();
  });
});

describe('close() of what came free just now for a promise that waits', () => {
  it.each([true, false])('gives a permit back (owned: %s)', async (owned) => {
    const name = uniqueName();
    const semaphore = new Semaphore(name, 1, { owned });
    const held = semaphore.acquireSync();
    const waiting = semaphore.acquire();
    held.release();
    semaphore.close();
    expect(await rejectedBy(() => waiting)).toBeInstanceOf(ClosedError);
    expect(new Semaphore(name, 1, { owned }).available).toBe(1);
  });

  it.each(['read', 'write'] as const)('leaves the %s side of an RWLock free', async (side) => {
    const name = uniqueName();
    const lock = new RWLock(name);
    const held = lock.write.acquireSync();
    const waiting = lock[side].acquire();
    held.release();
    lock.close();
    expect(await rejectedBy(() => waiting as Promise<unknown>)).toBeInstanceOf(ClosedError);
    const again = new RWLock(name).write.acquireSync({ timeout: 0 });
    expect(again.abandoned).toBe(false);
    again.release();
  });
});
