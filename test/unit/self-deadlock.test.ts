import { AsyncResource } from 'node:async_hooks';
import {
  acquireAll,
  Condition,
  configure,
  DeadlockError,
  Lock,
  NotHeldError,
  type ReadGuard,
  type ReadSide,
  RWLock,
  Semaphore,
  TimeoutError,
  type WriteSide,
  withAll,
} from 'holdfast';
import { describe, expect, it } from 'vitest';
import { rejectedBy } from '../support/errors.js';
import { ownNamespace, uniqueName } from '../support/namespace.js';
import { turns, watch } from '../support/promises.js';

ownNamespace('self-deadlock');
configure({ detectDeadlocks: true });

type Takeable = Lock | Semaphore | ReadSide | WriteSide;

/** An outer and an inner one, of which the inner one cannot be had while the outer one is held. */
const pairs: [string, () => [Takeable, Takeable]][] = [
  ['a Lock in itself', () => twice(new Lock(uniqueName()))],
  ['a Lock in another instance of it', () => [new Lock('twice'), new Lock('twice')]],
  ['the last permit in the last permit', () => twice(new Semaphore(uniqueName(), 1))],
  ['a write side in itself', () => twice(new RWLock(uniqueName()).write)],
  ['a write side in the read side', () => sides((rw) => [rw.read, rw.write])],
  ['a read side in the write side', () => sides((rw) => [rw.write, rw.read])],
];

function twice<T>(object: T): [T, T] {
  return [object, object];
}

function sides<T>(pick: (rw: RWLock) => T): T {
  return pick(new RWLock(uniqueName()));
}

describe.each(pairs)('%s', (_, make) => {
  it('is a DeadlockError at once, by with() and by acquire()', async () => {
    const [outer, inner] = make();
    await outer.with(async (held: { released: boolean }) => {
      for (const verb of [
        () => inner.with(() => {}),
        () => inner.acquire(),
        () => inner.acquire({ signal: new AbortController().signal }),
        () => withAll([inner], () => {}),
        () => acquireAll([new Lock(uniqueName()), inner]),
      ]) {
        expect(await rejectedBy(verb)).toBeInstanceOf(DeadlockError);
      }
      expect(held.released).toBe(false);
    });
    (await inner.acquire()).release();
  });

  it('is that from deeper inside too: after awaits, in timers, through other locks', async () => {
    const [outer, inner] = make();
    const between = new Lock(uniqueName());
    const deep = async () => {
      await turns(1);
      return between.with(() => inner.with(() => {}));
    };
    await outer.with(async () => {
      expect(await rejectedBy(deep)).toBeInstanceOf(DeadlockError);
      const inTimer = new Promise((resolve, reject) => {
        setTimeout(() => deep().then(resolve, reject), 1);
      });
      expect(await rejectedBy(() => inTimer)).toBeInstanceOf(DeadlockError);
    });
    expect(between.locked).toBe(false);
  });

  it('is not that with a time-out, which ends the wait by itself', async () => {
    const [outer, inner] = make();
    await outer.with(async () => {
      for (const timeout of [0, 5]) {
        expect(await rejectedBy(() => inner.acquire({ timeout }))).toBeInstanceOf(TimeoutError);
      }
    });
  });

  it('only waits where another task asks', async () => {
    const [outer, inner] = make();
    let end = () => {};
    const work = outer.with(
      () =>
        new Promise<void>((resolve) => {
          end = resolve;
        }),
    );
    await turns(1);
    const other = inner.with(() => 'other');
    const watched = watch(other);
    await turns();
    expect(watched.state).toBe('pending');
    end();
    await work;
    expect(await other).toBe('other');
  });

  it('is none for what was started inside, where the guard is released or the with() over', async () => {
    const [outer, inner] = make();
    let later: Promise<string> | undefined;
    await outer.with(async (held: { release(): void }) => {
      later = turns(3).then(() => inner.with(() => 'later'));
      held.release();
      expect(await inner.with(() => 'released')).toBe('released');
    });
    expect(await later).toBe('later');
  });

  it('is none for what was started outside, though it is called from inside', async () => {
    const [outer, inner] = make();
    const outside = new AsyncResource('outside');
    let after: Promise<string> | undefined;
    await outer.with(async () => {
      after = outside.runInAsyncScope(() => inner.with(() => 'after'));
      await turns();
    });
    expect(await after).toBe('after');
  });
});

it('a with() that a bare guard makes wait is no DeadlockError: nobody knows whose that is', async () => {
  const lock = new Lock(uniqueName());
  const held = await lock.acquire();
  const next = lock.with(() => 'next');
  await turns(1);
  held.release();
  expect(await next).toBe('next');
});

describe('permits', () => {
  it('are a deadlock only where too few are left by the calls around', async () => {
    const s = new Semaphore(uniqueName(), 3);
    const foreign = s.acquireSync();
    await s.with(async () => {
      const two = s.acquire(2);
      const watched = watch(two);
      await turns(1);
      expect(watched.state).toBe('pending');
      foreign.release();
      (await two).release();
      await s.with(async () => {
        expect(await rejectedBy(() => s.acquire(2))).toBeInstanceOf(DeadlockError);
        (await s.acquire()).release();
      });
    });
    expect(s.available).toBe(3);
  });

  it('that are not owned may come from anybody', async () => {
    const s = new Semaphore(uniqueName(), 1, { owned: false });
    await s.with(async () => {
      const more = s.acquire();
      await turns(1);
      s.release();
      (await more).release();
    });
    expect(s.available).toBe(2);
  });
});

describe('a share in a share', () => {
  it('is had where no writer waits, and a deadlock behind one', async () => {
    const { read, write } = new RWLock(uniqueName());
    const writer = AsyncResource.bind(() => write.acquire());
    await read.with(async () => {
      await read.with(() => {});
      const waiting = writer();
      await turns(1);
      expect(await rejectedBy(() => read.acquire())).toBeInstanceOf(DeadlockError);
      void waiting.then((held) => held.release());
    });
    await write.with(() => {});
  });

  it('is a deadlock to upgrade, and no deadlock to upgrade alone', async () => {
    const { read } = new RWLock(uniqueName());
    await read.with(async () => {
      await read.with(async (inner) => {
        expect(await rejectedBy(() => inner.upgrade())).toBeInstanceOf(DeadlockError);
        expect(inner.released).toBe(false);
      });
    });
    const other = await read.acquire();
    await read.with(async (share) => {
      const writer = share.upgrade();
      await turns(1);
      other.release();
      await writer;
      expect(await rejectedBy(() => read.acquire())).toBeInstanceOf(DeadlockError);
      (await writer).downgrade();
      await read.with(() => {});
    });
    expect(read.locked).toBe(false);
  });

  it('is no deadlock to upgrade anew after a downgrade', async () => {
    const { read, write } = new RWLock(uniqueName());
    const upgraded = async (share: ReadGuard) => {
      const other = await read.acquire();
      const writer = share.upgrade();
      await turns(1);
      other.release();
      return await writer;
    };
    await write.with(async (writer) => {
      await upgraded((await upgraded(writer.downgrade())).downgrade());
    });
    await read.with(async (share) => {
      await upgraded((await upgraded(share)).downgrade());
    });
    expect([read.locked, write.locked]).toEqual([false, false]);
  });
});

describe('a condition of a Lock', () => {
  it('is waited at and notified from inside of the with() that holds, and from nowhere else', async () => {
    const lock = new Lock(uniqueName());
    const condition = new Condition(lock);
    let end = () => {};
    const work = lock.with(async () => {
      expect(condition.notify()).toBe(0);
      await new Promise<void>((resolve) => {
        end = resolve;
      });
    });
    await turns(1);
    for (const verb of [() => condition.wait(), async () => condition.notify()]) {
      expect(await rejectedBy(verb)).toBeInstanceOf(NotHeldError);
    }
    end();
    await work;
  });

  it('gives up the lock meanwhile: another call from inside gets it', async () => {
    const lock = new Lock(uniqueName());
    const condition = new Condition(lock);
    await lock.with(async () => {
      const waiting = condition.wait();
      await lock.with(() => condition.notify());
      expect(await waiting).toBe(true);
      expect(await rejectedBy(() => lock.acquire())).toBeInstanceOf(DeadlockError);
    });
    expect(lock.locked).toBe(false);
  });
});
