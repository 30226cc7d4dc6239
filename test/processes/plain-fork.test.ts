import { Lock } from 'holdfast';
import { expect, it } from 'vitest';
import { processAgent } from '../support/agent.js';
import { spawnFixture } from '../support/child.js';
import { ownNamespace, uniqueName } from '../support/namespace.js';

const namespace = ownNamespace('plain-fork');

it('plain child_process.fork() with just a name: the same lock in both processes', async () => {
  const name = uniqueName();
  const lock = new Lock(name);
  const agent = await processAgent();
  await agent.call('acquireSync', { lock: name });
  expect(lock.tryAcquire()).toBeNull();
  expect(lock.locked).toBe(true);
  const waiting = lock.acquire();
  await agent.call('release', { lock: name });
  const held = await waiting;
  expect(await agent.call('tryAcquire', { lock: name })).toBeNull();
  expect(await agent.call('locked', { lock: name })).toBe(true);
  held.release();
  expect(await agent.call('locked', { lock: name })).toBe(false);
});

it('a token in an environment variable opens the lock, and joins its namespace', async () => {
  const lock = new Lock(uniqueName());
  const held = lock.acquireSync();
  const child = spawnFixture('by-token.mjs', {
    env: { LOCK_TOKEN: JSON.stringify(lock), HOLDFAST_NAMESPACE: undefined },
  });
  expect(await child.next('opened')).toMatchObject({
    name: lock.name,
    token: { holdfast: 'Lock', namespace, name: lock.name },
    locked: true,
  });
  held.release();
  child.send({ type: 'go' });
  const { token } = await child.next<{ token: number }>('acquired');
  expect(token).toBeGreaterThan(held.token);
});

it('a token that travels through process.send() opens the lock', async () => {
  const lock = new Lock();
  const agent = await processAgent();
  const opened = await agent.call('openToken', { lock: 'alias', token: lock.toJSON() });
  expect(opened).toEqual({ kind: 'Lock', name: lock.name });
  await agent.call('acquireSync', { lock: 'alias' });
  expect(lock.holder?.pid).toBe(agent.pid);
  await agent.call('release', { lock: 'alias' });
});

it('a token of another namespace than the one in force is refused', async () => {
  const agent = await processAgent();
  await agent.call('open', { lock: 'any', name: uniqueName() });
  const token = { holdfast: 'Lock', namespace: 'some-other', name: 'x' };
  const opened = agent.call('openToken', { lock: 'alias', token });
  await expect(opened).rejects.toMatchObject({ code: 'ERR_HOLDFAST_CONFIGURED' });
});
