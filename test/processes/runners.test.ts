import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SharedValue } from 'holdfast';
import { expect, it } from 'vitest';
import { adopt } from '../support/child.js';
import { ownDirectory, ownNamespace } from '../support/namespace.js';

ownNamespace('runners');
const directory = ownDirectory();

const path = (name: string) => fileURLToPath(new URL(`../../${name}`, import.meta.url));

const jest = [
  '--experimental-vm-modules',
  '--no-warnings',
  path('node_modules/jest/bin/jest.js'),
  `--config=${path('test/runners/jest/jest.config.mjs')}`,
  '--json',
  '--silent',
];

const vitest = [
  path('node_modules/vitest/vitest.mjs'),
  'run',
  `--config=${path('test/runners/vitest/vitest.config.mjs')}`,
  '--reporter=json',
];

/** In the format of both. */
interface Report {
  readonly success: boolean;
  readonly numTotalTests: number;
  readonly numPassedTests: number;
  readonly testResults: readonly { readonly name: string; readonly status: string }[];
}

it.each([
  ['jest-in-one-process', [...jest, '--runInBand']],
  ['jest', [...jest, '--maxWorkers=2']],
  ['vitest-forks', [...vitest, '--pool=forks']],
  ['vitest-threads', [...vitest, '--pool=threads']],
  ['vitest-threads-not-isolated', [...vitest, '--pool=threads', '--no-isolate']],
  ['vitest-vmThreads', [...vitest, '--pool=vmThreads']],
])('%s runs two files that use the same objects', async (runner, command) => {
  const report = join(directory, `${runner}.json`);
  const env: NodeJS.ProcessEnv = { ...process.env, RUNNER: runner, NODE_ENV: 'test' };
  // What this process' own runner has told it is not that one's business.
  for (const key of Object.keys(env)) if (/^(VITEST|JEST|TEST$)/.test(key)) delete env[key];
  const child = spawn(process.execPath, [...command, `--outputFile=${report}`], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env,
  });
  const { code } = await adopt(child, runner, 300_000).exited;
  const { success, numTotalTests, numPassedTests, testResults } = JSON.parse(
    readFileSync(report, 'utf8'),
  ) as Report;
  expect({ code, success, numTotalTests, numPassedTests }).toEqual({
    code: 0,
    success: true,
    numTotalTests: 14,
    numPassedTests: 14,
  });
  const files = testResults.map(({ name, status }) => `${name.split('/').at(-1)} ${status}`);
  expect(files.sort()).toEqual(['first.spec.mjs passed', 'second.spec.mjs passed']);
  // Both have used what is in this process' namespace.
  const counted = new SharedValue(`${runner}-counted`, 'int32');
  expect(counted.load()).toBe(2);
  counted.close();
});
