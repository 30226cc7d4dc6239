import { Lock } from 'holdfast';
import { describe, expect, it } from 'vitest';
import { thrownBy } from '../support/errors.js';
import { ownNamespace, uniqueName } from '../support/namespace.js';
import { turns, watch } from '../support/promises.js';

ownNamespace('acquire');

describe('the three ways to acquire a free lock', () => {
  it('acquire() resolves with a guard that holds it', async () => {
    const lock = new Lock(uniqueName());
    const held = await lock.acquire();
    expect(lock.locked).toBe(true);
    expect(held.released).toBe(false);
    held.release();
    expect(lock.locked).toBe(false);
    expect(held.released).toBe(true);
  });

  it('acquireSync() returns a guard that holds it', () => {
    const lock = new Lock(uniqueName());
    const held = lock.acquireSync();
    expect(lock.locked).toBe(true);
    held.release();
    expect(lock.locked).toBe(false);
  });

  it('tryAcquire() returns a guard that holds it', () => {
    const lock = new Lock(uniqueName());
    const held = lock.tryAcquire();
    expect(held?.released).toBe(false);
    expect(lock.locked).toBe(true);
    held?.release();
    expect(lock.locked).toBe(false);
  });

  it('they follow one another on one lock, many times over', async () => {
    const lock = new Lock(uniqueName());
    for (let i = 0; i < 2_000; i += 1) {
      lock.acquireSync().release();
      (await lock.acquire()).release();
      lock.tryAcquire()?.release();
    }
    expect(lock.locked).toBe(false);
    expect(lock.tryAcquire()?.release()).toBeUndefined();
  });
});

describe('a held lock', () => {
  it('tryAcquire() gives null, whoever of this thread holds it', async () => {
    const lock = new Lock(uniqueName());
    const bySync = lock.acquireSync();
    expect(lock.tryAcquire()).toBeNull();
    bySync.release();
    const byPromise = await lock.acquire();
    expect(lock.tryAcquire()).toBeNull();
    byPromise.release();
    const byTry = lock.tryAcquire();
    expect(lock.tryAcquire()).toBeNull();
    byTry?.release();
  });

  it('acquire() waits for a sync holder, and the event loop goes on meanwhile', async () => {
    const lock = new Lock(uniqueName());
    const first = lock.acquireSync();
    const second = lock.acquire();
    const watched = watch(second);
    await turns();
    expect(watched.state).toBe('pending');
    first.release();
    (await second).release();
    expect(lock.locked).toBe(false);
  });

  it('a failed try changes nothing for the holder', async () => {
    const lock = new Lock(uniqueName());
    const held = await lock.acquire();
    lock.tryAcquire();
    expect(held.released).toBe(false);
    expect(lock.locked).toBe(true);
    held.release();
  });
});

describe('release()', () => {
  it('releases what this thread holds, and its guard becomes released', async () => {
    const lock = new Lock(uniqueName());
    const bySync = lock.acquireSync();
    lock.release();
    expect(bySync.released).toBe(true);
    expect(lock.locked).toBe(false);
    const byPromise = await lock.acquire();
    lock.release();
    expect(byPromise.released).toBe(true);
    expect(lock.locked).toBe(false);
  });

  it('throws NotHeldError when this thread holds nothing, and changes nothing', () => {
    const lock = new Lock(uniqueName());
    expect(thrownBy(() => lock.release()).code).toBe('ERR_HOLDFAST_NOT_HELD');
    expect(lock.locked).toBe(false);
    lock.acquireSync().release();
    expect(thrownBy(() => lock.release()).code).toBe('ERR_HOLDFAST_NOT_HELD');
  });

  it('gives back the hold and not the wait behind it', async () => {
    const lock = new Lock(uniqueName());
    const first = lock.acquireSync();
    const second = lock.acquire();
    lock.release();
    expect(first.released).toBe(true);
    (await second).release();
    expect(thrownBy(() => lock.release()).code).toBe('ERR_HOLDFAST_NOT_HELD');
  });

  it('needs its own lock: a method on a stranger is refused, not misread', () => {
    const lock = new Lock(uniqueName());
    const held = lock.acquireSync();
    for (const stranger of [{}, null, held, new Date()]) {
      expect(() => Lock.prototype.release.call(stranger as never)).toThrow();
      expect(() => Lock.prototype.acquireSync.call(stranger as never)).toThrow();
      expect(() => Lock.prototype.tryAcquire.call(stranger as never)).toThrow();
    }
    expect(held.released).toBe(false);
    held.release();
  });
});

describe('one name, one lock', () => {
  it('two instances of one thread are one lock', async () => {
    const name = uniqueName();
    const [one, other] = [new Lock(name), new Lock(name)];
    const held = one.acquireSync();
    expect(other.locked).toBe(true);
    expect(other.tryAcquire()).toBeNull();
    const next = other.acquire();
    const watched = watch(next);
    await turns();
    expect(watched.state).toBe('pending');
    held.release();
    (await next).release();
  });

  it('what one instance holds, the other may release', () => {
    const name = uniqueName();
    const [one, other] = [new Lock(name), new Lock(name)];
    const held = one.acquireSync();
    other.release();
    expect(held.released).toBe(true);
    expect(one.locked).toBe(false);
  });

  it('two names are two locks', () => {
    const [one, other] = [new Lock(uniqueName()), new Lock(uniqueName())];
    const held = one.acquireSync();
    expect(other.locked).toBe(false);
    const otherHeld = other.acquireSync();
    held.release();
    expect(other.locked).toBe(true);
    otherHeld.release();
  });
});
