import {
  Barrier,
  Condition,
  Event,
  Lock,
  open,
  RLock,
  RWLock,
  Semaphore,
  SharedArray,
  SharedValue,
} from 'holdfast';
import { describe, expect, it } from 'vitest';
import { thrownBy } from '../support/errors.js';
import { ownNamespace } from '../support/namespace.js';

ownNamespace('anonymous');

const UUID = /^anonymous-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

describe.each([
  ['Lock', Lock],
  ['RLock', RLock],
])('a %s without a name', (_, Kind) => {
  it('gets a unique one', () => {
    const names = Array.from({ length: 100 }, () => new Kind().name);
    expect(new Set(names).size).toBe(100);
    for (const name of names) {
      expect(name).toMatch(UUID);
    }
  });

  it('is a lock as others are', async () => {
    const lock = new Kind(undefined, { warnOnAbandoned: false });
    const held = await lock.acquire();
    expect(lock.locked).toBe(true);
    held.release();
  });

  it('is opened by its token, and shared', async () => {
    const lock = new Kind();
    const same = open(lock.toJSON());
    const held = await lock.acquire();
    expect(same.tryAcquire()).toBeNull();
    held.release();
  });

  it('is freed when its last instance is closed', () => {
    const lock = new Kind();
    const token = lock.toJSON();
    const same = open(token);
    lock.close();
    open(token).close();
    same.close();
    expect(thrownBy(() => open(token)).code).toBe('ERR_HOLDFAST_NOT_FOUND');
  });
});

it('ten thousand anonymous locks, each closed, need no more memory than one', () => {
  for (let i = 0; i < 10_000; i += 1) {
    using lock = new Lock();
    lock.acquireSync({ timeout: 0 }).release();
  }
});

it.each([
  ['Semaphore', () => new Semaphore()],
  ['Event', () => new Event()],
  ['Condition', () => new Condition()],
  ['Barrier', () => new Barrier(undefined, 2)],
  ['RWLock', () => new RWLock()],
  ['SharedValue', () => new SharedValue(undefined, 'int32')],
  ['SharedArray', () => new SharedArray(undefined, 'int32', 4)],
])('a %s without a name is freed when its last instance is closed', (_, make) => {
  const object = make();
  const token = object.toJSON();
  const same = open(token);
  object.close();
  open(token).close();
  same.close();
  expect(thrownBy(() => open(token)).code).toBe('ERR_HOLDFAST_NOT_FOUND');
});
