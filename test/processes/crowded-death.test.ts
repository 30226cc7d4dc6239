import { expect, it } from 'vitest';
import type { Agent } from '../support/agent.js';
import { spawnFixture } from '../support/child.js';
import { company } from '../support/company.js';
import { extraNamespace } from '../support/namespace.js';

const WAITS = 40_000;
const TIMES = 10;
const LEAST_MS = 20;
const WATCHDOG_MS = 150_000;

interface Cost {
  /** From the kill until the next one has the lock. */
  readonly passedOnMs: number;
  /** The longest that a third process' event loop stood still in a tryAcquire(). */
  readonly heldUpMs: number;
}

/**
 * A process dies that holds a permit and a lock, and waits so many times for `what`. In a namespace of its own: in which
 * order things are given back depends on what was there before.
 */
async function costOfDeath(what: string, count: number): Promise<Cost> {
  const env = { HOLDFAST_NAMESPACE: extraNamespace() };
  const victim = spawnFixture('many-waits.mjs', { args: [what, count], env });
  await victim.next('waiting');
  const trier = spawnFixture('trier.mjs', { env });
  await trier.next('ready');
  const [heir] = (await company(1, WATCHDOG_MS, { env })) as [Agent];
  const lock = { kind: 'Lock' as const, name: 'lock', args: [{ warnOnAbandoned: false }] };
  const wait = await heir.begin<{ guard: number; abandoned: boolean }>('acquire', lock);

  const killed = performance.now();
  victim.kill();
  const { guard, abandoned } = await wait.answer;
  const passedOnMs = performance.now() - killed;
  expect(abandoned).toBe(true);
  await victim.exited;

  // Everything that it had is back, and none of its waits is left.
  const semaphore = { kind: 'Semaphore' as const, name: 'semaphore', args: [1] };
  await heir.call('acquire', semaphore);
  trier.send({});
  const { longestMs: heldUpMs } = await trier.next<{ longestMs: number }>('tried');
  expect(await heir.call('tryAcquire', semaphore)).toBeNull();
  await heir.call('releaseGuard', { guard });
  expect(await heir.call('tryAcquire', lock)).toMatchObject({ abandoned: false });
  const ends = [trier, heir.child].map((child) => {
    child.kill();
    return child.exited;
  });
  await Promise.all(ends);
  return { passedOnMs, heldUpMs };
}

const middle = (numbers: number[]) => numbers.sort((a, b) => a - b)[numbers.length >> 1] as number;

/*
 * The control is the same with waits for an event, where nothing is to be given back: in the same run, for machines differ
 * in speed. Were each wait that ends to cost so much as the others are many, it would be a hundred times as much. A machine
 * that is busy otherwise has its share in each figure, so none counts for less than some milliseconds.
 */
it.each(['permits', 'both'])(
  'a death with 40,000 waits for %s costs about as much as with 40,000 for an event',
  async (what) => {
    const control: Cost[] = [];
    for (let i = 0; i < 3; i += 1) control.push(await costOfDeath('an event', WAITS));
    const costs: Cost[] = [];
    for (let i = 0; i < 3; i += 1) costs.push(await costOfDeath(what, WAITS));
    for (const figure of ['passedOnMs', 'heldUpMs'] as const) {
      const usual = middle(control.map((one) => one[figure]));
      // Who loses the processor adds to a figure and takes nothing off.
      const cost = Math.min(...costs.map((one) => one[figure]));
      expect(cost).toBeLessThan(TIMES * Math.max(usual, LEAST_MS));
    }
  },
);
