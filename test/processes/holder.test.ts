import { Lock } from 'holdfast';
import { expect, it } from 'vitest';
import { type Agent, processAgent, workerAgents } from '../support/agent.js';
import { ownNamespace, uniqueName } from '../support/namespace.js';

ownNamespace('holder-elsewhere');

// Date and the lock's monotonic clock may be rounded differently.
const ROUNDING = 20;

it('holder names the process and the worker that holds, in every other', async () => {
  const name = uniqueName();
  const lock = new Lock(name);
  const main = await processAgent();
  const [worker] = (await workerAgents(1)) as [Agent];
  for (const agent of [main, worker]) {
    await agent.call('acquireSync', { lock: name });
    expect(lock.holder).toMatchObject({ pid: agent.pid, thread: agent.thread });
    expect(lock.locked).toBe(true);
    await agent.call('release', { lock: name });
    expect(lock.holder).toBeNull();
    expect(lock.locked).toBe(false);
  }
  expect(worker.thread).toBeGreaterThan(0);
});

it.each(['acquire', 'acquireSync'])(
  'since is the moment of the grant where %s() had to wait',
  async (verb) => {
    const name = uniqueName();
    const lock = new Lock(name);
    const agent = await processAgent();
    const held = lock.acquireSync();
    const waiting = await agent.begin(verb, { lock: name });
    const before = Date.now() - ROUNDING;
    held.release();
    await waiting.answer;
    const since = lock.holder?.since.getTime();
    expect(since).toBeGreaterThanOrEqual(before);
    expect(since).toBeLessThanOrEqual(Date.now() + ROUNDING);
    const there = await agent.call<{ since: string }>('holder', { lock: name });
    const thereSince = new Date(there.since).getTime();
    expect(thereSince).toBeGreaterThanOrEqual(before);
    expect(thereSince).toBeLessThanOrEqual(Date.now() + ROUNDING);
  },
);
