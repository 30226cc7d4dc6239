import { existsSync, readdirSync, statSync, truncateSync, rmSync as unlink } from 'node:fs';
import {
  ClosedError,
  type ElementType,
  open,
  SharedArray,
  UnlinkedError,
  unlinkNamespace,
} from 'holdfast';
import { describe, expect, it } from 'vitest';
import { spawnFixture } from '../support/child.js';
import { INVALID, rejectedBy, thrownBy } from '../support/errors.js';
import { extraNamespace, ownNamespace, regionFile, uniqueName } from '../support/namespace.js';

const namespace = ownNamespace('shared-array');

/** The files that arrays of this namespace have in /dev/shm. */
function dataFiles(): string[] {
  const prefix = `${regionFile(namespace).split('/').at(-1)}.`;
  return readdirSync('/dev/shm').filter((file) => file.startsWith(prefix));
}

/** What `run` adds to them. */
function filesOf(run: () => void): string[] {
  const before = dataFiles();
  run();
  return dataFiles().filter((file) => !before.includes(file));
}

const TYPES: [ElementType, new (length: number) => unknown][] = [
  ['int8', Int8Array],
  ['uint8', Uint8Array],
  ['int16', Int16Array],
  ['uint16', Uint16Array],
  ['int32', Int32Array],
  ['uint32', Uint32Array],
  ['int64', BigInt64Array],
  ['uint64', BigUint64Array],
  ['float32', Float32Array],
  ['float64', Float64Array],
];

it.each(TYPES)('a SharedArray of %s shows its memory as a %o', (type, View) => {
  const name = uniqueName();
  const array = new SharedArray<ElementType>(name, type, 5);
  const [zero, one] = type.endsWith('t64') && !type.startsWith('f') ? [0n, 1n] : [0, 1];
  expect(array.array).toBeInstanceOf(View);
  expect([...array]).toEqual(Array(5).fill(zero));
  array.set(4, one);
  expect(array.array[4]).toBe(one);
  array.array[0] = one;
  expect([array.at(0), array.get(4), array.at(-1), array.length]).toEqual([one, one, one, 5]);
  expect(open(array.toJSON()).array[4]).toBe(one);
  array.unlink();
});

it('is made from values: an array, a typed array, any iterable', () => {
  expect([...new SharedArray(undefined, 'int16', [1, 2, 3])]).toEqual([1, 2, 3]);
  expect([...new SharedArray(undefined, 'float32', new Float32Array([0.5]))]).toEqual([0.5]);
  expect([...new SharedArray(undefined, 'uint64', new Set([7n]))]).toEqual([7n]);
  expect([...new SharedArray(undefined, 'int8', 0)]).toEqual([]);
});

it('one that exists keeps its contents, and is refused with another type or length', () => {
  const name = uniqueName();
  const first = new SharedArray(name, 'int32', [1, 2]);
  expect([...new SharedArray(name, 'int32', [8, 9])]).toEqual([1, 2]);
  for (const other of [
    () => new SharedArray(name, 'int32', 3),
    () => new SharedArray(name, 'float32', 2),
  ]) {
    const error = thrownBy(other);
    expect(error.code).toBe('ERR_HOLDFAST_OTHER_PARAMETERS');
    expect(error.message).toContain('2 x int32');
  }
  first.close();
});

it('refuses bad lengths and values before anything is made', () => {
  const files = filesOf(() => {
    for (const wrong of [-1, 0.5, Number.NaN, 2 ** 40]) {
      expect(thrownBy(() => new SharedArray('bad', 'int8', wrong))).toBeInstanceOf(RangeError);
    }
    for (const wrong of [undefined, null, '12', {}]) {
      const error = thrownBy(() => new SharedArray('bad', 'int8', wrong as never));
      expect(error).toBeInstanceOf(TypeError);
      expect(error.code).toBe(INVALID);
    }
    expect(thrownBy(() => new SharedArray('bad', 'int8', [1, 128]))).toBeInstanceOf(RangeError);
  });
  expect(files).toEqual([]);
});

it('checks indices and values; the typed array wraps as the platform does', () => {
  const array = new SharedArray(undefined, 'uint8', 3);
  for (const wrong of [3, -4, 0.5, Number.NaN]) {
    expect(thrownBy(() => array.at(wrong))).toBeInstanceOf(RangeError);
    expect(thrownBy(() => array.set(wrong, 1)).code).toBe(INVALID);
    expect(thrownBy(() => array.add(wrong, 1)).code).toBe(INVALID);
  }
  expect(thrownBy(() => array.at('0' as never))).toBeInstanceOf(TypeError);
  expect(thrownBy(() => array.set(0, 256))).toBeInstanceOf(RangeError);
  array.array[0] = 257;
  expect(array.at(0)).toBe(1);
  expect(array.array[3]).toBeUndefined();
});

describe('its memory', () => {
  it('is a file of its own, of mode 0600, as large as it must be', () => {
    const [file] = filesOf(() => new SharedArray(uniqueName(), 'float64', 1000));
    const { mode, size, blocks } = statSync(`/dev/shm/${file}`);
    expect(mode & 0o777).toBe(0o600);
    expect(size).toBe(8000);
    expect(blocks * 512).toBeGreaterThanOrEqual(8000); // reserved, not only promised
  });

  it('is zero again when the name is used again, and gone with unlink()', () => {
    const name = uniqueName();
    const files = filesOf(() => {
      const array = new SharedArray(name, 'int32', 100);
      array.array.fill(-1);
      array.unlink();
    });
    expect(files).toEqual([]);
    expect(new Set(new SharedArray(name, 'int32', 100))).toEqual(new Set([0]));
  });

  it('stays with the name after close(), and goes with an anonymous one', () => {
    const name = uniqueName();
    const named = filesOf(() => new SharedArray(name, 'int8', [5]).close());
    expect(named).toHaveLength(1);
    expect([...new SharedArray(name, 'int8', 1)]).toEqual([5]);
    expect(filesOf(() => new SharedArray(undefined, 'int8', 1).close())).toEqual([]);
  });

  it('may be used by its typed array when the object is closed', () => {
    const array = new SharedArray(undefined, 'int32', [1, 2, 3]);
    const view = array.array;
    array.close();
    view[0] = 9;
    expect([...view]).toEqual([9, 2, 3]);
    expect(thrownBy(() => array.array)).toBeInstanceOf(ClosedError);
  });

  it('whose file somebody removed is over: nobody goes on with a half', () => {
    const name = uniqueName();
    let array!: SharedArray<'int32'>;
    const [file] = filesOf(() => {
      array = new SharedArray(name, 'int32', [1]);
    });
    // What an instance of this thread shares needs no file; a closed one has to find it.
    array.close();
    expect(existsSync(`/dev/shm/${file}`)).toBe(true);
    unlink(`/dev/shm/${file}`);
    expect(thrownBy(() => open({ holdfast: 'SharedArray', namespace, name })).code).toBe(
      'ERR_HOLDFAST_NOT_FOUND',
    );
    expect([...new SharedArray(name, 'int32', 1)]).toEqual([0]);
  });
});

it('waits and notifies by element', async () => {
  const array = new SharedArray(undefined, 'int32', 3);
  const waits = [0, 1, 1, 2].map((index) => array.wait(index, 0));
  expect([array.notify(1), array.notify(0, 5), array.notify(2), array.notify(2)]).toEqual([
    2, 1, 1, 0,
  ]);
  expect(await Promise.all(waits)).toEqual(['ok', 'ok', 'ok', 'ok']);
  expect((await rejectedBy(() => array.wait(3, 0))).code).toBe(INVALID);
  expect(array.waitSync(2, 1)).toBe('not-equal');
});

it('atomics take the index first', () => {
  const array = new SharedArray(undefined, 'int32', 2);
  expect(array.add(1, 5)).toBe(0);
  expect(array.compareExchange(1, 5, 6)).toBe(5);
  expect([...array]).toEqual([0, 6]);
  expect(array.load(1)).toBe(6);
});

it('withLock() holds its own lock', async () => {
  const array = new SharedArray(uniqueName(), 'float64', 2);
  expect(
    await array.withLock((guard) => {
      expect(array.lock.locked).toBe(true);
      return guard.token;
    }),
  ).toBeGreaterThan(0);
  expect(array.withLockSync(() => array.lock.depth)).toBe(1);
  const error = thrownBy(() => array.withLockSync(() => array.unlink()));
  expect(error.code).toBe('ERR_HOLDFAST_IN_USE');
  const other = open(array.toJSON());
  array.unlink();
  expect(thrownBy(() => other.array)).toBeInstanceOf(UnlinkedError);
  expect(thrownBy(() => other.lock.acquireSync())).toBeInstanceOf(UnlinkedError);
});

it('a namespace that is made anew has none of the old memory', async () => {
  const other = extraNamespace();
  const file = regionFile(other).split('/').at(-1);
  const files = () => readdirSync('/dev/shm').filter((name) => name.startsWith(`${file}.`));
  const make = async () => {
    const child = spawnFixture('named-array.mjs', { env: { HOLDFAST_NAMESPACE: other } });
    const { values } = await child.next<{ values: number[] }>('made');
    await child.exited;
    return values;
  };
  expect(await make()).toEqual([1, 1]);
  expect(await make()).toEqual([1, 2]); // it was kept
  expect(files()).toHaveLength(2);
  truncateSync(regionFile(other), 100); // not a region any more
  expect(await make()).toEqual([1, 1]);
  expect(files()).toHaveLength(2);
  unlinkNamespace(other);
  expect(files()).toEqual([]);
});
