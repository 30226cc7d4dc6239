import {
  Barrier,
  Condition,
  Lock,
  RLock,
  RWLock,
  Semaphore,
  SharedValue,
  withAllSync,
} from 'holdfast';
import { NamedSemaphore, RobustMutex } from 'holdfast/posix';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { INVALID, thrownBy } from '../support/errors.js';
import { ownNamespace, uniqueName } from '../support/namespace.js';
import { posixName } from '../support/posix-name.js';
import { turns } from '../support/promises.js';

ownNamespace('try');

const rwlock = () => new RWLock(uniqueName());
const tries: Record<string, () => (...given: unknown[]) => unknown> = {
  Lock: () => called(new Lock(uniqueName()), 'tryAcquire'),
  RLock: () => called(new RLock(uniqueName()), 'tryAcquire'),
  Semaphore: () => called(new Semaphore(uniqueName()), 'tryAcquire'),
  ReadSide: () => called(rwlock().read, 'tryAcquire'),
  WriteSide: () => called(rwlock().write, 'tryAcquire'),
  NamedSemaphore: () => called(new NamedSemaphore(posixName(), { initial: 1 }), 'tryWait'),
  RobustMutex: () => called(new RobustMutex(posixName()), 'tryLock'),
};

function called<V extends string>(object: { [verb in V]: unknown }, verb: V) {
  return (...given: unknown[]) => (object[verb] as (...given: unknown[]) => unknown)(...given);
}

/** What a try gives where there is something to be had. */
function end(had: unknown): void {
  expect([false, null]).not.toContain(had);
  (had as { release?: () => void }).release?.();
}

describe.each(Object.entries(tries))('one try of a %s', (_, made) => {
  it.each([
    ['timeout', { timeout: 500 }],
    ['signal', { signal: new AbortController().signal }],
    ['xyzzy', { xyzzy: 1 }],
  ])('refuses the option "%s", says what to do, and takes nothing', (key, options) => {
    const attempt = made();
    const error = thrownBy(() => attempt(options));
    expect(error).toBeInstanceOf(TypeError);
    expect(error.code).toBe(INVALID);
    expect(error.message).toMatch(
      new RegExp(`^try(Acquire|Wait|Lock)\\(\\) has no option "${key}"`),
    );
    expect(error.message).toMatch(/it never waits.*(acquire|wait|lockSync)\(\{ timeout \}\)/);
    end(attempt());
  });

  it.each([['500'], [null], [() => {}], [[]]])('refuses %s in place of options', (options) => {
    const attempt = made();
    const error = thrownBy(() => attempt(options));
    expect(error).toBeInstanceOf(TypeError);
    expect(error.code).toBe(INVALID);
    end(attempt());
  });
});

it('one try for several permits refuses options as well', () => {
  const semaphore = new Semaphore(uniqueName(), 3);
  const attempt = called(semaphore, 'tryAcquire');
  expect(thrownBy(() => attempt(2, { timeout: 500 })).message).toMatch('has no option "timeout"');
  expect(semaphore.available).toBe(3);
});

describe('work that returns a promise where it must not', () => {
  const unhandled: unknown[] = [];
  const note = (reason: unknown) => unhandled.push(reason);
  // The test runner takes each for a failure: its listeners are away for as long.
  let others: NodeJS.UnhandledRejectionListener[] = [];
  beforeEach(() => {
    others = process.listeners('unhandledRejection');
    process.removeAllListeners('unhandledRejection');
    process.on('unhandledRejection', note);
  });
  afterEach(() => {
    process.removeListener('unhandledRejection', note);
    for (const other of others) process.on('unhandledRejection', other);
  });

  const fails = async () => {
    await turns(1);
    throw new Error('later');
  };
  const thenable = () => ({
    // biome-ignore lint/suspicious/noThenProperty: a promise of another make
    then() {
      throw new Error('at once');
    },
  });
  const verbs: Record<string, (work: () => unknown) => unknown> = {
    'Lock.withSync': (work) => new Lock().withSync(work),
    'RLock.withSync': (work) => new RLock().withSync(work),
    'Semaphore.withSync': (work) => new Semaphore().withSync(work),
    'RWLock.read.withSync': (work) => new RWLock().read.withSync(work),
    'SharedValue.withLockSync': (work) => new SharedValue(undefined, 'int8').withLockSync(work),
    'Condition.withSync': (work) => new Condition().withSync(work),
    'Condition.waitForSync': (work) => {
      const condition = new Condition();
      return condition.withSync(() => condition.waitForSync(work));
    },
    withAllSync: (work) => withAllSync([new Lock()], work),
    'Barrier.waitSync': (work) => new Barrier(1, { action: work as () => void }).waitSync(),
  };

  it.each(Object.entries(verbs))('%s: a TypeError, and no unhandled rejection', async (_, verb) => {
    for (const work of [fails, thenable]) {
      const error = thrownBy(() => verb(work));
      expect(error).toBeInstanceOf(TypeError);
      expect(error.code).toBe(INVALID);
      expect(error.message).toMatch('returned a promise');
    }
    await turns();
    expect(unhandled.splice(0)).toEqual([]);
  });
});
