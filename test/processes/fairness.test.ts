import { Lock } from 'holdfast';
import { expect, it } from 'vitest';
import { makeCells, readCells } from '../support/cells.js';
import { spawnFixture } from '../support/child.js';
import { ownDirectory, ownNamespace, uniqueName } from '../support/namespace.js';
import { untilIdle, untilQueued } from '../support/proc.js';

ownNamespace('fairness');
const directory = ownDirectory();
const TOTAL = 60_000;

/**
 * Lets one process for each mode hammer one lock, so often and until each has had it in the second half or later. Gives
 * the tokens in the order of the owners.
 */
async function hammer(modes: readonly string[]): Promise<number[]> {
  const name = uniqueName();
  const path = makeCells(directory, name, 1 + TOTAL + modes.length);
  const children = modes.map((mode, i) =>
    spawnFixture('hammer.mjs', {
      args: [path, name, i, TOTAL, mode, modes.length],
      watchdogMs: 300_000,
    }),
  );
  await Promise.all(children.map((child) => child.next('ready')));
  // All of them wait before the first of them gets it.
  const held = new Lock(name).acquireSync();
  for (const [i, child] of children.entries()) {
    child.send({ type: 'go' });
    await child.next('begun');
    await (modes[i] === 'sync' ? untilQueued(child.pid) : untilIdle(child.pid));
  }
  held.release();
  await Promise.all(children.map((child) => child.next('done')));
  return readCells(path).slice(1, 1 + TOTAL);
}

const mixes: [string, string[]][] = [
  ['4 processes by withSync()', ['sync', 'sync', 'sync', 'sync']],
  ['4 processes by with()', ['async', 'async', 'async', 'async']],
  ['2 processes by each', ['sync', 'async', 'sync', 'async']],
  ['1 process by with() against 3 by withSync()', ['async', 'sync', 'sync', 'sync']],
  ['4 processes with 20 promises each', ['crowd', 'crowd', 'crowd', 'crowd']],
  ['1 promise and 1 thread against 2 processes with 20', ['crowd', 'async', 'crowd', 'sync']],
];

it.each(mixes)(
  '%s: nobody starves, and the tokens grow in the order of the owners',
  async (_, modes) => {
    const tokens = await hammer(modes);
    expect(tokens).toHaveLength(TOTAL);
    const outOfOrder = tokens.filter((token, i) => i > 0 && token <= (tokens[i - 1] as number));
    expect(outOfOrder).toEqual([]);
  },
);
