import { configure, fork, Lock, RLock, unlinkNamespace } from 'holdfast';
import { describe, expect, it } from 'vitest';
import { INVALID, rejectedBy, thrownBy } from '../support/errors.js';
import { ownNamespace, uniqueName } from '../support/namespace.js';

ownNamespace('options');

type Verb = (lock: Lock, options: unknown) => unknown;
const asyncVerbs: [string, Verb][] = [
  ['acquire', (lock, options) => lock.acquire(options as object)],
  ['with', (lock, options) => lock.with(() => {}, options as object)],
];
const syncVerbs: [string, Verb][] = [
  ['acquireSync', (lock, options) => lock.acquireSync(options as object)],
  ['withSync', (lock, options) => lock.withSync(() => {}, options as object)],
];
const verbs = [...asyncVerbs, ...syncVerbs];

describe.each(verbs)('%s()', (_, verb) => {
  const refusal = async (options: unknown) => {
    const lock = new Lock(uniqueName());
    const error = await rejectedBy(async () => verb(lock, options));
    expect(lock.locked).toBe(false);
    expect(error.code).toBe(INVALID);
    return error;
  };

  const noTimeouts: [string, unknown][] = [
    ['NaN', Number.NaN],
    ['a string', '500'],
    ['null', null],
    ['a bigint', 5n],
    ['a boolean', true],
    ['an object', {}],
    ['a Date', new Date()],
  ];
  it.each(noTimeouts)('refuses %s as timeout', async (_name, timeout) => {
    const error = await refusal({ timeout });
    expect(error).toBeInstanceOf(TypeError);
    expect(error.message).toContain('timeout');
  });

  it.each([
    ['timout', 'timeout'],
    ['timeOut', 'timeout'],
    ['Timeout', 'timeout'],
  ])('refuses the key "%s" and names "%s"', async (wrong, right) => {
    const error = await refusal({ [wrong]: 5 });
    expect(error).toBeInstanceOf(TypeError);
    expect(error.message).toContain(`"${wrong}"`);
    expect(error.message).toContain(`"${right}"`);
  });

  it('refuses a key that is like no other', async () => {
    const error = await refusal({ xyzzy: 5 });
    expect(error).toBeInstanceOf(TypeError);
    expect(error.message).toContain('xyzzy');
  });

  it.each([[5], ['500'], [true], [() => {}]])('refuses %s in place of options', async (options) => {
    expect(await refusal(options)).toBeInstanceOf(TypeError);
  });

  it('refuses before anything is changed, on a held lock too', async () => {
    const lock = new Lock(uniqueName());
    const held = lock.acquireSync();
    const error = await rejectedBy(async () => verb(lock, { timeout: Number.NaN }));
    expect(error.code).toBe(INVALID);
    expect(held.released).toBe(false);
    held.release();
    expect(lock.locked).toBe(false);
  });
});

describe.each(asyncVerbs)('%s()', (_, verb) => {
  it.each([[{}], [null], ['abort'], [new AbortController()], [{ aborted: true }]])(
    'refuses %o as signal',
    async (signal) => {
      const lock = new Lock(uniqueName());
      const error = await rejectedBy(async () => verb(lock, { signal }));
      expect(error).toBeInstanceOf(TypeError);
      expect(error.code).toBe(INVALID);
      expect(error.message).toContain('signal');
      expect(lock.locked).toBe(false);
    },
  );

  it('names "signal" for "singal"', async () => {
    const lock = new Lock(uniqueName());
    const error = await rejectedBy(async () => verb(lock, { singal: undefined }));
    expect(error.message).toContain('"signal"');
  });
});

describe.each(syncVerbs)('%s()', (_, verb) => {
  it('refuses a signal, and says why', () => {
    const lock = new Lock(uniqueName());
    const error = thrownBy(() => verb(lock, { signal: new AbortController().signal }));
    expect(error).toBeInstanceOf(TypeError);
    expect(error.code).toBe(INVALID);
    expect(error.message).toContain('signal');
    expect(error.message).toMatch(/block/i);
    expect(lock.locked).toBe(false);
  });
});

describe.each([
  ['Lock', Lock],
  ['RLock', RLock],
])('new %s()', (_, Kind) => {
  it('refuses an unknown key, and names the nearest', () => {
    const options = { warnOnAbandonned: true } as object;
    const error = thrownBy(() => new Kind(uniqueName(), options));
    expect(error).toBeInstanceOf(TypeError);
    expect(error.code).toBe(INVALID);
    expect(error.message).toContain('"warnOnAbandoned"');
  });

  it.each([['yes'], [1], [null], [{}]])('refuses %o as warnOnAbandoned', (warnOnAbandoned) => {
    const error = thrownBy(() => new Kind(uniqueName(), { warnOnAbandoned } as object));
    expect(error).toBeInstanceOf(TypeError);
    expect(error.code).toBe(INVALID);
    expect(error.message).toContain('warnOnAbandoned');
  });

  it('needs new', () => {
    expect(() => (Kind as unknown as () => void)()).toThrow(TypeError);
  });
});

describe('other functions', () => {
  it('configure() refuses an unknown key, and names the nearest', () => {
    const error = thrownBy(() => configure({ namespce: 'x' } as object));
    expect(error).toBeInstanceOf(TypeError);
    expect(error.code).toBe(INVALID);
    expect(error.message).toContain('"namespace"');
  });

  const badNamespaces = ['a/b', '/', '', 'a b', 'é', 'a\0', 'a'.repeat(65)];
  it.each(badNamespaces)('configure() and unlinkNamespace() refuse %j', (namespace) => {
    for (const run of [() => configure({ namespace }), () => unlinkNamespace(namespace)]) {
      const error = thrownBy(run);
      expect(error).toBeInstanceOf(RangeError);
      expect(error.code).toBe(INVALID);
      expect(error.message).toContain('namespace');
    }
  });

  it.each([[5], [null], [{}]])('configure() and unlinkNamespace() refuse %o', (namespace) => {
    for (const run of [
      () => configure({ namespace } as never),
      () => unlinkNamespace(namespace as never),
    ]) {
      const error = thrownBy(run);
      expect(error).toBeInstanceOf(TypeError);
      expect(error.code).toBe(INVALID);
    }
  });

  it.each([0, 0o644, 0o640, 0o666, 0o777, 0o660 + 0.5, -1])(
    'configure() refuses the mode %d',
    (mode) => {
      const error = thrownBy(() => configure({ mode }));
      expect(error).toBeInstanceOf(RangeError);
      expect(error.code).toBe(INVALID);
      expect(error.message).toContain('mode');
    },
  );

  it.each([['600'], [null], [Number.NaN]])('configure() refuses %o as mode', (mode) => {
    const error = thrownBy(() => configure({ mode } as never));
    expect(error.code).toBe(INVALID);
    expect(error.message).toContain('mode');
  });

  it.each([[5], [null], [undefined], [{}]])('fork() refuses %o as module', (path) => {
    const error = thrownBy(() => fork(path as never));
    expect(error).toBeInstanceOf(TypeError);
  });
});
