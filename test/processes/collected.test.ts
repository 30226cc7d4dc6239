import { setTimeout as delay } from 'node:timers/promises';
import { Event, Lock, open, RLock, RWLock, Semaphore } from 'holdfast';
import { describe, expect, it } from 'vitest';
import { type Child, spawnFixture } from '../support/child.js';
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

/** Nameless, so that each is gone with the last who has it open. */
const make = {
  Lock: () => new Lock(),
  RLock: () => new RLock(),
  Semaphore: () => new Semaphore(undefined, 1),
  RWLock: () => new RWLock(),
  Event: () => new Event(),
};
type Kind = keyof typeof make;

const drop = (object: { toJSON(): object }, what: string) =>
  spawnFixture('dropped.mjs', {
    args: [JSON.stringify(object.toJSON()), what],
    execArgv: ['--expose-gc'],
    watchdogMs: 300_000,
  });

/** Until nobody has it open: the child lives on, and so it has closed it. */
async function untilGone(token: object, child: Child): Promise<void> {
  for (;;) {
    try {
      open(token as never).close();
    } catch (error) {
      expect(error).toMatchObject({ code: 'ERR_HOLDFAST_NOT_FOUND' });
      expect(child.process.exitCode ?? child.process.signalCode).toBeNull();
      return;
    }
    await Promise.race([delay(2), child.exited.then(() => Promise.reject(new Error('kept open')))]);
  }
}

describe.each(Object.keys(make) as Kind[])('a %s', (kind) => {
  it('that was closed and collected leaves the other instances alone', async () => {
    const object = make[kind]();
    const child = drop(object, 'closed');
    await child.next('collected');
    child.send({ type: 'use' });
    await child.next('used');
    object.close();
  });

  it('is closed when its last instance was collected', async () => {
    const object = make[kind]();
    const token = object.toJSON();
    const child = drop(object, 'idle');
    await child.next('collected');
    object.close();
    await untilGone(token, child);
  });
});

const taken = (object: Lock | RLock | Semaphore | RWLock) =>
  (object instanceof RWLock ? object.write : object).acquireSync();

describe.each(['Lock', 'RLock', 'Semaphore', 'RWLock'] as const)(
  'a %s whose instances were collected is closed',
  (kind) => {
    it('when it is released', async () => {
      const object = make[kind]();
      const token = object.toJSON();
      const child = drop(object, 'holding');
      await child.next('collected');
      object.close();
      child.send({ type: 'end' });
      await child.next('ended');
      await untilGone(token, child);
    });

    it.each([
      ['when a promise that waited has had it', 'waiting'],
      ['when a promise that waited gives up', 'giving up'],
    ])('%s', async (_, what) => {
      const object = make[kind]();
      const token = object.toJSON();
      const held = taken(object);
      const child = drop(object, what);
      await child.next('collected');
      if (what === 'waiting') held.release();
      child.send({ type: 'end' });
      await child.next('ended');
      if (what !== 'waiting') held.release();
      object.close();
      await untilGone(token, child);
    });
  },
);
