import { getEventListeners, setMaxListeners } from 'node:events';
import { Lock } from 'holdfast';
import { describe, expect, it } from 'vitest';
import { reasonOf, rejectedBy } from '../support/errors.js';
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
