import { createContext, runInContext } from 'node:vm';
import { Condition, Event, Lock, RLock, RWLock, Semaphore, SharedValue } from 'holdfast';
import { NamedSemaphore, RobustMutex } from 'holdfast/posix';
import { describe, expect, it } from 'vitest';
import { processAgent } from '../support/agent.js';
import { type Child, spawnFixture } from '../support/child.js';
import { ownNamespace, uniqueName } from '../support/namespace.js';
import { posixName } from '../support/posix-name.js';
import { untilWaiting } from '../support/proc.js';

ownNamespace('interrupted');

/** JavaScript that is interrupted while it waits for the lock: nothing after the wait runs. */
function interruptIn(lock: Lock): void {
  const context = createContext({ acquire: () => lock.acquireSync() });
  expect(() => runInContext('acquire()', context, { timeout: 150 })).toThrow(/timed out/);
}

describe('acquireSync() that JavaScript interrupts', () => {
  it('leaves no owner that does not know of it: another process gets the lock', async () => {
    const name = uniqueName();
    const [holder, other] = await Promise.all([processAgent(), processAgent()]);
    await holder.call('acquireSync', { lock: name });
    interruptIn(new Lock(name));
    await holder.call('release', { lock: name });
    expect(await other.call('acquireSync', { lock: name })).toMatchObject({ abandoned: false });
    await other.call('release', { lock: name });
  });

  it.each(['acquire', 'acquireSync'] as const)(
    'leaves a lock that %s() can wait for',
    async (verb) => {
      const name = uniqueName();
      const lock = new Lock(name);
      const holder = await processAgent();
      await holder.call('acquireSync', { lock: name });
      interruptIn(lock);
      expect(lock.tryAcquire()).toBeNull();
      const promise = verb === 'acquire' ? lock.acquire() : null;
      await holder.call('release', { lock: name });
      const guard = promise === null ? lock.acquireSync() : await promise;
      expect(await holder.call('tryAcquire', { lock: name })).toBeNull();
      guard.release();
      expect(await holder.call('tryAcquire', { lock: name })).not.toBeNull();
    },
  );
});

/** What each wait of fixtures/waits.mjs waits for, taken here. Gives what lets one waiter go. */
const held: Record<string, (name: string) => () => unknown> = {
  Lock(name) {
    const guard = new Lock(name).acquireSync();
    return () => guard.release();
  },
  RLock(name) {
    const guard = new RLock(name).acquireSync();
    return () => guard.release();
  },
  Semaphore(name) {
    const guard = new Semaphore(name, 1).acquireSync();
    return () => guard.release();
  },
  'RWLock.write'(name) {
    const guard = new RWLock(name).read.acquireSync();
    return () => guard.release();
  },
  upgrade(name) {
    const guard = new RWLock(name).read.acquireSync();
    return () => guard.release();
  },
  Event(name) {
    const event = new Event(name);
    return () => event.set();
  },
  Condition(name) {
    const condition = new Condition(new Lock(`${name}-lock`), { name });
    return () => condition.withSync(() => condition.notify(1));
  },
  SharedValue(name) {
    const value = new SharedValue(name, 'int32');
    return () => value.notify(1);
  },
  NamedSemaphore(name) {
    const semaphore = new NamedSemaphore(name);
    return () => semaphore.post();
  },
  RobustMutex(name) {
    const mutex = new RobustMutex(name);
    mutex.lockSync();
    return () => mutex.unlock();
  },
};

/** A child that was torn out of that wait by SIGINT, which comes when it is in it. */
async function torn(fixture: string, what: string, ...args: string[]): Promise<Child> {
  const child = spawnFixture(fixture, { args: [what, ...args] });
  await child.next('waits');
  await untilWaiting(what, child.pid);
  child.kill('SIGINT');
  await child.next('torn');
  return child;
}

describe('a blocking wait that JavaScript was torn out of', () => {
  it.each(Object.keys(held))(
    'of %s, is not in the way of the same thread that waits again',
    async (what) => {
      const name = posixName();
      const letGo = held[what]?.(name);
      const child = await torn('torn.mjs', what, name, 'again');
      await untilWaiting(what, child.pid);
      letGo?.();
      await child.next('had');
    },
  );

  it.each([
    ['of a condition, gives the lock to a promise of its thread that waits', 'condition', false],
    ['of permits, lets promises of its thread queue again, in order', 'permits', [1, 2, 3]],
  ])('%s', async (_, what, outcome) => {
    const child = await torn('torn-beside.mjs', what);
    expect(await child.next('over')).toMatchObject({ outcome });
  });

  it('wants nothing any more, and holds up nobody behind it', async () => {
    const name = uniqueName();
    const lock = new RWLock(name);
    const guard = lock.read.acquireSync();
    await torn('torn.mjs', 'RWLock.write', name);
    // A reader that comes now would stand behind the writer, for as long as that waits.
    const second = await lock.read.acquire();
    second.release();
    guard.release();
  });
});
