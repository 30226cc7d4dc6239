// A trial over running processes: three that use everything, one of them in two threads; damage, in which
// sometimes one is killed; others that come in; then all only wait, and end.
import { setTimeout as sleep } from 'node:timers/promises';
import { spinning, threadTimes } from './threads.mjs';
import { Trial } from './trial.mjs';
import { nowMs } from './waits.mjs';

const RUN_MS = 120; // before the damage, and after it
const SETTLE_MS = 350; // until the last of the short waits is over
const IDLE_MS = 1000;
const ENDINGS = ['exit', 'close', 'terminate'];

export async function runningTrial(seed, settings) {
  const trial = new Trial(seed, settings);
  try {
    const crew = ENDINGS.map((_, i) =>
      trial.start('crew.mjs', `member ${i}`, {
        worker: i === 0,
        ending: ENDINGS[(seed + i) % ENDINGS.length],
      }),
    );
    await Promise.all(crew.map((member) => member.ready));
    await sleep(RUN_MS);
    const damaging = trial.damage(100 + (seed % 4) * 60);
    if (seed % 3 === 0) {
      // Whoever reaps finds damage too.
      await sleep(60);
      await crew[1].kill();
    }
    await damaging;
    const visitors = ['exit', 'close'].map((ending) =>
      trial.start('visitor.mjs', `visitor that ends by ${ending}`, { ending, idleMs: 0 }),
    );
    await sleep(RUN_MS);
    await Promise.all(visitors.map((visitor) => visitor.ended));
    await watchIdle(crew);
    await Promise.all(crew.map((member) => member.end()));
    await trial.start('visitor.mjs', 'visitor with nobody there', { ending: 'exit', idleMs: 0 })
      .ended;
  } finally {
    await trial.clear();
  }
  return trial;
}

/** Nobody of the crew does anything but wait: a thread that is always at it then is in a loop. */
async function watchIdle(crew) {
  for (const member of crew) member.send({ phase: 'idle' });
  await sleep(SETTLE_MS);
  let loops = await spinningOf(crew);
  // Twice in a row: no compiler and no collector takes that long.
  if (loops.size > 0) loops = await spinningOf([...loops.keys()]);
  for (const [member, threads] of loops) member.found('loop', threads.join(', '));
}

async function spinningOf(crew) {
  const from = nowMs();
  const before = crew.map(({ pid }) => threadTimes(pid));
  await sleep(IDLE_MS);
  const found = new Map();
  crew.forEach((member, i) => {
    const threads = spinning(before[i], threadTimes(member.pid), nowMs() - from);
    if (threads.length > 0) found.set(member, threads);
  });
  return found;
}
