import { Condition, DeadlockError, type LockGuard, NotHeldError, RLock } from 'holdfast';
import { describe, expect, it } from 'vitest';
import { isContextFree, scopes } from '../../dist/scope.js';
import { rejectedBy, thrownBy } from '../support/errors.js';
import { ownNamespace, uniqueName } from '../support/namespace.js';
import { turns, watch } from '../support/promises.js';

ownNamespace('rlock-tasks');

const takes: [string, (lock: RLock) => LockGuard | null][] = [
  ['tryAcquire', (lock) => lock.tryAcquire()],
  ['acquireSync', (lock) => lock.acquireSync()],
];

describe.each(takes)('an RLock that %s took and that is held across an await', (_, take) => {
  it('belongs to its guard: a sync verb of another task does not enter', async () => {
    const lock = new RLock(uniqueName());
    const held = take(lock);
    const other = async () => {
      expect(lock.tryAcquire()).toBeNull();
      for (const enter of [() => lock.acquireSync(), () => lock.withSync(() => {})]) {
        expect(thrownBy(enter)).toBeInstanceOf(DeadlockError);
      }
      expect(thrownBy(() => lock.acquireSync({ timeout: 0 })).code).toBe('ERR_HOLDFAST_TIMEOUT');
      expect(lock.depth).toBe(1);
    };
    await Promise.resolve().then(other);
    await turns(1);
    await other();
    await new Promise<void>((resolve, reject) => {
      setImmediate(() => other().then(resolve, reject));
    });
    held?.release();
    expect(lock.locked).toBe(false);
    lock.acquireSync().release();
  });

  const settled = Promise.resolve();
  type Call = [string, (piece: () => void) => unknown];
  const calls: Call[] = [
    [
      'the rests of async functions',
      async (piece) => {
        await null;
        piece();
      },
    ],
    ['reactions of one promise', (piece) => settled.then(piece)],
    ['thenables', (piece) => Promise.resolve(Object.fromEntries([['then', piece]]))],
    // Node.js 24 gives them no async id of their own.
    ...(isContextFree
      ? []
      : [['callbacks of queueMicrotask()', (piece) => queueMicrotask(piece)] as Call]),
    ['callbacks of nextTick()', (piece) => process.nextTick(piece)],
  ];
  it.each(calls)(
    'is had by one of three pieces of code that are called one after the other: %s',
    async (_, call) => {
      const lock = new RLock(uniqueName());
      const held: LockGuard[] = [];
      let refused = 0;
      const piece = () => {
        try {
          const guard = take(lock);
          if (guard === null) refused += 1;
          else held.push(guard);
        } catch {
          refused += 1;
        }
      };
      await turns(1);
      for (let i = 0; i < 3; i++) call(piece);
      await turns(1);
      expect([held.length, refused, lock.depth]).toEqual([1, 2, 1]);
      held[0]?.release();
    },
  );

  const starts: [string, () => Promise<unknown>][] = [
    ['side by side', () => Promise.resolve()],
    ['from one queue of microtasks', async () => null],
    ['in turns of their own', () => turns(1)],
  ];
  it.each(starts)(
    'lets one of three tasks in at a time that are started %s',
    async (way, start) => {
      const lock = new RLock(uniqueName());
      let inside = 0;
      let most = 0;
      let refused = 0;
      const over = turns(5); // native and pending: to await it makes the fewest promises
      const task = async () => {
        if (way !== 'side by side') await start();
        let held: LockGuard | null = null;
        try {
          held = take(lock);
        } catch (error) {
          expect(error).toBeInstanceOf(DeadlockError);
        }
        if (held === null) {
          refused += 1;
          return;
        }
        inside += 1;
        most = Math.max(most, inside);
        await over;
        inside -= 1;
        held.release();
      };
      await Promise.all([task(), task(), task()]);
      expect([most, refused]).toEqual([1, 2]);
      expect(lock.locked).toBe(false);
    },
  );

  it('is not entered by the task that took it either, once it has awaited', async () => {
    const lock = new RLock(uniqueName());
    const held = take(lock);
    await null;
    expect(lock.tryAcquire()).toBeNull();
    expect(thrownBy(() => lock.acquireSync()).message).toMatch(/with\(\)/);
    lock.release();
    expect(held?.released).toBe(true);
  });

  it('is entered again in the same run, by microtasks in between not', async () => {
    const lock = new RLock(uniqueName());
    const guards = [take(lock), take(lock), lock.tryAcquire()];
    expect(lock.depth).toBe(3);
    await null;
    expect(lock.tryAcquire()).toBeNull();
    for (const held of guards) held?.release();
    const again = take(lock);
    expect(lock.tryAcquire()).not.toBeNull();
    lock.release();
    again?.release();
    expect(lock.locked).toBe(false);
  });

  it('keeps its levels over waitSync() in the run, and is its guard`s after wait()', async () => {
    const lock = new RLock(uniqueName());
    const condition = new Condition(lock);
    const held = take(lock);
    condition.waitSync({ timeout: 1 });
    lock.acquireSync().release();
    expect(await condition.wait({ timeout: 1 })).toBe(false);
    expect([held?.released, lock.depth]).toEqual([false, 1]);
    expect(lock.tryAcquire()).toBeNull();
    held?.release();
  });
});

it('an RLock that a sync verb took is not entered again once a promise was made; a withSync() is, from inside', () => {
  const lock = new RLock(uniqueName());
  const held = lock.acquireSync();
  void (async () => {})();
  expect(lock.tryAcquire()).toBeNull();
  expect(thrownBy(() => lock.acquireSync())).toBeInstanceOf(DeadlockError);
  held.release();
  lock.withSync(() => {
    void (async () => {})();
    expect(lock.withSync(() => lock.acquireSync().released)).toBe(false);
    lock.release();
  });
  expect(lock.locked).toBe(false);
});

it('what was taken inside a withSync() and is kept belongs to its guard', () => {
  const lock = new RLock(uniqueName());
  const kept = lock.withSync(() => lock.acquireSync());
  expect(lock.tryAcquire()).toBeNull();
  kept.release();
  expect(lock.locked).toBe(false);
});

it('a withSync() is entered again from inside, and has ended before anybody else runs', async () => {
  const lock = new RLock(uniqueName());
  const tasks = Array.from({ length: 3 }, async () => {
    await null;
    return lock.withSync(() => lock.withSync(() => lock.depth));
  });
  expect(await Promise.all(tasks)).toEqual([2, 2, 2]);
});

it('close() is refused while another task holds by with(), and the depth is that task`s', async () => {
  const lock = new RLock(uniqueName());
  let end = () => {};
  const work = lock.with(() => {
    const inner = lock.acquireSync();
    return new Promise<void>((resolve) => {
      end = () => {
        inner.release();
        resolve();
      };
    });
  });
  await turns(1);
  expect(lock.depth).toBe(2);
  expect(thrownBy(() => lock.close()).code).toBe('ERR_HOLDFAST_HELD');
  expect(thrownBy(() => lock.release())).toBeInstanceOf(NotHeldError);
  end();
  await work;
  expect(lock.depth).toBe(0);
  lock.close();
});

describe('a condition of an RLock', () => {
  it('is not waited at, nor notified, by a task that does not hold', async () => {
    const condition = new Condition();
    const { lock } = condition;
    let end = () => {};
    const work = lock.with(
      () =>
        new Promise<void>((resolve) => {
          end = resolve;
        }),
    );
    await turns(1);
    for (const verb of [
      () => condition.wait({ timeout: 1 }),
      () => condition.waitFor(() => true),
      async () => condition.waitSync({ timeout: 1 }),
      async () => condition.notify(),
    ]) {
      expect(await rejectedBy(verb)).toBeInstanceOf(NotHeldError);
    }
    expect(lock.locked).toBe(true);
    end();
    await work;
  });

  it('gives up a with() for its wait, and no stranger`s release() touches it', async () => {
    const condition = new Condition();
    const lock = condition.lock as RLock;
    const waiting = lock.with(async (held) => {
      expect(await condition.wait()).toBe(true);
      expect(held.released).toBe(false);
      expect(lock.depth).toBe(1);
    });
    await turns(1);
    expect(thrownBy(() => lock.release())).toBeInstanceOf(NotHeldError);
    const other = lock.acquireSync();
    expect(condition.notify()).toBe(1);
    lock.release();
    expect(other.released).toBe(true);
    await waiting;
    expect(lock.locked).toBe(false);
  });
});

describe('the scopes around the running code', () => {
  const around = () => {
    let count = 0;
    for (let scope = scopes.getStore(); scope !== undefined; scope = scope.outer) count += 1;
    return count;
  };

  it('are those that have not ended, where each with() starts the next', async () => {
    const lock = new RLock(uniqueName());
    const counts: number[] = [];
    await new Promise<void>((resolve, reject) => {
      const step = (left: number) => {
        if (left === 0) return resolve();
        lock
          .with(() => {
            counts.push(around());
            // Inside as the context has it, and after the end of this with().
            setImmediate(step, left - 1);
          })
          .catch(reject);
      };
      step(200);
    });
    expect(new Set(counts)).toEqual(new Set([1]));
  });

  it('are dropped also from between two that live', async () => {
    const locks = [new RLock(uniqueName()), new RLock(uniqueName())];
    let most = 0;
    // Hand over hand: the next one is taken before this one is given up.
    await new Promise<void>((resolve, reject) => {
      const step = (left: number) => {
        const lock = locks[left % 2] as RLock;
        lock
          .with(async () => {
            most = Math.max(most, around());
            if (left === 0) return resolve();
            await new Promise<void>((next) => {
              setImmediate(() => {
                step(left - 1);
                setImmediate(next);
              });
            });
          })
          .catch(reject);
      };
      step(200);
    });
    expect(most).toBeLessThanOrEqual(3);
  });

  it('nest as deep as the calls do', async () => {
    const [one, two] = [new RLock(uniqueName()), new RLock(uniqueName())];
    await one.with(() =>
      two.with(() =>
        one.with(async () => {
          await turns(1);
          expect(around()).toBe(2);
          expect([one.depth, two.depth]).toEqual([2, 1]);
        }),
      ),
    );
  });
});

it('work that was started under a hold and enters after it is a new acquirer', async () => {
  const lock = new RLock(uniqueName());
  let late: Promise<LockGuard> | undefined;
  await lock.with(() => {
    late = turns(2).then(() => lock.acquire());
  });
  const between = await lock.acquire();
  const watched = watch(late as Promise<LockGuard>);
  await turns();
  expect(watched.state).toBe('pending');
  between.release();
  (await late)?.release();
});
