import { statSync } from 'node:fs';
import { Lock } from 'holdfast';
import { expect, it } from 'vitest';
import { ownNamespace, regionFile } from '../support/namespace.js';

const namespace = ownNamespace('growth');

it('the region grows with its objects, and the older ones stay what they were', () => {
  const first = new Lock('first');
  const held = first.acquireSync();
  const sizeBefore = statSync(regionFile(namespace)).size;
  const locks = Array.from({ length: 12_000 }, (_, i) => new Lock(`${'n'.repeat(200)}-${i}`));
  expect(statSync(regionFile(namespace)).size).toBeGreaterThan(sizeBefore);
  const guards = locks.map((lock) => lock.acquireSync({ timeout: 0 }));
  expect(held.released).toBe(false);
  expect(new Lock('first').tryAcquire()).toBeNull();
  for (const guard of guards) {
    guard.release();
  }
  held.release();
  expect(locks.some((lock) => lock.locked)).toBe(false);
});

it('the file is reserved, so that no later write can fail: blocks cover its size', () => {
  new Lock('any');
  const { blocks, size } = statSync(regionFile(namespace));
  expect(blocks * 512).toBeGreaterThanOrEqual(size);
});
