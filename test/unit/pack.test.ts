import { Lock, pack, RLock, unpack } from 'holdfast';
import { describe, expect, it } from 'vitest';
import { ownNamespace, uniqueName } from '../support/namespace.js';

ownNamespace('pack');

interface Nested {
  readonly deep: { readonly list: readonly [number, { readonly lock: Lock }] };
  readonly rlock: RLock;
  readonly text: string;
}

function nested(): Nested {
  return {
    deep: { list: [1, { lock: new Lock(uniqueName()) }] },
    rlock: new RLock(uniqueName()),
    text: 'kept',
  };
}

describe('pack()', () => {
  it('replaces locks by their tokens, at any depth', () => {
    const data = nested();
    const [, { lock }] = data.deep.list;
    expect(pack(data)).toEqual({
      deep: { list: [1, { lock: lock.toJSON() }] },
      rlock: data.rlock.toJSON(),
      text: 'kept',
    });
  });

  it('makes data that can be cloned and written as JSON', () => {
    const packed = pack(nested());
    expect(structuredClone(packed)).toEqual(packed);
    expect(JSON.parse(JSON.stringify(packed))).toEqual(packed);
  });

  it('leaves its argument as it was', () => {
    const data = nested();
    const [, inner] = data.deep.list;
    pack(data);
    expect(inner.lock).toBeInstanceOf(Lock);
    expect(data.rlock).toBeInstanceOf(RLock);
    inner.lock.acquireSync({ timeout: 0 }).release();
  });

  it('packs a bare lock', () => {
    const lock = new Lock(uniqueName());
    expect(pack(lock)).toEqual(lock.toJSON());
  });

  const plain: [unknown][] = [[null], [5], ['text'], [true], [[]], [{}], [[1, [2, { a: null }]]]];
  it.each(plain)('gives %j back equal', (data) => {
    expect(pack(data)).toEqual(data);
    expect(unpack(data)).toEqual(data);
  });
});

describe('unpack()', () => {
  it('revives what pack() made: the same locks', () => {
    const data = nested();
    const revived = unpack(JSON.parse(JSON.stringify(pack(data)))) as Nested;
    const [number, { lock }] = revived.deep.list;
    expect(number).toBe(1);
    expect(revived.text).toBe('kept');
    expect(lock).toBeInstanceOf(Lock);
    expect(revived.rlock).toBeInstanceOf(RLock);
    const held = data.deep.list[1].lock.acquireSync();
    expect(lock.tryAcquire()).toBeNull();
    held.release();
    using _outer = data.rlock.acquireSync();
    expect(revived.rlock.depth).toBe(1);
  });

  it('leaves its argument as it was', () => {
    const packed = pack(nested()) as { rlock: unknown };
    const before = structuredClone(packed);
    unpack(packed);
    expect(packed).toEqual(before);
  });

  it('does not create what has gone', () => {
    const lock = new Lock(uniqueName());
    const packed = pack({ lock });
    lock.unlink();
    expect(() => unpack(packed)).toThrow(
      expect.objectContaining({ code: 'ERR_HOLDFAST_NOT_FOUND' }),
    );
  });

  it('keeps a hostile key from becoming a prototype', () => {
    const data = JSON.parse('{"__proto__": {"polluted": true}, "a": 1}');
    for (const copy of [pack(data), unpack(data)]) {
      expect(Object.getPrototypeOf(copy)).toBe(Object.prototype);
      expect((copy as { polluted?: unknown }).polluted).toBeUndefined();
    }
  });
});
