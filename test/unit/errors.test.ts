import {
  ClosedError,
  DeadlockError,
  HoldfastError,
  Lock,
  NotHeldError,
  open,
  RegionError,
  RLock,
  TimeoutError,
  UnlinkedError,
} from 'holdfast';
import { expect, it } from 'vitest';
import { rejectedBy, thrownBy } from '../support/errors.js';
import { ownNamespace, uniqueName } from '../support/namespace.js';

ownNamespace('errors');

function closed(): Lock {
  const lock = new Lock(uniqueName());
  lock.close();
  return lock;
}

function unlinkedElsewhere(): Lock {
  const name = uniqueName();
  const lock = new Lock(name);
  new Lock(name).unlink();
  return lock;
}

function heldSync<T>(run: (lock: Lock) => T): T {
  const lock = new Lock(uniqueName());
  using _held = lock.acquireSync();
  return run(lock);
}

function otherKind(): void {
  const name = uniqueName();
  new Lock(name);
  new RLock(name);
}

const table: [string, () => unknown, typeof HoldfastError | typeof TimeoutError][] = [
  ['ERR_HOLDFAST_TIMEOUT', () => heldSync((l) => l.acquireSync({ timeout: 0 })), TimeoutError],
  ['ERR_HOLDFAST_DEADLOCK', () => heldSync((l) => l.acquireSync()), DeadlockError],
  ['ERR_HOLDFAST_NOT_HELD', () => new Lock(uniqueName()).release(), NotHeldError],
  ['ERR_HOLDFAST_CLOSED', () => closed().acquireSync(), ClosedError],
  ['ERR_HOLDFAST_UNLINKED', () => unlinkedElsewhere().acquireSync(), UnlinkedError],
  ['ERR_HOLDFAST_HELD', () => heldSync((l) => l.close()), HoldfastError],
  ['ERR_HOLDFAST_IN_USE', () => heldSync((l) => l.unlink()), HoldfastError],
  ['ERR_HOLDFAST_KIND_MISMATCH', otherKind, HoldfastError],
  ['ERR_HOLDFAST_NOT_FOUND', () => open({ ...new Lock('x').toJSON(), name: 'y' }), HoldfastError],
];

it.each(table)('%s comes with its class', (code, run, Class) => {
  const error = thrownBy(run);
  expect(error.code).toBe(code);
  expect(error).toBeInstanceOf(Class);
  expect(error).toBeInstanceOf(HoldfastError);
  expect(error.message).not.toBe('');
});

it.each(table)('%s is a new Error each time, with the stack of its caller', (_code, run) => {
  const [one, other] = [thrownBy(run), thrownBy(run)];
  expect(one).not.toBe(other);
  expect(one.stack).toContain('errors.test');
});

it('the classes are distinct, and each is a HoldfastError', () => {
  const classes = [
    TimeoutError,
    DeadlockError,
    NotHeldError,
    ClosedError,
    UnlinkedError,
    RegionError,
  ];
  for (const Class of classes) {
    expect(Object.getPrototypeOf(Class)).toBe(HoldfastError);
    expect(Class.prototype).toBeInstanceOf(Error);
  }
  expect(new Set(classes).size).toBe(classes.length);
});

it('errors name the lock, so that a log line tells which', async () => {
  const name = uniqueName('named-in-the-message');
  const lock = new Lock(name);
  expect(thrownBy(() => lock.release()).message).toContain(name);
  using _held = lock.acquireSync();
  expect(thrownBy(() => lock.acquireSync()).message).toContain(name);
  expect(thrownBy(() => lock.acquireSync({ timeout: 0 })).message).toContain(name);
  expect((await rejectedBy(() => lock.acquire({ timeout: 1 }))).message).toContain(name);
});

it('a time-out`s message tells the time', async () => {
  const lock = new Lock(uniqueName());
  using _held = lock.acquireSync();
  expect((await rejectedBy(() => lock.acquire({ timeout: 17 }))).message).toContain('17');
});
