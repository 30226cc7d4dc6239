import { Lock, NotHeldError } from 'holdfast';
import { describe, expect, it } from 'vitest';
import { thrownBy } from '../support/errors.js';
import { ownNamespace, uniqueName } from '../support/namespace.js';

ownNamespace('guards');

describe('a guard', () => {
  it('of a lock whose holders all lived says abandoned: false', async () => {
    const lock = new Lock(uniqueName());
    for (const take of [() => lock.acquireSync(), () => lock.tryAcquire(), () => lock.acquire()]) {
      const held = await take();
      expect(held?.abandoned).toBe(false);
      held?.release();
    }
  });

  it('released twice throws NotHeldError, and the lock stays free', async () => {
    const lock = new Lock(uniqueName());
    for (const take of [() => lock.acquireSync(), () => lock.acquire()]) {
      const held = await take();
      held.release();
      const error = thrownBy(() => held.release());
      expect(error).toBeInstanceOf(NotHeldError);
      expect(error.code).toBe('ERR_HOLDFAST_NOT_HELD');
      expect(held.released).toBe(true);
      expect(lock.locked).toBe(false);
    }
  });

  it('released after lock.release() throws NotHeldError', () => {
    const lock = new Lock(uniqueName());
    const held = lock.acquireSync();
    lock.release();
    expect(thrownBy(() => held.release())).toBeInstanceOf(NotHeldError);
  });

  it('released again does not release the next holder, of this thread too', async () => {
    const lock = new Lock(uniqueName());
    const old = lock.acquireSync();
    old.release();
    const next = await lock.acquire();
    expect(thrownBy(() => old.release())).toBeInstanceOf(NotHeldError);
    old[Symbol.dispose]();
    await old[Symbol.asyncDispose]();
    expect(next.released).toBe(false);
    expect(lock.locked).toBe(true);
    next.release();
  });

  it('may be released from another async context than it was taken in', async () => {
    const lock = new Lock(uniqueName());
    const held = await lock.acquire();
    await new Promise<void>((resolve) => {
      setImmediate(() => {
        held.release();
        resolve();
      });
    });
    expect(lock.locked).toBe(false);
  });

  it('has methods that refuse a stranger', () => {
    const lock = new Lock(uniqueName());
    const held = lock.acquireSync();
    const { release } = held;
    expect(() => release.call({} as never)).toThrow();
    expect(() => release.call(lock as never)).toThrow();
    expect(held.released).toBe(false);
    held.release();
  });
});

describe('disposal', () => {
  it('releases, by dispose and by asyncDispose', async () => {
    const lock = new Lock(uniqueName());
    const one = lock.acquireSync();
    one[Symbol.dispose]();
    expect(one.released).toBe(true);
    expect(lock.locked).toBe(false);
    const other = await lock.acquire();
    await other[Symbol.asyncDispose]();
    expect(other.released).toBe(true);
    expect(lock.locked).toBe(false);
  });

  it('of a released guard does nothing', async () => {
    const lock = new Lock(uniqueName());
    const held = lock.acquireSync();
    held.release();
    expect(() => held[Symbol.dispose]()).not.toThrow();
    await expect(held[Symbol.asyncDispose]()).resolves.toBeUndefined();
  });

  it('`using` releases at the end of the block', () => {
    const lock = new Lock(uniqueName());
    {
      using held = lock.acquireSync();
      expect(held.released).toBe(false);
      expect(lock.locked).toBe(true);
    }
    expect(lock.locked).toBe(false);
  });

  it('`await using` releases at the end of the block', async () => {
    const lock = new Lock(uniqueName());
    {
      await using held = await lock.acquire();
      expect(held.released).toBe(false);
    }
    expect(lock.locked).toBe(false);
  });

  it('`using` releases when the block throws', () => {
    const lock = new Lock(uniqueName());
    const error = new Error('from the block');
    const block = () => {
      using _held = lock.acquireSync();
      throw error;
    };
    expect(thrownBy(block)).toBe(error);
    expect(lock.locked).toBe(false);
  });

  it('`using` takes the null of a failed tryAcquire()', () => {
    const lock = new Lock(uniqueName());
    using _held = lock.acquireSync();
    using maybe = lock.tryAcquire();
    expect(maybe).toBeNull();
  });

  it('`using` allows an early release', () => {
    const lock = new Lock(uniqueName());
    {
      using held = lock.acquireSync();
      held.release();
    }
    expect(lock.locked).toBe(false);
  });
});
