import { mock } from 'node:test';
import { Lock, Semaphore, TimeoutError } from 'holdfast';
import { NamedSemaphore } from 'holdfast/posix';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { rejectedBy } from '../support/errors.js';
import { ownNamespace, uniqueName } from '../support/namespace.js';
import { posixName } from '../support/posix-name.js';

ownNamespace('fake-timers');

const fakes = {
  // As of Jest and Sinon: vitest's are Sinon's.
  'vi.useFakeTimers()': {
    install: () =>
      vi.useFakeTimers({ now: 0, toFake: ['setTimeout', 'clearTimeout', 'setImmediate', 'Date'] }),
    uninstall: () => vi.useRealTimers(),
  },
  'vi.useFakeTimers() of everything': {
    install: () =>
      vi.useFakeTimers({
        now: 0,
        toFake: [
          'setTimeout',
          'clearTimeout',
          'setImmediate',
          'Date',
          'performance',
          'queueMicrotask',
        ],
      }),
    uninstall: () => vi.useRealTimers(),
  },
  'mock.timers of node:test': {
    install: () =>
      mock.timers.enable({ apis: ['setTimeout', 'setImmediate', 'setInterval', 'Date'] }),
    uninstall: () => mock.timers.reset(),
  },
};

describe.each(Object.entries(fakes))('under %s', (_, { install, uninstall }) => {
  afterEach(uninstall);

  it('a chain of with() goes on', async () => {
    const lock = new Lock(uniqueName());
    install();
    let rounds = 0;
    const work = async () => {
      for (let i = 0; i < 20_000; i += 1) await lock.with(() => ++rounds);
    };
    await Promise.all([work(), work()]);
    expect(rounds).toBe(40_000);
  });

  it('time-outs go by the real clock', async () => {
    const [lock, semaphore] = [new Lock(uniqueName()), new Semaphore(uniqueName())];
    const held = [lock.acquireSync(), semaphore.acquireSync()];
    install();
    const errors = [
      await rejectedBy(() => lock.acquire({ timeout: 5 })),
      await rejectedBy(() => semaphore.acquire({ timeout: 5 })),
    ];
    for (const error of errors) expect(error).toBeInstanceOf(TimeoutError);
    for (const guard of held) guard.release();
  });

  it('a promise of a NamedSemaphore looks again, and has its time-out', async () => {
    const name = posixName();
    const [one, other] = [new NamedSemaphore(name), new NamedSemaphore(name)];
    install();
    const waiting = one.wait();
    other.post();
    await waiting;
    expect(await rejectedBy(() => one.wait({ timeout: 5 }))).toBeInstanceOf(TimeoutError);
    one.close();
    other.close();
  });

  it('a holder holds since a real time', () => {
    const lock = new Lock(uniqueName());
    const before = Date.now();
    install();
    const held = lock.acquireSync();
    expect(lock.holder?.since.getTime()).toBeGreaterThanOrEqual(before - 5);
    held.release();
  });

  it('an abort while the listener is added is seen', async () => {
    const lock = new Lock(uniqueName());
    const held = lock.acquireSync();
    const controller = new AbortController();
    const { signal } = controller;
    const add = signal.addEventListener.bind(signal);
    signal.addEventListener = (...args: Parameters<typeof add>) => {
      add(...args);
      controller.abort(new Error('at once'));
    };
    install();
    expect(await rejectedBy(() => lock.acquire({ signal }))).toBe(signal.reason);
    held.release();
  });
});
