import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Lock, unlinkNamespace } from 'holdfast';
import { beforeAll, expect, it } from 'vitest';
import { fixtureUrl, spawnFixture } from '../support/child.js';
import { extraNamespace, ownDirectory, ownNamespace, uniqueName } from '../support/namespace.js';
import { hasEnded, untilEnded } from '../support/proc.js';

ownNamespace('native-fork');
const addon = join(ownDirectory(), 'native-fork.node');

beforeAll(() => {
  const source = fileURLToPath(fixtureUrl('native-fork.c'));
  execFileSync('cc', ['-Wall', '-Wextra', '-Werror', '-shared', '-fPIC', '-o', addon, source]);
});

async function forked(name: string, env = {}) {
  const parent = spawnFixture('native-fork.mjs', { args: [name, addon], env });
  const { child } = await parent.next<{ child: number }>('forked');
  return { parent, child };
}

it('a child that was forked without exec does not keep what its dead parent held', async () => {
  const name = uniqueName();
  const { parent, child } = await forked(name);
  try {
    const waiting = new Lock(name).acquire();
    parent.kill();
    await parent.exited;
    const held = await waiting;
    expect(held.abandoned).toBe(true);
    held.release();
    expect(hasEnded(child)).toBe(false);
  } finally {
    process.kill(child, 'SIGKILL');
  }
});

it('a child that was forked without exec does not keep the namespace of its dead parent', async () => {
  const namespace = extraNamespace();
  const { parent, child } = await forked(uniqueName(), { HOLDFAST_NAMESPACE: namespace });
  try {
    parent.kill();
    await parent.exited;
    unlinkNamespace(namespace);
  } finally {
    process.kill(child, 'SIGKILL');
  }
});

it('the end of a child that was forked without exec costs its parent nothing', async () => {
  const name = uniqueName();
  const { parent, child } = await forked(name);
  process.kill(child, 'SIGTERM');
  await untilEnded(child);
  const lock = new Lock(name);
  expect(lock.tryAcquire()).toBeNull();
  expect(lock.holder?.pid).toBe(parent.pid);
});
