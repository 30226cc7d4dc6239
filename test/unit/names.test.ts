import { Lock, open } from 'holdfast';
import { describe, expect, it } from 'vitest';
import { INVALID, thrownBy } from '../support/errors.js';
import { ownNamespace } from '../support/namespace.js';

ownNamespace('names');

const good: [string, string][] = [
  ['one byte', 'x'],
  ['255 bytes of ASCII', 'a'.repeat(255)],
  ['255 bytes of two-byte characters and one', `${'é'.repeat(127)}a`],
  ['255 bytes of three-byte characters', '鍵'.repeat(85)],
  ['255 bytes of four-byte characters and three', `${'🔒'.repeat(63)}abc`],
  ['a slash inside', 'orders/2024/eu'],
  ['a slash at both ends', '/orders/'],
  ['dots', '..'],
  ['spaces and line breaks', ' a\tb\nc '],
  ['a property of Object.prototype', '__proto__'],
  ['a control character', '\u0001'],
  ['the byte order mark', '\ufeffname'],
];

describe('a name may be', () => {
  it.each(good)('%s', (_, name) => {
    const lock = new Lock(name);
    expect(lock.name).toBe(name);
    const same = open<'Lock'>(JSON.parse(JSON.stringify(lock)));
    expect(same.name).toBe(name);
    const held = lock.acquireSync();
    expect(same.tryAcquire()).toBeNull();
    held.release();
  });

  it('all of these are different locks', () => {
    const guards = good.map(([, name]) => new Lock(name).acquireSync({ timeout: 0 }));
    expect(guards).toHaveLength(good.length);
    for (const held of guards) {
      held.release();
    }
  });
});

describe('names differ', () => {
  const pairs: [string, string, string][] = [
    ['in the last of 255 bytes', `${'a'.repeat(254)}b`, `${'a'.repeat(254)}c`],
    ['in length', 'aaa', 'aaaa'],
    ['in case', 'orders', 'Orders'],
    ['in a trailing space', 'orders', 'orders '],
    ['in Unicode normal form', 'caf\u00e9', 'cafe\u0301'],
  ];
  it.each(pairs)('%s', (_, one, other) => {
    const held = new Lock(one).acquireSync();
    const otherHeld = new Lock(other).acquireSync({ timeout: 0 });
    held.release();
    otherHeld.release();
  });
});

describe('a name may not be', () => {
  const bad: [string, string][] = [
    ['empty', ''],
    ['of 256 bytes', 'a'.repeat(256)],
    ['of 128 characters in 256 bytes', 'é'.repeat(128)],
    ['of 64 characters in 256 bytes', '🔒'.repeat(64)],
    ['very long', 'a'.repeat(1_000_000)],
    ['with a NUL', 'a\0b'],
    ['with a NUL at its end', 'a\0'],
    ['with a lone high surrogate', 'a\ud83d'],
    ['with a lone low surrogate', '\udd12b'],
    ['with surrogates in the wrong order', '\udd12\ud83d'],
  ];
  it.each(bad)('%s', (_, name) => {
    const error = thrownBy(() => new Lock(name));
    expect(error).toBeInstanceOf(RangeError);
    expect(error.code).toBe(INVALID);
    expect(error.message).toContain('name');
  });

  const noStrings: [string, unknown][] = [
    ['a number', 5],
    ['null', null],
    ['an object', { name: 'x' }],
    ['a boolean', true],
    ['a symbol', Symbol('x')],
    ['a bigint', 5n],
    ['a String object', Object('x')],
    ['an array', ['x']],
  ];
  it.each(noStrings)('%s', (_, name) => {
    const error = thrownBy(() => new Lock(name as string));
    expect(error).toBeInstanceOf(TypeError);
    expect(error.code).toBe(INVALID);
    expect(error.message).toContain('name');
  });
});
