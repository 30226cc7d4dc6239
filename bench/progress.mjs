// Three processes that use one lock, each for a few milliseconds, beside others that wait for it and do not run.
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { fork, forkArgs, Lock, SharedValue } from 'holdfast';
import { median, ratios, spread } from './statistics.mjs';

const USERS = 3;
const HOLD_MS = 3;
const USE_MS = 1_500;
const MOST_ROUNDS = 4;

const roles = {
  async use({ lock }) {
    const end = performance.now() + USE_MS;
    let acquisitions = 0;
    let longestMs = 0;
    for (let asked = performance.now(); asked < end; asked = performance.now()) {
      const held = await lock.acquire();
      longestMs = Math.max(longestMs, performance.now() - asked);
      acquisitions++;
      await delay(HOLD_MS);
      held.release();
    }
    process.send({ acquisitions, longestMs });
  },
  // Waits for the lock, and its event loop does not turn before the end.
  async wait({ lock, over }) {
    const waiting = lock.acquire();
    process.send('waiting');
    while (over.load() === 0);
    (await waiting).release();
  },
  // The same, and it is stopped meanwhile.
  async rest({ lock }) {
    const waiting = lock.acquire();
    process.send('waiting');
    (await waiting).release();
  },
};

const role = import.meta.filename === process.argv[1] ? process.argv[2] : undefined;
if (role) {
  const job = forkArgs();
  process.send('ready');
  await once(process, 'message');
  await roles[role](job);
  process.disconnect();
}

async function start(argv, args) {
  const child = fork(import.meta.filename, { argv: [argv], args });
  await once(child, 'message');
  return child;
}

/** One round: acquisitions a second, and the longest wait. */
async function use({ busy, stopped }) {
  const [lock, over] = [new Lock(), new SharedValue(undefined, 'int32')];
  const job = { lock, over };
  const users = await Promise.all(Array.from({ length: USERS }, () => start('use', job)));
  const held = lock.acquireSync();
  const idle = [];
  for (const what of [...(busy ? ['wait'] : []), ...(stopped ? ['rest'] : [])]) {
    const child = await start(what, job);
    child.send('go');
    await once(child, 'message');
    if (what === 'rest') child.kill('SIGSTOP');
    idle.push(child);
  }
  held.release();

  const begin = performance.now();
  const ends = users.map((child) => once(child, 'message'));
  for (const child of users) child.send('go');
  const uses = (await Promise.all(ends)).map(([result]) => result);
  const seconds = (performance.now() - begin) / 1_000;

  over.store(1);
  const exits = idle.map((child) => once(child, 'exit'));
  for (const child of idle) child.kill('SIGCONT');
  await Promise.all(exits);
  lock.close();
  over.close();
  return {
    pace: uses.reduce((sum, { acquisitions }) => sum + acquisitions, 0) / seconds,
    longestMs: Math.max(...uses.map(({ longestMs }) => longestMs)),
  };
}

const companies = {
  nobody: {},
  'a busy event loop': { busy: true },
  'a stopped process': { stopped: true },
  both: { busy: true, stopped: true },
};

export const progress = {
  title: `${USERS} processes that hold a lock ${HOLD_MS} ms each time, beside ones that wait for it and do not run`,

  async measure({ rounds }) {
    const measured = Object.fromEntries(
      Object.keys(companies).map((name) => [name, { pace: [], longestMs: [] }]),
    );
    for (let round = 0; round < Math.min(rounds, MOST_ROUNDS); round++) {
      for (const [name, company] of Object.entries(companies)) {
        const { pace, longestMs } = await use(company);
        measured[name].pace.push(pace);
        measured[name].longestMs.push(longestMs);
      }
    }
    const control = measured.nobody.pace;
    const rows = {};
    const targets = [];
    for (const [name, { pace, longestMs }] of Object.entries(measured)) {
      const kept = ratios(pace, control);
      rows[`beside ${name}`] = {
        'acquisitions a second': spread(pace),
        kept: median(kept).toFixed(2),
        'longest wait, ms': spread(longestMs),
      };
      if (name === 'nobody') continue;
      targets.push(
        { what: `beside ${name}: acquisitions lost`, is: 1 - median(kept), limit: 0.2 },
        { what: `beside ${name}: longest wait, ms`, is: median(longestMs), limit: 100 },
      );
    }
    return { rows, targets };
  },
};
