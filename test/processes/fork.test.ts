import { fork, forkArgs, Lock, pack, RLock } from 'holdfast';
import { describe, expect, it } from 'vitest';
import { adopt, fixtureUrl, spawnFixture } from '../support/child.js';
import { copyPackage } from '../support/copy.js';
import { INVALID, thrownBy } from '../support/errors.js';
import { extraNamespace, ownDirectory, ownNamespace, uniqueName } from '../support/namespace.js';

ownNamespace('fork');

interface Args {
  readonly given: unknown;
  readonly locks: readonly { path: string; kind: string; held: boolean }[];
  readonly sameAgain: boolean;
  readonly mainThread: boolean;
  readonly argv: readonly string[];
  readonly extra?: string;
  readonly token?: unknown;
}

type Options = NonNullable<Parameters<typeof fork>[1]>;

function start(options: Options = {}) {
  const stdio: Options['stdio'] = ['ignore', 'pipe', 'pipe', 'ipc'];
  const child = fork(fixtureUrl('forked.mjs'), { execArgv: [], stdio, ...options });
  return adopt(child, 'forked.mjs');
}

describe('fork() with args', () => {
  it('hands the locks in plain data to the child: the same locks', async () => {
    const lock = new Lock(uniqueName());
    const rlock = new RLock(uniqueName());
    const anonymous = new Lock();
    using _held = lock.acquireSync();
    using _rheld = rlock.acquireSync();
    const args = { a: { list: [1, lock, { rlock }] }, anonymous, text: 'kept', nothing: null };
    const child = start({ args });
    const message = await child.next<Args>('args');
    expect(message.given).toEqual(pack(args));
    expect(message.locks).toEqual([
      { path: '.a.list.1', kind: 'Lock', held: true },
      { path: '.a.list.2.rlock', kind: 'RLock', held: true },
      { path: '.anonymous', kind: 'Lock', held: false },
    ]);
    expect(message.mainThread).toBe(true);
    child.send({ enough: true });
    expect(await child.exited).toEqual({ code: 0, signal: null });
  });

  it('gives the same value each time that forkArgs() is called', async () => {
    const child = start({ args: { lock: new Lock(uniqueName()) } });
    expect(await child.next<Args>('args')).toMatchObject({ sameAgain: true });
  });

  it.each([[new Array(3).fill('x')], ['text'], [7], [null], [false]])(
    'hands over %j, too',
    async (args) => {
      const child = start({ args });
      expect((await child.next<Args>('args')).given).toEqual(args);
    },
  );

  it('passes options and argv on to child_process.fork()', async () => {
    const env = { ...process.env, EXTRA: 'from the environment' };
    const child = start({ args: 1, argv: ['--one', 'two words'], env });
    const message = await child.next<Args>('args');
    expect(message.argv).toEqual(['--one', 'two words']);
    expect(message.extra).toBe('from the environment');
    expect(message.given).toBe(1);
  });

  it('takes an environment that says nothing of a namespace', async () => {
    const lock = new Lock(uniqueName());
    using _held = lock.acquireSync();
    const child = start({ args: { lock }, env: { PATH: process.env['PATH'] } });
    const message = await child.next<Args>('args');
    expect(message.locks).toEqual([{ path: '.lock', kind: 'Lock', held: true }]);
  });

  it('takes a path as well as a URL', async () => {
    const path = fixtureUrl('forked.mjs').pathname;
    const child = adopt(fork(path, { args: 'by path', execArgv: [] }), 'forked.mjs');
    expect((await child.next<Args>('args')).given).toBe('by path');
  });

  it('of nearly 100 KiB still travel; of more are refused, with the remedy named', async () => {
    const child = start({ args: 'x'.repeat(100 * 1024 - 2) });
    expect((await child.next<Args>('args')).given).toHaveLength(100 * 1024 - 2);
    const error = thrownBy(() => start({ args: 'x'.repeat(100 * 1024) }));
    expect(error).toBeInstanceOf(RangeError);
    expect(error.code).toBe(INVALID);
    expect(error.message).toContain('send(pack(');
  });

  it('carry the namespace that configure() set in the parent', async () => {
    const namespace = extraNamespace();
    const child = spawnFixture('fork-parent.mjs', {
      args: [namespace],
      env: { HOLDFAST_NAMESPACE: 'test-fork-never-used' },
    });
    const message = await child.next<Args>('args');
    expect(message.token).toMatchObject({ namespace, name: 'shared' });
    expect(message.locks).toEqual([{ path: '.lock', kind: 'Lock', held: true }]);
    expect(await child.exited).toEqual({ code: 0, signal: null });
  });
});

describe('without args', () => {
  it('fork() gives a child whose forkArgs() is undefined', async () => {
    const child = start();
    expect(await child.next<Args>('args')).toMatchObject({ given: 'undefined', locks: [] });
  });

  it('forkArgs() in a process that nobody forked so is undefined', () => {
    expect(forkArgs()).toBeUndefined();
  });
});

describe('a worker', () => {
  it('gets locks by workerData with pack(), and has them from forkArgs()', async () => {
    const lock = new Lock(uniqueName());
    const stdio: Options['stdio'] = ['ignore', 'pipe', 'pipe', 'ipc'];
    const forked = fork(fixtureUrl('forked-worker.mjs'), { args: { lock }, execArgv: [], stdio });
    const child = adopt(forked, 'forked-worker.mjs');
    const message = await child.next<Args>('args');
    expect(message.mainThread).toBe(false);
    expect(message.given).toEqual({ fromWorkerData: [lock.toJSON()] });
    expect(message.locks).toEqual([{ path: '.fromWorkerData.0', kind: 'Lock', held: true }]);
    expect(message.sameAgain).toBe(true);
    expect(await child.exited).toEqual({ code: 0, signal: null });
  });
});

describe('in every realm and every copy of the package', () => {
  it('forkArgs() gives what the process was given, and nothing to a grandchild that was given nothing', async () => {
    const lock = new Lock(uniqueName());
    using _held = lock.acquireSync();
    const forked = fork(fixtureUrl('forked-again.mjs'), {
      args: { value: 'kept', lock },
      argv: [copyPackage(ownDirectory())],
      execArgv: ['--experimental-vm-modules', '--no-warnings'],
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    const child = adopt(forked, 'forked-again.mjs');
    const { answers } = await child.next<{ answers: unknown[] }>('child');
    expect(answers).toEqual(new Array(3).fill({ value: 'kept', locked: true }));
    const grandchild = await child.next<{ answers: unknown[] }>('grandchild');
    expect(grandchild.answers).toEqual(new Array(3).fill({ value: null, locked: null }));
    expect(await child.exited).toEqual({ code: 0, signal: null });
  });
});
