import { statSync } from 'node:fs';
import { ClosedError, DeadlockError, NotHeldError, TimeoutError } from 'holdfast';
import { NamedSemaphore, RobustMutex, SharedMemory } from 'holdfast/posix';
import { describe, expect, it } from 'vitest';
import { INVALID, reasonOf, rejectedBy, thrownBy } from '../support/errors.js';
import { posixName } from '../support/posix-name.js';
import { watch } from '../support/promises.js';

describe.each([
  ['NamedSemaphore', NamedSemaphore, {}],
  ['RobustMutex', RobustMutex, {}],
  ['SharedMemory', SharedMemory, { size: 100 }],
] as const)('a %s', (_, Kind, more) => {
  it('is made where there is none, opened where there is one, and made once exclusively', () => {
    const name = posixName();
    expect(thrownBy(() => new Kind(name, { create: false })).code).toBe('ERR_HOLDFAST_NOT_FOUND');
    const first = new Kind(name, { ...more, exclusive: true });
    const error = thrownBy(() => new Kind(name, { ...more, exclusive: true }));
    expect(error.code).toBe('ERR_HOLDFAST_EXISTS');
    expect(error.message).toContain(name);
    new Kind(name, { create: false }).close();
    new Kind(name, more).close();
    expect(first.unlink()).toBe(true);
    expect(first.unlink()).toBe(false);
    expect(Kind.unlink(name)).toBe(false);
    first.close();
    first.close();
  });

  it('takes a POSIX name only', () => {
    for (const wrong of ['', '/', 'plain', '/a/b', '/..', '/a\0b', `/${'x'.repeat(251)}`]) {
      const error = thrownBy(() => new Kind(wrong, more));
      expect(error).toBeInstanceOf(RangeError);
      expect(error.code).toBe(INVALID);
    }
    expect(thrownBy(() => new Kind(7 as never, more))).toBeInstanceOf(TypeError);
  });

  it('refuses options that it does not know or cannot use', () => {
    const name = posixName();
    expect(thrownBy(() => new Kind(name, { exclusiv: true } as never)).message).toContain(
      '"exclusive"',
    );
    expect(thrownBy(() => new Kind(name, { ...more, mode: 0o1777 })).code).toBe(INVALID);
    expect(thrownBy(() => new Kind(name, { create: false, exclusive: true })).code).toBe(INVALID);
    expect(thrownBy(() => new Kind(name, { create: 1 as never })).code).toBe(INVALID);
    expect(thrownBy(() => new Kind(name, { allowOtherOwner: 1 as never })).code).toBe(INVALID);
  });

  it('has the mode that was asked for', () => {
    const name = posixName();
    new Kind(name, { ...more, mode: 0o640 }).close();
    const file = Kind === (NamedSemaphore as unknown) ? `sem.${name.slice(1)}` : name.slice(1);
    expect(statSync(`/dev/shm/${file}`).mode & 0o777).toBe(0o640);
  });
});

describe('NamedSemaphore', () => {
  it('starts at its initial value; tryWait takes, post gives', () => {
    const semaphore = new NamedSemaphore(posixName(), { initial: 2 });
    expect(semaphore.value).toBe(2);
    expect([semaphore.tryWait(), semaphore.tryWait(), semaphore.tryWait()]).toEqual([
      true,
      true,
      false,
    ]);
    semaphore.post();
    semaphore.waitSync();
    expect(semaphore.value).toBe(0);
    for (const wrong of [-1, 0.5, 2 ** 31]) {
      expect(thrownBy(() => new NamedSemaphore(posixName(), { initial: wrong })).code).toBe(
        INVALID,
      );
    }
  });

  it('post() at the maximum is an error, and changes nothing', () => {
    const semaphore = new NamedSemaphore(posixName(), { initial: 2 ** 31 - 1 });
    expect(thrownBy(() => semaphore.post())).toBeInstanceOf(RangeError);
    expect(semaphore.value).toBe(2 ** 31 - 1);
  });

  it('waits no shorter than its time-out', async () => {
    const semaphore = new NamedSemaphore(posixName());
    const start = performance.now();
    expect(thrownBy(() => semaphore.waitSync({ timeout: 30 }))).toBeInstanceOf(TimeoutError);
    expect(await rejectedBy(() => semaphore.wait({ timeout: 30 }))).toBeInstanceOf(TimeoutError);
    expect(performance.now() - start).toBeGreaterThanOrEqual(60);
    expect(thrownBy(() => semaphore.waitSync({ timeout: 0 }))).toBeInstanceOf(TimeoutError);
    expect(await rejectedBy(() => semaphore.wait({ timeout: 0 }))).toBeInstanceOf(TimeoutError);
  });

  it('serves its promises in their order', async () => {
    const semaphore = new NamedSemaphore(posixName());
    const [first, second] = [semaphore.wait(), semaphore.wait()];
    const state = watch(second);
    semaphore.post();
    await first;
    expect(state.state).toBe('pending');
    semaphore.post();
    await second;
    expect(semaphore.value).toBe(0);
  });

  it('an abort or close() ends a wait, and takes no permit', async () => {
    const semaphore = new NamedSemaphore(posixName());
    const controller = new AbortController();
    const aborted = semaphore.wait({ signal: controller.signal });
    const closed = semaphore.wait();
    controller.abort('enough');
    expect(await reasonOf(() => aborted)).toBe('enough');
    expect(await reasonOf(() => semaphore.wait({ signal: AbortSignal.abort('no') }))).toBe('no');
    const other = new NamedSemaphore(semaphore.name);
    semaphore.close();
    expect(await rejectedBy(() => closed)).toBeInstanceOf(ClosedError);
    other.post();
    expect(other.value).toBe(1);
    expect(thrownBy(() => semaphore.value)).toBeInstanceOf(ClosedError);
    expect(thrownBy(() => semaphore.waitSync())).toBeInstanceOf(ClosedError);
  });
});

describe('RobustMutex', () => {
  it('locks and unlocks; a second lock of the thread is a deadlock', () => {
    const mutex = new RobustMutex(posixName());
    expect(mutex.lockSync()).toBe('locked');
    expect(mutex.tryLock()).toBeNull();
    expect(thrownBy(() => mutex.lockSync())).toBeInstanceOf(DeadlockError);
    expect(thrownBy(() => mutex.lockSync({ timeout: 0 }))).toBeInstanceOf(TimeoutError);
    // Another instance is the same mutex.
    expect(thrownBy(() => new RobustMutex(mutex.name).lockSync())).toBeInstanceOf(DeadlockError);
    expect(thrownBy(() => mutex.close()).code).toBe('ERR_HOLDFAST_HELD');
    mutex.unlock();
    expect(thrownBy(() => mutex.unlock())).toBeInstanceOf(NotHeldError);
    expect(mutex.tryLock()).toBe('locked');
    expect(thrownBy(() => mutex.consistent()).message).toContain('owner-died');
    mutex.unlock();
    expect(thrownBy(() => mutex.consistent())).toBeInstanceOf(NotHeldError);
    mutex.close();
    expect(thrownBy(() => mutex.tryLock())).toBeInstanceOf(ClosedError);
  });

  it('is refused in a file that is too short for one', () => {
    const memory = new SharedMemory(posixName(), { size: 8 });
    expect(thrownBy(() => new RobustMutex(memory.name)).code).toBe('ERR_HOLDFAST_REGION_CORRUPT');
  });

  it.each([0x00, 0x7f, 0xff])('that is overwritten with %i is an error of each verb', (byte) => {
    const [free, held] = [new RobustMutex(posixName()), new RobustMutex(posixName())];
    held.lockSync();
    for (const { name } of [free, held]) new Uint8Array(new SharedMemory(name).buffer).fill(byte);
    const verbs = [
      () => free.lockSync({ timeout: 10 }),
      () => free.tryLock(),
      () => held.consistent(),
      () => held.unlock(),
      () => held.lockSync(),
    ];
    for (const verb of verbs) {
      const error = thrownBy(verb);
      expect(error).toMatchObject({ name: 'RegionError', code: 'ERR_HOLDFAST_REGION_CORRUPT' });
      expect(error.message).toContain('overwritten');
    }
    held.close();
    held.unlink();
  });
});

describe('SharedMemory', () => {
  it('is zero at first, and the same for all who open it', () => {
    const name = posixName();
    const memory = new SharedMemory(name, { size: 100 });
    expect(new Uint8Array(memory.buffer)).toEqual(new Uint8Array(100));
    const other = new SharedMemory(name);
    expect(other.size).toBe(100);
    new Uint8Array(memory.buffer)[99] = 7;
    expect(new Uint8Array(other.buffer)[99]).toBe(7);
    const { buffer } = other;
    other.close();
    expect(new Uint8Array(buffer)[99]).toBe(7);
    expect(thrownBy(() => other.buffer)).toBeInstanceOf(ClosedError);
    expect(thrownBy(() => new SharedMemory(name, { size: 101 })).message).toContain('too short');
  });

  it('says that a size is needed to make it', () => {
    expect(thrownBy(() => new SharedMemory(posixName())).message).toContain('"size"');
    for (const wrong of [0, -1, 0.5, 2 ** 60]) {
      expect(thrownBy(() => new SharedMemory(posixName(), { size: wrong })).code).toBe(INVALID);
    }
  });
});
