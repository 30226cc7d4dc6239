import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { fixtureUrl } from '../support/child.js';
import { ownDirectory, ownNamespace } from '../support/namespace.js';

ownNamespace('syscalls');
const directory = ownDirectory();
const noStrace = spawnSync('strace', ['-V']).error !== undefined;
const fixture = fileURLToPath(fixtureUrl('uncontended.mjs'));
const FEW = 1_000;
const MANY = 101_000;

/** How often each system call was made by all threads of a run. */
function systemCalls(mode: string, times: number): Map<string, number> {
  const file = join(directory, `${mode}-${times}`);
  const node = [process.execPath, fixture, mode, String(times)];
  const run = spawnSync('strace', ['-f', '-c', '-o', file, ...node], {
    encoding: 'utf8',
    timeout: 100_000,
  });
  expect({ status: run.status, stderr: run.stderr }).toEqual({ status: 0, stderr: '' });
  const counts = new Map<string, number>();
  for (const line of readFileSync(file, 'utf8').split('\n')) {
    const [, calls, name] =
      /^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?(\w+)$/.exec(line) ?? [];
    if (calls && name && name !== 'total') {
      counts.set(name, Number(calls));
    }
  }
  expect(counts.get('mmap')).toBeGreaterThan(0);
  return counts;
}

it.skipIf(noStrace).each(['acquireSync', 'tryAcquire', 'withSync', 'acquire', 'with'])(
  '100,000 times an uncontended %s() and release() make no system calls of their own',
  (mode) => {
    const few = systemCalls(mode, FEW);
    const many = systemCalls(mode, MANY);
    // What is left is the garbage collector's: far less than one call in a hundred acquisitions.
    const grown = [...many]
      .map(([name, calls]) => [name, calls - (few.get(name) ?? 0)] as const)
      .filter(([, more]) => more > (MANY - FEW) / 100);
    expect(grown).toEqual([]);
  },
);
