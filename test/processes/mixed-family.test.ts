import { randomInt } from 'node:crypto';
import { SharedArray } from 'holdfast';
import { expect, it } from 'vitest';
import { type Child, type Message, spawnFixture } from '../support/child.js';
import { ownNamespace, uniqueName } from '../support/namespace.js';

ownNamespace('mixed');
const [SLOTS, OPERATIONS, WORDS, TALLIES] = [10, 2_000, 64, 16];
const SEED = process.env['HOLDFAST_SEED'] ?? String(randomInt(2 ** 31));

/** The objects of one test, as fixtures/mixed.mjs lays them out. */
class Family {
  readonly #prefix = uniqueName('mixed');
  readonly #words = new SharedArray(`${this.#prefix}-words`, 'int32', WORDS);
  readonly #tallies = new SharedArray(`${this.#prefix}-tallies`, 'int32', SLOTS * TALLIES);

  start(slot: number, life: number, operations: number, tellAt = -1): Child {
    return spawnFixture('mixed.mjs', {
      args: [this.#prefix, SEED, slot, life, operations, tellAt],
      watchdogMs: 280_000,
    });
  }

  /** Announced before, so that nobody takes the dead one for somebody inside; then its marks go. */
  async kill(slot: number, child: Child): Promise<void> {
    this.#words.add(slot, 1);
    child.kill();
    await child.exited;
    for (let word = 16; word < 32; word += 1) {
      const bits = word === 18 ? 0b11 << (2 * slot) : 1 << slot;
      this.#words.and(word, ~bits);
    }
    this.#words.add(slot, 1);
  }

  done(slot: number): number {
    return this.#tallies.load(slot * TALLIES);
  }

  /** By all slots together. */
  tally(which: number): number {
    return Array.from({ length: SLOTS }, (_, slot) =>
      this.#tallies.load(slot * TALLIES + which),
    ).reduce((sum, one) => sum + one, 0);
  }

  word(which: number): number {
    return this.#words.load(which);
  }
}

async function outcome(child: Child, ...types: string[]): Promise<Message> {
  const message = await child.next((m) => types.includes(m.type) || m.type === 'failed');
  if (message.type === 'failed') {
    throw new Error(`HOLDFAST_SEED=${SEED}: ${message['error']}`);
  }
  return message;
}

/** What a fresh process finds, and how often everything happened; a death may cost one count. */
async function judge(family: Family, deaths: number): Promise<void> {
  const whole = await outcome(family.start(0, 1_000, 0), 'whole');
  expect(whole, `HOLDFAST_SEED=${SEED}`).toMatchObject({
    available: 3,
    locked: false,
    readers: 0,
    broken: false,
    waiting: 0,
  });
  const sums = whole['sums'] as Record<'added' | 'summed' | 'cased', number>;
  const pairs: [number, number][] = [
    [sums.added, family.tally(1)],
    [sums.summed, family.tally(2)],
    [sums.cased, family.tally(3)],
    [family.word(39), family.tally(4)],
    [family.word(40), family.tally(5)],
  ];
  for (const [actual, counted] of pairs) {
    expect(counted, `HOLDFAST_SEED=${SEED}`).toBeGreaterThan(0);
    expect(actual, `HOLDFAST_SEED=${SEED}`).toBeGreaterThanOrEqual(counted);
    expect(actual, `HOLDFAST_SEED=${SEED}`).toBeLessThanOrEqual(counted + deaths);
  }
  // Each generation of the barrier was complete or broken: each index was given as often as any.
  const indices = [family.tally(6), family.tally(7), family.tally(8)];
  expect(Math.min(...indices)).toBeGreaterThan(0);
  expect(Math.max(...indices) - Math.min(...indices)).toBeLessThanOrEqual(deaths);
  expect(family.tally(9)).toBeGreaterThan(0);
  expect(family.tally(10)).toBeGreaterThan(0);
  // Nobody is inside of anything.
  for (let word = 16; word < 32; word += 1) {
    expect(family.word(word)).toBe(0);
  }
}

it(`10 processes x 2,000 operations on one of everything (HOLDFAST_SEED=${SEED})`, async () => {
  console.log(`HOLDFAST_SEED=${SEED}`);
  const family = new Family();
  const children = Array.from({ length: SLOTS }, (_, slot) => family.start(slot, 0, OPERATIONS));
  await Promise.all(children.map((child) => outcome(child, 'done')));
  await Promise.all(children.map((child) => child.exited));
  expect(family.tally(0)).toBe(SLOTS * OPERATIONS);
  expect(family.tally(11)).toBe(0);
  await judge(family, 0);
});

it(`the same while processes are killed and replaced (HOLDFAST_SEED=${SEED})`, async () => {
  const family = new Family();
  const LIVES = 12;
  let killed = 0;
  const run = async (slot: number): Promise<void> => {
    for (let life = 0; life < LIVES; life += 1) {
      const left = Math.max(1, OPERATIONS - family.done(slot));
      // Some way before the end; the last life goes to it. The kill meets it wherever it is by then.
      const spread = (Number(SEED) * (7 * slot + 13 * life + 1)) % 97;
      const tellAt = life === LIVES - 1 ? -1 : 10 + spread;
      const child = family.start(slot, life, left, tellAt);
      const message = await outcome(child, 'there', 'done');
      if (message.type === 'done') {
        await child.exited;
        return;
      }
      killed += 1;
      await family.kill(slot, child);
    }
  };
  await Promise.all(Array.from({ length: SLOTS }, (_, slot) => run(slot)));
  expect(killed).toBe(SLOTS * (LIVES - 1));
  await judge(family, killed);
});
