import { Lock } from 'holdfast';
import { expect, it } from 'vitest';
import { processAgent } from '../support/agent.js';
import { spawnFixture } from '../support/child.js';
import { ownNamespace, uniqueName } from '../support/namespace.js';

ownNamespace('late-grant');

/*
 * The lock came free while the waiting thread was busy, so that the grant, the death that came with
 * it, and the end of the wait meet in one turn of its event loop.
 */
const cells = [
  ['a release', 'a time-out', 'acquired'],
  ['a release', 'an abort', 'aborted'],
  ['a release', 'a close', 'ERR_HOLDFAST_CLOSED'],
  ['a death', 'a time-out', 'acquired'],
  ['a death', 'an abort', 'aborted'],
  ['a death', 'a close', 'ERR_HOLDFAST_CLOSED'],
] as const;
const ways = { 'a time-out': 'timeout', 'an abort': 'abort', 'a close': 'close' };

it.each(cells)('%s, then %s, unseen by a busy event loop: %s', async (cause, end, outcome) => {
  for (let round = 0; round < 5; round += 1) {
    const name = uniqueName();
    const holder = await processAgent();
    await holder.call('acquireSync', { lock: name });
    const waiter = spawnFixture('late.mjs', { args: [name, holder.pid, ways[end]] });
    await waiter.next('waiting');
    if (cause === 'a death') {
      holder.child.kill();
    } else {
      await holder.call('release', { lock: name });
    }
    const done = await waiter.next('done');
    expect(done['outcome']).toBe(outcome);
    // Told exactly once: to the waiter if it has acquired, else to whoever comes next.
    const told = done['abandoned'] === true ? [true] : [];
    const lock = new Lock(name, { warnOnAbandoned: false });
    for (let i = 0; i < 2; i += 1) {
      told.push(...(lock.withSync((held) => held.abandoned) ? [true] : []));
    }
    expect(told).toEqual(cause === 'a death' ? [true] : []);
  }
});
