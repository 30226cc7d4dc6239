// `npm run scribble [-- --seed=1] [-- --trials=500] [-- --attach]`: damages the shared memory of processes that run, or of
// those that come, and looks whether one crashes, hangs, runs in circles, waits too long or throws what is no error of
// holdfast's. Ends with 1 where it found anything.
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { cmakeBuild, missingForCmake } from '../../scripts/native-build.mjs';
import { attachTrial, templates } from './attach.mjs';
import { runningTrial } from './running.mjs';

const HELP = `Usage: npm run scribble -- [options]
  --attach        processes that come to damaged files; else: processes that run
  --seed=N        of the first trial, the next one has N + 1; default 1
  --trials=N      default 500, with --attach 2000
  --repeat=N      how often each seed: what it meets differs from run to run; default 1
  --jobs=N        trials at a time, default 2
  --kind=NAME     only this kind of damage ('none' shows what is found without any); default: the seed says which
  --keep=FOLDER   stacks of what crashes (with ulimit -c unlimited) or hangs are put there, by gdb
  --verbose       what each trial wrote
SCRIBBLE_PATIENCE=N in the environment, for a busy machine: N times as much time is no finding.`;

const { values } = parseArgs({
  options: {
    attach: { type: 'boolean', default: false },
    seed: { type: 'string', default: '1' },
    trials: { type: 'string' },
    repeat: { type: 'string', default: '1' },
    jobs: { type: 'string', default: '2' },
    kind: { type: 'string', default: 'any' },
    keep: { type: 'string', default: '' },
    verbose: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  console.log(HELP);
  process.exit(0);
}

function count(name, text, least) {
  const number = Number(text);
  if (Number.isSafeInteger(number) && number >= least) return number;
  console.error(`--${name} must be a whole number of ${least} or more, not ${text}\n${HELP}`);
  process.exit(2);
}
const seed = count('seed', values.seed, 0);
const trials = count('trials', values.trials ?? (values.attach ? '2000' : '500'), 1);
const repeat = count('repeat', values.repeat, 1);
const jobs = count('jobs', values.jobs, 1);

const missing = missingForCmake();
if (missing) {
  console.error(`What damages the memory is a C++ program: this needs ${missing}.`);
  process.exit(2);
}
const program = join(cmakeBuild({ target: 'scribble' }), 'scribble');
const settings = { program, kind: values.kind, keep: values.keep && resolve(values.keep) };

const COLUMNS = { crash: 'crashes', hang: 'hangs', loop: 'loops', late: 'late', error: 'errors' };
const empty = () => ({
  trials: 0,
  crashes: 0,
  hangs: 0,
  loops: 0,
  late: 0,
  errors: 0,
  held: 0,
  clean: 0,
});
const rows = {};
const codes = {};

/** In the table a trial counts once in each column in which it found something. */
function note(trial) {
  rows[trial.kind] ??= empty();
  const row = rows[trial.kind];
  row.trials += 1;
  if (trial.findings.length === 0) row.clean += 1;
  if (trial.heldUp) row.held += 1;
  for (const what of new Set(trial.findings.map((finding) => finding.what)))
    row[COLUMNS[what]] += 1;
  for (const [code, many] of Object.entries(trial.codes)) codes[code] = (codes[code] ?? 0) + many;
  if (trial.findings.length === 0 && !values.verbose) return;
  console.log(`seed ${trial.seed} (${trial.kind}):`);
  for (const { what, detail } of trial.findings) console.log(`  ${what}: ${detail}`);
  for (const write of trial.writes) console.log(`    ${write}`);
}

const made = values.attach ? await templates(settings) : null;
let done = 0;
async function work() {
  while (done < trials * repeat) {
    const mine = seed + Math.floor(done++ / repeat);
    note(await (made ? attachTrial(mine, settings, made) : runningTrial(mine, settings)));
  }
}
await Promise.all(Array.from({ length: jobs }, work));

rows.all = Object.values(rows).reduce((sum, row) => {
  for (const column of Object.keys(sum)) sum[column] += row[column];
  return sum;
}, empty());
console.table(rows);
console.log(
  'held: a condition waits to take its lock back, which somebody holds by its bytes; no finding',
);
console.log('errors of holdfast, as they should be:', codes);
process.exitCode = rows.all.clean === rows.all.trials ? 0 : 1;
