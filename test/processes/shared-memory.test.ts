import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { SharedArray, SharedValue } from 'holdfast';
import { expect, it } from 'vitest';
import { type Child, fixtureUrl, spawnFixture } from '../support/child.js';
import { rejectedBy } from '../support/errors.js';
import { ownNamespace, regionFile, uniqueName } from '../support/namespace.js';
import { stopAsleep, untilQueued } from '../support/proc.js';

const namespace = ownNamespace('shared-memory');

interface Answer {
  readonly value?: unknown;
  readonly error?: string;
}

type Shared = SharedValue | SharedArray | { toJSON(): object };

let calls = 0;

/** A process that works on shared memory as it is told. */
class Remote {
  readonly child: Child;

  private constructor(child: Child) {
    this.child = child;
  }

  static async start(): Promise<Remote> {
    // BigInts travel too.
    const child = spawnFixture('memory.mjs', { serialization: 'advanced' });
    await child.next('ready');
    return new Remote(child);
  }

  /** Returns when it has begun. */
  async begin(object: Shared, verb: string, ...args: unknown[]): Promise<() => Promise<Answer>> {
    calls += 1;
    const id = calls;
    this.child.send({ id, token: object.toJSON(), verb, args });
    const answer = this.child.next<Answer>((m) => m.type === 'answer' && m['id'] === id);
    await Promise.race([this.child.next((m) => m.type === 'begun' && m['id'] === id), answer]);
    return () => answer;
  }

  async call(object: Shared, verb: string, ...args: unknown[]): Promise<Answer> {
    return (await this.begin(object, verb, ...args))();
  }
}

function dataFiles(): string[] {
  const prefix = `${regionFile(namespace).split('/').at(-1)}.`;
  return readdirSync('/dev/shm').filter((file) => file.startsWith(prefix));
}

/** Polls a condition under a watchdog. */
async function until(what: string, holds: () => boolean): Promise<void> {
  const giveUp = performance.now() + 30_000;
  while (!holds()) {
    if (performance.now() > giveUp) throw new Error(`it did not come to ${what}`);
    await delay(5);
  }
}

it('processes count without loss: by add(), and under the lock', async () => {
  const [atomic, locked] = [
    new SharedValue(uniqueName(), 'int64'),
    new SharedValue(uniqueName(), 'float64'),
  ];
  const remotes = await Promise.all([Remote.start(), Remote.start(), Remote.start()]);
  const plain = new SharedValue(uniqueName(), 'int32');
  const answers = await Promise.all(
    remotes.flatMap((remote) => [
      remote.call(plain, 'count', 20_000),
      remote.call(locked, 'countLocked', 200),
    ]),
  );
  expect(answers.map(({ error }) => error)).toEqual(Array(6).fill(undefined));
  expect(plain.value).toBe(60_000);
  expect(locked.value).toBe(600);
  expect(await remotes[0]?.call(atomic, 'add', 5n)).toMatchObject({ value: 0n });
  expect(atomic.value).toBe(5n);
});

it('a store is never missed: 1,000 turns between a promise here and a blocked thread there', async () => {
  const value = new SharedValue(uniqueName(), 'int32');
  const remote = await Remote.start();
  const echo = await remote.begin(value, 'echo', 1000);
  for (let turn = 0; turn < 1000; turn += 2) {
    value.store(turn + 1);
    value.notify();
    while (value.load() < turn + 2) await value.wait(turn + 1);
  }
  expect(await echo()).toMatchObject({ type: 'answer' });
  expect(value.value).toBe(1000);
});

it('notify() wakes as many processes as it says, by element', async () => {
  const array = new SharedArray(uniqueName(), 'uint64', 2);
  const remotes = await Promise.all([Remote.start(), Remote.start()]);
  const sync = await remotes[0]?.begin(array, 'waitSync', 1, 0n);
  await untilQueued(remotes[0]?.child.pid as number);
  const async_ = await remotes[1]?.begin(array, 'wait', 1, 0n);
  await remotes[1]?.call(array, 'load', 0); // its wait is queued by now
  expect(array.notify(0)).toBe(0);
  expect(array.notify(1, 1)).toBe(1);
  // Either: what the first does not come for in time goes on to the other, which waited already.
  const answers = [sync?.(), async_?.()];
  expect(await Promise.race(answers)).toMatchObject({ value: 'ok' });
  expect(array.notify(1)).toBe(1);
  for (const answer of answers) expect(await answer).toMatchObject({ value: 'ok' });
});

it('a notification that a dying waiter did not use goes to the next', async () => {
  const value = new SharedValue(uniqueName(), 'int32');
  const remote = await Remote.start();
  await remote.begin(value, 'waitSync', 0);
  await untilQueued(remote.child.pid);
  await stopAsleep(remote.child.pid);
  const mine = value.wait(0);
  expect(value.notify(1)).toBe(1); // to the stopped one, which came first
  remote.child.kill();
  expect(await mine).toBe('ok');
});

it('a waiter that died leaves nothing behind', async () => {
  const value = new SharedValue(uniqueName(), 'int32');
  const remote = await Remote.start();
  await remote.begin(value, 'waitSync', 0);
  await untilQueued(remote.child.pid);
  const mine = value.wait(0);
  remote.child.kill();
  await remote.child.exited;
  expect(value.notify()).toBeGreaterThanOrEqual(1);
  expect(await mine).toBe('ok');
});

it('the lock of one that died passes on, abandoned', async () => {
  const array = new SharedArray(uniqueName(), 'int8', 1);
  const remote = await Remote.start();
  await remote.call(array, 'hold');
  expect(array.lock.tryAcquire()).toBeNull();
  const waiting = array.lock.acquire();
  remote.child.kill();
  const guard = await waiting;
  expect(guard.abandoned).toBe(true);
  guard.release();
});

it('unlink() is over for other processes: what waits, and what comes later', async () => {
  const array = new SharedArray(uniqueName(), 'int32', 4);
  const remote = await Remote.start();
  const waiting = await remote.begin(array, 'waitSync', 0, 0);
  await untilQueued(remote.child.pid);
  const before = dataFiles();
  array.unlink();
  expect(dataFiles()).toHaveLength(before.length - 1);
  expect(await waiting()).toMatchObject({ error: 'ERR_HOLDFAST_UNLINKED' });
  expect(await remote.call(array, 'at', 0)).toMatchObject({ error: 'ERR_HOLDFAST_UNLINKED' });
});

it('the memory of an anonymous array goes with the last process that has it, also by its death', async () => {
  const before = dataFiles();
  const array = new SharedArray(undefined, 'float64', [0.5]);
  const remote = await Remote.start();
  expect(await remote.call(array, 'contents')).toMatchObject({ value: [0.5] });
  array.close();
  expect(dataFiles()).toHaveLength(before.length + 1);
  remote.child.kill();
  await remote.child.exited;
  await until('have the file removed', () => dataFiles().length === before.length);
});

it('a worker is an agent like any other', async () => {
  const array = new SharedArray(undefined, 'int32', 1);
  const worker = new Worker(fixtureUrl('memory.mjs'));
  const answers: Answer[] = [];
  const answered = new Promise<void>((resolve, reject) => {
    worker.on('error', reject);
    worker.on('message', (message) => {
      if (message.type === 'answer') answers.push(message);
      if (message.type === 'answer') resolve();
      if (message.type === 'begun') queueMicrotask(() => void notifyUntilWoken());
    });
  });
  async function notifyUntilWoken(): Promise<void> {
    array.store(0, 1);
    while (array.notify(0) === 0 && answers.length === 0) await delay(1);
  }
  worker.postMessage({ id: 0, token: array.toJSON(), verb: 'waitSync', args: [0, 0] });
  await answered;
  expect(['ok', 'not-equal']).toContain(answers[0]?.value);
  await worker.terminate();
});

it('a wait ends with the abort of its signal, and rejects when the thread closes the object', async () => {
  const value = new SharedValue(uniqueName(), 'int32');
  const error = await rejectedBy(() => value.wait(0, { signal: AbortSignal.timeout(10) }));
  expect(error.name).toBe('TimeoutError');
  expect(value.notify()).toBe(0);
});

const MOUNT = 'mount -t tmpfs -o size=8m tmpfs /dev/shm && exec "$@"';
const inSmallMemory = (...command: string[]) =>
  spawnSync('unshare', ['--mount', 'sh', '-c', MOUNT, 'sh', ...command], {
    encoding: 'utf8',
    timeout: 100_000,
    env: { ...process.env, HOLDFAST_NAMESPACE: 'full' },
  });

it.skipIf(inSmallMemory('true').status !== 0)(
  'a full /dev/shm is an error when the array is made, and nothing is made',
  () => {
    const fixture = fileURLToPath(fixtureUrl('full-array.mjs'));
    const run = inSmallMemory(process.execPath, fixture);
    expect({ status: run.status, signal: run.signal, stderr: run.stderr }).toEqual({
      status: 0,
      signal: null,
      stderr: '',
    });
    expect(JSON.parse(run.stdout)).toEqual({
      codes: ['ERR_HOLDFAST_NO_SPACE', 'ERR_HOLDFAST_NO_SPACE', 'ERR_HOLDFAST_NOT_FOUND'],
      sum: 1000,
      rounds: 20,
    });
  },
);
