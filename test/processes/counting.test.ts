import { Lock } from 'holdfast';
import { expect, it } from 'vitest';
import { makeCells, readCells } from '../support/cells.js';
import { spawnFixture } from '../support/child.js';
import { ownDirectory, ownNamespace, uniqueName } from '../support/namespace.js';

ownNamespace('counting');
const directory = ownDirectory();

/** Lets one process for each mode count `times`, and gives the number in the end. */
async function count(modes: readonly string[], times: number): Promise<number | undefined> {
  const name = uniqueName();
  const path = makeCells(directory, name, 1);
  const children = modes.map((mode) =>
    spawnFixture('increment.mjs', { args: [path, name, times, mode], watchdogMs: 300_000 }),
  );
  await Promise.all(children.map((child) => child.next('ready')));
  for (const child of children) {
    child.send({ type: 'go' });
  }
  await Promise.all(children.map((child) => child.next('done')));
  for (const child of children) {
    expect(await child.exited).toEqual({ code: 0, signal: null });
  }
  expect(new Lock(name).locked).toBe(false);
  return readCells(path)[0];
}

const eight = (...modes: string[]) => Array.from({ length: 8 }, (_, i) => modes[i % modes.length]!);

it('without a lock 4 processes lose updates, so that the tests below can fail', async () => {
  expect(await count(['none', 'none', 'none', 'none'], 50_000)).toBeLessThan(200_000);
});

it('8 processes count 50,000 each by acquireSync() to exactly 400,000', async () => {
  expect(await count(eight('sync'), 50_000)).toBe(400_000);
});

it('8 processes count 50,000 each by acquire() to exactly 400,000', async () => {
  expect(await count(eight('async'), 50_000)).toBe(400_000);
});

it('8 processes count 50,000 each, half sync and half async, to exactly 400,000', async () => {
  expect(await count(eight('sync', 'async'), 50_000)).toBe(400_000);
});

it('8 processes count 5,000 each by with() and withSync() to exactly 40,000', async () => {
  expect(await count(eight('with', 'withSync'), 5_000)).toBe(40_000);
});
