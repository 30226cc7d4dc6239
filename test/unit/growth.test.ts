import { statSync } from 'node:fs';
import { Condition, Event, Lock, Semaphore } from 'holdfast';
import { expect, it } from 'vitest';
import { reasonOf } from '../support/errors.js';
import { ownNamespace, regionFile } from '../support/namespace.js';
import { turns } from '../support/promises.js';

const namespace = ownNamespace('growth');

it('the region grows with its objects, and the older ones stay what they were', () => {
  const first = new Lock('first');
  const held = first.acquireSync();
  const sizeBefore = statSync(regionFile(namespace)).size;
  const locks = Array.from({ length: 12_000 }, (_, i) => new Lock(`${'n'.repeat(200)}-${i}`));
  expect(statSync(regionFile(namespace)).size).toBeGreaterThan(sizeBefore);
  const guards = locks.map((lock) => lock.acquireSync({ timeout: 0 }));
  expect(held.released).toBe(false);
  expect(new Lock('first').tryAcquire()).toBeNull();
  for (const guard of guards) {
    guard.release();
  }
  held.release();
  expect(locks.some((lock) => lock.locked)).toBe(false);
});

it('the file is reserved, so that no later write can fail: blocks cover its size', () => {
  new Lock('any');
  const { blocks, size } = statSync(regionFile(namespace));
  expect(blocks * 512).toBeGreaterThanOrEqual(size);
});

/** Of each kind: how to begin a wait, which an abort ends. */
const waits = {
  Semaphore() {
    const semaphore = new Semaphore(undefined, 0, { owned: false });
    return (signal: AbortSignal) => semaphore.acquire({ signal });
  },
  Event() {
    const event = new Event();
    return (signal: AbortSignal) => event.wait({ signal });
  },
  Condition() {
    const condition = new Condition(new Lock());
    return (signal: AbortSignal) => condition.with(() => condition.wait({ signal }));
  },
};

/** 2,048 tickets: a tenth of what leaks here if all those waits leave theirs. */
const CHUNK_BYTES = 128 * 1024;

// More at once than stay open for the next waits, and more in all than the tables have room for at first.
it.each(Object.entries(waits))('waits for a %s that are over take no room', async (_, make) => {
  const wait = make();
  const round = async () => {
    const controller = new AbortController();
    const all = Array.from({ length: 200 }, () => reasonOf(() => wait(controller.signal)));
    await turns(2);
    controller.abort();
    await Promise.all(all);
  };
  await round();
  const { size } = statSync(regionFile(namespace));
  for (let i = 0; i < 100; i += 1) await round();
  // One chunk of tickets more may be due: where all but a few were in use before, or one round's end meets the next.
  expect(statSync(regionFile(namespace)).size).toBeLessThanOrEqual(size + CHUNK_BYTES);
});
