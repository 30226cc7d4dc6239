import { SharedValue } from 'holdfast';
import { Agent } from './agent.js';
import { type SpawnOptions, spawnFixture } from './child.js';
import { uniqueName } from './namespace.js';
import { stopAsleep, untilBlocked, untilIdle } from './proc.js';

/** Processes under control of the test that use any object: see fixtures/family.mjs. */
export function company(
  count: number,
  watchdogMs: number,
  more: SpawnOptions = {},
): Promise<Agent[]> {
  return Promise.all(
    Array.from({ length: count }, async () => {
      const child = spawnFixture('family.mjs', { ...more, watchdogMs });
      return new Agent(child, await child.next('ready'));
    }),
  );
}

/** Keeps an agent from running. What it returns lets the agent run again, and resolves when it does. */
export type PutOut = (agent: Agent) => Promise<() => Promise<void>>;

async function keepBusy(agent: Agent, spins: boolean) {
  const flag = new SharedValue(uniqueName('flag'), 'int32');
  const spell = await agent.begin('busy', { flag: flag.name, spins });
  return async () => {
    flag.store(1);
    await spell.answer;
    flag.close();
  };
}

/** Its event loop does not turn. */
export const makeBusy: PutOut = (agent) => keepBusy(agent, false);

/** The same, and it takes a processor. */
export const makeSpin: PutOut = (agent) => keepBusy(agent, true);

/** By SIGSTOP. */
export const stop: PutOut = async (agent) => {
  await stopAsleep(agent.pid);
  return async () => agent.child.kill('SIGCONT');
};

/** The ways to wait and not to run. */
export const absences = [
  { what: 'a busy event loop', verb: 'acquire', putOut: makeBusy },
  { what: 'a stopped process that waits by a promise', verb: 'acquire', putOut: stop },
  { what: 'a stopped process that is blocked', verb: 'acquireSync', putOut: stop },
] as const;

/** Whatever the agent was woken for, it has looked at it. */
export function untilAsleep(agent: Agent, verb: string): Promise<void> {
  return verb.endsWith('Sync')
    ? untilBlocked(agent.pid, agent.tid)
    : untilIdle(agent.pid, agent.tid);
}
