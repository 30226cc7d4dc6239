import {
  DeadlockError,
  HoldfastError,
  NotHeldError,
  open,
  pack,
  Semaphore,
  type SemaphoreGuard,
  TimeoutError,
  UnlinkedError,
  unpack,
} from 'holdfast';
import { describe, expect, it } from 'vitest';
import { INVALID, reasonOf, rejectedBy, thrownBy } from '../support/errors.js';
import { ownNamespace, uniqueName } from '../support/namespace.js';
import { turns, watch } from '../support/promises.js';

const namespace = ownNamespace('semaphore');
const MAX = 2 ** 31 - 1;

function semaphore(permits = 1, options?: { owned?: boolean }): Semaphore {
  return new Semaphore(uniqueName(), permits, options);
}

const counter = (permits: number) => semaphore(permits, { owned: false });

describe('new Semaphore()', () => {
  it('has one permit by default, owned', () => {
    const s = new Semaphore(uniqueName());
    expect([s.permits, s.available, s.owned]).toEqual([1, 1, true]);
  });

  it.each([0, 1, MAX])('takes %d permits', (permits) => {
    expect(semaphore(permits).available).toBe(permits);
  });

  it.each([-1, 0.5, MAX + 1, Number.NaN, Number.POSITIVE_INFINITY])('refuses %d', (permits) => {
    const name = uniqueName();
    const error = thrownBy(() => new Semaphore(name, permits));
    expect(error).toBeInstanceOf(RangeError);
    expect(error.code).toBe(INVALID);
    expect(error.message).toContain(String(permits));
    expect(new Semaphore(name, 3).available).toBe(3);
  });

  it.each([['3'], [null], [{}], [true]])('refuses %j, which is no number', (permits) => {
    const error = thrownBy(() => new Semaphore(uniqueName(), permits as never));
    expect(error).toBeInstanceOf(TypeError);
    expect(error.code).toBe(INVALID);
  });

  it('refuses options that it does not know, and "owned" that is no boolean', () => {
    const misspelt = thrownBy(() => new Semaphore(uniqueName(), 1, { ownd: true } as never));
    expect(misspelt.message).toContain('"owned"');
    const error = thrownBy(() => new Semaphore(uniqueName(), 1, { owned: 1 } as never));
    expect(error).toBeInstanceOf(TypeError);
  });

  it.each<[string, number, boolean]>([
    ['permits', 3, true],
    ['owner', 2, false],
  ])('refuses other %s than it exists with, and says both', (_, permits, owned) => {
    const name = uniqueName();
    const first = new Semaphore(name, 2);
    const error = thrownBy(() => new Semaphore(name, permits, { owned }));
    expect(error).toBeInstanceOf(HoldfastError);
    expect(error.code).toBe('ERR_HOLDFAST_OTHER_PARAMETERS');
    expect(error.message).toContain('2 permits, owned');
    expect(error.message).toContain(owned ? '3 permits, owned' : '2 permits, not owned');
    first.acquireSync(2).release();
  });
});

describe('permits', () => {
  it('follow 2, 1, 0 and back', () => {
    const s = semaphore(2);
    const first = s.acquireSync();
    expect(s.available).toBe(1);
    const second = s.acquireSync();
    expect(s.available).toBe(0);
    second.release();
    expect(s.available).toBe(1);
    first.release();
    expect(s.available).toBe(2);
  });

  it('come several in one step', () => {
    const s = semaphore(5);
    using guard = s.acquireSync(3);
    expect(guard.permits).toBe(3);
    expect(s.available).toBe(2);
    expect(s.tryAcquire(3)).toBeNull();
    expect(s.available).toBe(2);
    s.tryAcquire(2)?.release();
  });

  it('are those of all instances of the name', () => {
    const s = semaphore(2);
    const same = new Semaphore(s.name, 2);
    using _held = same.acquireSync();
    expect(s.available).toBe(1);
  });

  it.each([0, -1, 1.5, 4, MAX + 1, Number.NaN])(
    'cannot be acquired %d at a time, of three',
    async (n) => {
      const s = semaphore(3);
      for (const error of [
        await rejectedBy(() => s.acquire(n)),
        await rejectedBy(() => s.with(() => {}, { permits: n })),
        thrownBy(() => s.acquireSync(n)),
        thrownBy(() => s.tryAcquire(n)),
        thrownBy(() => s.withSync(() => {}, { permits: n })),
      ]) {
        expect(error).toBeInstanceOf(RangeError);
        expect(error.code).toBe(INVALID);
      }
      expect(s.available).toBe(3);
    },
  );

  it.each([['2'], [null], [true]])('are counted by a number, not by %j', async (n) => {
    const s = semaphore(3);
    expect(await rejectedBy(() => s.acquire(n as never))).toBeInstanceOf(TypeError);
    expect(thrownBy(() => s.acquireSync(n as never))).toBeInstanceOf(TypeError);
    expect(thrownBy(() => s.tryAcquire(n as never))).toBeInstanceOf(TypeError);
    expect(thrownBy(() => s.release(n as never))).toBeInstanceOf(TypeError);
  });
});

describe('one try at 0', () => {
  it('fails at once, by every verb', async () => {
    const s = semaphore(1);
    using _held = s.acquireSync();
    expect(s.tryAcquire()).toBeNull();
    for (const timeout of [0, -1]) {
      expect(thrownBy(() => s.acquireSync({ timeout }))).toBeInstanceOf(TimeoutError);
      expect(thrownBy(() => s.acquireSync(1, { timeout }))).toBeInstanceOf(TimeoutError);
      expect(await rejectedBy(() => s.acquire({ timeout }))).toBeInstanceOf(TimeoutError);
      expect(await rejectedBy(() => s.with(() => {}, { timeout }))).toBeInstanceOf(TimeoutError);
    }
  });
});

describe('release()', () => {
  it.each([1, 2, 3])('of %d more than this thread holds throws and changes nothing', (n) => {
    const s = semaphore(3);
    expect(thrownBy(() => s.release(n))).toBeInstanceOf(NotHeldError);
    expect(s.available).toBe(3);
    const guard = s.acquireSync();
    expect(thrownBy(() => s.release(n + 1))).toBeInstanceOf(NotHeldError);
    expect(s.available).toBe(2);
    guard.release();
  });

  it.each([0, -1, 0.5, MAX + 1])('refuses %d', (n) => {
    expect(thrownBy(() => semaphore(3).release(n))).toBeInstanceOf(RangeError);
  });

  it('by hand takes what a guard stood for', () => {
    const s = semaphore(3);
    const guard = s.acquireSync(2);
    s.release(1);
    expect(s.available).toBe(2);
    expect(guard.released).toBe(true);
    expect(thrownBy(() => guard.release())).toBeInstanceOf(NotHeldError);
    guard[Symbol.dispose]();
    expect(s.available).toBe(2);
    s.release();
    expect(s.available).toBe(3);
  });

  it('by hand does not end the guards of permits that are still held', () => {
    const s = semaphore(2);
    const guards = [s.acquireSync(), s.acquireSync()];
    s.release();
    expect(guards.map((guard) => guard.released)).toEqual([true, false]);
    guards[1]?.release();
    expect(s.available).toBe(2);
  });
});

describe('a guard', () => {
  const endings: [string, (guard: SemaphoreGuard) => void | Promise<void>][] = [
    ['release()', (guard) => guard.release()],
    ['dispose', (guard) => guard[Symbol.dispose]()],
    ['asyncDispose', (guard) => guard[Symbol.asyncDispose]()],
  ];
  it.each(endings)('gives all its permits back by %s, once', async (_, end) => {
    for (const s of [semaphore(3), counter(3)]) {
      const guard = s.acquireSync(2);
      expect(guard.released).toBe(false);
      await end(guard);
      expect([guard.released, s.available]).toEqual([true, 3]);
      expect(thrownBy(() => guard.release())).toBeInstanceOf(NotHeldError);
      guard[Symbol.dispose]();
      await guard[Symbol.asyncDispose]();
      expect(s.available).toBe(3);
    }
  });
});

describe('with() and withSync()', () => {
  it('hold permits while the function works, and give back what it returns', async () => {
    const s = semaphore(3);
    const free = await s.with(async (guard) => [guard.permits, s.available], { permits: 2 });
    expect(free).toEqual([2, 1]);
    expect(s.withSync((guard) => [guard.permits, s.available])).toEqual([1, 2]);
    expect(s.available).toBe(3);
  });

  it('release when the function throws', async () => {
    const s = semaphore(1);
    const broken = new Error('broken');
    const fail = () => {
      throw broken;
    };
    expect(await reasonOf(() => s.with(fail))).toBe(broken);
    expect(thrownBy(() => s.withSync(fail))).toBe(broken);
    expect(s.available).toBe(1);
  });

  it('withSync() refuses a function that returns a promise', () => {
    const s = semaphore(1);
    expect(thrownBy(() => s.withSync((async () => {}) as never))).toBeInstanceOf(TypeError);
    expect(s.available).toBe(1);
  });

  it('name the right option', async () => {
    const error = await rejectedBy(() => semaphore().with(() => {}, { permit: 1 } as never));
    expect(error.message).toContain('"permits"');
  });

  it('refuse a signal where they block', () => {
    const { signal } = new AbortController();
    const s = semaphore();
    expect(thrownBy(() => s.withSync(() => {}, { signal } as never))).toBeInstanceOf(TypeError);
    expect(thrownBy(() => s.acquireSync({ signal } as never))).toBeInstanceOf(TypeError);
  });
});

describe('promises that wait', () => {
  it('are served in order', async () => {
    const s = semaphore(1);
    const held = s.acquireSync();
    const order: number[] = [];
    const waits = [1, 2, 3].map((i) => s.with(() => order.push(i)));
    await turns();
    expect(order).toEqual([]);
    held.release();
    await Promise.all(waits);
    expect(order).toEqual([1, 2, 3]);
  });

  it('for several permits are not overtaken by those for fewer', async () => {
    const s = semaphore(3);
    const held = s.acquireSync(2);
    const big = s.acquire(3);
    const small = s.acquire(1);
    const states = [watch(big), watch(small)];
    await turns();
    expect(s.tryAcquire()).toBeNull();
    expect(states.map(({ state }) => state)).toEqual(['pending', 'pending']);
    held.release();
    const guard = await big;
    expect(states[1]?.state).toBe('pending');
    guard.release();
    (await small).release();
    expect(s.available).toBe(3);
  });

  it('let those behind them go on when they give up', async () => {
    const s = semaphore(3);
    using _held = s.acquireSync(2);
    const abort = new AbortController();
    const big = s.acquire(3, { signal: abort.signal });
    const small = s.acquire(1);
    abort.abort(new Error('enough'));
    expect(await reasonOf(() => big)).toBe(abort.signal.reason);
    (await small).release();
  });

  it('time out, never early, and leave nothing behind', async () => {
    const s = semaphore(1);
    const held = s.acquireSync();
    const start = performance.now();
    expect(await rejectedBy(() => s.acquire({ timeout: 30 }))).toBeInstanceOf(TimeoutError);
    expect(performance.now() - start).toBeGreaterThanOrEqual(29);
    held.release();
    expect(s.available).toBe(1);
    s.acquireSync().release();
  });

  it('reject with the reason of a signal, aborted before or later', async () => {
    const s = semaphore(1);
    expect(await reasonOf(() => s.acquire({ signal: AbortSignal.abort(5) }))).toBe(5);
    expect(s.available).toBe(1);
    const held = s.acquireSync();
    const abort = new AbortController();
    const wait = s.acquire({ signal: abort.signal });
    abort.abort('later');
    expect(await reasonOf(() => wait)).toBe('later');
    held.release();
    expect(s.available).toBe(1);
  });

  it('pass permits on that came just before the abort', async () => {
    const s = semaphore(1);
    const held = s.acquireSync();
    const abort = new AbortController();
    const wait = s.acquire({ signal: abort.signal });
    held.release();
    abort.abort('late');
    expect(await reasonOf(() => wait)).toBe('late');
    expect(s.available).toBe(1);
    const free = s.acquire({ signal: AbortSignal.any([abort.signal]) });
    expect(await reasonOf(() => free)).toBe('late');
    const second = new AbortController();
    const had = s.acquire({ signal: second.signal });
    second.abort('in the same breath');
    expect(await reasonOf(() => had)).toBe('in the same breath');
    expect(s.available).toBe(1);
  });
});

describe('acquireSync()', () => {
  it.each([undefined, { timeout: 60_000 }])(
    'of more than others can ever give is a deadlock, at once (%j)',
    (options) => {
      const s = semaphore(3);
      using _held = s.acquireSync(2);
      expect(thrownBy(() => s.acquireSync(2, options))).toBeInstanceOf(DeadlockError);
      expect(s.available).toBe(1);
    },
  );

  it('sees permits that were just granted to a promise of this thread', async () => {
    const s = semaphore(1);
    const held = s.acquireSync();
    const wait = s.acquire();
    held.release();
    expect(thrownBy(() => s.acquireSync())).toBeInstanceOf(DeadlockError);
    (await wait).release();
    expect(s.available).toBe(1);
  });

  it('does not lose the places of promises when it gives up', async () => {
    const s = counter(0);
    const order: number[] = [];
    const waits = [1, 2, 3].map((i) => s.acquire().then(() => order.push(i)));
    await turns();
    expect(thrownBy(() => s.acquireSync({ timeout: 20 }))).toBeInstanceOf(TimeoutError);
    s.release(3);
    await Promise.all(waits);
    expect(order).toEqual([1, 2, 3]);
    expect(s.available).toBe(0);
  });

  it('times out, never early', () => {
    const s = counter(0);
    const start = performance.now();
    expect(thrownBy(() => s.acquireSync({ timeout: 30 }))).toBeInstanceOf(TimeoutError);
    expect(performance.now() - start).toBeGreaterThanOrEqual(29);
  });
});

describe('a semaphore that is not owned', () => {
  it('is raised by anybody, past its first value, up to 2^31-1', () => {
    const s = counter(1);
    s.release(5);
    expect(s.available).toBe(6);
    s.release(MAX - 6);
    expect(s.available).toBe(MAX);
    const error = thrownBy(() => s.release());
    expect(error).toBeInstanceOf(RangeError);
    expect(error.code).toBe(INVALID);
    expect(s.available).toBe(MAX);
  });

  it('gives more permits at once than it was made with', () => {
    const s = counter(0);
    s.release(4);
    s.acquireSync(4);
    expect(s.available).toBe(0);
  });

  it('can be closed while its permits are out', () => {
    const s = counter(1);
    const same = new Semaphore(s.name, 1, { owned: false });
    s.acquireSync();
    s.close();
    same.release();
    expect(same.available).toBe(1);
  });
});

describe('the end', () => {
  it('close() is refused while this thread holds permits', () => {
    const s = semaphore(1);
    const held = s.acquireSync();
    expect(thrownBy(() => s.close()).code).toBe('ERR_HOLDFAST_HELD');
    held.release();
    s.close();
    expect(thrownBy(() => s.tryAcquire()).code).toBe('ERR_HOLDFAST_CLOSED');
  });

  it('close() ends the waits of this thread', async () => {
    const s = counter(0);
    const wait = s.acquire();
    await turns();
    s.close();
    expect((await rejectedBy(() => wait)).code).toBe('ERR_HOLDFAST_CLOSED');
  });

  it('unlink() is refused while permits are held, and says by whom', () => {
    const s = semaphore(2);
    const held = s.acquireSync();
    const error = thrownBy(() => s.unlink());
    expect(error.code).toBe('ERR_HOLDFAST_IN_USE');
    expect(error.message).toContain(String(process.pid));
    held.release();
    s.unlink();
    expect(new Semaphore(s.name, 5).available).toBe(5);
  });

  it('unlink() ends the waits for it', async () => {
    const s = counter(0);
    const same = new Semaphore(s.name, 0, { owned: false });
    const wait = s.acquire();
    await turns();
    same.unlink();
    expect(await rejectedBy(() => wait)).toBeInstanceOf(UnlinkedError);
    expect(thrownBy(() => s.tryAcquire())).toBeInstanceOf(UnlinkedError);
  });
});

describe('a token', () => {
  it('opens the same semaphore, with its parameters', () => {
    const s = counter(3);
    expect(s.toJSON()).toEqual({ holdfast: 'Semaphore', namespace, name: s.name });
    for (const same of [open(s.toJSON()), open<'Semaphore'>(JSON.stringify(s))]) {
      expect(same).toBeInstanceOf(Semaphore);
      expect([same.permits, same.owned, same.available]).toEqual([3, false, 3]);
    }
    const { inner } = unpack(pack({ inner: s })) as { inner: Semaphore };
    s.release();
    expect(inner.available).toBe(4);
  });

  it('of one that is gone opens nothing', () => {
    const s = semaphore();
    const token = s.toJSON();
    s.unlink();
    expect(thrownBy(() => open(token)).code).toBe('ERR_HOLDFAST_NOT_FOUND');
  });
});
