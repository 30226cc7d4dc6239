import { getEventListeners, setMaxListeners } from 'node:events';
import { Barrier, Condition, Event, Lock, RWLock, Semaphore, SharedValue } from 'holdfast';
import { afterAll, describe, expect, it } from 'vitest';
import { INVALID, reasonOf, rejectedBy } from '../support/errors.js';
import { ownNamespace, uniqueName } from '../support/namespace.js';
import { turns } from '../support/promises.js';

ownNamespace('abort');

describe('an abort', () => {
  it('that came before rejects with the signal`s reason, and takes nothing', async () => {
    const lock = new Lock(uniqueName());
    for (const reason of [new Error('before'), 'a string', 0, { any: 'thing' }]) {
      const signal = AbortSignal.abort(reason);
      expect(await reasonOf(() => lock.acquire({ signal }))).toBe(reason);
      expect(await reasonOf(() => lock.with(() => 1, { signal }))).toBe(reason);
      expect(lock.locked).toBe(false);
    }
  });

  it('that came before goes before a time-out of 0', async () => {
    const lock = new Lock(uniqueName());
    const held = lock.acquireSync();
    const reason = new Error('before');
    const signal = AbortSignal.abort(reason);
    expect(await reasonOf(() => lock.acquire({ signal, timeout: 0 }))).toBe(reason);
    held.release();
  });

  it('without a reason rejects with the AbortError of the signal', async () => {
    const lock = new Lock(uniqueName());
    const held = lock.acquireSync();
    const controller = new AbortController();
    const reason = reasonOf(() => lock.acquire({ signal: controller.signal }));
    controller.abort();
    expect(await reason).toBe(controller.signal.reason);
    expect(await reason).toMatchObject({ name: 'AbortError' });
    held.release();
  });

  it('leaves the queue at once, while the holder still holds', async () => {
    const lock = new Lock(uniqueName());
    const held = lock.acquireSync();
    const controller = new AbortController();
    const ahead = reasonOf(() => lock.acquire({ signal: controller.signal }));
    const behind = lock.acquire();
    const reason = new Error('no longer wanted');
    controller.abort(reason);
    expect(await ahead).toBe(reason);
    expect(held.released).toBe(false);
    held.release();
    (await behind).release();
    expect(lock.locked).toBe(false);
  });

  it('of many waits by one signal rejects all, and spares the others', async () => {
    const lock = new Lock(uniqueName());
    const held = lock.acquireSync();
    const controller = new AbortController();
    const { signal } = controller;
    setMaxListeners(20, signal);
    const aborted = Array.from({ length: 20 }, () => reasonOf(() => lock.acquire({ signal })));
    const spared = lock.acquire();
    controller.abort(new Error('all of you'));
    expect(new Set(await Promise.all(aborted))).toEqual(new Set([signal.reason]));
    held.release();
    (await spared).release();
  });

  it('after the guard was given does nothing', async () => {
    const lock = new Lock(uniqueName());
    const controller = new AbortController();
    const held = await lock.acquire({ signal: controller.signal });
    controller.abort();
    await turns();
    expect(held.released).toBe(false);
    expect(lock.locked).toBe(true);
    held.release();
  });

  it('in the turn of the grant: a guard or a rejection, never both and never neither', async () => {
    const lock = new Lock(uniqueName());
    for (let i = 0; i < 200; i += 1) {
      const first = lock.acquireSync();
      const controller = new AbortController();
      const second = lock.acquire({ signal: controller.signal });
      const third = lock.acquire();
      const [outcome] = await Promise.all([
        second.then(
          (held) => held,
          (reason: unknown) => reason,
        ),
        (async () => {
          first.release();
          for (let step = 0; step < i % 5; step += 1) {
            await Promise.resolve();
          }
          controller.abort();
        })(),
      ]);
      if (outcome !== controller.signal.reason) {
        expect(outcome).toMatchObject({ released: false });
        lock.release();
      }
      (await third).release();
      expect(lock.locked).toBe(false);
    }
  });

  it('right after the release, when the grant came first, passes the lock on and rejects', async () => {
    const lock = new Lock(uniqueName());
    for (let i = 0; i < 50; i += 1) {
      const first = lock.acquireSync();
      const controller = new AbortController();
      const second = reasonOf(() => lock.acquire({ signal: controller.signal }));
      const third = lock.acquire();
      first.release();
      controller.abort();
      expect(await second).toBe(controller.signal.reason);
      (await third).release();
      expect(lock.locked).toBe(false);
    }
  });
});

describe('the listener on the signal is taken off', () => {
  const listeners = (signal: AbortSignal) => getEventListeners(signal, 'abort').length;

  it('after a grant, at once and after a wait', async () => {
    const lock = new Lock(uniqueName());
    const { signal } = new AbortController();
    const first = await lock.acquire({ signal });
    expect(listeners(signal)).toBe(0);
    const second = lock.acquire({ signal });
    expect(listeners(signal)).toBe(1);
    first.release();
    (await second).release();
    expect(listeners(signal)).toBe(0);
    await lock.with(() => {}, { signal });
    expect(listeners(signal)).toBe(0);
  });

  it('after a time-out and after an abort', async () => {
    const lock = new Lock(uniqueName());
    const held = lock.acquireSync();
    const timedOut = new AbortController();
    await rejectedBy(() => lock.acquire({ signal: timedOut.signal, timeout: 2 }));
    expect(listeners(timedOut.signal)).toBe(0);
    const aborted = new AbortController();
    const reason = reasonOf(() => lock.acquire({ signal: aborted.signal }));
    aborted.abort();
    await reason;
    expect(listeners(aborted.signal)).toBe(0);
    held.release();
  });
});

/** A wait of each class by a signal, which does not end by itself. All at nobody else's objects. */
function waits(): Record<string, (signal: AbortSignal) => Promise<unknown>> {
  const lock = new Lock();
  const semaphore = new Semaphore();
  const table = new RWLock();
  const held = [lock.acquireSync(), semaphore.acquireSync(), table.write.acquireSync()];
  afterAll(() => {
    for (const guard of held) guard.release();
  });
  const barrier = new Barrier(2);
  const [event, condition] = [new Event(), new Condition()];
  const value = new SharedValue(undefined, 'int32');
  return {
    'Lock.acquire': (signal) => lock.acquire({ signal }),
    'Lock.with': (signal) => lock.with(() => {}, { signal }),
    'Semaphore.acquire': (signal) => semaphore.acquire({ signal }),
    'RWLock.read.acquire': (signal) => table.read.acquire({ signal }),
    'Event.wait': (signal) => event.wait({ signal }),
    'Condition.wait': (signal) => condition.with(() => condition.wait({ signal })),
    'Barrier.wait': async (signal) => {
      barrier.reset();
      return barrier.wait({ signal });
    },
    'SharedValue.wait': (signal) => value.wait(0, { signal }),
  };
}

/** A signal that is an EventTarget and no AbortSignal, as a polyfill's. */
class OtherSignal extends EventTarget {
  aborted = false;
  reason: unknown;

  abort(reason: unknown): void {
    this.aborted = true;
    this.reason = reason;
    this.dispatchEvent(new globalThis.Event('abort'));
  }
}

describe('a signal of another make', () => {
  const all = waits();

  it.each(Object.keys(all))('that fires while the listener is added ends %s', async (verb) => {
    class Eager extends OtherSignal {
      override addEventListener(...args: Parameters<EventTarget['addEventListener']>): void {
        super.addEventListener(...args);
        this.abort('at once');
      }
    }
    expect(
      await reasonOf(() => all[verb]?.(new Eager() as unknown as AbortSignal) as Promise<unknown>),
    ).toBe('at once');
  });

  it.each(Object.keys(all))(
    'that is aborted before its listener is there ends %s',
    async (verb) => {
      class Early extends OtherSignal {
        override addEventListener(...args: Parameters<EventTarget['addEventListener']>): void {
          this.abort('before');
          super.addEventListener(...args);
        }
      }
      expect(
        await reasonOf(
          () => all[verb]?.(new Early() as unknown as AbortSignal) as Promise<unknown>,
        ),
      ).toBe('before');
    },
  );

  it.each(Object.keys(all))(
    'that takes no listener is an error of %s, which leaves no wait',
    async (verb) => {
      const failure = new Error('no listeners here');
      class Deaf extends OtherSignal {
        override addEventListener(): void {
          throw failure;
        }
      }
      const wait = all[verb] as (signal: AbortSignal) => Promise<unknown>;
      expect(await reasonOf(() => wait(new Deaf() as unknown as AbortSignal))).toBe(failure);
      // As good as new: the next wait is the object's only one, and ends by its own signal.
      const next = new OtherSignal();
      const waiting = reasonOf(() => wait(next as unknown as AbortSignal));
      await turns();
      next.abort('the next');
      expect(await waiting).toBe('the next');
    },
  );

  it('that takes no listener leaves nobody who would be given what is released next', async () => {
    const lock = new Lock();
    const semaphore = new Semaphore();
    const deaf = Object.assign(new OtherSignal(), {
      addEventListener() {
        throw new Error('no listeners here');
      },
    }) as unknown as AbortSignal;
    const [held, permit] = [lock.acquireSync(), semaphore.acquireSync()];
    await rejectedBy(() => lock.acquire({ signal: deaf }));
    await rejectedBy(() => semaphore.acquire({ signal: deaf }));
    held.release();
    permit.release();
    expect(lock.locked).toBe(false);
    expect(semaphore.available).toBe(1);
  });

  it('that takes no listener breaks no barrier', async () => {
    const barrier = new Barrier(2);
    const other = barrier.wait();
    const deaf = Object.assign(new OtherSignal(), {
      addEventListener() {
        throw new Error('no listeners here');
      },
    });
    await rejectedBy(() => barrier.wait({ signal: deaf as unknown as AbortSignal }));
    expect(barrier.broken).toBe(false);
    expect(await barrier.wait()).toBe(1);
    expect(await other).toBe(0);
  });

  it('that does not let go of its listener harms nobody', async () => {
    const lock = new Lock();
    const clinging = Object.assign(new OtherSignal(), {
      removeEventListener() {
        throw new Error('never');
      },
    });
    const held = lock.acquireSync();
    const waiting = lock.acquire({ signal: clinging as unknown as AbortSignal });
    held.release();
    (await waiting).release();
    clinging.abort('too late');
    expect(lock.locked).toBe(false);
  });

  it.each(['addEventListener', 'removeEventListener'])(
    'without %s is refused, before anything has changed',
    async (method) => {
      const lock = new Lock();
      const half = { aborted: false, addEventListener() {}, removeEventListener() {} };
      const signal = { ...half, [method]: undefined } as unknown as AbortSignal;
      const error = await rejectedBy(() => lock.acquire({ signal }));
      expect(error).toBeInstanceOf(TypeError);
      expect(error.code).toBe(INVALID);
      expect(error.message).toMatch('"signal" of acquire() must be an AbortSignal');
      expect(lock.locked).toBe(false);
    },
  );
});
