import { Lock, RLock, RWLock, Semaphore } from 'holdfast';
import { describe, expect, it } from 'vitest';
import { spawnFixture } from '../support/child.js';
import { ownNamespace, uniqueName } from '../support/namespace.js';

ownNamespace('leaked');

const start = (what: string, name: string, env: Record<string, string> = {}) =>
  spawnFixture('leaker.mjs', {
    args: [what, name],
    execArgv: ['--expose-gc'],
    env: { ...process.env, HOLDFAST_DEBUG: '', ...env },
  });

type Leaks = { leaks: string[] };

describe('a guard that is garbage-collected unreleased', () => {
  it.each([
    'Lock',
    'Lock by acquire()',
    'Lock after a wait',
    'Lock by with()',
    'RLock, its inner level',
    'RLock, its outer level',
    'Semaphore',
    'Semaphore by with()',
    'read side',
    'write side',
    'upgraded share',
  ])('is warned of once: %s', async (what) => {
    const name = uniqueName();
    const child = start(`drop: ${what}`, name);
    const { leaks } = await child.next<Leaks>('leaks');
    expect(leaks).toHaveLength(1);
    expect(leaks[0]).toContain(JSON.stringify(name));
    expect(leaks[0]).toContain('HOLDFAST_DEBUG=1');
    child.send({ type: 'go on' });
    expect(await child.next('released')).toMatchObject({ leaks: 1 });
    await child.exited;
  });

  it.each(['Lock', 'Lock after a wait', 'RLock, its inner level', 'Semaphore', 'write side'])(
    'is shown with the place where it was acquired, under HOLDFAST_DEBUG=1: %s',
    async (what) => {
      const child = start(`drop: ${what}`, uniqueName(), { HOLDFAST_DEBUG: '1' });
      const { leaks } = await child.next<Leaks>('leaks');
      expect(leaks[0]).toMatch(/acquired here:\n\s+at .*leaker\.mjs:\d+/);
      child.send({ type: 'go on' });
      await child.exited;
    },
  );

  it('goes on holding until its thread ends', async () => {
    const name = uniqueName();
    const lock = new Lock(name);
    const child = start('drop: Lock', name);
    await child.next('leaks');
    expect(lock.holder?.pid).toBe(child.pid);
    child.send({ type: 'go on' });
    await child.exited;
    const held = await lock.acquire();
    expect(held.abandoned).toBe(true);
    held.release();
  });
});

describe('no leak', () => {
  const opened = {
    Lock: (name: string) => new Lock(name),
    RLock: (name: string) => new RLock(name),
    Semaphore: (name: string) => new Semaphore(name, 3),
    'read side': (name: string) => new RWLock(name).write,
    'write side': (name: string) => new RWLock(name).write,
  };

  it.each(Object.keys(opened) as (keyof typeof opened)[])(
    'is a guard that is kept, and releases after a second as at first: %s',
    async (what) => {
      const name = uniqueName();
      const child = start(`keep: ${what}`, name);
      const { leaks } = await child.next<Leaks>('leaks');
      expect(leaks).toEqual([expect.stringContaining(`${name} witness`)]);
      const object = opened[what](name);
      expect(object.tryAcquire(...([3].slice(what === 'Semaphore' ? 0 : 1) as []))).toBeNull();
      child.send({ type: 'go on' });
      const { renewed } = await child.next<{ renewed: unknown[] }>('released');
      expect(renewed).not.toContain(false);
      object.acquireSync({ timeout: 0 }).release();
      await child.exited;
    },
  );

  it.each(['Lock', 'RLock', 'Semaphore', 'write side'])(
    'is a guard that is dropped where release() is in use: %s',
    async (what) => {
      const child = start(`keep: ${what} by hand`, uniqueName());
      const { leaks } = await child.next<Leaks>('leaks');
      expect(leaks).toEqual([expect.stringContaining('witness')]);
      child.send({ type: 'go on' });
      await child.exited;
    },
  );

  it('is one of a semaphore that is not owned', async () => {
    const child = start('keep: not owned', uniqueName());
    const { leaks } = await child.next<Leaks>('leaks');
    expect(leaks).toEqual([expect.stringContaining('witness')]);
    child.send({ type: 'go on' });
    await child.exited;
  });
});
