import { Lock } from 'holdfast';
import { expect, it } from 'vitest';
import { spawnFixture } from '../support/child.js';
import { ownNamespace, uniqueName } from '../support/namespace.js';

ownNamespace('collected');

const start = (name: string, what: string) =>
  spawnFixture('collected.mjs', { args: [name, what], execArgv: ['--expose-gc'] });

it('a guard holds its lock after every instance of it was garbage-collected', async () => {
  const lock = new Lock(uniqueName());
  const child = start(lock.name, 'holding');
  expect(await child.next('held')).toMatchObject({ released: false });
  expect(lock.holder?.pid).toBe(child.pid);
  expect(lock.tryAcquire()).toBeNull();
  child.send({ type: 'release' });
  await child.next('done');
  expect(await child.exited).toEqual({ code: 0, signal: null });
  lock.acquireSync({ timeout: 0 }).release();
});

it('a wait is granted after every instance of its lock was garbage-collected', async () => {
  const lock = new Lock(uniqueName());
  const held = lock.acquireSync();
  const child = start(lock.name, 'waiting');
  await child.next('collected');
  held.release();
  const { token } = await child.next<{ token: number }>('held');
  expect(token).toBeGreaterThan(held.token);
  expect(lock.tryAcquire()).toBeNull();
  child.send({ type: 'release' });
  await child.next('done');
  lock.acquireSync({ timeout: 0 }).release();
});
