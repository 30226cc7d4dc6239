import { HoldfastError, Lock, open, RLock } from 'holdfast';
import { expect, it } from 'vitest';
import { thrownBy } from '../support/errors.js';
import { ownNamespace, uniqueName } from '../support/namespace.js';

ownNamespace('kinds');

it.each([
  ['Lock', Lock, RLock],
  ['RLock', RLock, Lock],
] as const)(
  'the name of a %s is refused to the other kind; the error says both',
  (_, One, Other) => {
    const name = uniqueName();
    const first = new One(name);
    const error = thrownBy(() => new Other(name));
    expect(error).toBeInstanceOf(HoldfastError);
    expect(error.code).toBe('ERR_HOLDFAST_KIND_MISMATCH');
    expect(error.message).toMatch(/\bLock\b/);
    expect(error.message).toMatch(/\bRLock\b/);
    expect(error.message).toContain(name);
    first.acquireSync({ timeout: 0 }).release();
  },
);

it('a token that claims another kind than the object has is refused', () => {
  const lock = new Lock(uniqueName());
  const forged = { ...lock.toJSON(), holdfast: 'RLock' as const };
  expect(thrownBy(() => open(forged)).code).toBe('ERR_HOLDFAST_KIND_MISMATCH');
});

it('a closed object of a kind still has its name while it lives elsewhere', () => {
  const name = uniqueName();
  const [one, other] = [new Lock(name), new Lock(name)];
  one.close();
  expect(thrownBy(() => new RLock(name)).code).toBe('ERR_HOLDFAST_KIND_MISMATCH');
  other.acquireSync().release();
});
