// A process dies that holds a permit and a lock, and waits for very many permits.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { Lock, Semaphore, unlinkNamespace } from 'holdfast';
import { median, spread } from './statistics.mjs';

const WAITS = [0, 1_000, 40_000];
const MOST_ROUNDS = 3;
const NS_PER_MS = 1e6;

// The same clock in all processes.
const nowMs = () => Number(process.hrtime.bigint()) / NS_PER_MS;
const heard = () => once(process, 'message');

const roles = {
  async die(waits) {
    const semaphore = new Semaphore('semaphore', 1);
    semaphore.acquireSync();
    for (let i = 0; i < waits; i++) semaphore.acquire();
    // Last, so that its ticket comes after theirs.
    new Lock('lock').acquireSync();
    process.send('waiting');
    await heard();
  },
  async inherit() {
    const waiting = new Lock('lock', { warnOnAbandoned: false }).acquire();
    process.send('waiting');
    const held = await waiting;
    process.send(nowMs());
    held.release();
  },
  // Asks for a permit again and again: how long did that hold up its event loop at most?
  async ask() {
    const semaphore = new Semaphore('semaphore', 1);
    let longestMs = 0;
    const asking = setInterval(() => {
      const asked = nowMs();
      semaphore.tryAcquire()?.release();
      longestMs = Math.max(longestMs, nowMs() - asked);
    }, 1);
    process.send('asking');
    await heard();
    (await semaphore.acquire()).release();
    clearInterval(asking);
    process.send(longestMs);
  },
};

if (import.meta.filename === process.argv[1]) {
  await roles[process.argv[2]](Number(process.argv[3]));
  process.disconnect();
}

let deaths = 0;

/** In a namespace of its own: in which order things are given back depends on what was there before. */
async function die(waits) {
  deaths++;
  const namespace = `bench-${process.pid}-death-${deaths}`;
  const env = { ...process.env, HOLDFAST_NAMESPACE: namespace };
  const start = async (...args) => {
    const child = fork(import.meta.filename, args.map(String), { env });
    await once(child, 'message');
    return child;
  };
  const victim = await start('die', waits);
  const asking = await start('ask');
  const heir = await start('inherit');
  const ends = [victim, asking, heir].map((child) => once(child, 'exit'));

  const inherited = once(heir, 'message');
  const killedMs = nowMs();
  victim.kill('SIGKILL');
  const [inheritedMs] = await inherited;
  const answer = once(asking, 'message');
  asking.send('enough');
  const [heldUpMs] = await answer;
  await Promise.all(ends);
  unlinkNamespace(namespace);
  return { passedOnMs: inheritedMs - killedMs, heldUpMs };
}

export const death = {
  title: 'a process is killed that holds a permit and a lock, and waits for many permits; in ms',

  async measure({ rounds }) {
    const rows = {};
    const targets = [];
    for (const waits of WAITS) {
      const costs = [];
      for (let round = 0; round < Math.min(rounds, MOST_ROUNDS); round++) {
        costs.push(await die(waits));
      }
      const passedOn = costs.map(({ passedOnMs }) => passedOnMs);
      const heldUp = costs.map(({ heldUpMs }) => heldUpMs);
      rows[`${waits} waits`] = {
        'until the lock is passed on': spread(passedOn),
        'longest hold-up of an event loop elsewhere': spread(heldUp),
      };
      targets.push(
        { what: `${waits} waits: passed on after, ms`, is: median(passedOn), limit: 50 },
        { what: `${waits} waits: an event loop held up, ms`, is: median(heldUp), limit: 10 },
      );
    }
    return { rows, targets };
  },
};
