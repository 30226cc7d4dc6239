import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { missingForCmake } from '../../scripts/native-build.mjs';
import { adopt } from '../support/child.js';

const command = fileURLToPath(new URL('../scribble/run.mjs', import.meta.url));

/** A short run of `npm run scribble`, which tells what it found. */
async function scribble(...options: string[]): Promise<void> {
  const started = spawn(process.execPath, [command, ...options], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, SCRIBBLE_PATIENCE: '5' },
  });
  const child = adopt(started, `scribble ${options.join(' ')}`, 300_000);
  expect(await child.exited, child.output).toEqual({ code: 0, signal: null });
  const left = readdirSync('/dev/shm').filter((name) => name.includes(`scribble-${started.pid}-`));
  expect(left).toEqual([]);
}

// What damages the memory is a C++ program.
describe.skipIf(missingForCmake() !== null)('shared memory that somebody scribbles over', () => {
  it('crashes, hangs and delays no process that runs, and none that comes', async () => {
    await scribble('--seed=1', '--trials=12', '--jobs=3');
  });

  it('crashes, hangs and delays none that comes to its files, whoever is there', async () => {
    await scribble('--attach', '--seed=1', '--trials=60', '--jobs=3');
  });
});
