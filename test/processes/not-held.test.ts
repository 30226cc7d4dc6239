import { Lock, NotHeldError, RLock } from 'holdfast';
import { describe, expect, it } from 'vitest';
import { type Agent, processAgent, remoteError, workerAgents } from '../support/agent.js';
import { thrownBy } from '../support/errors.js';
import { ownNamespace, uniqueName } from '../support/namespace.js';

ownNamespace('not-held');

describe.each([
  ['Lock', Lock],
  ['RLock', RLock],
] as const)('a %s that another agent holds', (kind, Kind) => {
  it('is not released by this process: NotHeldError, and nothing changed', async () => {
    const name = uniqueName();
    const agent = await processAgent();
    const held = await agent.call('acquire', { lock: name, kind });
    const lock = new Kind(name);
    const error = thrownBy(() => lock.release());
    expect(error).toBeInstanceOf(NotHeldError);
    expect(error.code).toBe('ERR_HOLDFAST_NOT_HELD');
    expect(lock.holder).toMatchObject({ pid: agent.pid, thread: 0 });
    expect(lock.tryAcquire()).toBeNull();
    expect(await agent.call('isReleased', { guard: held.guard })).toBe(false);
    await agent.call('releaseGuard', { guard: held.guard });
    lock.acquireSync().release();
  });

  it('is not released by another thread of the same process', async () => {
    const name = uniqueName();
    const [one, other] = (await workerAgents(2)) as [Agent, Agent];
    await one.call('acquireSync', { lock: name, kind });
    const error = await remoteError(other.call('release', { lock: name, kind }));
    expect(error.code).toBe('ERR_HOLDFAST_NOT_HELD');
    expect(new Kind(name).holder).toMatchObject({ pid: one.pid, thread: one.thread });
    await one.call('release', { lock: name, kind });
  });

  it('may not be closed there, but here', async () => {
    const name = uniqueName();
    const agent = await processAgent();
    await agent.call('acquireSync', { lock: name, kind });
    const error = await remoteError(agent.call('close', { lock: name, kind }));
    expect(error.code).toBe('ERR_HOLDFAST_HELD');
    new Kind(name).close();
    expect(new Kind(name).holder?.pid).toBe(agent.pid);
  });
});

it('an RLock that another process holds twice is free after two releases', async () => {
  const name = uniqueName();
  const agent = await processAgent();
  const lock = new RLock(name);
  await agent.call('acquireLevels', { lock: name, kind: 'RLock', levels: 2 });
  expect(lock.depth).toBe(2);
  const waiting = lock.acquire();
  await agent.call('release', { lock: name, kind: 'RLock' });
  expect(lock.depth).toBe(1);
  expect(lock.holder?.pid).toBe(agent.pid);
  await agent.call('release', { lock: name, kind: 'RLock' });
  const held = await waiting;
  expect(lock.depth).toBe(1);
  held.release();
  expect(lock.depth).toBe(0);
});
