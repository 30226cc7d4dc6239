import { Lock, TimeoutError } from 'holdfast';
import { describe, expect, it } from 'vitest';
import { type Agent, processAgent, remoteError } from '../support/agent.js';
import { reasonOf, rejectedBy } from '../support/errors.js';
import { ownNamespace, uniqueName } from '../support/namespace.js';

ownNamespace('wait-points');

/*
 * Where a wait may stand when it is given up, while another process holds the lock. Each `place`
 * queues what is before and behind it; those must get the lock all the same.
 */
interface Place {
  readonly before: boolean;
  readonly behind: boolean;
  readonly elsewhere: boolean;
}
const places: [string, Place][] = [
  ['alone', { before: false, behind: false, elsewhere: false }],
  ['at the head of its thread`s queue', { before: false, behind: true, elsewhere: false }],
  ['at the end of its thread`s queue', { before: true, behind: false, elsewhere: false }],
  ['in the middle of its thread`s queue', { before: true, behind: true, elsewhere: false }],
  ['alone, behind another process', { before: false, behind: false, elsewhere: true }],
  ['in the middle, behind another process', { before: true, behind: true, elsewhere: true }],
];

async function waitAt(place: Place, giveUp: (lock: Lock) => Promise<void>): Promise<void> {
  const name = uniqueName();
  const lock = new Lock(name);
  const [holder, other] = (await Promise.all([processAgent(), processAgent()])) as [Agent, Agent];
  await holder.call('acquireSync', { lock: name });
  const elsewhere = place.elsewhere ? await other.begin('acquireSync', { lock: name }) : null;
  const before = place.before ? lock.acquire() : null;
  const given = giveUp(lock);
  const behind = place.behind ? lock.acquire() : null;
  await given;
  expect(lock.holder?.pid).toBe(holder.pid);
  await holder.call('release', { lock: name });
  // In whatever order: that is not promised.
  const mine = [before, behind].map(async (wait) => (await wait)?.release());
  if (elsewhere) {
    await elsewhere.answer;
    await other.call('release', { lock: name });
  }
  await Promise.all(mine);
  expect(lock.locked).toBe(false);
  expect(await holder.call('tryAcquire', { lock: name })).toMatchObject({ abandoned: false });
}

describe.each(places)('a wait that stands %s', (_, place) => {
  it('times out, not before its time, and the others go on', () =>
    waitAt(place, async (lock) => {
      const start = performance.now();
      const error = await rejectedBy(() => lock.acquire({ timeout: 40 }));
      expect(performance.now() - start).toBeGreaterThanOrEqual(40);
      expect(error).toBeInstanceOf(TimeoutError);
    }));

  it('is aborted at once, and the others go on', () =>
    waitAt(place, async (lock) => {
      const controller = new AbortController();
      const reason = reasonOf(() => lock.acquire({ signal: controller.signal }));
      setImmediate(() => controller.abort(new Error('given up')));
      expect(await reason).toBe(controller.signal.reason);
    }));

  it('is aborted in the same turn, and the others go on', () =>
    waitAt(place, async (lock) => {
      const controller = new AbortController();
      const reason = reasonOf(() => lock.acquire({ signal: controller.signal, timeout: 60_000 }));
      controller.abort(new Error('given up'));
      expect(await reason).toBe(controller.signal.reason);
    }));
});

it.each([0.5, 3, 49, 51, 120, 260])(
  'a thread that is blocked in acquireSync() times out, never before %d ms',
  async (timeout) => {
    const name = uniqueName();
    const agent = await processAgent();
    const held = new Lock(name).acquireSync();
    const error = await remoteError(
      agent.call('acquireSync', { lock: name, options: { timeout } }),
    );
    expect(error.kind).toBe('TimeoutError');
    expect(error.code).toBe('ERR_HOLDFAST_TIMEOUT');
    expect(error.elapsed).toBeGreaterThanOrEqual(timeout);
    expect(held.released).toBe(false);
    held.release();
    expect(await agent.call('tryAcquire', { lock: name })).not.toBeNull();
  },
);

it.each([[undefined], [Number.POSITIVE_INFINITY], [2 ** 53], [Number.MAX_VALUE]])(
  'acquireSync() with timeout %d waits until the lock is given',
  async (timeout) => {
    const name = uniqueName();
    const agent = await processAgent();
    const held = new Lock(name).acquireSync();
    // IPC carries no Infinity: the agent takes a missing time-out for that.
    const options = Number.isFinite(timeout) ? { timeout } : {};
    const waiting = await agent.begin('acquireSync', { lock: name, options });
    held.release();
    expect(await waiting.answer).toMatchObject({ abandoned: false });
  },
);

it('a time-out of 0 is one try while another process holds, sync and async', async () => {
  const name = uniqueName();
  const agent = await processAgent();
  await agent.call('acquireSync', { lock: name });
  const lock = new Lock(name);
  expect((await rejectedBy(() => lock.acquire({ timeout: 0 }))).code).toBe('ERR_HOLDFAST_TIMEOUT');
  expect(() => lock.acquireSync({ timeout: 0 })).toThrow(TimeoutError);
  expect(lock.tryAcquire()).toBeNull();
  await agent.call('release', { lock: name });
  lock.acquireSync({ timeout: 0 }).release();
});

it('who times out behind a holder that then dies is not told of the death', async () => {
  const name = uniqueName();
  const agent = await processAgent();
  await agent.call('acquireSync', { lock: name });
  const lock = new Lock(name, { warnOnAbandoned: false });
  await rejectedBy(() => lock.acquire({ timeout: 5 }));
  agent.child.kill();
  await agent.child.exited;
  const held = await lock.acquire();
  expect(held.abandoned).toBe(true);
  held.release();
});
