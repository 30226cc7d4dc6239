import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { fixtureUrl } from '../support/child.js';

/*
 * A /dev/shm of 4 MiB, in a mount namespace of its own: needs the right to make one. Nothing of it
 * outlives the process.
 */
const MOUNT = 'mount -t tmpfs -o size=4m tmpfs /dev/shm && exec "$@"';
const inSmallMemory = (...command: string[]) =>
  spawnSync('unshare', ['--mount', 'sh', '-c', MOUNT, 'sh', ...command], {
    encoding: 'utf8',
    timeout: 100_000,
    env: { ...process.env, HOLDFAST_NAMESPACE: 'full' },
  });
const notAllowed = inSmallMemory('true').status !== 0;

it.skipIf(notAllowed)(
  'a full /dev/shm is an error of the call that needed more, not a SIGBUS',
  () => {
    const run = inSmallMemory(process.execPath, fileURLToPath(fixtureUrl('full.mjs')));
    expect({ status: run.status, signal: run.signal, stderr: run.stderr }).toEqual({
      status: 0,
      signal: null,
      stderr: '',
    });
    const failure = JSON.parse(run.stdout);
    expect(failure).toMatchObject({ kind: 'RegionError', code: 'ERR_HOLDFAST_NO_SPACE' });
    expect(failure.message).toContain('/dev/shm');
    expect(failure.made).toBeGreaterThan(1_000);
  },
);
