import { Condition, Lock, type LockGuard, open, RLock } from 'holdfast';
import { describe, expect, it } from 'vitest';
import { INVALID, reasonOf, rejectedBy, thrownBy } from '../support/errors.js';
import { ownNamespace, uniqueName } from '../support/namespace.js';
import { turns, watch } from '../support/promises.js';

ownNamespace('condition');

const NOT_HELD = 'ERR_HOLDFAST_NOT_HELD';
const make = { Lock: () => new Lock(uniqueName()), RLock: () => new RLock(uniqueName()) };

/** `count` promises that hold the lock and wait; `woken` are those that went on. */
function waiters(condition: Condition, count: number, woken: unknown[] = []) {
  const all = Array.from({ length: count }, (_, i) =>
    condition.with(async (held) => {
      const value = await condition.wait();
      expect(held.released).toBe(false);
      woken.push(i);
      return value;
    }),
  );
  return { all, woken };
}

describe.each(['Lock', 'RLock'] as const)('on a %s', (kind) => {
  it('throws without the lock, and changes nothing', async () => {
    const condition = new Condition(make[kind]());
    for (const use of [
      () => condition.wait(),
      () => condition.waitFor(() => true),
      async () => condition.waitSync(),
      async () => condition.waitForSync(() => true),
      async () => condition.notify(),
      async () => condition.notifyAll(),
    ]) {
      expect((await rejectedBy(use)).code).toBe(NOT_HELD);
    }
    expect(condition.lock.locked).toBe(false);
  });

  it('six waiters: notify(2) wakes the first 2, notify(4) the rest, notify(3) none', async () => {
    const condition = new Condition(make[kind]());
    const { all, woken } = waiters(condition, 6);
    await turns();
    expect(await condition.with(() => condition.notify(0))).toBe(0);
    expect(await condition.with(() => condition.notify(2))).toBe(2);
    expect(await Promise.all(all.slice(0, 2))).toEqual([true, true]);
    await turns();
    expect(woken.sort()).toEqual([0, 1]);
    expect(await condition.with(() => condition.notify(4))).toBe(4);
    expect(await Promise.all(all)).toEqual(all.map(() => true));
    expect(await condition.with(() => condition.notify(3))).toBe(0);
  });

  it('a woken waiter goes on when the notifier has released, and not before', async () => {
    const condition = new Condition(make[kind]());
    const { all, woken } = waiters(condition, 2);
    await turns();
    await condition.with(async () => {
      expect(condition.notifyAll()).toBe(2);
      await turns();
      expect(woken).toEqual([]);
    });
    await Promise.all(all);
  });

  it('a time-out: false, not before its time, with the lock and the same guard', async () => {
    const condition = new Condition(make[kind]());
    const held = await condition.lock.acquire();
    const { token } = held;
    const start = performance.now();
    const waiting = condition.wait({ timeout: 30 });
    expect(condition.lock.locked).toBe(false);
    expect(held.released).toBe(false);
    expect(await waiting).toBe(false);
    expect(performance.now() - start).toBeGreaterThanOrEqual(30);
    expect(condition.lock.locked).toBe(true);
    expect(held.token).toBeGreaterThan(token);
    expect(condition.notify()).toBe(0);
    held.release();
    expect(held.released).toBe(true);
  });

  it('a time-out does not end the taking back', async () => {
    const condition = new Condition(make[kind]());
    const held = await condition.lock.acquire();
    const waiting = condition.wait({ timeout: 1 });
    const watched = watch(waiting);
    const other = await condition.lock.acquire();
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(watched.state).toBe('pending');
    other.release();
    expect(await waiting).toBe(false);
    held.release();
  });

  it('waitSync(): false after its time, with the lock; promises of the thread go on later', async () => {
    const condition = new Condition(make[kind]());
    const held = condition.lock.acquireSync();
    const next = condition.lock.acquire();
    const start = performance.now();
    expect(condition.waitSync({ timeout: 30 })).toBe(false);
    expect(performance.now() - start).toBeGreaterThanOrEqual(30);
    expect(held.released).toBe(false);
    held.release();
    (await next).release();
    expect(condition.lock.locked).toBe(false);
  });

  it('no time: false at once, and the lock is not let go', async () => {
    const condition = new Condition(make[kind]());
    const held = await condition.lock.acquire();
    const { token } = held;
    expect(await condition.wait({ timeout: 0 })).toBe(false);
    expect(condition.waitSync({ timeout: -5 })).toBe(false);
    expect(held.token).toBe(token);
    held.release();
  });

  it('an abort: its reason, with the lock again', async () => {
    const condition = new Condition(make[kind]());
    const controller = new AbortController();
    await condition.with(async (held) => {
      const reason = reasonOf(() => condition.wait({ signal: controller.signal }));
      controller.abort(new Error('given up'));
      expect(await reason).toBe(controller.signal.reason);
      expect(held.released).toBe(false);
      expect(condition.notifyAll()).toBe(0);
      expect(await reasonOf(() => condition.wait({ signal: controller.signal }))).toBe(
        controller.signal.reason,
      );
    });
    expect(condition.lock.locked).toBe(false);
  });

  it('an abort after the notification passes it on', async () => {
    const condition = new Condition(make[kind]());
    const controller = new AbortController();
    const aborted = reasonOf(() =>
      condition.with(() => condition.wait({ signal: controller.signal })),
    );
    await turns();
    const { all } = waiters(condition, 1);
    await turns();
    await condition.with(() => {
      expect(condition.notify()).toBe(1);
      controller.abort(new Error('given up'));
    });
    expect(await aborted).toBe(controller.signal.reason);
    expect(await Promise.all(all)).toEqual([true]);
  });

  it('waitFor() asks first, asks again when notified, and gives the value', async () => {
    const condition = new Condition(make[kind]());
    let asked = 0;
    let value = '';
    let askedAgain = () => {};
    const ask = () => {
      asked += 1;
      askedAgain();
      return value;
    };
    const waiting = condition.with(() => condition.waitFor(ask));
    await turns();
    expect(asked).toBe(1);
    const again = new Promise<void>((resolve) => (askedAgain = resolve));
    await condition.with(() => condition.notify());
    await again;
    expect(asked).toBe(2);
    await condition.with(() => {
      value = 'here';
      condition.notify();
    });
    expect(await waiting).toBe('here');
    expect(await condition.with(() => condition.waitFor(async () => 7))).toBe(7);
    expect(condition.withSync(() => condition.waitForSync(() => 8))).toBe(8);
  });

  it('waitFor(): one deadline over all wakes, then the last value', async () => {
    const condition = new Condition(make[kind]());
    const start = performance.now();
    const waiting = condition.with(() => condition.waitFor(() => 0, { timeout: 60 }));
    const over = watch(waiting);
    while (over.state === 'pending') {
      await condition.with(() => condition.notify());
      await turns(1);
    }
    expect(await waiting).toBe(0);
    expect(performance.now() - start).toBeGreaterThanOrEqual(60);
    expect(condition.withSync(() => condition.waitForSync(() => '', { timeout: 20 }))).toBe('');
  });

  it('what the predicate throws comes through, with the lock held', async () => {
    const condition = new Condition(make[kind]());
    const failure = new Error('on purpose');
    await condition.with(async (held) => {
      const ask = () => {
        throw failure;
      };
      expect(await reasonOf(() => condition.waitFor(ask))).toBe(failure);
      expect(held.released).toBe(false);
      expect(thrownBy(() => condition.waitForSync(() => Promise.resolve(1))).code).toBe(INVALID);
    });
  });

  it('a guard cannot be released while its wait has given it up', async () => {
    const condition = new Condition(make[kind]());
    const held = await condition.lock.acquire();
    const waiting = condition.wait();
    expect(thrownBy(() => held.release()).code).toBe(NOT_HELD);
    expect(thrownBy(() => condition.lock.release()).code).toBe(NOT_HELD);
    await condition.with(() => condition.notify());
    expect(await waiting).toBe(true);
    held.release();
  });

  it('a wait that is not awaited ends with its hold, and takes nothing', async () => {
    const condition = new Condition(make[kind]());
    let waiting = Promise.resolve(false);
    await condition.with(() => {
      waiting = condition.wait();
    });
    const { all } = waiters(condition, 1);
    await turns();
    await condition.with(() => condition.notify());
    expect((await rejectedBy(() => waiting)).code).toBe(NOT_HELD);
    expect(await Promise.all(all)).toEqual([true]);
    expect(condition.lock.locked).toBe(false);
  });

  it('close() ends a wait with ClosedError, with the lock again; unlink() with UnlinkedError', async () => {
    for (const [verb, code] of [
      ['close', 'ERR_HOLDFAST_CLOSED'],
      ['unlink', 'ERR_HOLDFAST_UNLINKED'],
    ] as const) {
      const lock = make[kind]();
      const condition = new Condition(lock, { name: uniqueName('condition') });
      await lock.with(async (held) => {
        const waiting = rejectedBy(() => condition.wait());
        condition[verb]();
        expect((await waiting).code).toBe(code);
        expect(held.released).toBe(false);
      });
      expect(lock.locked).toBe(false);
    }
  });

  it('a token carries condition and lock', async () => {
    const condition = new Condition(make[kind]());
    const again = open(JSON.parse(JSON.stringify(condition))) as Condition;
    expect(again.lock.name).toBe(condition.lock.name);
    const { all } = waiters(condition, 1);
    await turns();
    expect(await again.with(() => again.notify())).toBe(1);
    expect(await Promise.all(all)).toEqual([true]);
    again.close();
    expect(thrownBy(() => again.lock.locked).code).toBe('ERR_HOLDFAST_CLOSED');
  });
});

it('its own lock is an RLock', async () => {
  const condition = new Condition();
  expect(condition.lock).toBeInstanceOf(RLock);
  const held = condition.lock.acquireSync();
  expect(thrownBy(() => condition.close()).code).toBe('ERR_HOLDFAST_HELD');
  held.release();
  condition.close();
});

it('a wait gives up all levels of an RLock, and has the same depth and guards again', async () => {
  const lock = new RLock();
  const condition = new Condition(lock);
  const guards: LockGuard[] = [];
  const waiting = lock.with(async (outer) => {
    const [second, third] = [await lock.acquire(), lock.acquireSync()];
    guards.push(outer, second, third);
    expect(await condition.wait()).toBe(true);
    expect(lock.depth).toBe(3);
    expect(new Set(guards.map(({ token }) => token)).size).toBe(1);
    const again = await lock.acquire(); // the same holder as before
    expect(lock.depth).toBe(4);
    expect(again.token).toBe(outer.token);
    again.release();
    second.release();
    third.release();
    expect(await condition.wait({ timeout: 5 })).toBe(false);
    expect(lock.depth).toBe(1);
  });
  await turns();
  expect(lock.locked).toBe(false);
  await lock.with(() => condition.notify());
  await waiting;
  expect(guards.map(({ released }) => released)).toEqual([true, true, true]);
  expect(lock.locked).toBe(false);

  using first = lock.acquireSync();
  using _second = lock.acquireSync();
  expect(condition.waitSync({ timeout: 5 })).toBe(false);
  expect(lock.depth).toBe(2);
  expect(first.released).toBe(false);
});

it('a level disposed of meanwhile is gone, the others come back', async () => {
  const lock = new RLock();
  const condition = new Condition(lock);
  await lock.with(async (outer) => {
    const inner = await lock.acquire();
    const waiting = condition.wait();
    inner[Symbol.dispose]();
    expect(inner.released).toBe(true);
    setImmediate(() => lock.with(() => condition.notify()));
    expect(await waiting).toBe(true);
    expect(lock.depth).toBe(1);
    expect(outer.released).toBe(false);
  });
  expect(lock.locked).toBe(false);
});

it('another context than that of with() does not hold the RLock', async () => {
  const condition = new Condition();
  let go = () => {};
  const inside = condition.with(() => new Promise<void>((resolve) => (go = resolve)));
  await turns();
  expect(thrownBy(() => condition.notify()).code).toBe(NOT_HELD);
  expect((await rejectedBy(() => condition.wait())).code).toBe(NOT_HELD);
  go();
  await inside;
});

it('several conditions share a lock, and are apart', async () => {
  const lock = new Lock();
  const [one, two] = [new Condition(lock), new Condition(lock)];
  const first = waiters(one, 1);
  const second = waiters(two, 1);
  await turns();
  await lock.with(() => expect(one.notifyAll()).toBe(1));
  await Promise.all(first.all);
  await turns();
  expect(second.woken).toEqual([]);
  await lock.with(() => expect(two.notifyAll()).toBe(1));
  await Promise.all(second.all);
});

it('a named condition serves one lock', () => {
  const name = uniqueName('condition');
  const condition = new Condition(new Lock('one lock'), { name });
  const error = thrownBy(() => new Condition(new Lock('another'), { name }));
  expect(error.code).toBe('ERR_HOLDFAST_OTHER_PARAMETERS');
  expect(error.message).toMatch(/"another".*another lock/);
  new Condition(new Lock('one lock'), { name }).close();
  condition.close();
});

it('refuses bad arguments', async () => {
  expect(thrownBy(() => new Condition('name' as never))).toBeInstanceOf(TypeError);
  expect(thrownBy(() => new Condition(undefined, { nam: 'a' } as never)).message).toMatch('name');
  const condition = new Condition();
  expect(thrownBy(() => condition.notify('1' as never))).toBeInstanceOf(TypeError);
  for (const n of [-1, 0.5, Number.NaN, 2 ** 31]) {
    expect(thrownBy(() => condition.notify(n))).toBeInstanceOf(RangeError);
  }
  await condition.with(async (held) => {
    const error = await rejectedBy(() => condition.wait({ timeout: Number.NaN }));
    expect(error.code).toBe(INVALID);
    expect((await rejectedBy(() => condition.waitFor(1 as never))).code).toBe(INVALID);
    expect(held.released).toBe(false);
  });
});
