import { Lock } from 'holdfast';
import { expect, it } from 'vitest';
import { type Agent, groupAgents } from '../support/agent.js';
import { ownNamespace, uniqueName } from '../support/namespace.js';

ownNamespace('process-group');

it('a process group is killed whole: one holder, two kinds of waiters, an idle one', async () => {
  const name = uniqueName();
  const members = await groupAgents(4);
  const [holder, syncWaiter, asyncWaiter, idle] = members as [Agent, Agent, Agent, Agent];
  await idle.call('acquireSync', { lock: name });
  await idle.call('release', { lock: name });
  await holder.call('acquire', { lock: name });
  await syncWaiter.begin('acquireSync', { lock: name });
  await asyncWaiter.begin('acquire', { lock: name });
  const lock = new Lock(name, { warnOnAbandoned: false });
  const waiting = lock.acquire();
  holder.child.kill();
  const held = await waiting;
  expect(held.abandoned).toBe(true);
  held.release();
  for (let i = 0; i < 3; i += 1) {
    const next = lock.acquireSync();
    expect(next.abandoned).toBe(false);
    next.release();
  }
  await holder.child.exited;
});

it('a process group is killed whole while nobody is left to see it', async () => {
  const name = uniqueName();
  const [holder, waiter] = (await groupAgents(2)) as [Agent, Agent];
  await holder.call('acquire', { lock: name });
  await waiter.begin('acquireSync', { lock: name });
  holder.child.kill();
  await holder.child.exited;
  // Only now does this process open the region.
  const held = new Lock(name, { warnOnAbandoned: false }).acquireSync();
  expect(held.abandoned).toBe(true);
  held.release();
});
