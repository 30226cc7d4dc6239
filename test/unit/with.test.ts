import { Lock } from 'holdfast';
import { describe, expect, it } from 'vitest';
import { INVALID, reasonOf, rejectedBy, thrownBy } from '../support/errors.js';
import { ownNamespace, uniqueName } from '../support/namespace.js';
import { turns } from '../support/promises.js';

ownNamespace('with');

describe('with()', () => {
  it('holds the lock while the function and what it awaits run', async () => {
    const lock = new Lock(uniqueName());
    const seen: boolean[] = [];
    const value = await lock.with(async (held) => {
      seen.push(lock.locked, held.released);
      await turns();
      seen.push(lock.locked, held.released);
      return 'done';
    });
    expect(value).toBe('done');
    expect(seen).toEqual([true, false, true, false]);
    expect(lock.locked).toBe(false);
  });

  it('takes a function that returns no promise', async () => {
    const lock = new Lock(uniqueName());
    expect(await lock.with(() => 7)).toBe(7);
    expect(lock.locked).toBe(false);
  });

  it('releases and rejects with the same error, thrown at once or later', async () => {
    const lock = new Lock(uniqueName());
    const error = new Error('from the critical section');
    const throws = () => {
      throw error;
    };
    const rejects = async () => {
      await turns();
      throw error;
    };
    for (const run of [throws, rejects]) {
      expect(await reasonOf(() => lock.with(run))).toBe(error);
      expect(lock.locked).toBe(false);
    }
  });

  it('lets the function release early', async () => {
    const lock = new Lock(uniqueName());
    let other: Promise<void> | undefined;
    await lock.with(async (held) => {
      held.release();
      const next = await lock.acquire();
      await turns();
      other = Promise.resolve().then(() => next.release());
    });
    await other;
    expect(lock.locked).toBe(false);
  });

  it('does not release what somebody else took after an early release', async () => {
    const lock = new Lock(uniqueName());
    const next = await lock.with(async (held) => {
      held.release();
      return lock.acquire();
    });
    expect(next.released).toBe(false);
    expect(lock.locked).toBe(true);
    next.release();
  });

  it('does not call the function when the wait times out or is aborted', async () => {
    const lock = new Lock(uniqueName());
    const held = lock.acquireSync();
    let called = false;
    const run = () => {
      called = true;
    };
    const timedOut = await rejectedBy(() => lock.with(run, { timeout: 5 }));
    expect(timedOut.code).toBe('ERR_HOLDFAST_TIMEOUT');
    const reason = new Error('no longer wanted');
    const controller = new AbortController();
    const aborted = reasonOf(() => lock.with(run, { signal: controller.signal }));
    controller.abort(reason);
    expect(await aborted).toBe(reason);
    held.release();
    await turns();
    expect(called).toBe(false);
    expect(lock.locked).toBe(false);
  });

  it('refuses what is no function, and takes nothing', async () => {
    const lock = new Lock(uniqueName());
    for (const run of [undefined, null, 'x', {}, Promise.resolve()]) {
      const error = await rejectedBy(() => lock.with(run as never));
      expect(error).toBeInstanceOf(TypeError);
      expect(error.code).toBe(INVALID);
      expect(lock.locked).toBe(false);
    }
  });
});

describe('withSync()', () => {
  it('holds the lock while the function runs, and returns its value', () => {
    const lock = new Lock(uniqueName());
    const value = lock.withSync((held) => [lock.locked, held.released, lock.tryAcquire()]);
    expect(value).toEqual([true, false, null]);
    expect(lock.locked).toBe(false);
  });

  it('releases when the function throws', () => {
    const lock = new Lock(uniqueName());
    const error = new Error('from the critical section');
    const run = () => {
      throw error;
    };
    expect(thrownBy(() => lock.withSync(run))).toBe(error);
    expect(lock.locked).toBe(false);
  });

  it('lets the function release early', () => {
    const lock = new Lock(uniqueName());
    lock.withSync((held) => held.release());
    expect(lock.locked).toBe(false);
  });

  it('refuses a function that returns a thenable, after releasing, and names with()', () => {
    const lock = new Lock(uniqueName());
    // biome-ignore lint/suspicious/noThenProperty: a thenable that is no Promise
    const thenable = { then: () => {} };
    for (const result of [Promise.resolve(1), thenable]) {
      const error = thrownBy(() => lock.withSync(() => result as never));
      expect(error).toBeInstanceOf(TypeError);
      expect(error.message).toContain('with()');
      expect(lock.locked).toBe(false);
    }
  });

  it('refuses what is no function, and takes nothing', () => {
    const lock = new Lock(uniqueName());
    for (const run of [undefined, null, 'x', {}]) {
      const error = thrownBy(() => lock.withSync(run as never));
      expect(error).toBeInstanceOf(TypeError);
      expect(error.code).toBe(INVALID);
      expect(lock.locked).toBe(false);
    }
  });
});
