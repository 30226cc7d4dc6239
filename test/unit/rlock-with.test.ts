import { setTimeout as delay } from 'node:timers/promises';
import { DeadlockError, Lock, type LockGuard, RLock } from 'holdfast';
import { describe, expect, it } from 'vitest';
import { reasonOf, rejectedBy, thrownBy } from '../support/errors.js';
import { ownNamespace, uniqueName } from '../support/namespace.js';
import { turns, watch } from '../support/promises.js';

ownNamespace('rlock-with');

describe('rule 2: a hold of an RLock that was taken by with()', () => {
  it('is re-entered by every verb in the function', async () => {
    const lock = new RLock(uniqueName());
    await lock.with(async (outer) => {
      const byPromise = await lock.acquire();
      expect(lock.depth).toBe(2);
      const bySync = lock.acquireSync();
      expect(lock.depth).toBe(3);
      const byTry = lock.tryAcquire();
      expect(lock.depth).toBe(4);
      const tokens = [byPromise, bySync, byTry].map((held) => held?.token);
      expect(new Set(tokens)).toEqual(new Set([outer.token]));
      await lock.with((held) => {
        expect(lock.depth).toBe(5);
        expect(held.token).toBe(outer.token);
      });
      lock.withSync(() => expect(lock.depth).toBe(5));
      for (const held of [byPromise, byTry, bySync]) {
        held?.release();
      }
      expect(lock.depth).toBe(1);
    });
    expect(lock.locked).toBe(false);
  });

  it('is re-entered from within another lock`s with(), however deep', async () => {
    const [lock, other, third] = [uniqueName(), uniqueName(), uniqueName()].map(
      (name) => new RLock(name),
    ) as [RLock, RLock, RLock];
    await lock.with(() =>
      other.with(() =>
        third.with(async () => {
          (await lock.acquire({ timeout: 0 })).release();
          lock.acquireSync({ timeout: 0 }).release();
          await other.with(() => expect(other.depth).toBe(2), { timeout: 0 });
        }),
      ),
    );
    expect([lock, other, third].map(({ locked }) => locked)).toEqual([false, false, false]);
  });

  it('is re-entered with a time-out of 0 and with a signal', async () => {
    const lock = new RLock(uniqueName());
    await lock.with(async () => {
      (await lock.acquire({ timeout: 0 })).release();
      lock.acquireSync({ timeout: 0 }).release();
      (await lock.acquire({ signal: new AbortController().signal })).release();
      const reason = new Error('before');
      const signal = AbortSignal.abort(reason);
      expect(await reasonOf(() => lock.acquire({ signal }))).toBe(reason);
      expect(lock.depth).toBe(1);
    });
  });

  it('is re-entered after awaits, in timers, and in called functions', async () => {
    const lock = new RLock(uniqueName());
    const reenter = async () => {
      await using _held = await lock.acquire({ timeout: 0 });
      return lock.depth;
    };
    await lock.with(async () => {
      await turns();
      expect(await reenter()).toBe(2);
      await delay(1);
      expect(await reenter()).toBe(2);
      const inTimer = await new Promise((resolve, reject) => {
        setTimeout(() => reenter().then(resolve, reject), 1);
      });
      expect(inTimer).toBe(2);
      expect(await Promise.all([reenter(), reenter()])).toHaveLength(2);
    });
    expect(lock.locked).toBe(false);
  });

  it('nests: with() in with() in with()', async () => {
    const lock = new RLock(uniqueName());
    const depth = await lock.with(() => lock.with(() => lock.with(async () => lock.depth)));
    expect(depth).toBe(3);
    expect(lock.locked).toBe(false);
  });

  it('is re-entered through another instance of the name', async () => {
    const name = uniqueName();
    const [one, other] = [new RLock(name), new RLock(name)];
    const depth = await one.with(() => other.with(() => other.withSync(() => one.depth)));
    expect(depth).toBe(3);
  });

  it('excludes the other async contexts of the thread', async () => {
    const lock = new RLock(uniqueName());
    const order: string[] = [];
    const work = (label: string) =>
      lock.with(async () => {
        order.push(`${label} begins`);
        await lock.with(() => turns());
        await turns();
        order.push(`${label} ends`);
      });
    await Promise.all([work('a'), work('b'), work('c')]);
    expect(order).toEqual(['a', 'b', 'c'].flatMap((l) => [`${l} begins`, `${l} ends`]));
  });

  it('gives other contexts what a held lock gives: DeadlockError, a failed try', async () => {
    const lock = new RLock(uniqueName());
    let end = () => {};
    let entered = () => {};
    const inside = new Promise<void>((resolve) => {
      entered = resolve;
    });
    const whole = lock.with(() => {
      entered();
      return new Promise<void>((resolve) => {
        end = resolve;
      });
    });
    await inside;
    expect(thrownBy(() => lock.acquireSync())).toBeInstanceOf(DeadlockError);
    expect(thrownBy(() => lock.acquireSync({ timeout: 0 })).code).toBe('ERR_HOLDFAST_TIMEOUT');
    expect(lock.tryAcquire()).toBeNull();
    const error = await rejectedBy(() => lock.acquire({ timeout: 5 }));
    expect(error.code).toBe('ERR_HOLDFAST_TIMEOUT');
    expect(lock.depth).toBe(1);
    end();
    await whole;
    expect(lock.locked).toBe(false);
  });

  it('outlasts the function while an inner guard is unreleased', async () => {
    const lock = new RLock(uniqueName());
    const inner = await lock.with(() => lock.acquire());
    expect(inner.released).toBe(false);
    expect(lock.locked).toBe(true);
    expect(lock.depth).toBe(1);
    const other = lock.acquire();
    const watched = watch(other);
    await turns();
    expect(watched.state).toBe('pending');
    inner.release();
    (await other).release();
    expect(lock.locked).toBe(false);
  });

  it('is re-entered by work that was started and not awaited, while the hold lasts', async () => {
    const lock = new RLock(uniqueName());
    let started: Promise<LockGuard> | undefined;
    await lock.with(async (outer) => {
      started = lock.acquire();
      expect((await started).token).toBe(outer.token);
    });
    (await started)?.release();
    expect(lock.locked).toBe(false);
  });

  it('is not re-entered by such work after the hold has ended: a new acquirer', async () => {
    const lock = new RLock(uniqueName());
    let begin = () => {};
    const begun = new Promise<void>((resolve) => {
      begin = resolve;
    });
    let straggler: Promise<LockGuard> | undefined;
    const old = await lock.with((held) => {
      straggler = (async () => {
        await begun;
        return lock.acquire();
      })();
      return held.token;
    });
    const between = await lock.acquire();
    begin();
    const watched = watch(straggler as Promise<LockGuard>);
    await turns();
    expect(watched.state).toBe('pending');
    between.release();
    const held = await straggler;
    expect(held?.token).toBeGreaterThan(between.token);
    expect(between.token).toBeGreaterThan(old);
    held?.release();
  });

  it('is not confused with the hold of another with() that runs by then', async () => {
    const lock = new RLock(uniqueName());
    let begin = () => {};
    const begun = new Promise<void>((resolve) => {
      begin = resolve;
    });
    let straggler: Promise<LockGuard | null> | undefined;
    await lock.with(() => {
      straggler = (async () => {
        await begun;
        return lock.tryAcquire();
      })();
    });
    await lock.with(async () => {
      begin();
      expect(await straggler).toBeNull();
      expect(lock.depth).toBe(1);
    });
    expect(lock.locked).toBe(false);
  });

  it('keeps two locks apart', async () => {
    const [one, other] = [new RLock(uniqueName()), new RLock(uniqueName())];
    const foreign = await other.acquire();
    await one.with(async () => {
      expect(other.tryAcquire()).toBeNull();
      (await one.acquire({ timeout: 0 })).release();
    });
    foreign.release();
  });

  it('does not make a plain Lock of the same program recursive', async () => {
    const lock = new Lock(uniqueName());
    await lock.with(async () => {
      expect(thrownBy(() => lock.acquireSync())).toBeInstanceOf(DeadlockError);
      const error = await rejectedBy(() => lock.acquire({ timeout: 5 }));
      expect(error.code).toBe('ERR_HOLDFAST_TIMEOUT');
    });
  });

  it('ends when the function throws in an inner level', async () => {
    const lock = new RLock(uniqueName());
    const error = new Error('from an inner level');
    const fail = () => {
      throw error;
    };
    expect(await reasonOf(() => lock.with(() => lock.with(() => lock.withSync(fail))))).toBe(error);
    expect(lock.locked).toBe(false);
    expect(lock.depth).toBe(0);
  });
});
