import { Lock, RLock, RWLock, Semaphore, SharedValue, withAll, withAllSync } from 'holdfast';
import { describe, expect, it } from 'vitest';
import { spawnFixture } from '../support/child.js';
import { ownNamespace, uniqueName } from '../support/namespace.js';

ownNamespace('untold');

/** A process that takes what `code` says, and dies. */
async function dieHolding(kind: string, name: string): Promise<void> {
  const child = spawnFixture('die-holding.mjs', { args: [kind, name] });
  await child.next('held');
  child.kill();
  await child.exited;
}

describe.each(['Lock', 'RLock', 'RWLock'] as const)(
  'an abandoned %s that is taken and given up',
  (kind) => {
    const open = (name: string) =>
      kind === 'Lock'
        ? new Lock(name)
        : kind === 'RLock'
          ? new RLock(name)
          : new RWLock(name).write;

    it.each(['withAll', 'withAllSync'] as const)(
      'by %s() is told to the next owner',
      async (verb) => {
        const name = uniqueName();
        // The global order is by kind: the semaphore comes last but for an RWLock's side.
        const missing =
          kind === 'RWLock' ? new RWLock(`${name}-z`).write : new Semaphore(`${name}-z`);
        const inTheWay = missing.acquireSync();
        await dieHolding(kind, name);
        const lock = open(name);
        if (verb === 'withAll') {
          await expect(withAll([lock, missing], () => {}, { timeout: 20 })).rejects.toThrow(/./);
        } else {
          expect(() => withAllSync([lock, missing], () => {}, { timeout: 0 })).toThrow(/./);
        }
        inTheWay.release();
        const first = lock.acquireSync();
        expect(first.abandoned).toBe(true);
        first.release();
        const second = lock.acquireSync();
        expect(second.abandoned).toBe(false);
        second.release();
      },
    );
  },
);

it.each(['Lock', 'RLock', 'RWLock'] as const)(
  'an abandoned %s that came in the same breath as an abort is told to the next owner, and to no other',
  async (kind) => {
    const name = uniqueName();
    await dieHolding(kind, name);
    const lock = kind === 'RWLock' ? new RWLock(name).write : new { Lock, RLock }[kind](name);
    const controller = new AbortController();
    const aborted = lock.acquire({ signal: controller.signal });
    controller.abort(new Error('not any more'));
    await expect(aborted).rejects.toThrow('not any more');
    const told = [1, 2, 3].map(() => {
      const held = lock.acquireSync();
      held.release();
      return held.abandoned;
    });
    expect(told).toEqual([true, false, false]);
  },
);

it('the lock of a value tells of a holder that was the last to have the value open', async () => {
  const name = uniqueName();
  await dieHolding('SharedValue', name);
  const value = new SharedValue(name, 'int32');
  const held = value.lock.acquireSync();
  expect(held.abandoned).toBe(true);
  held.release();
  value.close();
});
