import { Lock, open, RLock } from 'holdfast';
import { describe, expect, it } from 'vitest';
import { INVALID, thrownBy } from '../support/errors.js';
import { ownNamespace, uniqueName } from '../support/namespace.js';

const namespace = ownNamespace('tokens');

describe('toJSON()', () => {
  it.each([
    ['Lock', Lock],
    ['RLock', RLock],
  ])('of a %s is plain data that says all', (kind, Kind) => {
    const name = uniqueName();
    const token = new Kind(name).toJSON();
    expect(token).toEqual({ holdfast: kind, namespace, name });
    expect(Object.getPrototypeOf(token)).toBe(Object.prototype);
    expect(structuredClone(token)).toEqual(token);
  });

  it('is what JSON.stringify() of a lock, at any depth, writes', () => {
    const lock = new Lock(uniqueName());
    const data = JSON.parse(JSON.stringify({ a: [lock] }));
    expect(data).toEqual({ a: [lock.toJSON()] });
  });
});

describe('open()', () => {
  const forms: [string, (lock: Lock | RLock) => unknown][] = [
    ['the token', (lock) => lock.toJSON()],
    ['its JSON text', (lock) => JSON.stringify(lock)],
    ['its structured clone', (lock) => structuredClone(lock.toJSON())],
  ];
  it.each(forms)('gives the same object back from %s', (_, form) => {
    const lock = new Lock(uniqueName());
    const same = open<'Lock'>(form(lock) as string);
    expect(same).toBeInstanceOf(Lock);
    expect(same.name).toBe(lock.name);
    const held = lock.acquireSync();
    expect(same.tryAcquire()).toBeNull();
    held.release();
    same.acquireSync({ timeout: 0 }).release();
  });

  it('gives the kind that the token names', () => {
    const lock = new RLock(uniqueName());
    const same = open(lock.toJSON());
    expect(same).toBeInstanceOf(RLock);
    using _outer = lock.acquireSync();
    using _inner = same.acquireSync();
    expect(lock.depth).toBe(2);
  });

  it('never creates: a missing name is ERR_HOLDFAST_NOT_FOUND, and stays missing', () => {
    const token = { holdfast: 'Lock' as const, namespace, name: uniqueName('never-made') };
    for (let i = 0; i < 2; i += 1) {
      const error = thrownBy(() => open(token));
      expect(error.code).toBe('ERR_HOLDFAST_NOT_FOUND');
      expect(error.message).toContain(token.name);
    }
  });

  it('refuses another namespace than the one in force, and names both', () => {
    new Lock(uniqueName());
    const token = { holdfast: 'Lock' as const, namespace: 'some-other', name: 'x' };
    const error = thrownBy(() => open(token));
    expect(error.code).toBe('ERR_HOLDFAST_CONFIGURED');
    expect(error.message).toContain('some-other');
    expect(error.message).toContain(namespace);
  });

  const bad: [string, unknown][] = [
    ['nothing', undefined],
    ['null', null],
    ['a number', 5],
    ['an empty object', {}],
    ['an array', []],
    ['text that is no JSON', 'not json {'],
    ['JSON of something else', '5'],
    ['a token of an unknown kind', { holdfast: 'Nope', namespace, name: 'x' }],
    ['a token of an inherited kind', { holdfast: 'constructor', namespace, name: 'x' }],
    ['a token without a name', { holdfast: 'Lock', namespace }],
    ['a token with an empty name', { holdfast: 'Lock', namespace, name: '' }],
    ['a token without a namespace', { holdfast: 'Lock', name: 'x' }],
    ['a token with a bad namespace', { holdfast: 'Lock', namespace: 'a/b', name: 'x' }],
  ];
  it.each(bad)('refuses %s', (_, token) => {
    const error = thrownBy(() => open(token as never));
    expect(error.code).toBe(INVALID);
  });
});
