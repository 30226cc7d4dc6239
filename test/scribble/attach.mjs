// A trial of attaching: the files of a region that was in full use, damaged, and a process that comes to them. Nobody
// else is there, or one who has had all of it open before the damage.
import { setTimeout as sleep } from 'node:timers/promises';
import { Trial } from './trial.mjs';

const USE_MS = 200;

/** Files of a region as processes leave it that end, and that are killed in the middle of everything. */
export async function templates(settings) {
  return Promise.all([makeTemplate(settings, false), makeTemplate(settings, true)]);
}

async function makeTemplate(settings, isKilled) {
  const trial = new Trial(0, settings);
  try {
    const crew = [true, false, false].map((worker, i) =>
      trial.start('crew.mjs', `maker ${i}`, { worker, ending: 'exit' }),
    );
    await Promise.all(crew.map((member) => member.ready));
    await sleep(USE_MS);
    await Promise.all(crew.map((member) => (isKilled ? member.kill() : member.end())));
    if (trial.findings.length > 0) throw new Error(JSON.stringify(trial.findings));
    return trial.contents();
  } finally {
    await trial.clear();
  }
}

export async function attachTrial(seed, settings, [ended, killed]) {
  const trial = new Trial(seed, settings);
  const ending = seed % 2 === 0 ? 'exit' : 'close';
  try {
    trial.place(seed % 3 === 0 ? ended : killed);
    const host =
      seed % 4 === 0
        ? trial.start('crew.mjs', 'host', { worker: false, ending, phase: 'idle' })
        : null;
    await host?.ready;
    await trial.damage(0);
    const idleMs = seed % 5 === 0 ? 300 : 0;
    await trial.start('visitor.mjs', 'visitor', { ending, idleMs }).ended;
    await host?.end();
  } finally {
    await trial.clear();
  }
  return trial;
}
