import { Lock } from 'holdfast';
import { expect, it } from 'vitest';
import { ownNamespace, uniqueName } from '../support/namespace.js';

ownNamespace('fencing');

it('tokens are whole numbers that grow with every acquisition, by whichever verb', async () => {
  const lock = new Lock(uniqueName());
  const tokens: number[] = [];
  for (let i = 0; i < 100; i += 1) {
    for (const take of [() => lock.acquireSync(), () => lock.tryAcquire(), () => lock.acquire()]) {
      const held = await take();
      tokens.push(held?.token ?? Number.NaN);
      held?.release();
    }
    await lock.with((held) => void tokens.push(held.token));
    lock.withSync((held) => void tokens.push(held.token));
  }
  expect(tokens.every((token) => Number.isSafeInteger(token) && token > 0)).toBe(true);
  for (let i = 1; i < tokens.length; i += 1) {
    expect(tokens[i]).toBeGreaterThan(tokens[i - 1] as number);
  }
});

it('a token stays the same while the guard lives and after', () => {
  const lock = new Lock(uniqueName());
  const held = lock.acquireSync();
  const { token } = held;
  expect(held.token).toBe(token);
  held.release();
  lock.acquireSync().release();
  expect(held.token).toBe(token);
});

it('tokens grow across close and a new instance', () => {
  const name = uniqueName();
  const first = new Lock(name);
  const old = first.withSync((held) => held.token);
  first.close();
  expect(new Lock(name).withSync((held) => held.token)).toBeGreaterThan(old);
});

it('tokens grow across unlink and a new lock of the name', () => {
  const name = uniqueName();
  let last = 0;
  for (let i = 0; i < 20; i += 1) {
    const lock = new Lock(name);
    for (let j = 0; j < i; j += 1) {
      lock.acquireSync().release();
    }
    const token = lock.withSync((held) => held.token);
    expect(token).toBeGreaterThan(last);
    last = token;
    lock.unlink();
  }
});
