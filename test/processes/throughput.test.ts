import { Lock } from 'holdfast';
import { expect, it } from 'vitest';
import type { Agent } from '../support/agent.js';
import { type Child, spawnFixture } from '../support/child.js';
import { company, makeSpin, stop } from '../support/company.js';
import { ownNamespace, uniqueName } from '../support/namespace.js';

ownNamespace('throughput');

const WATCHDOG_MS = 150_000;
const LEAST_ROUNDS = 6;
const MOST_ROUNDS = 40;
const WINDOW_MS = 500;

interface Use {
  readonly acquisitions: number;
  readonly longestMs: number;
}

interface Window {
  readonly uses: readonly Use[];
  /** Until the last of them was done. */
  readonly ms: number;
}

/** All of them use the lock for a while. */
async function use(users: readonly Child[], name: string): Promise<Window> {
  const start = performance.now();
  for (const user of users) user.send({ name, ms: WINDOW_MS });
  const uses = await Promise.all(users.map((user) => user.next<Use & { type: string }>('used')));
  return { uses, ms: performance.now() - start };
}

/** Acquisitions a second, and the longest wait. */
function sum(windows: readonly Window[]) {
  const uses = windows.flatMap((window) => window.uses);
  const ms = windows.reduce((all, window) => all + window.ms, 0);
  const acquisitions = uses.reduce((all, one) => all + one.acquisitions, 0);
  return {
    pace: (1_000 * acquisitions) / ms,
    longestMs: Math.max(...uses.map(({ longestMs }) => longestMs)),
  };
}

const teams: [string, string[]][] = [
  ['that wait by promises', ['async', 'async', 'async']],
  ['of which one is blocked while it waits', ['async', 'async', 'sync']],
];

/*
 * The control is made in the same minute, turn by turn, with the same processes: at a lock that nobody else waits for. It
 * is what the machine can do at this hour beside a process that takes a processor. Where that changes while it is measured,
 * more rounds even it out; what is slower by itself stays so.
 */
it.each(teams)(
  'three users %s keep their pace beside a busy one and a stopped one',
  async (_, modes) => {
    const [alone, beside] = [new Lock(uniqueName()), new Lock(uniqueName())];
    const users = modes.map((mode) =>
      spawnFixture('user.mjs', { args: [mode], watchdogMs: WATCHDOG_MS }),
    );
    await Promise.all(users.map((user) => user.next('ready')));
    const [busy, stopped] = (await company(2, WATCHDOG_MS)) as [Agent, Agent];
    const held = beside.acquireSync();
    const request = { kind: 'Lock' as const, name: beside.name };
    const waits = [await busy.begin('acquire', request), await stopped.begin('acquire', request)];
    const back = [await makeSpin(busy), await stop(stopped)];
    held.release();

    const windows = { alone: [] as Window[], beside: [] as Window[] };
    let kept = { pace: false, longest: false };
    for (let round = 1; round <= MOST_ROUNDS; round += 1) {
      windows.alone.push(await use(users, alone.name));
      windows.beside.push(await use(users, beside.name));
      const [usual, here] = [sum(windows.alone), sum(windows.beside)];
      kept = {
        pace: here.pace >= 0.8 * usual.pace,
        // The one bound on time: a wait is not to grow with how long the others do not run.
        longest: here.longestMs <= Math.max(100, 4 * usual.longestMs),
      };
      if (round >= LEAST_ROUNDS && kept.pace && kept.longest) break;
    }
    expect(kept).toEqual({ pace: true, longest: true });

    for (const comeBack of back) await comeBack();
    // In whatever order they come: each holds it until it is told to release.
    await Promise.all(
      waits.map(async ({ answer }, i) => {
        const { guard } = await answer;
        await [busy, stopped][i]?.call('releaseGuard', { guard });
      }),
    );
    beside.acquireSync({ timeout: 0 }).release();
  },
);
