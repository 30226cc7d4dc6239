import {
  Lock,
  NotHeldError,
  type ReadSide,
  RLock,
  RWLock,
  Semaphore,
  type WriteSide,
  withAll,
  withAllSync,
} from 'holdfast';
import { describe, expect, it } from 'vitest';
import { thrownBy } from '../support/errors.js';
import { ownNamespace, uniqueName } from '../support/namespace.js';
import { turns, watch } from '../support/promises.js';

ownNamespace('who-releases');

type Held = { released: boolean; release(): void };
type Releasable = Lock | RLock | Semaphore | ReadSide | WriteSide;

const kinds: [string, () => Releasable][] = [
  ['Lock', () => new Lock(uniqueName())],
  ['RLock', () => new RLock(uniqueName())],
  ['Semaphore', () => new Semaphore(uniqueName(), 1)],
  ['read side', () => new RWLock(uniqueName()).read],
  ['write side', () => new RWLock(uniqueName()).write],
];

/** A gate for the work under a hold: it ends when the test says so. */
function gate() {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { open, opened };
}

describe.each(kinds)('release() of a %s', (_, make) => {
  it('by another task does not end a with()', async () => {
    const lock = make();
    const { open, opened } = gate();
    let guard: Held | undefined;
    const work = lock.with(async (held: Held) => {
      guard = held;
      await opened;
    });
    await turns();
    const error = thrownBy(() => lock.release());
    expect(error).toBeInstanceOf(NotHeldError);
    expect(error.message).toMatch(/with\(\)/);
    expect(guard?.released).toBe(false);
    expect(isHeld(lock)).toBe(true);
    open();
    await work;
    expect(isHeld(lock)).toBe(false);
  });

  it('does not end a with() that was granted and has not begun yet', async () => {
    const lock = make();
    const blocker = await blockerOf(lock);
    const { open, opened } = gate();
    let isInside = false;
    const work = lock.with(async () => {
      isInside = true;
      await opened;
    });
    blocker.release();
    // A side or a permit comes by the loop, a lock in the same breath: at each step it is held or not yet had.
    while (!isInside) {
      expect(thrownBy(() => lock.release())).toBeInstanceOf(NotHeldError);
      await null;
      if (!isHeld(lock)) await turns(1);
    }
    expect(isHeld(lock)).toBe(true);
    open();
    await work;
    expect(isHeld(lock)).toBe(false);
  });

  it('within a with() or withSync() is refused, and the guard does it', async () => {
    const lock = make();
    await lock.with((held: Held) => {
      expect(thrownBy(() => lock.release()).message).toMatch(/use its guard/);
      expect(isHeld(lock)).toBe(true);
      held.release();
      expect(isHeld(lock)).toBe(false);
    });
    lock.withSync((held: Held) => {
      expect(thrownBy(() => lock.release())).toBeInstanceOf(NotHeldError);
      held.release();
      expect(isHeld(lock)).toBe(false);
    });
  });

  it('within withAll() or withAllSync() is refused', async () => {
    const lock = make();
    await withAll([lock], ([held]) => {
      expect(thrownBy(() => lock.release())).toBeInstanceOf(NotHeldError);
      expect(held.released).toBe(false);
    });
    withAllSync([lock], ([held]) => {
      expect(thrownBy(() => lock.release())).toBeInstanceOf(NotHeldError);
      expect(held.released).toBe(false);
    });
    expect(isHeld(lock)).toBe(false);
  });

  it('gives back what each bare acquire took', async () => {
    const lock = make();
    for (const take of [() => lock.acquire(), () => lock.acquireSync(), () => lock.tryAcquire()]) {
      const held = await take();
      lock.release();
      expect(held?.released).toBe(true);
      expect(isHeld(lock)).toBe(false);
      expect(thrownBy(() => lock.release())).toBeInstanceOf(NotHeldError);
    }
  });
});

function isHeld(lock: Releasable): boolean {
  return lock instanceof Semaphore ? lock.available === 0 : lock.locked;
}

/** What keeps `lock` from being had: a guard of it, or for a read side of the other. */
async function blockerOf(lock: Releasable): Promise<Held> {
  const isRead =
    !(lock instanceof Semaphore) && 'name' in lock && lock.constructor.name === 'ReadSide';
  return isRead ? new RWLock(lock.name).write.acquire() : lock.acquire();
}

describe('an RLock', () => {
  it('held by a with() is not released from outside, whatever its levels are', async () => {
    const lock = new RLock(uniqueName());
    const { open, opened } = gate();
    const work = lock.with(async () => {
      const bare = await lock.acquire();
      await opened;
      expect(bare.released).toBe(false);
      lock.release();
      expect(bare.released).toBe(true);
    });
    await turns();
    expect(thrownBy(() => lock.release())).toBeInstanceOf(NotHeldError);
    expect(lock.depth).toBe(2);
    open();
    await work;
    expect(lock.locked).toBe(false);
  });

  it('two tasks are never inside, though a third one releases what it does not hold', async () => {
    const lock = new RLock(uniqueName());
    let inside = 0;
    let most = 0;
    const work = () =>
      lock.with(async () => {
        inside += 1;
        most = Math.max(most, inside);
        await turns(3);
        inside -= 1;
      });
    const stranger = async () => {
      for (let i = 0; i < 5; i += 1) {
        expect(thrownBy(() => lock.release())).toBeInstanceOf(NotHeldError);
        await turns(1);
      }
    };
    const first = work();
    await turns(1);
    await Promise.all([first, work(), work(), stranger()]);
    expect(most).toBe(1);
  });

  it('releases by release() the innermost level of a bare acquire, not that of a withSync()', () => {
    const lock = new RLock(uniqueName());
    const outer = lock.acquireSync();
    lock.withSync((held) => {
      lock.release();
      expect([outer.released, held.released]).toEqual([true, false]);
      expect(thrownBy(() => lock.release())).toBeInstanceOf(NotHeldError);
      expect(lock.depth).toBe(1);
    });
    expect(lock.locked).toBe(false);
  });
});

describe('permits', () => {
  it('of another task are not given back by a guard whose own were released by hand', async () => {
    const s = new Semaphore(uniqueName(), 2);
    const mine = await s.acquire();
    const others = await s.acquire();
    s.release();
    expect(mine.released).toBe(true);
    expect(others.released).toBe(false);
    mine[Symbol.dispose]();
    expect(s.available).toBe(1);
    expect(thrownBy(() => mine.release())).toBeInstanceOf(NotHeldError);
    expect(s.available).toBe(1);
    others.release();
    expect(s.available).toBe(2);
  });

  it('of a with() are not given back by release(), which says whose they are', async () => {
    const s = new Semaphore(uniqueName(), 5);
    await s.with(
      (held) => {
        using bare = s.acquireSync(1);
        const error = thrownBy(() => s.release(2));
        expect(error).toBeInstanceOf(NotHeldError);
        expect(error.message).toMatch(/holds 4, of which 3 by a with\(\)/);
        expect([held.released, bare.released, s.available]).toEqual([false, false, 1]);
        s.release();
        expect([held.released, bare.released, s.available]).toEqual([false, true, 2]);
      },
      { permits: 3 },
    );
    expect(s.available).toBe(5);
  });

  it('are given back by hand from the oldest guard on, and the rest of it by the next release', () => {
    const s = new Semaphore(uniqueName(), 9);
    const [two, three, four] = [s.acquireSync(2), s.acquireSync(3), s.acquireSync(4)];
    const over = () => [two.released, three.released, four.released];
    s.release(3);
    expect([over(), s.available]).toEqual([[true, true, false], 3]);
    s.release(2);
    expect([over(), s.available]).toEqual([[true, true, false], 5]);
    four.release();
    expect(s.available).toBe(9);
    expect(thrownBy(() => s.release())).toBeInstanceOf(NotHeldError);
    expect(s.available).toBe(9);
  });

  it('keep count beside guards that end by themselves', () => {
    const s = new Semaphore(uniqueName(), 3);
    const [first, second] = [s.acquireSync(), s.acquireSync()];
    first.release();
    expect(thrownBy(() => s.release(2))).toBeInstanceOf(NotHeldError);
    s.release();
    expect([second.released, s.available]).toEqual([true, 3]);
    s.close();
  });

  it('that were granted and aborted in the same breath are not there to release', async () => {
    const s = new Semaphore(uniqueName(), 1);
    const abort = new AbortController();
    const wait = watch(s.acquire({ signal: abort.signal }));
    abort.abort();
    await turns();
    expect(wait.state).toBe('rejected');
    expect(thrownBy(() => s.release())).toBeInstanceOf(NotHeldError);
    expect(s.available).toBe(1);
  });
});

describe('an RWLock', () => {
  it('upgraded or downgraded in a with() is still that with()`s', async () => {
    const { read, write } = new RWLock(uniqueName());
    await read.with(async (share) => {
      const writer = await share.upgrade();
      expect(thrownBy(() => write.release())).toBeInstanceOf(NotHeldError);
      writer.downgrade();
      expect(thrownBy(() => read.release())).toBeInstanceOf(NotHeldError);
      expect(read.locked).toBe(true);
    });
    expect(read.locked).toBe(false);
  });

  it('gives back by read.release() the last share that a bare acquire took', async () => {
    const rw = new RWLock(uniqueName());
    const [first, second] = [rw.read.acquireSync(), rw.read.acquireSync()];
    await rw.read.with((share) => {
      rw.read.release();
      expect([first.released, second.released, share.released]).toEqual([false, true, false]);
      rw.read.release();
      expect(first.released).toBe(true);
      expect(rw.readers).toBe(1);
    });
  });
});
