import { ClosedError, Lock } from 'holdfast';
import { expect, it } from 'vitest';
import { processAgent } from '../support/agent.js';
import { rejectedBy } from '../support/errors.js';
import { ownNamespace, uniqueName } from '../support/namespace.js';
import { turns, watch } from '../support/promises.js';

ownNamespace('close-elsewhere');

it('close() of the last instance rejects the pending waits of its thread with ClosedError', async () => {
  const name = uniqueName();
  const [agent, other] = await Promise.all([processAgent(), processAgent()]);
  await agent.call('acquireSync', { lock: name });
  const lock = new Lock(name);
  const waits = [
    rejectedBy(() => lock.acquire()),
    rejectedBy(() => lock.acquire({ timeout: 600_000, signal: new AbortController().signal })),
    rejectedBy(() => lock.with(() => {})),
  ];
  const elsewhere = await other.begin('acquire', { lock: name });
  lock.close();
  for (const error of await Promise.all(waits)) {
    expect(error).toBeInstanceOf(ClosedError);
    expect(error.code).toBe('ERR_HOLDFAST_CLOSED');
  }
  await agent.call('release', { lock: name });
  expect(await elsewhere.answer).toMatchObject({ abandoned: false });
});

it('close() of one instance leaves the waits while another instance is open', async () => {
  const name = uniqueName();
  const agent = await processAgent();
  await agent.call('acquireSync', { lock: name });
  const [one, other] = [new Lock(name), new Lock(name)];
  const waiting = other.acquire();
  const watched = watch(waiting);
  one.close();
  await turns();
  expect(watched.state).toBe('pending');
  await agent.call('release', { lock: name });
  (await waiting).release();
});
