import { ClosedError, type ElementType, Lock, open, SharedValue, UnlinkedError } from 'holdfast';
import { describe, expect, it } from 'vitest';
import { INVALID, reasonOf, rejectedBy, thrownBy } from '../support/errors.js';
import { ownNamespace, uniqueName } from '../support/namespace.js';
import { turns, watch } from '../support/promises.js';

ownNamespace('shared-value');

const INTEGERS: [ElementType, number | bigint, number | bigint][] = [
  ['int8', -128, 127],
  ['uint8', 0, 255],
  ['int16', -32768, 32767],
  ['uint16', 0, 65535],
  ['int32', -(2 ** 31), 2 ** 31 - 1],
  ['uint32', 0, 2 ** 32 - 1],
  ['int64', -(2n ** 63n), 2n ** 63n - 1n],
  ['uint64', 0n, 2n ** 64n - 1n],
];

describe.each(INTEGERS)('a SharedValue of %s', (type, min, max) => {
  const one = typeof min === 'bigint' ? 1n : 1;
  const zero = typeof min === 'bigint' ? 0n : 0;

  it('is 0 at first, and holds the least and the greatest of its type', () => {
    const value = new SharedValue(undefined, type);
    expect(value.value).toBe(zero);
    for (const fitting of [min, max, one]) {
      value.value = fitting;
      expect(value.value).toBe(fitting);
    }
    expect(value.type).toBe(type);
  });

  it('refuses what it cannot hold, and keeps what it had', () => {
    const value = new SharedValue<ElementType>(undefined, type, one);
    const step = typeof min === 'bigint' ? 1n : 1;
    for (const wrong of [(min as number) - (step as number), (max as number) + (step as number)]) {
      const error = thrownBy(() => {
        value.value = wrong;
      });
      expect(error).toBeInstanceOf(RangeError);
      expect(error.code).toBe(INVALID);
    }
    const other = typeof min === 'bigint' ? 1 : 1n;
    expect(thrownBy(() => value.store(other))).toBeInstanceOf(TypeError);
    expect(thrownBy(() => value.store('1' as never))).toBeInstanceOf(TypeError);
    expect(value.value).toBe(one);
  });

  it('changes in one step and returns what it was; add and sub wrap around', () => {
    const value = new SharedValue<ElementType>(undefined, type, max);
    expect(value.add(one)).toBe(max);
    expect(value.load()).toBe(min);
    expect(value.sub(one)).toBe(min);
    expect(value.load()).toBe(max);
    value.store(zero);
    expect([value.or(one), value.xor(one), value.and(one)]).toEqual([zero, one, zero]);
    expect(value.exchange(one)).toBe(zero);
    expect(value.compareExchange(zero, max)).toBe(one);
    expect(value.compareExchange(one, max)).toBe(one);
    expect(value.value).toBe(max);
  });
});

it.each(['float32', 'float64'] as const)(
  'a SharedValue of %s rounds as the platform does',
  (type) => {
    const value = new SharedValue(undefined, type, 0.1);
    expect(value.value).toBe(type === 'float32' ? Math.fround(0.1) : 0.1);
    value.value = Number.POSITIVE_INFINITY;
    expect(value.value).toBe(Number.POSITIVE_INFINITY);
    const error = thrownBy(() => value.add(1 as never));
    expect(error).toBeInstanceOf(TypeError);
    expect(error.message).toContain('withLock');
    expect(thrownBy(() => value.notify()).code).toBe(INVALID);
  },
);

it('a fraction is refused by an integer type', () => {
  const value = new SharedValue(undefined, 'int32');
  for (const wrong of [0.5, Number.NaN, Number.POSITIVE_INFINITY]) {
    expect(thrownBy(() => value.add(wrong))).toBeInstanceOf(RangeError);
  }
});

it('takes the bits of a negative number as a mask of an unsigned type', () => {
  const value = new SharedValue(undefined, 'uint8', 7);
  expect(value.and(~2)).toBe(7);
  expect(value.value).toBe(5);
});

it('an unknown type is an error that lists the right ones', () => {
  const error = thrownBy(() => new SharedValue('unknown-type', 'int' as never));
  expect(error).toBeInstanceOf(RangeError);
  expect(error.message).toContain('int32');
  expect(thrownBy(() => new SharedValue('unknown-type', 4 as never))).toBeInstanceOf(TypeError);
  expect(thrownBy(() => new SharedValue('unknown-type', 'int8', 128)).code).toBe(INVALID);
  new Lock('unknown-type').close(); // nothing was made of it
});

it('one that exists keeps its value, and is refused with another type', () => {
  const name = uniqueName();
  const first = new SharedValue(name, 'int32', 3);
  expect(new SharedValue(name, 'int32', 9).value).toBe(3);
  const error = thrownBy(() => new SharedValue(name, 'int16'));
  expect(error.code).toBe('ERR_HOLDFAST_OTHER_PARAMETERS');
  expect(error.message).toMatch(/int16.*int32/);
  expect(thrownBy(() => new Lock(name)).code).toBe('ERR_HOLDFAST_KIND_MISMATCH');
  first.close();
});

it('is 0 again when it is made again', () => {
  const name = uniqueName();
  new SharedValue(name, 'float64', 4).unlink();
  expect(new SharedValue(name, 'int64').value).toBe(0n);
});

it('a token gives the same value, with its type', () => {
  const value = new SharedValue(uniqueName(), 'uint16', 7);
  const other = open(value.toJSON());
  expect(other.type).toBe('uint16');
  value.add(1);
  expect(other.value).toBe(8);
  expect(open(JSON.stringify(value.lock)).name).toBe(value.lock.name);
});

describe('its lock', () => {
  it('is one RLock for all instances, and no name of a user collides with it', async () => {
    const name = uniqueName();
    const [one, other] = [new SharedValue(name, 'int32'), new SharedValue(name, 'int32')];
    await one.withLock(async () => {
      expect(other.lock.locked).toBe(true);
      await one.withLock(() => expect(one.lock.depth).toBe(2));
      expect(await other.lock.acquire({ timeout: 0 }).then(() => 'again')).toBe('again');
      other.lock.release();
    });
    expect(one.withLockSync(() => other.lock.locked)).toBe(true);
    expect(thrownBy(() => new Lock(one.lock.name)).code).toBe(INVALID);
    expect(String(thrownBy(() => one.lock.release()).message)).toContain(`RLock of "${name}"`);
  });

  it('keeps the value from being closed and unlinked while it is held, and goes with it', () => {
    const value = new SharedValue(uniqueName(), 'int32');
    const held = value.lock.acquireSync();
    expect(thrownBy(() => value.close()).code).toBe('ERR_HOLDFAST_HELD');
    expect(thrownBy(() => value.unlink()).code).toBe('ERR_HOLDFAST_IN_USE');
    expect(value.value).toBe(0);
    held.release();
    const { lock } = value;
    value.unlink();
    expect(thrownBy(() => lock.acquireSync())).toBeInstanceOf(ClosedError);
  });
});

it('after close() and unlink() every verb says so', async () => {
  const name = uniqueName();
  const [one, other] = [new SharedValue(name, 'int32'), new SharedValue(name, 'int32')];
  one.close();
  one.close();
  expect(thrownBy(() => one.value)).toBeInstanceOf(ClosedError);
  expect(await rejectedBy(() => one.wait(0))).toBeInstanceOf(ClosedError);
  const waiting = other.wait(0);
  const third = new SharedValue(name, 'int32');
  third.unlink();
  expect(await rejectedBy(() => waiting)).toBeInstanceOf(UnlinkedError);
  expect(thrownBy(() => other.value)).toBeInstanceOf(UnlinkedError);
  expect(thrownBy(() => other.add(1))).toBeInstanceOf(UnlinkedError);
  expect(thrownBy(() => other.notify())).toBeInstanceOf(UnlinkedError);
  expect(thrownBy(() => other.unlink())).toBeInstanceOf(UnlinkedError);
});

describe('wait() and notify()', () => {
  it.each(['int32', 'uint32'] as const)('of %s: not equal, timed out, notified', async (type) => {
    const value = new SharedValue<'int32' | 'uint32'>(undefined, type);
    expect(await value.wait(1)).toBe('not-equal');
    expect(value.waitSync(1)).toBe('not-equal');
    expect(await value.wait(0, { timeout: 0 })).toBe('timed-out');
    expect(value.waitSync(0, { timeout: -1 })).toBe('timed-out');
    const start = performance.now();
    expect(await value.wait(0, { timeout: 30 })).toBe('timed-out');
    expect(value.waitSync(0, { timeout: 30 })).toBe('timed-out');
    expect(performance.now() - start).toBeGreaterThanOrEqual(60);
    const waiting = value.wait(0);
    expect(value.notify()).toBe(1);
    expect(await waiting).toBe('ok');
    expect(value.notify()).toBe(0);
  });

  it('compare all 64 bits', async () => {
    const value = new SharedValue(undefined, 'int64', -1n);
    expect(await value.wait(2n ** 32n - 1n)).toBe('not-equal');
    expect(await value.wait(-1n, { timeout: 0 })).toBe('timed-out');
    value.value = 2n ** 40n;
    expect(await value.wait(0n, { timeout: 0 })).toBe('not-equal');
  });

  it('wake as many as asked for, first come, first served; a store alone wakes nobody', async () => {
    const value = new SharedValue(undefined, 'int32');
    const waits = Array.from({ length: 4 }, () => value.wait(0));
    const states = waits.map((wait) => watch(wait));
    value.store(5);
    await turns();
    expect(value.notify(0)).toBe(0);
    expect(value.notify(2)).toBe(2);
    await Promise.all(waits.slice(0, 2));
    await turns();
    expect(states.map(({ state }) => state)).toEqual([
      'fulfilled',
      'fulfilled',
      'pending',
      'pending',
    ]);
    expect(value.notify()).toBe(2);
    expect(await Promise.all(waits)).toEqual(['ok', 'ok', 'ok', 'ok']);
  });

  it('an abort ends the wait, and passes a notification on that came first', async () => {
    const value = new SharedValue(undefined, 'int32');
    const controller = new AbortController();
    expect(await reasonOf(() => value.wait(0, { signal: AbortSignal.abort('no') }))).toBe('no');
    const aborted = value.wait(0, { signal: controller.signal });
    const next = value.wait(0);
    expect(value.notify(1)).toBe(1);
    controller.abort('enough');
    expect(await reasonOf(() => aborted)).toBe('enough');
    expect(await next).toBe('ok');
  });

  it('refuse small types, bad counts, and a signal where the thread blocks', async () => {
    const small = new SharedValue(undefined, 'int16');
    expect((await rejectedBy(() => small.wait(0 as never))).code).toBe(INVALID);
    expect(thrownBy(() => small.waitSync(0 as never)).message).toContain('int16');
    const value = new SharedValue(undefined, 'int32');
    for (const wrong of [-1, 0.5, Number.NaN, '1']) {
      expect(thrownBy(() => value.notify(wrong as number)).code).toBe(INVALID);
    }
    const { signal } = new AbortController();
    expect(thrownBy(() => value.waitSync(0, { signal } as never)).message).toContain('signal');
    expect((await rejectedBy(() => value.wait(0, { timout: 1 } as never))).message).toContain(
      'timeout',
    );
  });

  it('close() rejects what waits', async () => {
    const value = new SharedValue(undefined, 'int32');
    const waiting = value.wait(0);
    value.close();
    expect(await rejectedBy(() => waiting)).toBeInstanceOf(ClosedError);
  });
});
