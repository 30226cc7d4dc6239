import { Barrier } from 'holdfast';
import { describe, expect, it } from 'vitest';
import { Agent, remoteError } from '../support/agent.js';
import { spawnFixture } from '../support/child.js';
import { ownNamespace, uniqueName } from '../support/namespace.js';

ownNamespace('family-workers');
const BROKEN = 'ERR_HOLDFAST_BROKEN_BARRIER';

async function workers(count: number): Promise<Agent[]> {
  const child = spawnFixture('family.mjs', { args: [count] });
  return Promise.all(
    Array.from({ length: count }, async (_, member) => {
      const ready = await child.next((m) => m.type === 'ready' && m['member'] === member);
      return new Agent(child, ready as never, member);
    }),
  );
}

type Two = readonly [Agent, Agent];

const pairings: [string, () => Promise<Two>][] = [
  ['two workers of one process', async () => (await workers(2)) as unknown as Two],
  [
    'a worker and another process',
    async () => {
      const child = spawnFixture('family.mjs');
      const [worker] = (await workers(1)) as [Agent];
      return [worker, new Agent(child, await child.next('ready'))];
    },
  ],
];
const forms = ['', 'Sync'];
const mixes = pairings.flatMap(([what, start]) =>
  forms.map((form) => [what, form || 'async', start, form] as const),
);

/** The worker is gone, also from a wait that blocked it. */
async function terminate(agent: Agent): Promise<void> {
  agent.order('terminate');
  await agent.child.next((m) => m.type === 'gone' && m['member'] === agent.member);
}

const semaphore = (permits = 3) => ({
  kind: 'Semaphore' as never,
  name: uniqueName(),
  args: [permits],
});
const rwlock = (side: 'read' | 'write', name = uniqueName()) => ({
  kind: 'RWLock' as never,
  name,
  args: [{ warnOnAbandoned: false }],
  side,
});
const value = () => ({ kind: 'SharedValue' as never, name: uniqueName(), args: ['int32'] });
const array = () => ({ kind: 'SharedArray' as never, name: uniqueName(), args: ['int64', 4] });
const held = (guard: { guard: number }) => ({ guard: guard.guard });

describe.each(mixes)('%s, %s:', (_, __, start, form) => {
  it('Semaphore', async () => {
    const [a, b] = await start();
    const on = semaphore();
    const guard = await a.call('acquireSync', { ...on, call: [2] });
    const wait = await b.begin(`acquire${form}`, { ...on, call: [2] });
    expect(await a.call('tryAcquire', on)).toBeNull();
    await a.call('releaseGuard', held(guard));
    await b.call('releaseGuard', held(await wait.answer));
    expect(await a.call('tryAcquire', { ...on, call: [3] })).not.toBeNull();
  });

  it('Event', async () => {
    const [a, b] = await start();
    const on = { kind: 'Event' as never, name: uniqueName() };
    const wait = await b.begin(`wait${form}`, on);
    await a.call('set', on);
    expect(await wait.answer).toBe(true);
    expect(await a.call(`wait${form}`, on)).toBe(true);
  });

  it('Condition', async () => {
    const [a, b] = await start();
    const on = { name: uniqueName() };
    const wait = await b.begin(`condition.wait${form}`, on);
    expect(await a.call('condition.notify', on)).toBe(1);
    expect(await wait.answer).toEqual([true, true]);
    expect(await a.call('condition.notify', on)).toBe(0);
  });

  it('Barrier', async () => {
    const [a, b] = await start();
    const on = { kind: 'Barrier' as never, name: uniqueName(), args: [3] };
    const first = await b.begin(`wait${form}`, on);
    const second = await a.begin(`wait${form}`, on);
    expect(await new Barrier(on.name, 3).wait()).toBe(2);
    expect([await first.answer, await second.answer]).toEqual([0, 1]);
  });

  it('RWLock', async () => {
    const [a, b] = await start();
    const name = uniqueName();
    const [read, write] = [rwlock('read', name), rwlock('write', name)];
    const share = await a.call('acquireSync', read);
    await b.call('releaseGuard', held(await b.call('acquireSync', read)));
    const writer = await b.begin(`acquire${form}`, write);
    await a.call('releaseGuard', held(share));
    const guard = await writer.answer;
    const reader = await a.begin(`acquire${form}`, read);
    await b.call('releaseGuard', held(guard));
    expect(await reader.answer).toMatchObject({ abandoned: false });
  });

  it('SharedValue', async () => {
    const [a, b] = await start();
    const on = value();
    const wait = await b.begin(`wait${form}`, { ...on, call: [0] });
    await a.call('store', { ...on, call: [7] });
    expect(await a.call('notify', on)).toBe(1);
    expect(await wait.answer).toBe('ok');
    expect(await b.call('add', { ...on, call: [1] })).toBe(7);
    const guard = await a.call('acquireSync', { ...on, side: 'lock' as never });
    const lock = await b.begin(`acquire${form}`, { ...on, side: 'lock' as never });
    await a.call('releaseGuard', held(guard));
    expect(await lock.answer).toMatchObject({ abandoned: false });
  });

  it('SharedArray', async () => {
    const [a, b] = await start();
    const on = { ...array(), args: ['int32', 4] };
    const wait = await b.begin(`wait${form}`, { ...on, call: [2, 0] });
    await a.call('set', { ...on, call: [2, -5] });
    expect(await a.call('notify', { ...on, call: [2] })).toBe(1);
    expect(await wait.answer).toBe('ok');
    expect(await b.call('at', { ...on, call: [2] })).toBe(-5);
    const guard = await a.call('acquireSync', { ...on, side: 'lock' as never });
    const lock = await b.begin(`acquire${form}`, { ...on, side: 'lock' as never });
    await a.call('releaseGuard', held(guard));
    expect(await lock.answer).toMatchObject({ abandoned: false });
  });

  it('withAll', async () => {
    const [a, b] = await start();
    const all = [rwlock('write'), semaphore(1), { kind: 'Lock', name: uniqueName() }];
    const guard = await a.call('holdAll', { all });
    const wait = await b.begin(`all${form}`, { all: [...all].reverse() });
    await a.call('releaseGuard', held(guard));
    expect(await wait.answer).toBe(3);
  });

  it('a worker that is terminated while it holds gives everything back', async () => {
    const [a, b] = await start();
    const [permits, table, count] = [semaphore(), rwlock('write'), value()];
    const all = [semaphore(1), { kind: 'Lock', name: uniqueName() }, rwlock('read')];
    await a.call('acquireSync', { ...permits, call: [3] });
    await a.call('acquireSync', table);
    // The other one has it open as well.
    await b.call('load', count);
    await a.call('acquireSync', { ...count, side: 'lock' as never });
    await a.call('holdAll', { all });
    const wait = await b.begin(`acquire${form}`, { ...permits, call: [3] });
    await terminate(a);
    await wait.answer;
    expect(await b.call(`acquire${form}`, table)).toMatchObject({ abandoned: true });
    expect(await b.call(`acquire${form}`, { ...count, side: 'lock' as never })).toMatchObject({
      abandoned: true,
    });
    expect(await b.call(`all${form}`, { all })).toBe(3);
  });

  it('a worker that is terminated in a barrier breaks it for the others', async () => {
    const [a, b] = await start();
    const on = { kind: 'Barrier' as never, name: uniqueName(), args: [3] };
    await a.begin('waitSync', on);
    const other = await b.begin(`wait${form}`, on);
    await terminate(a);
    expect((await remoteError(other.answer)).code).toBe(BROKEN);
    expect(new Barrier(on.name, 3).broken).toBe(true);
  });
});

describe.each(pairings)('%s: a worker that is terminated while it is blocked ends,', (_, start) => {
  it('in Semaphore.acquireSync(), and who stood behind it goes on', async () => {
    const [a, b] = await start();
    const on = semaphore();
    await b.call('acquireSync', { ...on, call: [1] });
    await a.begin('acquireSync', { ...on, call: [3] });
    const behind = await b.begin('acquire', { ...on, call: [2] });
    await terminate(a);
    await behind.answer;
  });

  it.each(['read', 'write'] as const)('in %s.acquireSync()', async (side) => {
    const [a, b] = await start();
    const name = uniqueName();
    const other = side === 'read' ? 'write' : 'read';
    const guard = await b.call('acquireSync', rwlock(other, name));
    await a.begin('acquireSync', rwlock(side, name));
    await terminate(a);
    await b.call('releaseGuard', held(guard));
    expect(await b.call('acquireSync', rwlock('write', name))).toMatchObject({ abandoned: false });
  });

  it('in Event.waitSync()', async () => {
    const [a, b] = await start();
    const on = { kind: 'Event' as never, name: uniqueName() };
    await a.begin('waitSync', on);
    const wait = await b.begin('waitSync', on);
    await terminate(a);
    await workers(1).then(([c]) => c?.call('set', on));
    expect(await wait.answer).toBe(true);
  });

  it('in Condition.waitSync(), and takes no notification', async () => {
    const [a, b] = await start();
    const on = { name: uniqueName() };
    await a.begin('condition.waitSync', on);
    const wait = await b.begin('condition.wait', on);
    await terminate(a);
    await workers(1).then(([c]) => c?.call('condition.notify', on));
    expect(await wait.answer).toEqual([true, true]);
  });

  it('in SharedValue.waitSync(), and takes no notification', async () => {
    const [a, b] = await start();
    const on = value();
    await a.begin('waitSync', { ...on, call: [0] });
    const wait = await b.begin('wait', { ...on, call: [0] });
    await terminate(a);
    await b.call('notify', { ...on, call: [1] });
    expect(await wait.answer).toBe('ok');
  });
});
