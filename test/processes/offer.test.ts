import { Lock } from 'holdfast';
import { expect, it } from 'vitest';
import { processAgent } from '../support/agent.js';
import { ownNamespace, uniqueName } from '../support/namespace.js';
import { stopAsleep, untilBlocked } from '../support/proc.js';

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
  const theirs = waiting.answer.then(() => agent.call('release', request));
  await Promise.all([theirs, mine.then((last) => last.release())]);
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
