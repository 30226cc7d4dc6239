import { Lock } from 'holdfast';
import { expect, it } from 'vitest';
import { processAgent } from '../support/agent.js';
import { ownNamespace, uniqueName } from '../support/namespace.js';
import { untilBlocked } from '../support/proc.js';

ownNamespace('offer');

/** O of the lock word: lib/lock-word.ts. */
const OFFERED = 1 << 21;
/** As long as a thread keeps for itself what another one waits for, and more. */
const TENURE_MS = 2;

function isOffered(lock: Lock): boolean {
  const { words } = (lock as unknown as { core: { words: Int32Array } }).core;
  return (Atomics.load(words, 0) & OFFERED) !== 0;
}

it('a thread does not pass a lock on to its own promises while another process starves', async () => {
  const lock = new Lock(uniqueName());
  const agent = await processAgent();
  const request = { lock: lock.name };
  let held = lock.acquireSync();
  let waiting = await agent.begin('acquireSync', request);
  for (;;) {
    // It is woken, looks, and has lost: from then on it is not to be passed over.
    await untilBlocked(agent.pid);
    held.release();
    const again = lock.tryAcquire();
    if (again !== null) {
      held = again;
      await untilBlocked(agent.pid);
      break;
    }
    await waiting.answer; // it was faster
    await agent.call('release', request);
    held = lock.acquireSync();
    waiting = await agent.begin('acquireSync', request);
  }
  const mine = lock.acquire();
  held.release();
  expect(lock.holder?.pid).not.toBe(process.pid);
  await waiting.answer;
  await agent.call('release', request);
  (await mine).release();
});

it('a thread that has kept a lock for itself for long offers it to who waits elsewhere', async () => {
  const lock = new Lock(uniqueName());
  const agent = await processAgent();
  const request = { lock: lock.name };
  let offers = 0;
  for (let round = 0; round < 10; round += 1) {
    const first = lock.acquireSync();
    const waiting = await agent.begin('acquire', request);
    const [second, third] = [lock.acquire(), lock.acquire()];
    first.release(); // to the second, if this turn is not used up: the tenure begins
    const held = await second;
    const end = performance.now() + TENURE_MS;
    while (performance.now() < end);
    held.release();
    // Not each time: it may have been taken by now, or passed on, where this thread had no processor.
    offers += isOffered(lock) ? 1 : 0;
    await waiting.answer;
    await agent.call('release', request);
    (await third).release();
  }
  expect(offers).toBeGreaterThan(0);
});
