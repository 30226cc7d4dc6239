import { serialize } from 'node:v8';
import { MessageChannel, Worker } from 'node:worker_threads';
import {
  Barrier,
  Condition,
  Event,
  Lock,
  pack,
  RLock,
  RWLock,
  Semaphore,
  SharedArray,
  SharedValue,
  unpack,
} from 'holdfast';
import { NamedSemaphore, RobustMutex, SharedMemory } from 'holdfast/posix';
import { expect, it } from 'vitest';
import { ownNamespace } from '../support/namespace.js';
import { posixName } from '../support/posix-name.js';

ownNamespace('clone');

const lock = new Lock();
const rlock = new RLock();
const sides = new RWLock();
const permits = new Semaphore();
const objects = {
  Lock: lock,
  RLock: rlock,
  RWLock: sides,
  Semaphore: permits,
  Event: new Event(),
  Condition: new Condition(lock),
  Barrier: new Barrier(2),
  SharedValue: new SharedValue(undefined, 'int32'),
  SharedArray: new SharedArray(undefined, 'int32', 2),
};

/** Each way in which Node.js copies an object. */
const channels: Record<string, (data: unknown) => unknown> = {
  structuredClone: (data) => structuredClone(data),
  'postMessage()': (data) => {
    const { port1 } = new MessageChannel();
    try {
      port1.postMessage(data);
    } finally {
      port1.close();
    }
  },
  workerData: (data) => new Worker('', { eval: true, workerData: data }),
  'advanced serialization': (data) => serialize(data),
};

for (const [channel, copy] of Object.entries(channels)) {
  it.each(Object.entries(objects))(`${channel} refuses a %s, and names pack()`, (_kind, object) => {
    expect(() => copy(object)).toThrow(/is shared, not copied: send pack\(data\), and unpack/);
    expect(() => copy({ deep: [{ ...object }] })).toThrow(/pack\(data\)/);
  });

  it(`${channel} refuses a side of an RWLock`, () => {
    for (const side of [sides.read, sides.write]) {
      expect(() => copy(side)).toThrow(/send pack\(rwlock\)/);
    }
  });

  it(`${channel} refuses objects of holdfast/posix, and says that names travel`, () => {
    const name = posixName();
    const made = [
      new NamedSemaphore(name, { create: true }),
      new RobustMutex(name, { create: true }),
    ];
    for (const object of made) {
      expect(() => copy(object)).toThrow(/send its name/);
      object.close();
      object.unlink();
    }
    const memory = new SharedMemory(name, { create: true, size: 8 });
    expect(() => copy(memory)).toThrow(/send its name/);
    memory.close();
    memory.unlink();
  });
}

it('what pack() makes of them travels, and comes back live', () => {
  const copies = unpack(structuredClone(pack(objects))) as typeof objects;
  for (const [kind, object] of Object.entries(copies)) {
    expect(object.constructor.name).toBe(kind);
    expect(object.name).toBe(objects[kind as keyof typeof objects].name);
    object.close();
  }
});

it('JSON has tokens, and equality is as it was', () => {
  expect(JSON.parse(JSON.stringify({ lock }))).toEqual({ lock: lock.toJSON() });
  using guard = lock.acquireSync();
  expect(JSON.parse(JSON.stringify(guard))).toEqual({ token: guard.token, abandoned: false });
  expect(lock).toEqual(lock);
});
