import { inspect } from 'node:util';
import {
  Barrier,
  Condition,
  Event,
  Lock,
  RLock,
  RWLock,
  Semaphore,
  SharedArray,
  SharedValue,
  unlinkNamespace,
} from 'holdfast';
import { describe, expect, it } from 'vitest';
import { thrownBy } from '../support/errors.js';
import { ownNamespace, uniqueName } from '../support/namespace.js';

ownNamespace('inspect');

it('a Lock prints its name and whether it is held', () => {
  const lock = new Lock(uniqueName());
  expect(inspect(lock)).toBe(`Lock ${JSON.stringify(lock.name)} (free)`);
  const held = lock.acquireSync();
  expect(inspect(lock)).toBe(`Lock ${JSON.stringify(lock.name)} (locked)`);
  held.release();
  lock.close();
  expect(inspect(lock)).toMatch(/closed/);
});

it('an RLock prints its owner and depth', () => {
  const lock = new RLock(uniqueName());
  expect(inspect(lock)).toMatch(/\(free\)$/);
  lock.withSync(() => {
    lock.withSync(() => {
      expect(inspect(lock)).toContain(`held by pid ${process.pid}, thread 0, depth 2`);
    });
  });
});

/** Opens one of each class; `title` is what it is printed as, before its state. */
const classes = {
  Lock: (name: string) => new Lock(name),
  RLock: (name: string) => new RLock(name),
  Semaphore: (name: string) => new Semaphore(name, 2),
  Event: (name: string) => new Event(name),
  Condition: (name: string) => new Condition(new Lock(`${name}-lock`), { name }),
  Barrier: (name: string) => new Barrier(name, 2),
  RWLock: (name: string) => new RWLock(name),
  SharedValue: (name: string) => new SharedValue(name, 'int32'),
  SharedArray: (name: string) => new SharedArray(name, 'int32', 3),
};

describe.each(Object.entries(classes))('%s', (className, opened) => {
  it('prints whether it is closed or unlinked, also by another instance, and never throws', () => {
    const name = uniqueName(className);
    const title = `${className} ${JSON.stringify(name)}`;
    const [first, second] = [opened(name), opened(name)];
    expect(inspect(first).startsWith(`${title} (`)).toBe(true);
    expect(inspect(first)).not.toMatch(/closed|unlinked/);
    second.unlink();
    expect(inspect(first)).toBe(`${title} (unlinked)`);
    expect(inspect(second)).toBe(`${title} (closed)`);
    first.close();
    expect(inspect(first)).toBe(`${title} (closed)`);
  });
});

const questions: Record<string, (name: string) => { unlink(): void; ask: () => unknown }> = {
  'Lock.locked': (name) => asking(new Lock(name), (lock) => lock.locked),
  'Lock.holder': (name) => asking(new Lock(name), (lock) => lock.holder),
  'RLock.locked': (name) => asking(new RLock(name), (lock) => lock.locked),
  'RLock.holder': (name) => asking(new RLock(name), (lock) => lock.holder),
  'RLock.depth': (name) => asking(new RLock(name), (lock) => lock.depth),
  'Semaphore.available': (name) => asking(new Semaphore(name), (it) => it.available),
  'Event.isSet': (name) => asking(new Event(name), (event) => event.isSet),
  'Barrier.broken': (name) => asking(new Barrier(name, 2), (barrier) => barrier.broken),
  'Barrier.nWaiting': (name) => asking(new Barrier(name, 2), (barrier) => barrier.nWaiting),
  'RWLock.readers': (name) => asking(new RWLock(name), (table) => table.readers),
  'RWLock.read.locked': (name) => asking(new RWLock(name), (table) => table.read.locked),
  'RWLock.write.locked': (name) => asking(new RWLock(name), (table) => table.write.locked),
  'SharedValue.value': (name) => asking(new SharedValue(name, 'int8'), (it) => it.value),
  'SharedArray.array': (name) => asking(new SharedArray(name, 'int8', 1), (it) => it.array),
};

function asking<T extends { unlink(): void; close(): void }>(
  object: T,
  ask: (object: T) => unknown,
) {
  return { unlink: () => object.unlink(), close: () => object.close(), ask: () => ask(object) };
}

it.each(Object.entries(questions))('%s of what was unlinked or closed is an error', (_, opened) => {
  const name = uniqueName();
  const [first, second] = [opened(name), opened(name)];
  first.ask();
  second.unlink();
  expect(thrownBy(first.ask).code).toBe('ERR_HOLDFAST_UNLINKED');
  expect(thrownBy(second.ask).code).toBe('ERR_HOLDFAST_CLOSED');
});

it('after the namespace was unlinked all print that they are closed', () => {
  const objects = Object.entries(classes).map(([className, opened]) => {
    const name = uniqueName(className);
    return { object: opened(name), title: `${className} ${JSON.stringify(name)}` };
  });
  unlinkNamespace();
  for (const { object, title } of objects) expect(inspect(object)).toBe(`${title} (closed)`);
});
