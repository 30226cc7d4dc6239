import { Lock } from 'holdfast';
import { expect, it } from 'vitest';
import { processAgent } from '../support/agent.js';
import { ownNamespace, uniqueName } from '../support/namespace.js';
import { stopAsleep } from '../support/proc.js';
import { turns } from '../support/promises.js';

ownNamespace('offer');

/** O and S of the lock word: lib/lock-word.ts. */
const OFFERED = 1 << 21;
const STARVING = 1 << 18;
/** As long as a thread keeps for itself what another one waits for, and more. */
const TENURE_MS = 2;

function wordOf(lock: Lock): number {
  const { words } = (lock as unknown as { core: { words: Int32Array } }).core;
  return Atomics.load(words, 0);
}
const isOffered = (lock: Lock) => (wordOf(lock) & OFFERED) !== 0;
const isStarving = (lock: Lock) => (wordOf(lock) & STARVING) !== 0;

it('a thread does not pass a lock on to its own promises while another process starves', async () => {
  const lock = new Lock(uniqueName());
  const agent = await processAgent();
  const request = { lock: lock.name };
  let wasLeftToIt = false;
  // Not each time: what it does not come for in time this thread may have, also where it had no processor to see it.
  for (let round = 0; round < 50 && !wasLeftToIt; round += 1) {
    // From another one, by way of the event loop: so its turn has just begun, and is not used up.
    await agent.call('acquireSync', request);
    const mineNext = lock.acquire();
    await agent.call('release', request);
    let held = await mineNext;
    const waiting = await agent.begin('acquireSync', request);
    const theirs = waiting.answer.then(() => agent.call('release', request));
    // It is woken, looks, and has lost: from then on it is not to be passed over.
    held.release();
    const again = lock.tryAcquire();
    if (again !== null) {
      held = again;
      while (!isStarving(lock)) await turns(1);
      const mine = lock.acquire();
      held.release();
      wasLeftToIt = lock.holder?.pid !== process.pid;
      (await mine).release();
    } // else it was faster
    await theirs;
  }
  expect(wasLeftToIt).toBe(true);
});

it('a thread that has kept a lock for itself for long offers it to who waits elsewhere', async () => {
  const lock = new Lock(uniqueName());
  const agent = await processAgent();
  const request = { lock: lock.name };
  let wasOffered = false;
  // Not each time: an offer lapses, also where this thread had no processor in which to see it.
  for (let round = 0; round < 50 && !wasOffered; round += 1) {
    const first = lock.acquireSync();
    const waiting = await agent.begin('acquire', request);
    const theirs = waiting.answer.then(() => agent.call('release', request));
    await stopAsleep(agent.pid); // else it might have taken the lock before this thread has seen anything
    const [second, third] = [lock.acquire(), lock.acquire()];
    // To the second, and the tenure begins. Or that is over already, where this turn of the event loop is used up.
    first.release();
    wasOffered ||= isOffered(lock);
    const held = await second;
    const end = performance.now() + TENURE_MS;
    while (performance.now() < end);
    held.release();
    wasOffered ||= isOffered(lock);
    agent.child.kill('SIGCONT');
    await Promise.all([theirs, third.then((last) => last.release())]);
  }
  expect(wasOffered).toBe(true);
});
