import { Lock } from 'holdfast';
import { expect, it } from 'vitest';
import { makeCells } from '../support/cells.js';
import { spawnFixture } from '../support/child.js';
import { ownDirectory, ownNamespace, uniqueName } from '../support/namespace.js';

ownNamespace('race');
const directory = ownDirectory();

interface Tally {
  readonly acquired: number;
  readonly gaveUp: number;
  readonly wrong: readonly string[];
}

async function race(modes: readonly string[], times: number): Promise<Tally> {
  const name = uniqueName();
  const path = makeCells(directory, name, 1);
  const children = modes.map((mode, i) =>
    spawnFixture('racer.mjs', { args: [path, name, i + 1, times, mode], watchdogMs: 300_000 }),
  );
  await Promise.all(children.map((child) => child.next('ready')));
  for (const child of children) {
    child.send({ type: 'go' });
  }
  const tallies = await Promise.all(children.map((child) => child.next<Tally>('done')));
  // Whatever happened, the lock is free and in order afterwards.
  const held = new Lock(name).acquireSync({ timeout: 0 });
  expect(held.abandoned).toBe(false);
  held.release();
  return {
    acquired: tallies.reduce((sum, { acquired }) => sum + acquired, 0),
    gaveUp: tallies.reduce((sum, { gaveUp }) => sum + gaveUp, 0),
    wrong: tallies.flatMap(({ wrong }) => wrong),
  };
}

const races: [string, string[], number][] = [
  ['a sync time-out', Array(4).fill('syncTimeout'), 8_000],
  ['an async time-out', Array(4).fill('asyncTimeout'), 4_000],
  ['an abort', Array(4).fill('abort'), 5_000],
  ['all of them', ['syncTimeout', 'asyncTimeout', 'abort', 'syncTimeout'], 5_000],
];

it.each(races)(
  '%s races with the grant: never two owners, never both ends, never neither',
  async (_, modes, times) => {
    const tally = await race(modes, times);
    expect(tally.wrong).toEqual([]);
    expect(tally.acquired + tally.gaveUp).toBe(modes.length * times);
    expect(tally.acquired).toBeGreaterThan(0);
    expect(tally.gaveUp).toBeGreaterThan(0);
  },
);

it('a sync wait beside a waiting promise of the same thread: both come to an end', async () => {
  const times = 1_500;
  const tally = await race(Array(4).fill('syncOverAsync'), times);
  expect(tally.wrong).toEqual([]);
  expect(tally.acquired + tally.gaveUp).toBe(2 * 4 * times);
});
