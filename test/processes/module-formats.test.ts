import { expect, it } from 'vitest';
import { spawnFixture } from '../support/child.js';
import { ownNamespace } from '../support/namespace.js';

ownNamespace('formats');

const EXPORTS = [
  'ClosedError',
  'DeadlockError',
  'HoldfastError',
  'Lock',
  'NotHeldError',
  'RLock',
  'RegionError',
  'TimeoutError',
  'UnlinkedError',
  'configure',
  'fork',
  'forkArgs',
  'open',
  'pack',
  'unlinkNamespace',
  'unpack',
];

interface Done {
  readonly keys: string[];
  readonly token?: number;
  readonly code?: string;
  readonly sameClasses?: boolean;
}

it('require() from CommonJS gives the whole package, and its locks work', async () => {
  const child = spawnFixture('commonjs.cjs');
  const done = await child.next<Done>('done');
  expect(done.keys).toEqual(expect.arrayContaining(EXPORTS));
  expect(done.token).toBeGreaterThan(0);
  expect(done.code).toBe('ERR_HOLDFAST_TIMEOUT');
  expect(await child.exited).toEqual({ code: 0, signal: null });
});

it('import() and require() in one program give the same classes', async () => {
  const child = spawnFixture('esm.mjs');
  const done = await child.next<Done>('done');
  expect(done.keys).toEqual(expect.arrayContaining(EXPORTS));
  expect(done.sameClasses).toBe(true);
});
