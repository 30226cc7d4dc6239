import {
  DeadlockError,
  NotHeldError,
  open,
  type ReadGuard,
  RWLock,
  TimeoutError,
  UnlinkedError,
  type WriteGuard,
} from 'holdfast';
import { describe, expect, it } from 'vitest';
import { INVALID, reasonOf, rejectedBy, thrownBy } from '../support/errors.js';
import { ownNamespace, uniqueName } from '../support/namespace.js';
import { turns, watch } from '../support/promises.js';

const namespace = ownNamespace('rwlock');
const rwlock = () => new RWLock(uniqueName());

describe('new RWLock()', () => {
  it('refuses options that it does not know', () => {
    const error = thrownBy(() => new RWLock(uniqueName(), { warnOnAbandonned: true } as never));
    expect(error.code).toBe(INVALID);
    expect(error.message).toContain('"warnOnAbandoned"');
  });
});

describe('the sides', () => {
  it('let many read together, and nobody write meanwhile', () => {
    const rw = rwlock();
    const first = rw.read.acquireSync();
    const second = rw.read.acquireSync();
    expect([rw.readers, rw.read.locked, rw.write.locked]).toEqual([2, true, false]);
    expect(rw.write.tryAcquire()).toBeNull();
    first.release();
    expect(rw.write.tryAcquire()).toBeNull();
    second.release();
    expect([rw.readers, rw.read.locked]).toEqual([0, false]);
    rw.write.tryAcquire()?.release();
  });

  it('let one write alone', () => {
    const rw = rwlock();
    const held = rw.write.acquireSync();
    expect([rw.readers, rw.read.locked, rw.write.locked]).toEqual([0, false, true]);
    expect(rw.read.tryAcquire()).toBeNull();
    expect(rw.write.tryAcquire()).toBeNull();
    held.release();
    expect(rw.write.locked).toBe(false);
    rw.read.tryAcquire()?.release();
  });

  it.each(['read', 'write'] as const)('%s: work with every verb', async (side) => {
    const rw = rwlock();
    const locked = () => rw[side].locked;
    expect(await rw[side].with(async () => locked())).toBe(true);
    expect(rw[side].withSync(locked)).toBe(true);
    const guards = [await rw[side].acquire()];
    guards[0]?.release();
    guards.push(rw[side].acquireSync({ timeout: 0 }));
    guards[1]?.[Symbol.dispose]();
    guards.push(rw[side].tryAcquire() as ReadGuard);
    await guards[2]?.[Symbol.asyncDispose]();
    for (const guard of guards) {
      expect(guard.released).toBe(true);
      expect(guard.abandoned).toBe(false);
      expect(thrownBy(() => guard.release())).toBeInstanceOf(NotHeldError);
      guard[Symbol.dispose]();
    }
    expect(locked()).toBe(false);
  });

  it.each(['read', 'write'] as const)('%s: release() ends the guard of this thread', (side) => {
    const rw = rwlock();
    expect(thrownBy(() => rw[side].release())).toBeInstanceOf(NotHeldError);
    const guard = rw[side].acquireSync();
    rw[side].release();
    expect(guard.released).toBe(true);
    expect(thrownBy(() => guard.release())).toBeInstanceOf(NotHeldError);
    expect(rw[side].locked).toBe(false);
  });

  it('read: release() ends the share that came last', () => {
    const rw = rwlock();
    const guards = [rw.read.acquireSync(), rw.read.acquireSync()];
    rw.read.release();
    expect(guards.map(({ released }) => released)).toEqual([false, true]);
    guards[0]?.release();
  });

  it.each(['read', 'write'] as const)('%s: check their arguments', async (side) => {
    const rw = rwlock();
    const timeout = Number.NaN;
    expect(await rejectedBy(() => rw[side].acquire({ timeout }))).toBeInstanceOf(TypeError);
    expect(thrownBy(() => rw[side].acquireSync({ timeout }))).toBeInstanceOf(TypeError);
    expect(await rejectedBy(() => rw[side].with(5 as never))).toBeInstanceOf(TypeError);
    expect(thrownBy(() => rw[side].withSync((async () => {}) as never))).toBeInstanceOf(TypeError);
    expect(await reasonOf(() => rw[side].acquire({ signal: AbortSignal.abort(1) }))).toBe(1);
    expect(rw[side].locked).toBe(false);
  });

  it('write: count a token up', async () => {
    const rw = rwlock();
    const tokens = [rw.write.withSync((held) => held.token)];
    tokens.push(await rw.write.with((held) => held.token));
    tokens.push((rw.write.tryAcquire() as WriteGuard).token);
    rw.write.release();
    expect(tokens).toEqual([...tokens].sort((a, b) => a - b));
    expect(new Set(tokens).size).toBe(3);
  });
});

describe('who waits', () => {
  it('is let in in arrival order, readers together', async () => {
    const rw = rwlock();
    const held = rw.write.acquireSync();
    const order: string[] = [];
    const guards = new Map<string, ReadGuard | WriteGuard>();
    const wait = (label: string, side: 'read' | 'write') =>
      rw[side].acquire().then((guard) => {
        order.push(label);
        guards.set(label, guard);
      });
    const r1 = wait('r1', 'read');
    const r2 = wait('r2', 'read');
    const w1 = wait('w1', 'write');
    const r3 = wait('r3', 'read');
    await turns();
    expect(order).toEqual([]);
    held.release();
    await Promise.all([r1, r2]);
    await turns();
    expect(order).toEqual(['r1', 'r2']);
    guards.get('r1')?.release();
    guards.get('r2')?.release();
    await w1;
    await turns();
    expect(order).toEqual(['r1', 'r2', 'w1']);
    guards.get('w1')?.release();
    await r3;
    guards.get('r3')?.release();
  });

  it('as a writer is not overtaken by readers who come later', async () => {
    const rw = rwlock();
    const reading = rw.read.acquireSync();
    const writer = rw.write.acquire();
    expect(rw.read.tryAcquire()).toBeNull();
    const reader = watch(rw.read.with(() => {}));
    await turns();
    expect(reader.state).toBe('pending');
    reading.release();
    (await writer).release();
  });

  it('and gives up lets those behind go on', async () => {
    const rw = rwlock();
    using _reading = rw.read.acquireSync();
    const abort = new AbortController();
    const writer = rw.write.acquire({ signal: abort.signal });
    const reader = rw.read.acquire();
    abort.abort('enough');
    expect(await reasonOf(() => writer)).toBe('enough');
    (await reader).release();
    expect(await rejectedBy(() => rw.write.acquire({ timeout: 20 }))).toBeInstanceOf(TimeoutError);
    rw.read.acquireSync().release();
  });

  it('is aborted also where the grant came just before', async () => {
    const rw = rwlock();
    for (const side of ['read', 'write'] as const) {
      const held = rw.write.acquireSync();
      const abort = new AbortController();
      const wait = rw[side].acquire({ signal: abort.signal });
      held.release();
      abort.abort(side);
      expect(await reasonOf(() => wait)).toBe(side);
      expect([rw.readers, rw.write.locked]).toEqual([0, false]);
    }
  });
});

describe('a blocking wait for what this thread has', () => {
  it('is a deadlock, at once', () => {
    const rw = rwlock();
    const writing = rw.write.acquireSync();
    expect(thrownBy(() => rw.write.acquireSync())).toBeInstanceOf(DeadlockError);
    expect(thrownBy(() => rw.read.acquireSync({ timeout: 60_000 }))).toBeInstanceOf(DeadlockError);
    expect(thrownBy(() => rw.read.acquireSync({ timeout: 0 }))).toBeInstanceOf(TimeoutError);
    writing.release();
    using _reading = rw.read.acquireSync();
    expect(thrownBy(() => rw.write.acquireSync())).toBeInstanceOf(DeadlockError);
    expect(thrownBy(() => rw.write.acquireSync({ timeout: 0 }))).toBeInstanceOf(TimeoutError);
  });

  it('is one for a second share behind a writer too', async () => {
    const rw = rwlock();
    const reading = rw.read.acquireSync();
    rw.read.acquireSync().release();
    const writer = rw.write.acquire();
    expect(thrownBy(() => rw.read.acquireSync())).toBeInstanceOf(DeadlockError);
    reading.release();
    (await writer).release();
  });

  it('sees what was just granted to a promise', async () => {
    const rw = rwlock();
    const held = rw.write.acquireSync();
    const wait = rw.write.acquire();
    held.release();
    expect(thrownBy(() => rw.read.acquireSync())).toBeInstanceOf(DeadlockError);
    (await wait).release();
    rw.read.acquireSync().release();
  });
});

describe('upgrade()', () => {
  it('turns the only share into the write side', async () => {
    const rw = rwlock();
    for (const upgrade of [
      (guard: ReadGuard) => guard.upgrade(),
      (guard: ReadGuard) => guard.upgradeSync(),
    ]) {
      const share = rw.read.acquireSync();
      const held = await upgrade(share);
      expect([share.released, held.released]).toEqual([true, false]);
      expect([rw.readers, rw.write.locked]).toEqual([0, true]);
      expect(thrownBy(() => share.release())).toBeInstanceOf(NotHeldError);
      expect(await rejectedBy(() => share.upgrade())).toBeInstanceOf(NotHeldError);
      held.release();
      expect(rw.write.locked).toBe(false);
    }
  });

  it('waits for the other readers, before all who wait, and lets nobody in', async () => {
    const rw = rwlock();
    const share = rw.read.acquireSync();
    const other = rw.read.acquireSync();
    const writer = rw.write.acquire();
    const first = watch(writer);
    const upgraded = share.upgrade();
    await turns();
    expect(rw.read.tryAcquire()).toBeNull();
    other.release();
    const held = await upgraded;
    await turns();
    expect(first.state).toBe('pending');
    held.release();
    (await writer).release();
  });

  it('of a second reader is refused at once, and the first goes on', async () => {
    const rw = rwlock();
    const [a, b] = [rw.read.acquireSync(), rw.read.acquireSync()];
    const first = a.upgrade();
    await turns();
    expect(await rejectedBy(() => b.upgrade())).toBeInstanceOf(DeadlockError);
    const error = thrownBy(() => b.upgradeSync());
    expect(error).toBeInstanceOf(DeadlockError);
    expect(error.message).toContain('another reader');
    expect(b.released).toBe(false);
    b.release();
    (await first).release();
  });

  it('blocking beside other shares of the thread is a deadlock', () => {
    const rw = rwlock();
    const [a, b] = [rw.read.acquireSync(), rw.read.acquireSync()];
    expect(thrownBy(() => a.upgradeSync())).toBeInstanceOf(DeadlockError);
    expect(thrownBy(() => a.upgradeSync({ timeout: 0 }))).toBeInstanceOf(TimeoutError);
    b.release();
    a.upgradeSync().release();
  });

  it('that gives up keeps the share', async () => {
    const rw = rwlock();
    const [a, b] = [rw.read.acquireSync(), rw.read.acquireSync()];
    expect(await rejectedBy(() => a.upgrade({ timeout: 20 }))).toBeInstanceOf(TimeoutError);
    expect(await rejectedBy(() => a.upgrade({ timeout: 0 }))).toBeInstanceOf(TimeoutError);
    const abort = new AbortController();
    const wait = a.upgrade({ signal: abort.signal });
    abort.abort('enough');
    expect(await reasonOf(() => wait)).toBe('enough');
    const late = new AbortController();
    const granted = a.upgrade({ signal: late.signal });
    b.release();
    late.abort('late');
    expect(await reasonOf(() => granted)).toBe('late');
    expect([a.released, rw.readers, rw.write.locked]).toEqual([false, 1, false]);
    a.release();
    expect(rw.readers).toBe(0);
  });

  it('ends when its share is released', async () => {
    const rw = rwlock();
    const [a, b] = [rw.read.acquireSync(), rw.read.acquireSync()];
    const wait = a.upgrade();
    await turns();
    a.release();
    expect(await rejectedBy(() => wait)).toBeInstanceOf(NotHeldError);
    expect(rw.readers).toBe(1);
    b.release();
    rw.write.acquireSync().release();
  });

  it('inside with() is released with it', async () => {
    const rw = rwlock();
    await rw.read.with(async (share) => {
      await share.upgrade();
      expect(rw.write.locked).toBe(true);
    });
    expect(rw.write.locked).toBe(false);
    rw.write.withSync((held) => held.downgrade().upgradeSync().downgrade());
    expect(rw.readers).toBe(0);
  });
});

describe('downgrade()', () => {
  it('never lets a writer in between, but the readers at the head', async () => {
    const rw = rwlock();
    const held = rw.write.acquireSync();
    const reader = rw.read.acquire();
    const writer = rw.write.acquire();
    const waiting = watch(writer);
    await turns();
    const share = held.downgrade();
    expect([held.released, share.released]).toEqual([true, false]);
    expect(thrownBy(() => held.downgrade())).toBeInstanceOf(NotHeldError);
    const second = await reader;
    expect([rw.readers, rw.write.locked]).toEqual([2, false]);
    await turns();
    expect(waiting.state).toBe('pending');
    share.release();
    second.release();
    (await writer).release();
  });
});

describe('the end', () => {
  it('close() is refused while this thread holds a side', () => {
    for (const side of ['read', 'write'] as const) {
      const rw = rwlock();
      const held = rw[side].acquireSync();
      expect(thrownBy(() => rw.close()).code).toBe('ERR_HOLDFAST_HELD');
      const error = thrownBy(() => rw.unlink());
      expect(error.code).toBe('ERR_HOLDFAST_IN_USE');
      expect(error.message).toContain(String(process.pid));
      held.release();
      rw.close();
      rw.close();
      expect(thrownBy(() => rw[side].tryAcquire()).code).toBe('ERR_HOLDFAST_CLOSED');
      expect(thrownBy(() => rw[side].locked).code).toBe('ERR_HOLDFAST_CLOSED');
    }
  });

  it('unlink() ends it for every instance', () => {
    const rw = rwlock();
    const same = new RWLock(rw.name);
    rw.unlink();
    expect(thrownBy(() => same.read.tryAcquire())).toBeInstanceOf(UnlinkedError);
    new RWLock(rw.name).write.acquireSync().release();
  });
});

describe('a token', () => {
  it('opens the same lock', () => {
    const rw = rwlock();
    expect(rw.toJSON()).toEqual({ holdfast: 'RWLock', namespace, name: rw.name });
    const same = open(rw.toJSON());
    using _held = rw.write.acquireSync();
    expect(same).toBeInstanceOf(RWLock);
    expect(same.write.locked).toBe(true);
  });
});
