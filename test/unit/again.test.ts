import { setImmediate as turn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Lock, Semaphore, unlinkNamespace } from 'holdfast';
import { describe, expect, it, vi } from 'vitest';
import { ownNamespace, uniqueName } from '../support/namespace.js';

const namespace = ownNamespace('again');

setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc') as () => void;

async function collected(): Promise<void> {
  gc();
  await turn();
}

/** The package, loaded once more. */
async function again(): Promise<typeof import('holdfast')> {
  vi.resetModules();
  return import('holdfast');
}

describe('the package, loaded again in a thread that uses it already', () => {
  it('is another agent: what one holds the other one cannot have', async () => {
    const other = await again();
    expect(other.Lock).not.toBe(Lock);
    const mine = new Lock(uniqueName());
    const theirs = new other.Lock(mine.name);
    const held = theirs.acquireSync();
    expect(mine.tryAcquire()).toBeNull();
    expect(() => mine.acquireSync()).toThrow(/in another realm/);
    const waits = mine.acquire();
    held.release();
    (await waits).release();
    mine.close();
    theirs.close();
  });

  it('ends when nothing can reach it any more: what it held is abandoned, its permits are free', async () => {
    const lock = new Lock(uniqueName());
    const permits = new Semaphore(uniqueName(), 1);
    await (async () => {
      const other = await again();
      new other.Lock(lock.name).acquireSync();
      new other.Semaphore(permits.name, 1).acquireSync();
    })();
    vi.resetModules();
    expect(lock.tryAcquire()).toBeNull();
    let guard = null;
    while (guard === null) {
      await collected();
      guard = lock.tryAcquire();
    }
    expect(guard.abandoned).toBe(true);
    guard.release();
    permits.acquireSync().release();
  });

  it('does not end while a promise of it waits', async () => {
    const lock = new Lock(uniqueName());
    const held = lock.acquireSync();
    let passed = false;
    await (async () => {
      const other = await again();
      new other.Lock(lock.name).acquire().then((guard) => {
        passed = true;
        guard.release();
      });
    })();
    vi.resetModules();
    for (let i = 0; i < 10; i += 1) await collected();
    expect(passed).toBe(false);
    held.release();
    while (!passed) await collected();
  });

  it('keeps the namespace as long as it holds or waits', async () => {
    const other = await again();
    const theirs = new other.Lock(uniqueName());
    const held = theirs.acquireSync();
    expect(() => unlinkNamespace(namespace)).toThrow(/threads or realms of this process/);
    const waits = theirs.acquire();
    held.release();
    expect(() => unlinkNamespace(namespace)).toThrow(/threads or realms of this process/);
    (await waits).release();
    // Idle, it does not: ownNamespace() removes it.
  });
});
