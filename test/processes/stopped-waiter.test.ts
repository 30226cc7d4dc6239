import { Lock } from 'holdfast';
import { describe, expect, it } from 'vitest';
import { type Agent, processAgent } from '../support/agent.js';
import { ownNamespace, uniqueName } from '../support/namespace.js';
import { stopAsleep } from '../support/proc.js';

ownNamespace('stopped');

const verbs = ['acquireSync', 'acquire'];
const pairs = verbs.flatMap((first) => verbs.map((second) => [first, second] as const));

/** A waiter at the queue's head that is stopped, one behind it, and the lock released. */
async function stopped(first: string, second: string) {
  const name = uniqueName();
  const [head, behind] = (await Promise.all([processAgent(), processAgent()])) as [Agent, Agent];
  const held = new Lock(name).acquireSync();
  const headWaits = await head.begin(first, { lock: name });
  const behindWaits = await behind.begin(second, { lock: name });
  await stopAsleep(head.pid);
  held.release();
  return { name, head, behind, headWaits, behindWaits };
}

describe.each(pairs)('a waiter in %s() that is stopped, with one in %s() behind it', (...verbs) => {
  it('does not block the other for ever, and gets its turn when it goes on', async () => {
    const { name, head, behind, headWaits, behindWaits } = await stopped(...verbs);
    expect(await behindWaits.answer).toMatchObject({ abandoned: false });
    head.child.kill('SIGCONT');
    await behind.call('release', { lock: name });
    expect(await headWaits.answer).toMatchObject({ abandoned: false });
    await head.call('release', { lock: name });
    new Lock(name).acquireSync({ timeout: 0 }).release();
  });

  it('and then killed passes its wake-up on', async () => {
    const { head, behindWaits } = await stopped(...verbs);
    head.child.kill();
    await behindWaits.answer;
  });
});

it('a stopped process that merely used the lock hinders nobody', async () => {
  const name = uniqueName();
  const [idle, other] = (await Promise.all([processAgent(), processAgent()])) as [Agent, Agent];
  await idle.call('acquireSync', { lock: name });
  await idle.call('release', { lock: name });
  await stopAsleep(idle.pid);
  const held = new Lock(name).acquireSync();
  const waiting = await other.begin('acquire', { lock: name });
  held.release();
  expect(await waiting.answer).toMatchObject({ abandoned: false });
});

it('a stopped holder keeps what it holds: only a death frees', async () => {
  const name = uniqueName();
  const agent = await processAgent();
  await agent.call('acquireSync', { lock: name });
  await stopAsleep(agent.pid);
  const lock = new Lock(name);
  await expect(lock.acquire({ timeout: 1_500 })).rejects.toMatchObject({
    code: 'ERR_HOLDFAST_TIMEOUT',
  });
  expect(() => lock.acquireSync({ timeout: 200 })).toThrow(/./);
  agent.child.kill('SIGCONT');
  await agent.call('release', { lock: name });
  lock.acquireSync().release();
});
