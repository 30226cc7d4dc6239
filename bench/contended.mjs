// Several processes that do nothing but increment one counter under one lock.
import { once } from 'node:events';
import { fork, forkArgs, Lock } from 'holdfast';
import { ratios, spread } from './statistics.mjs';

const PROCESSES = 8;
const SYNC_INCREMENTS = 100_000;
const ASYNC_INCREMENTS = 20_000;
const NS_PER_MS = 1e6;

const job = process.argv[2] === 'increment' ? forkArgs() : undefined;
if (job) await increment(job);

async function increment({ lock, increments, sync }) {
  process.send('ready');
  await new Promise((resolve) => process.once('message', resolve));
  if (sync) {
    for (let i = 0; i < increments; i++) lock.acquireSync().release();
  } else {
    for (let i = 0; i < increments; i++) (await lock.acquire()).release();
  }
  process.disconnect();
}

/** Nanoseconds for one acquire + release of all processes together. */
async function contend(lock, increments, sync) {
  const children = Array.from({ length: PROCESSES }, () =>
    fork(import.meta.filename, { argv: ['increment'], args: { lock, increments, sync } }),
  );
  const ends = children.map((child) => once(child, 'exit'));
  await Promise.all(children.map((child) => once(child, 'message')));
  const begin = performance.now();
  for (const child of children) child.send('go');
  await Promise.all(children.map((child) => once(child, 'disconnect')));
  const ns = ((performance.now() - begin) * NS_PER_MS) / (increments * PROCESSES);
  for (const [code, signal] of await Promise.all(ends)) {
    if (code !== 0) throw new Error(`a process ended with ${signal ?? code}`);
  }
  return ns;
}

export const contended = {
  title: `${PROCESSES} processes, one lock, nothing else to do: ns for an acquire + release`,

  async measure({ rounds, runBaseline }) {
    const lock = new Lock();
    const measured = { 'C robust pthread mutex': [], 'acquireSync + release': [] };
    measured['await acquire + release'] = [];
    for (let round = 0; round < rounds; round++) {
      const c = runBaseline(1, PROCESSES, SYNC_INCREMENTS);
      measured['C robust pthread mutex'].push(c.contendedNs);
      measured['acquireSync + release'].push(await contend(lock, SYNC_INCREMENTS, true));
      measured['await acquire + release'].push(await contend(lock, ASYNC_INCREMENTS, false));
    }
    lock.close();
    const limit = measured['C robust pthread mutex'];
    const rows = {};
    for (const [name, values] of Object.entries(measured)) {
      rows[name] = { ns: spread(values), 'times the C mutex': spread(ratios(values, limit)) };
    }
    return { rows, targets: [] };
  },
};
