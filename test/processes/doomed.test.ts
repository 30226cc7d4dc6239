import {
  Barrier,
  Condition,
  Event,
  Lock,
  RLock,
  RWLock,
  Semaphore,
  SharedArray,
  SharedValue,
} from 'holdfast';
import { NamedSemaphore, RobustMutex } from 'holdfast/posix';
import { describe, expect, it } from 'vitest';
import { type Child, spawnFixture } from '../support/child.js';
import { ownNamespace } from '../support/namespace.js';
import { posixName } from '../support/posix-name.js';
import { untilWaiting } from '../support/proc.js';

ownNamespace('doomed');

/**
 * What each wait of fixtures/waits.mjs waits for, taken here, as its name says. Gives what lets it go, and tells
 * whether anybody else had it in between.
 */
const held: Record<string, (name: string) => () => boolean> = {
  Lock: (name) => heldLock(new Lock(name)),
  'Lock.withSync': (name) => heldLock(new Lock(name)),
  RLock: (name) => heldLock(new RLock(name)),
  withAllSync: (name) => heldLock(new Lock(name)),
  'SharedValue.lock': (name) => heldLock(new SharedValue(name, 'int32').lock),
  Semaphore(name) {
    const semaphore = new Semaphore(name, 1);
    const guard = semaphore.acquireSync();
    return () => {
      guard.release();
      semaphore.acquireSync().release();
      return semaphore.available === 1;
    };
  },
  'RWLock.read'(name) {
    const lock = new RWLock(name);
    const guard = lock.write.acquireSync();
    return () => {
      guard.release();
      return lock.readers === 0;
    };
  },
  'RWLock.write': (name) => heldShare(new RWLock(name)),
  upgrade: (name) => heldShare(new RWLock(name)),
  Event(name) {
    const event = new Event(name);
    return () => {
      event.set();
      return event.isSet;
    };
  },
  Condition(name) {
    const lock = new Lock(`${name}-lock`);
    const condition = new Condition(lock, { name });
    return () => condition.withSync(() => condition.notify()) === 0 && !lock.locked;
  },
  // Notified, it needs its lock again.
  'Condition, its lock'(name) {
    const lock = new Lock(`${name}-lock`);
    const letGo = heldLock(lock);
    expect(new Condition(lock, { name }).notify()).toBe(1);
    return letGo;
  },
  // One that gives up breaks it.
  Barrier(name) {
    const barrier = new Barrier(name, 2);
    return () => barrier.broken;
  },
  SharedValue(name) {
    const value = new SharedValue(name, 'int32');
    return () => value.notify() === 0;
  },
  SharedArray(name) {
    const array = new SharedArray(name, 'int32', 4);
    return () => array.notify(1) === 0;
  },
  NamedSemaphore(name) {
    const semaphore = new NamedSemaphore(name);
    return () => {
      semaphore.post();
      return semaphore.tryWait();
    };
  },
  RobustMutex(name) {
    const mutex = new RobustMutex(name);
    mutex.lockSync();
    return () => {
      mutex.unlock();
      const state = mutex.lockSync();
      mutex.unlock();
      return state === 'locked';
    };
  },
};

function heldLock(lock: Lock | RLock): () => boolean {
  const guard = lock.acquireSync();
  return () => {
    guard.release();
    const next = lock.acquireSync();
    next.release();
    return !next.abandoned && next.token === guard.token + 1;
  };
}

function heldShare(lock: RWLock): () => boolean {
  const guard = lock.read.acquireSync();
  return () => {
    guard.release();
    const next = lock.write.acquireSync();
    next.release();
    return !next.abandoned;
  };
}

const ways: [string, (child: Child) => Promise<unknown>][] = [
  [
    'worker.terminate()',
    (child) => {
      child.send({ type: 'terminate' });
      return child.next('gone');
    },
  ],
  [
    'process.exit()',
    async (child) => {
      child.send({ type: 'exit' });
      expect(await child.exited).toEqual({ code: 3, signal: null });
    },
  ],
];

async function blocked(what: string, name: string, times: number): Promise<Child> {
  const child = spawnFixture('doomed.mjs', {
    args: [what.replace(/,.*/, ''), name, times],
  });
  const { pid, tid } = await child.next<{ pid: number; tid: number }>('blocks');
  await untilWaiting(what, pid, tid);
  return child;
}

describe.each(ways)('%s ends a worker that blocks', (_, end) => {
  // Which code is compiled after how many waits is the engine's business: some of each.
  const all = Object.keys(held).map((what) => [what, 200] as const);
  const some = ['Lock', 'RLock', 'RobustMutex', 'Semaphore'].flatMap((what) =>
    [0, 2000].map((times) => [what, times] as const),
  );

  it.each([...all, ...some])('in %s, after %i waits, and it takes nothing', async (what, times) => {
    const name = posixName();
    const hold = held[what] as (name: string) => () => boolean;
    const first = what.startsWith('Condition') ? null : hold(name);
    const child = await blocked(what, name, times);
    const letGo = first ?? hold(name);
    await end(child);
    expect(letGo()).toBe(true);
  });
});

describe('a worker that was told to end', () => {
  const taken = ['Lock', 'RLock', 'Semaphore', 'RWLock.write', 'upgrade', 'RobustMutex'];

  it.each(taken)('does not take what comes free before it has ended: %s', async (what) => {
    const name = posixName();
    const letGo = (held[what] as (name: string) => () => boolean)(name);
    const child = await blocked(what, name, 200);
    child.send({ type: 'terminate' });
    await child.next('told');
    expect(letGo()).toBe(true);
    await child.next('gone');
  });
});
