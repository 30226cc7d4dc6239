// `npm run bench [-- --rounds=7] [-- --only=pair]`: how fast, as ratios to C baselines that are measured in the
// same run, turn by turn, since machines differ and drift. Ends with 1 where a target is missed.
import { execFileSync } from 'node:child_process';
import { availableParallelism, cpus } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { configure, unlinkNamespace } from 'holdfast';
import { cmakeBuild, missingForCmake } from '../scripts/native-build.mjs';
import { contended } from './contended.mjs';
import { death } from './death.mjs';
import { pairs } from './pairs.mjs';
import { progress } from './progress.mjs';

const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '7' }, only: { type: 'string', default: '' } },
});
const rounds = Number(values.rounds);
if (!Number.isInteger(rounds) || rounds < 1) {
  console.error(`--rounds must be a whole number of 1 or more, not ${values.rounds}`);
  process.exit(2);
}
const missing = missingForCmake();
if (missing) {
  console.error(`The baselines are C++ programs: this needs ${missing}.`);
  process.exit(1);
}
const baseline = join(cmakeBuild(), 'bench', 'pairs');

/** Runs the C baseline: nanoseconds by name. */
function runBaseline(...args) {
  return JSON.parse(execFileSync(baseline, args.map(String), { encoding: 'utf8' }));
}

const scenarios = { pairs, contended, progress, death };
const chosen = Object.entries(scenarios).filter(([name]) => name.includes(values.only));
if (chosen.length === 0) {
  console.error(`--only must name one of: ${Object.keys(scenarios).join(', ')}`);
  process.exit(2);
}
const processor = cpus()[0]?.model ?? 'unknown processor';
console.log(`${processor}, ${availableParallelism()} of them, Node ${process.version}`);
console.log(`${rounds} rounds; median (lowest - highest)\n`);

configure({ namespace: `bench-${process.pid}` });
let missed = 0;
for (const [name, scenario] of chosen) {
  console.log(`${name}: ${scenario.title}`);
  const { rows, targets } = await scenario.measure({ rounds, runBaseline });
  console.table(rows);
  for (const { what, is, limit } of targets) {
    const met = is <= limit;
    if (!met) missed++;
    console.log(`${met ? 'met   ' : 'MISSED'} ${what}: ${is.toFixed(2)}, at most ${limit}`);
  }
  console.log();
}
unlinkNamespace();
process.exitCode = missed === 0 ? 0 : 1;
