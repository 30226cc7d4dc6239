import { ClosedError, HoldfastError, Lock, open, RLock, UnlinkedError } from 'holdfast';
import { describe, expect, it } from 'vitest';
import { rejectedBy, thrownBy } from '../support/errors.js';
import { ownNamespace, uniqueName } from '../support/namespace.js';

ownNamespace('unlink');

describe('unlink()', () => {
  it('is over for every other instance: each verb throws UnlinkedError', async () => {
    const name = uniqueName();
    const lock = new Lock(name);
    new Lock(name).unlink();
    const verbs = [
      () => lock.acquire(),
      () => lock.acquire({ timeout: 0 }),
      () => lock.with(() => {}),
      async () => lock.acquireSync(),
      async () => lock.withSync(() => {}),
      async () => lock.tryAcquire(),
    ];
    for (const verb of verbs) {
      const error = await rejectedBy(verb);
      expect(error).toBeInstanceOf(UnlinkedError);
      expect(error.code).toBe('ERR_HOLDFAST_UNLINKED');
    }
    lock.close();
    expect(thrownBy(() => lock.acquireSync())).toBeInstanceOf(ClosedError);
  });

  it('closes the instance itself', () => {
    const lock = new Lock(uniqueName());
    lock.unlink();
    const error = thrownBy(() => lock.acquireSync());
    expect([ClosedError, UnlinkedError]).toContain(error.constructor);
    lock.close();
  });

  it('frees the name: a new lock of it starts free, and the old ones stay over', () => {
    const name = uniqueName();
    const [old, unlinker] = [new Lock(name), new Lock(name)];
    unlinker.unlink();
    const fresh = new Lock(name);
    const held = fresh.acquireSync({ timeout: 0 });
    expect(held.abandoned).toBe(false);
    expect(thrownBy(() => old.tryAcquire())).toBeInstanceOf(UnlinkedError);
    held.release();
  });

  it('frees the name for another kind', () => {
    const name = uniqueName();
    new Lock(name).unlink();
    const other = new RLock(name);
    other.acquireSync().release();
    other.unlink();
    new Lock(name).acquireSync().release();
  });

  it('is refused while somebody holds the lock, says who, and changes nothing', async () => {
    const name = uniqueName();
    const [lock, other] = [new Lock(name), new Lock(name)];
    for (const take of [() => lock.acquireSync(), () => lock.acquire()]) {
      const held = await take();
      for (const instance of [lock, other]) {
        const error = thrownBy(() => instance.unlink());
        expect(error).toBeInstanceOf(HoldfastError);
        expect(error.code).toBe('ERR_HOLDFAST_IN_USE');
        expect(error.message).toContain(String(process.pid));
      }
      expect(held.released).toBe(false);
      held.release();
    }
    lock.acquireSync().release();
    other.acquireSync().release();
  });

  it('makes open() of its token say ERR_HOLDFAST_NOT_FOUND', () => {
    const lock = new Lock(uniqueName());
    const token = lock.toJSON();
    lock.unlink();
    expect(thrownBy(() => open(token)).code).toBe('ERR_HOLDFAST_NOT_FOUND');
  });

  it('can be repeated a thousand times under one name', () => {
    const name = uniqueName();
    for (let i = 0; i < 1_000; i += 1) {
      const lock = new Lock(name);
      lock.acquireSync({ timeout: 0 }).release();
      lock.unlink();
    }
  });
});
