import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Lock } from 'holdfast';
import { expect, it } from 'vitest';
import { makeCells, readCells, readLines } from '../support/cells.js';
import { type Child, spawnFixture } from '../support/child.js';
import { ownDirectory, ownNamespace, uniqueName } from '../support/namespace.js';

ownNamespace('kill');
const directory = ownDirectory();
const SLOTS = 4;
/** For the sum of some hundred starts of processes on a busy machine; each child has a watchdog. */
const WHOLE_MS = 400_000;

/** Four competitors for one lock; a dead one is replaced. */
class Competition {
  readonly name = uniqueName();
  readonly cells = makeCells(directory, `${this.name}-cells`, 3 + SLOTS);
  readonly deaths = join(directory, `${this.name}-deaths`);
  readonly told = join(directory, `${this.name}-told`);
  readonly #mode: string;
  readonly #slots: Child[] = [];

  constructor(mode: 'strict' | 'repair') {
    this.#mode = mode;
    writeFileSync(this.deaths, '');
    writeFileSync(this.told, '');
  }

  async fill(slot: number): Promise<void> {
    const args = [this.cells, this.deaths, this.told, this.name, slot, this.#mode];
    const child = spawnFixture('competitor.mjs', { args, watchdogMs: 300_000 });
    this.#slots[slot] = child;
    await child.next('ready');
  }

  at(slot: number): Child {
    return this.#slots[slot] as Child;
  }

  async start(): Promise<void> {
    await Promise.all(Array.from({ length: SLOTS }, (_, slot) => this.fill(slot)));
  }

  /** All come to their end; gives what they found wrong. */
  async stop(): Promise<string[]> {
    for (const child of this.#slots) {
      child.send({ stop: true });
    }
    const ends = this.#slots.map((child) => child.next<{ wrong: string[] }>('done'));
    return (await Promise.all(ends)).flatMap(({ wrong }) => wrong);
  }

  numbers() {
    const [count, entered, completed, ...tallies] = readCells(this.cells);
    const sum = tallies.reduce((all, tally) => all + tally, 0);
    return { count, entered, completed, sum, tallies };
  }
}

it('200 SIGKILLs inside the critical section: exact count, each death told to exactly one', {
  timeout: WHOLE_MS,
}, async () => {
  const KILLS = 200;
  const competition = new Competition('strict');
  await competition.start();
  const stages = ['entered', 'read', 'written'];
  for (let kill = 0; kill < KILLS; kill += 1) {
    const slot = kill % SLOTS;
    const victim = competition.at(slot);
    victim.send({ dieWhen: stages[kill % stages.length] });
    expect(await victim.exited).toEqual({ code: null, signal: 'SIGKILL' });
    await competition.fill(slot);
  }
  expect(await competition.stop()).toEqual([]);

  const { count, sum, tallies } = competition.numbers();
  expect(count).toBe(sum);
  expect(Math.min(...tallies)).toBeGreaterThan(KILLS);
  const deaths = readLines(competition.deaths);
  expect(deaths).toHaveLength(KILLS);
  expect(new Set(deaths).size).toBe(KILLS);
  expect(readLines(competition.told).sort()).toEqual(deaths.sort());
});

it('SIGKILLs from outside at any moment, also inside the library: the count can be repaired', {
  timeout: WHOLE_MS,
}, async () => {
  const KILLS = 80;
  const competition = new Competition('repair');
  await competition.start();
  for (let kill = 0; kill < KILLS; kill += 1) {
    const slot = kill % SLOTS;
    const victim = competition.at(slot);
    // Not a wait for anything: it only spreads the moments of death.
    await delay(Math.random() * 8);
    victim.kill();
    expect(await victim.exited).toEqual({ code: null, signal: 'SIGKILL' });
    await competition.fill(slot);
  }
  expect(await competition.stop()).toEqual([]);

  const { count, sum, entered, completed } = competition.numbers();
  expect(count).toBe(sum);
  expect(entered).toBe(completed);
  expect(readLines(competition.told).length).toBeLessThanOrEqual(KILLS);
  const held = new Lock(competition.name).acquireSync({ timeout: 0 });
  expect(held.abandoned).toBe(false);
  expect(held.token).toBeGreaterThan(completed as number);
  held.release();
});
