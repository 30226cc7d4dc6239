import { DeadlockError, NotHeldError, RLock } from 'holdfast';
import { describe, expect, it } from 'vitest';
import { rejectedBy, thrownBy } from '../support/errors.js';
import { ownNamespace, uniqueName } from '../support/namespace.js';
import { turns, watch } from '../support/promises.js';

ownNamespace('rlock-sync');

describe('rule 1: a hold of an RLock that was taken by a sync verb', () => {
  it('is re-entered by every sync verb of the same run', () => {
    const lock = new RLock(uniqueName());
    expect(lock.depth).toBe(0);
    const one = lock.acquireSync();
    expect(lock.depth).toBe(1);
    const two = lock.acquireSync({ timeout: 0 });
    expect(lock.depth).toBe(2);
    const three = lock.tryAcquire();
    expect(lock.depth).toBe(3);
    const inside = lock.withSync((four) => [lock.depth, four.token]);
    expect(inside).toEqual([4, one.token]);
    expect(lock.depth).toBe(3);
    for (const held of [three, two, one]) {
      held?.release();
    }
    expect(lock.depth).toBe(0);
    expect(lock.locked).toBe(false);
  });

  it.each([
    ['tryAcquire', (lock: RLock) => lock.tryAcquire()],
    ['acquireSync', (lock: RLock) => lock.acquireSync()],
  ])('by %s', (_, take) => {
    const lock = new RLock(uniqueName());
    using outer = take(lock);
    using inner = lock.acquireSync({ timeout: 0 });
    expect(inner.token).toBe(outer?.token);
  });

  it('by withSync', () => {
    const lock = new RLock(uniqueName());
    const depths = lock.withSync(() => lock.withSync(() => lock.withSync(() => lock.depth)));
    expect(depths).toBe(3);
    expect(lock.locked).toBe(false);
  });

  it('is not re-entered from a later turn of the loop: it is its guard`s by then', async () => {
    const lock = new RLock(uniqueName());
    const outer = lock.acquireSync();
    await turns();
    expect(lock.tryAcquire()).toBeNull();
    expect(lock.depth).toBe(1);
    outer.release();
    expect(lock.locked).toBe(false);
  });

  it('is re-entered through another instance of the name', () => {
    const name = uniqueName();
    const [one, other] = [new RLock(name), new RLock(name)];
    const outer = one.acquireSync();
    const inner = other.acquireSync({ timeout: 0 });
    expect([one.depth, other.depth]).toEqual([2, 2]);
    inner.release();
    outer.release();
  });

  it('ends with its last level, whatever the order of the releases', () => {
    for (const order of [
      [0, 1, 2],
      [2, 1, 0],
      [1, 0, 2],
      [1, 2, 0],
    ]) {
      const lock = new RLock(uniqueName());
      const guards = [lock.acquireSync(), lock.acquireSync(), lock.acquireSync()];
      expect(new Set(guards.map((held) => held.token)).size).toBe(1);
      order.forEach((index, done) => {
        expect(lock.locked).toBe(true);
        expect(lock.depth).toBe(3 - done);
        guards[index]?.release();
        expect(guards[index]?.released).toBe(true);
      });
      expect(lock.locked).toBe(false);
    }
  });

  it('gives a new token when it begins anew', () => {
    const lock = new RLock(uniqueName());
    const first = lock.withSync((held) => held.token);
    const second = lock.withSync((held) => lock.withSync((inner) => [held.token, inner.token]));
    expect(second[0]).toBe(second[1]);
    expect(second[0]).toBeGreaterThan(first);
  });

  it('lock.release() releases the innermost level', () => {
    const lock = new RLock(uniqueName());
    const [outer, inner] = [lock.acquireSync(), lock.acquireSync()];
    lock.release();
    expect([outer.released, inner.released]).toEqual([false, true]);
    expect(lock.depth).toBe(1);
    lock.release();
    expect(outer.released).toBe(true);
    expect(lock.locked).toBe(false);
    expect(thrownBy(() => lock.release())).toBeInstanceOf(NotHeldError);
  });

  it('a guard released twice throws, and the other levels stay', () => {
    const lock = new RLock(uniqueName());
    const [outer, inner] = [lock.acquireSync(), lock.acquireSync()];
    inner.release();
    expect(thrownBy(() => inner.release())).toBeInstanceOf(NotHeldError);
    inner[Symbol.dispose]();
    expect(lock.depth).toBe(1);
    expect(outer.released).toBe(false);
    outer.release();
  });

  it('is not re-entered by acquire(), which waits for all levels', async () => {
    const lock = new RLock(uniqueName());
    const [outer, inner] = [lock.acquireSync(), lock.acquireSync()];
    const other = lock.acquire();
    const watched = watch(other);
    await turns();
    expect(watched.state).toBe('pending');
    inner.release();
    await turns();
    expect(watched.state).toBe('pending');
    outer.release();
    const held = await other;
    expect(held.token).toBeGreaterThan(outer.token);
    held.release();
  });

  it('is not re-entered by with() either', async () => {
    const lock = new RLock(uniqueName());
    const outer = lock.acquireSync();
    const error = await rejectedBy(() => lock.with(() => {}, { timeout: 5 }));
    expect(error.code).toBe('ERR_HOLDFAST_TIMEOUT');
    outer.release();
  });

  it('cannot be closed', () => {
    const lock = new RLock(uniqueName());
    const [outer, inner] = [lock.acquireSync(), lock.acquireSync()];
    outer.release();
    expect(thrownBy(() => lock.close()).code).toBe('ERR_HOLDFAST_HELD');
    inner.release();
    lock.close();
  });

  it('goes a thousand levels deep', () => {
    const lock = new RLock(uniqueName());
    const guards = Array.from({ length: 1_000 }, () => lock.acquireSync());
    expect(lock.depth).toBe(1_000);
    for (const held of guards) {
      held.release();
    }
    expect(lock.locked).toBe(false);
  });
});

describe('rule 3: a hold that was taken by a bare acquire()', () => {
  it('belongs to its guard alone: another acquire() waits', async () => {
    const lock = new RLock(uniqueName());
    const first = await lock.acquire();
    const second = lock.acquire();
    const watched = watch(second);
    await turns();
    expect(watched.state).toBe('pending');
    expect(lock.depth).toBe(1);
    first.release();
    const held = await second;
    expect(held.token).toBeGreaterThan(first.token);
    held.release();
  });

  it('makes a with() wait', async () => {
    const lock = new RLock(uniqueName());
    const first = await lock.acquire();
    const error = await rejectedBy(() => lock.with(() => {}, { timeout: 5 }));
    expect(error.code).toBe('ERR_HOLDFAST_TIMEOUT');
    first.release();
  });

  it('gives a sync verb of the thread a DeadlockError, or one failed try', async () => {
    const lock = new RLock(uniqueName());
    const held = await lock.acquire();
    expect(thrownBy(() => lock.acquireSync())).toBeInstanceOf(DeadlockError);
    expect(thrownBy(() => lock.acquireSync({ timeout: 50 }))).toBeInstanceOf(DeadlockError);
    expect(thrownBy(() => lock.withSync(() => {}))).toBeInstanceOf(DeadlockError);
    expect(thrownBy(() => lock.acquireSync({ timeout: 0 })).code).toBe('ERR_HOLDFAST_TIMEOUT');
    expect(lock.tryAcquire()).toBeNull();
    expect(lock.depth).toBe(1);
    held.release();
  });

  it('lock.release() gives it back', async () => {
    const lock = new RLock(uniqueName());
    const held = await lock.acquire();
    lock.release();
    expect(held.released).toBe(true);
    expect(lock.locked).toBe(false);
  });
});
