import { Lock } from 'holdfast';
import { expect, it } from 'vitest';
import { makeCells, readCells } from '../support/cells.js';
import { spawnFixture } from '../support/child.js';
import { ownDirectory, ownNamespace, uniqueName } from '../support/namespace.js';

ownNamespace('churn');
const directory = ownDirectory();

it('60 workers of one process come and go, half of them terminated as holders', async () => {
  const MANY = 60;
  const name = uniqueName();
  const path = makeCells(directory, name, 1);
  const child = spawnFixture('churn.mjs', { args: [path, name, MANY] });
  const { told } = await child.next<{ told: boolean[] }>('done');
  // The even ones die as holders: each odd one is told, and no other.
  expect(told).toEqual(Array.from({ length: MANY }, (_, i) => i % 2 === 1));
  expect(readCells(path)[0]).toBe(MANY);
  expect(await child.exited).toEqual({ code: 0, signal: null });
  expect(new Lock(name).tryAcquire()?.abandoned).toBe(false);
  new Lock(name).release();
});
