import { inspect } from 'node:util';
import { Lock, RLock } from 'holdfast';
import { expect, it } from 'vitest';
import { ownNamespace, uniqueName } from '../support/namespace.js';

ownNamespace('inspect');

it('a Lock prints its name and whether it is held', () => {
  const lock = new Lock(uniqueName());
  expect(inspect(lock)).toBe(`Lock ${JSON.stringify(lock.name)} (free)`);
  const held = lock.acquireSync();
  expect(inspect(lock)).toBe(`Lock ${JSON.stringify(lock.name)} (locked)`);
  held.release();
  lock.close();
  expect(inspect(lock)).toMatch(/closed/);
});

it('an RLock prints its owner and depth', () => {
  const lock = new RLock(uniqueName());
  expect(inspect(lock)).toMatch(/\(free\)$/);
  lock.withSync(() => {
    lock.withSync(() => {
      expect(inspect(lock)).toContain(`held by pid ${process.pid}, thread 0, depth 2`);
    });
  });
});
