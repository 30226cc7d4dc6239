import { createContext, runInContext } from 'node:vm';
import { Lock } from 'holdfast';
import { describe, expect, it } from 'vitest';
import { processAgent } from '../support/agent.js';
import { ownNamespace, uniqueName } from '../support/namespace.js';

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
