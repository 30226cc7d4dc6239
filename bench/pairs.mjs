// An uncontended acquire + release, by every verb, in nanoseconds.
import { Lock, RLock } from 'holdfast';
import { median, ratios, spread } from './statistics.mjs';

const SYNC_PAIRS = 2_000_000;
const ASYNC_PAIRS = 300_000;
const NS_PER_MS = 1e6;

function time(pairs, work) {
  const begin = performance.now();
  work(pairs);
  return ((performance.now() - begin) * NS_PER_MS) / pairs;
}

async function timeAsync(pairs, work) {
  const begin = performance.now();
  await work(pairs);
  return ((performance.now() - begin) * NS_PER_MS) / pairs;
}

function verbs(lock, rlock) {
  const nothing = () => {};
  return {
    'acquireSync + release': (n) => {
      for (let i = 0; i < n; i++) lock.acquireSync().release();
    },
    'tryAcquire + release': (n) => {
      for (let i = 0; i < n; i++) lock.tryAcquire()?.release();
    },
    withSync: (n) => {
      for (let i = 0; i < n; i++) lock.withSync(nothing);
    },
    'RLock acquireSync + release': (n) => {
      for (let i = 0; i < n; i++) rlock.acquireSync().release();
    },
    'await acquire + release': async (n) => {
      for (let i = 0; i < n; i++) (await lock.acquire()).release();
    },
    'await with': async (n) => {
      for (let i = 0; i < n; i++) await lock.with(nothing);
    },
  };
}

export const pairs = {
  title: 'an uncontended acquire + release, in ns',

  async measure({ rounds, runBaseline }) {
    const lock = new Lock();
    const rlock = new RLock();
    const works = verbs(lock, rlock);
    const measured = { 'C robust pthread mutex': [], 'C sem_t': [] };
    for (const name of Object.keys(works)) measured[name] = [];

    // Round 0 warms up: compilers, caches, clock.
    for (let round = 0; round <= rounds; round++) {
      const c = runBaseline(5_000_000);
      const ns = { 'C robust pthread mutex': c.mutexPairNs, 'C sem_t': c.semaphorePairNs };
      for (const [name, work] of Object.entries(works)) {
        ns[name] = name.startsWith('await')
          ? await timeAsync(ASYNC_PAIRS, work)
          : time(SYNC_PAIRS, work);
      }
      if (round > 0) for (const [name, value] of Object.entries(ns)) measured[name].push(value);
    }
    lock.close();
    rlock.close();

    const limit = measured['C robust pthread mutex'];
    const rows = {};
    for (const [name, values] of Object.entries(measured)) {
      rows[name] = { ns: spread(values), 'times the C mutex': spread(ratios(values, limit)) };
    }
    const sync = median(ratios(measured['acquireSync + release'], limit));
    // 1 microsecond where the C pair takes 17 ns.
    const async = median(ratios(measured['await acquire + release'], limit));
    return {
      rows,
      targets: [
        { what: 'acquireSync + release, times the C mutex', is: sync, limit: 2 },
        { what: 'await acquire + release, times the C mutex', is: async, limit: 1000 / 17 },
      ],
    };
  },
};
