import { Lock } from 'holdfast';
import { expect, it } from 'vitest';
import { processAgent } from '../support/agent.js';
import { ownNamespace, uniqueName } from '../support/namespace.js';

ownNamespace('sync-beside-async');

it('a sync wait does not hang behind a promise of its own thread that waits, too', async () => {
  const name = uniqueName();
  const agent = await processAgent();
  const held = new Lock(name).acquireSync();
  const byPromise = await agent.begin('acquire', { lock: name });
  const bySync = await agent.begin('acquireSync', { lock: name, options: { timeout: 600_000 } });
  held.release();
  expect(await bySync.answer).toMatchObject({ abandoned: false });
  await agent.call('release', { lock: name });
  expect(await byPromise.answer).toMatchObject({ abandoned: false });
  await agent.call('release', { lock: name });
  expect(new Lock(name).locked).toBe(false);
});

it('a sync wait that times out leaves the waiting promise of its thread in the queue', async () => {
  const name = uniqueName();
  const agent = await processAgent();
  const held = new Lock(name).acquireSync();
  const byPromise = await agent.begin('acquire', { lock: name });
  const timedOut = agent.call('acquireSync', { lock: name, options: { timeout: 30 } });
  await expect(timedOut).rejects.toMatchObject({ code: 'ERR_HOLDFAST_TIMEOUT' });
  held.release();
  expect(await byPromise.answer).toMatchObject({ abandoned: false });
});
