import { Lock, type LockGuard } from 'holdfast';
import { expect, it } from 'vitest';
import { reasonOf, rejectedBy } from '../support/errors.js';
import { ownNamespace, uniqueName } from '../support/namespace.js';
import { turns } from '../support/promises.js';

ownNamespace('queue');

it('two promises of one process exclude each other', async () => {
  const lock = new Lock(uniqueName());
  let counter = 0;
  let inside = 0;
  const work = async () => {
    for (let i = 0; i < 500; i += 1) {
      const held = await lock.acquire();
      inside += 1;
      const before = counter;
      await turns(1);
      expect(inside).toBe(1);
      counter = before + 1;
      inside -= 1;
      held.release();
    }
  };
  await Promise.all([work(), work()]);
  expect(counter).toBe(1_000);
});

it('without the lock the same work loses updates, so that the test above can fail', async () => {
  let counter = 0;
  const work = async () => {
    for (let i = 0; i < 500; i += 1) {
      const before = counter;
      await turns(1);
      counter = before + 1;
    }
  };
  await Promise.all([work(), work()]);
  expect(counter).toBeLessThan(1_000);
});

it('waiters of one thread get the lock in the order of their calls', async () => {
  const lock = new Lock(uniqueName());
  const order: number[] = [];
  const first = lock.acquireSync();
  const waiters = Array.from({ length: 300 }, async (_, i) => {
    const held = await lock.acquire();
    order.push(i);
    if (i % 3 === 0) {
      await turns(1);
    }
    held.release();
  });
  first.release();
  await Promise.all(waiters);
  expect(order).toEqual(Array.from({ length: 300 }, (_, i) => i));
});

it('acquire() and with(), on any instance of the lock, stand in one queue', async () => {
  const name = uniqueName();
  const [one, other] = [new Lock(name), new Lock(name)];
  const order: string[] = [];
  const take = (label: string) => (held: LockGuard) => {
    order.push(label);
    held.release();
  };
  const first = one.acquireSync();
  const all = [
    one.acquire().then(take('a')),
    other.with(() => void order.push('b')),
    other.acquire({ timeout: 60_000 }).then(take('c')),
    one.with(() => void order.push('d'), { signal: new AbortController().signal }),
  ];
  first.release();
  await Promise.all(all);
  expect(order).toEqual(['a', 'b', 'c', 'd']);
});

it('who asks while the queue is being served comes last', async () => {
  const lock = new Lock(uniqueName());
  const order: string[] = [];
  const late: Promise<void>[] = [];
  const serve = async (label: string, more?: string) => {
    const held = await lock.acquire();
    order.push(label);
    if (more) {
      late.push(serve(more));
    }
    held.release();
  };
  const first = lock.acquireSync();
  const all = [serve('a', 'late'), serve('b'), serve('c')];
  first.release();
  await Promise.all(all);
  await Promise.all(late);
  expect(order).toEqual(['a', 'b', 'c', 'late']);
});

it('who gives up leaves the order of the others as it was', async () => {
  const lock = new Lock(uniqueName());
  const order: number[] = [];
  const controllers = Array.from({ length: 50 }, () => new AbortController());
  const first = lock.acquireSync();
  const waiters = controllers.map(async ({ signal }, i) => {
    const held = await lock.acquire({ signal });
    order.push(i);
    held.release();
  });
  const outcomes = Promise.allSettled(waiters);
  for (const i of [0, 1, 7, 24, 25, 49]) {
    controllers[i]?.abort();
  }
  await turns();
  first.release();
  await outcomes;
  const stayed = Array.from({ length: 50 }, (_, i) => i).filter(
    (i) => ![0, 1, 7, 24, 25, 49].includes(i),
  );
  expect(order).toEqual(stayed);
  expect(lock.locked).toBe(false);
});

it('the tokens of one queue grow in its order', async () => {
  const lock = new Lock(uniqueName());
  const tokens: number[] = [];
  await Promise.all(
    Array.from({ length: 100 }, () => lock.with((held) => void tokens.push(held.token))),
  );
  expect(tokens).toHaveLength(100);
  expect(tokens).toEqual([...new Set(tokens)].sort((a, b) => a - b));
});

it('an emptied queue leaves a free lock', async () => {
  const lock = new Lock(uniqueName());
  const first = lock.acquireSync();
  const controller = new AbortController();
  const aborted = reasonOf(() => lock.acquire({ signal: controller.signal }));
  const timedOut = rejectedBy(() => lock.acquire({ timeout: 1 }));
  controller.abort();
  await aborted;
  await timedOut;
  first.release();
  expect(lock.locked).toBe(false);
  lock.acquireSync({ timeout: 0 }).release();
});
