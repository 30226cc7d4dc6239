import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, rmdirSync } from 'node:fs';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { fixtureUrl } from '../support/child.js';
import { extraNamespace, regionFile } from '../support/namespace.js';

/*
 * What the system refuses is an error that says which call it was, why, and what helps; and has that as its cause, as
 * Node.js itself would throw it.
 */

interface Answer {
  readonly skipped?: string;
  readonly name?: string;
  readonly code?: string;
  readonly message?: string;
  readonly cause?: { code: string; errno: number; syscall: string; path?: string; message: string };
}

/** Runs the fixture; after `mounts`, in a mount namespace of its own, where there are any. */
function refused(space: string, args: string[], mounts?: string): Answer {
  const command = [process.execPath, fileURLToPath(fixtureUrl('refused.mjs')), ...args];
  const script = `mount --make-rprivate / && ${mounts} && exec "$@"`;
  if (mounts !== undefined) {
    const trial = spawnSync('unshare', ['--mount', 'sh', '-c', script, 'sh', 'true']);
    if (trial.status !== 0) return { skipped: 'no mounts may be made here' };
    command.unshift('unshare', '--mount', 'sh', '-c', script, 'sh');
  }
  const run = spawnSync(command[0] as string, command.slice(1), {
    encoding: 'utf8',
    env: { ...process.env, HOLDFAST_NAMESPACE: space },
    timeout: 60_000,
    killSignal: 'SIGKILL',
  });
  expect({ signal: run.signal, stderr: run.stderr }).toEqual({ signal: null, stderr: '' });
  return JSON.parse(run.stdout);
}

function expectRefusal(answer: Answer, cause: NonNullable<Answer['cause']>, remedy: RegExp) {
  expect(answer.cause).toMatchObject(cause);
  expect(answer.message).toContain(cause.syscall);
  expect(answer.message).toContain(cause.code);
  expect(answer.message).toMatch(remedy);
}

const errnos = constants.errno as Record<string, number>;
const cause = (syscall: string, code: string, path?: string) => ({
  code,
  errno: -(errnos[code] as number),
  syscall,
  ...(path === undefined ? {} : { path }),
  message: expect.stringContaining(`${code}: `),
});

const SYSTEM = { name: 'HoldfastError', code: 'ERR_HOLDFAST_SYSTEM' };

it('too many open files', ({ skip }) => {
  const space = extraNamespace();
  const answer = refused(space, ['files']);
  if (answer.skipped) return skip(answer.skipped);
  expect(answer).toMatchObject(SYSTEM);
  expectRefusal(answer, cause('open', 'EMFILE', regionFile(space)), /ulimit -n/);
});

it('no room for the mapping', ({ skip }) => {
  const space = extraNamespace();
  const answer = refused(space, ['room']);
  if (answer.skipped) return skip(answer.skipped);
  expect(answer).toMatchObject(SYSTEM);
  expectRefusal(answer, cause('mmap', 'ENOMEM'), /ulimit -v/);
  expect(existsSync(regionFile(space))).toBe(false);
});

it('no thread to be had', ({ skip }) => {
  const answer = refused(extraNamespace(), ['threads']);
  if (answer.skipped) return skip(answer.skipped);
  expect(answer).toMatchObject(SYSTEM);
  expectRefusal(answer, cause('pthread_create', 'EAGAIN'), /ulimit -u/);
});

it('a folder in the way', () => {
  const space = extraNamespace();
  mkdirSync(regionFile(space));
  try {
    const answer = refused(space, ['none']);
    expect(answer).toMatchObject(SYSTEM);
    expectRefusal(answer, cause('open', 'EISDIR', regionFile(space)), /remove/);
  } finally {
    rmdirSync(regionFile(space));
  }
});

describe.each(['Lock', 'NamedSemaphore', 'RobustMutex', 'SharedMemory'])('a new %s', (which) => {
  it.each([
    ['is missing', 'mount -t tmpfs none /dev', 'ENOENT', /tmpfs/],
    ['is read-only', 'mount -t tmpfs -o ro none /dev/shm', 'EROFS', /read-only/],
    ['is a file', 'mount -t tmpfs none /dev && touch /dev/shm', 'ENOTDIR', /tmpfs/],
  ])('where /dev/shm %s', (_is, mounts, code, remedy) => {
    const answer = refused('refused', ['none', which], mounts);
    if (answer.skipped) return;
    expect(answer).toMatchObject(SYSTEM);
    const syscall = which === 'NamedSemaphore' ? 'sem_open' : 'open';
    expectRefusal(answer, cause(syscall, code), remedy);
  });

  it('with too many open files', ({ skip }) => {
    const answer = refused(extraNamespace(), ['files', which]);
    if (answer.skipped) return skip(answer.skipped);
    expect(answer).toMatchObject(SYSTEM);
    const syscall = which === 'NamedSemaphore' ? 'sem_open' : 'open';
    expectRefusal(answer, cause(syscall, 'EMFILE'), /ulimit -n/);
  });
});
