import { Semaphore } from 'holdfast';
import { describe, expect, it } from 'vitest';
import { processAgent, workerAgents } from '../support/agent.js';
import { ownNamespace, uniqueName } from '../support/namespace.js';

ownNamespace('semaphore-death');

const request = (lock: string, args: unknown[]) => ({ lock, kind: 'Semaphore' as const, args });

describe('the permits of a dead holder', () => {
  it.each(['acquire', 'acquireSync'])('come back at once to who waits by %s()', async (verb) => {
    const name = uniqueName();
    const victim = await processAgent();
    const heir = await processAgent();
    await victim.call('acquireSync', { ...request(name, [3]), n: 2 });
    const wait = await heir.begin(verb, { ...request(name, [3]), n: 3 });
    victim.child.kill();
    await wait.answer;
    const semaphore = new Semaphore(name, 3);
    expect(semaphore.available).toBe(0);
    await heir.call('release', { ...request(name, [3]), n: 3 });
    expect(semaphore.available).toBe(3);
  });

  it('come back to who tries', async () => {
    const name = uniqueName();
    const victim = await processAgent();
    await victim.call('acquireSync', request(name, [1]));
    victim.child.kill();
    await victim.child.exited;
    const semaphore = new Semaphore(name, 1);
    semaphore.acquireSync().release();
    expect(semaphore.available).toBe(1);
  });

  it('come back when it exits with guards never released', async () => {
    const name = uniqueName();
    const victim = await processAgent();
    await victim.call('acquire', { ...request(name, [2]), n: 2 });
    const semaphore = new Semaphore(name, 2);
    const wait = semaphore.acquire(2);
    victim.order('exit');
    (await wait).release();
  });

  it('come back when it is a worker that is terminated', async () => {
    const name = uniqueName();
    const [victim, heir] = await workerAgents(2);
    await victim?.call('acquireSync', request(name, [1]));
    const wait = await heir?.begin('acquireSync', request(name, [1]));
    victim?.order('terminate');
    await wait?.answer;
    expect(new Semaphore(name, 1).available).toBe(0);
  });

  it('stay away where permits are not owned', async () => {
    const name = uniqueName();
    const args = [2, { owned: false }];
    const victim = await processAgent();
    await victim.call('acquireSync', { ...request(name, args), n: 2 });
    victim.child.kill();
    await victim.child.exited;
    const semaphore = new Semaphore(name, 2, { owned: false });
    expect(semaphore.available).toBe(0);
    semaphore.release(2);
    expect(semaphore.available).toBe(2);
  });
});

describe('a dead waiter', () => {
  it.each(['acquire', 'acquireSync'])('in %s() lets those behind it go on', async (verb) => {
    const name = uniqueName();
    const semaphore = new Semaphore(name, 3);
    const held = semaphore.acquireSync(2);
    const victim = await processAgent();
    const wait = await victim.begin(verb, { ...request(name, [3]), n: 3 });
    wait.answer.catch(() => {});
    const behind = semaphore.acquire();
    expect(semaphore.tryAcquire()).toBeNull();
    victim.child.kill();
    (await behind).release();
    held.release();
    expect(semaphore.available).toBe(3);
  });
});

describe('between processes', () => {
  it('permits are counted together, in arrival order', async () => {
    const name = uniqueName();
    const semaphore = new Semaphore(name, 2);
    const [a, b] = await Promise.all([processAgent(), processAgent()]);
    const first = await a.call('acquireSync', request(name, [2]));
    using held = semaphore.acquireSync();
    expect(await b.call('tryAcquire', request(name, [2]))).toBeNull();
    const big = await b.begin('acquire', { ...request(name, [2]), n: 2 });
    expect(await a.call('look', { ...request(name, [2]), property: 'available' })).toBe(0);
    await a.call('releaseGuard', { guard: first.guard });
    expect(semaphore.available).toBe(1);
    expect(await a.call('tryAcquire', request(name, [2]))).toBeNull();
    held.release();
    await big.answer;
    expect(semaphore.available).toBe(0);
  });

  it('a wait that blocks goes before the promises of its own thread', async () => {
    const name = uniqueName();
    const semaphore = new Semaphore(name, 1);
    const held = semaphore.acquireSync();
    const agent = await processAgent();
    const promise = await agent.begin('acquire', request(name, [1]));
    const blocked = await agent.begin('acquireSync', request(name, [1]));
    held.release();
    const guard = await blocked.answer;
    await agent.call('releaseGuard', { guard: guard.guard });
    await promise.answer;
  });
});
