import { expect, it } from 'vitest';
import { spawnFixture } from '../support/child.js';
import { ownNamespace } from '../support/namespace.js';

ownNamespace('batch');

it('an exception on the way to one wait keeps none from those that end with it, and is uncaught', async () => {
  const child = spawnFixture('batch.mjs');
  const { held, abandoned, uncaught } = await child.next<{
    held: boolean[];
    abandoned: (boolean | null)[];
    uncaught: string[];
  }>('told');
  expect(held).toEqual([true, true, true]);
  expect(abandoned).toEqual([true, true, null]);
  expect(uncaught).toEqual([
    expect.stringMatching('no warnings here: Lock "batch-lock" was abandoned'),
    expect.stringMatching('no warnings here: RWLock "batch-table" was abandoned'),
  ]);
  expect(await child.exited).toEqual({ code: 0, signal: null });
});
