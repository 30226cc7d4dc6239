import {
  acquireAll,
  acquireAllSync,
  DeadlockError,
  Lock,
  type Lockable,
  NotHeldError,
  RLock,
  RWLock,
  Semaphore,
  TimeoutError,
  withAll,
  withAllSync,
} from 'holdfast';
import { describe, expect, it } from 'vitest';
import { INVALID, reasonOf, rejectedBy, thrownBy } from '../support/errors.js';
import { ownNamespace, uniqueName } from '../support/namespace.js';
import { turns, watch } from '../support/promises.js';

ownNamespace('with-all');

const lock = () => new Lock(uniqueName());

/** One of each kind, and how many of them are held. */
function family() {
  const objects = {
    write: new RWLock(uniqueName()),
    semaphore: new Semaphore(uniqueName(), 2),
    rlock: new RLock(uniqueName()),
    lock: lock(),
    read: new RWLock(uniqueName()),
  };
  const { write, semaphore, rlock, lock: plain, read } = objects;
  return {
    ...objects,
    all: [write.write, semaphore, rlock, plain, read.read] as const,
    held: () => [
      write.write.locked,
      semaphore.available === 1,
      rlock.locked,
      plain.locked,
      read.read.locked,
    ],
  };
}

const ALL = [true, true, true, true, true];
const NONE = [false, false, false, false, false];

describe('all of every kind', () => {
  it('are held by acquireAll() until release()', async () => {
    const { all, held } = family();
    const guard = await acquireAll(all);
    expect([held(), guard.released]).toEqual([ALL, false]);
    guard.release();
    expect([held(), guard.released]).toEqual([NONE, true]);
    expect(thrownBy(() => guard.release())).toBeInstanceOf(NotHeldError);
    guard[Symbol.dispose]();
    await guard[Symbol.asyncDispose]();
  });

  it('are held by acquireAllSync() until disposal', () => {
    const { all, held } = family();
    {
      using _guard = acquireAllSync(all);
      expect(held()).toEqual(ALL);
    }
    expect(held()).toEqual(NONE);
  });

  it('are held by withAll() and withAllSync() while the function works', async () => {
    const { all, held } = family();
    expect(await withAll(all, async () => held())).toEqual(ALL);
    expect(held()).toEqual(NONE);
    expect(withAllSync(all, held)).toEqual(ALL);
    expect(held()).toEqual(NONE);
  });

  it('are released when the function throws, and its error comes through', async () => {
    const { all, held } = family();
    const own = new TimeoutError('of the work');
    const fail = () => {
      throw own;
    };
    expect(await reasonOf(() => withAll(all, fail))).toBe(own);
    expect(thrownBy(() => withAllSync(all, fail))).toBe(own);
    expect(thrownBy(() => withAllSync(all, (async () => {}) as never))).toBeInstanceOf(TypeError);
    expect(held()).toEqual(NONE);
  });

  it('may be none', async () => {
    expect(await withAll([], (guards) => guards.length)).toBe(0);
    (await acquireAll([])).release();
  });
});

describe('the guards', () => {
  it('come in the order in which the objects were given', async () => {
    const { all, write, semaphore, rlock, lock: plain, read } = family();
    const check = (guards: readonly { release(): void }[]) => {
      for (const object of [write.write, semaphore, rlock, plain, read.read]) {
        const isHeld = () =>
          object instanceof Semaphore ? object.available === 1 : (object as Lock).locked;
        expect(isHeld()).toBe(true);
        guards[(all as readonly unknown[]).indexOf(object)]?.release();
        expect(isHeld()).toBe(false);
      }
    };
    await withAll(all, check);
    withAllSync(all, check);
    check((await acquireAll(all)).guards);
    check(acquireAllSync(all).guards);
  });
});

describe('the order of taking', () => {
  it('is the same whatever order is given: two crossing callers never deadlock', async () => {
    const [a, b] = [lock(), lock()];
    let inside = 0;
    const work = async () => {
      inside += 1;
      await turns(1);
      expect(inside).toBe(1);
      inside -= 1;
    };
    const rounds = Array.from({ length: 50 }, (_, i) => withAll(i % 2 ? [a, b] : [b, a], work));
    await Promise.all(rounds);
    expect([a.locked, b.locked]).toEqual([false, false]);
  });

  it('is by kind and name', async () => {
    const { all, lock: plain, semaphore } = family();
    const held = plain.acquireSync();
    const wait = acquireAll(all);
    await turns();
    expect(semaphore.available).toBe(2);
    held.release();
    (await wait).release();
    const [b, a] = [new Lock(uniqueName('b')), new Lock(uniqueName('a'))];
    const first = a.acquireSync();
    const both = acquireAll([b, a]);
    await turns();
    expect(b.locked).toBe(false);
    first.release();
    (await both).release();
  });
});

describe('all or none', () => {
  it('on time-out, which says what was not to be had', async () => {
    const { all, held, write } = family();
    const other = write.read.acquireSync();
    const start = performance.now();
    for (const error of [
      await rejectedBy(() => acquireAll(all, { timeout: 30 })),
      await rejectedBy(() => withAll(all, () => {}, { timeout: 30 })),
      await rejectedBy(() => acquireAll(all, { timeout: 0 })),
      thrownBy(() => acquireAllSync(all, { timeout: 0 })),
      thrownBy(() => withAllSync(all, () => {}, { timeout: -1 })),
    ]) {
      expect(error).toBeInstanceOf(TimeoutError);
      expect(error.message).toContain(write.name);
      expect(error.message).toContain('5 objects');
      expect(held()).toEqual(NONE);
    }
    expect(performance.now() - start).toBeGreaterThanOrEqual(58);
    other.release();
  });

  it('under one time-out for all of them together', async () => {
    const [a, b] = [new Lock(uniqueName('a')), new Lock(uniqueName('b'))];
    const [heldA, heldB] = [a.acquireSync(), b.acquireSync()];
    const order: string[] = [];
    const start = performance.now();
    const both = rejectedBy(() => acquireAll([a, b], { timeout: 400 }));
    const first = both.then((error) => {
      expect(error).toBeInstanceOf(TimeoutError);
      expect(performance.now() - start).toBeGreaterThanOrEqual(399);
      order.push('both');
    });
    // What is left for b is less than this, which begins when a has come.
    const second = new Promise<void>((resolve) => {
      setTimeout(() => {
        heldA.release();
        rejectedBy(() => b.acquire({ timeout: 300 })).then(() => {
          order.push('b');
          resolve();
        });
      }, 300);
    });
    await Promise.all([first, second]);
    expect(order).toEqual(['both', 'b']);
    expect(a.locked).toBe(false);
    heldB.release();
  });

  it('on abort, before and later', async () => {
    const { all, held, write } = family();
    expect(await reasonOf(() => acquireAll(all, { signal: AbortSignal.abort(1) }))).toBe(1);
    expect(await reasonOf(() => withAll([], () => {}, { signal: AbortSignal.abort(2) }))).toBe(2);
    const other = write.read.acquireSync();
    for (const run of [
      (signal: AbortSignal) => acquireAll(all, { signal }),
      (signal: AbortSignal) => withAll(all, () => {}, { signal }),
    ]) {
      const abort = new AbortController();
      const wait = run(abort.signal);
      watch(wait);
      await turns();
      expect(held()).not.toEqual(NONE);
      abort.abort('enough');
      expect(await reasonOf(() => wait)).toBe('enough');
      expect(held()).toEqual(NONE);
    }
    other.release();
  });

  it('where a blocking wait would be for ever', () => {
    const { all, held, lock: plain } = family();
    const own = plain.acquireSync();
    expect(thrownBy(() => acquireAllSync(all))).toBeInstanceOf(DeadlockError);
    own.release();
    expect(held()).toEqual(NONE);
  });

  it('where one of them is closed', async () => {
    const { all, held, write } = family();
    write.close();
    expect((await rejectedBy(() => acquireAll(all))).code).toBe('ERR_HOLDFAST_CLOSED');
    expect(held).toThrow();
    expect(all[3].locked).toBe(false);
  });
});

describe('an RLock among them', () => {
  it('can be entered again from the work', async () => {
    const [a, b] = [new RLock(uniqueName()), lock()];
    await withAll([a, b], async () => {
      await a.with(() => expect(a.depth).toBe(2));
    });
    withAllSync([b, a], () => a.withSync(() => expect(a.depth).toBe(2)));
    withAllSync([b, a], () => {
      void Promise.resolve().then(); // a promise ends a run, and no withAllSync()
      a.withSync(() => expect(a.depth).toBe(2));
      expect(a.acquireSync().released).toBe(false);
      a.release();
    });
    await a.with(() => withAll([b, a], () => expect(a.depth).toBe(2)));
    expect(a.locked).toBe(false);
  });
});

describe('arguments', () => {
  const run = (objects: unknown) => [
    () => acquireAll(objects as Lockable[]),
    () => withAll(objects as Lockable[], () => {}),
    async () => acquireAllSync(objects as Lockable[]),
    async () => withAllSync(objects as Lockable[], () => {}),
  ];

  it('refuse the same object twice, also by two instances, and both sides of an RWLock', async () => {
    const a = lock();
    const rw = new RWLock(uniqueName());
    const s = new Semaphore(uniqueName(), 5);
    for (const objects of [
      [a, a],
      [a, lock(), new Lock(a.name)],
      [s, s],
      [rw.read, rw.write],
    ]) {
      for (const call of run(objects)) {
        const error = await rejectedBy(call);
        expect(error).toBeInstanceOf(RangeError);
        expect(error.code).toBe(INVALID);
        expect(error.message).toContain((objects[0] as Lock).name);
      }
    }
    expect([a.locked, s.available, rw.readers]).toEqual([false, 5, 0]);
  });

  it('refuse what is no lock', async () => {
    const rw = new RWLock(uniqueName());
    for (const objects of [undefined, lock(), [lock(), 5], [null], [rw], [{}]]) {
      for (const call of run(objects)) {
        const error = await rejectedBy(call);
        expect(error).toBeInstanceOf(TypeError);
        expect(error.code).toBe(INVALID);
      }
    }
    expect((await rejectedBy(() => acquireAll([rw] as never))).message).toContain(
      '.read or .write',
    );
  });

  it('refuse bad options and no function', async () => {
    const objects = [lock()];
    expect(await rejectedBy(() => withAll(objects, 5 as never))).toBeInstanceOf(TypeError);
    expect(thrownBy(() => withAllSync(objects, undefined as never))).toBeInstanceOf(TypeError);
    const timeout = Number.NaN;
    expect(await rejectedBy(() => acquireAll(objects, { timeout }))).toBeInstanceOf(TypeError);
    const { signal } = new AbortController();
    const error = thrownBy(() => acquireAllSync(objects, { signal } as never));
    expect(error).toBeInstanceOf(TypeError);
  });
});
