import { once } from 'node:events';
import { configure, Lock, RLock, RWLock, Semaphore } from 'holdfast';
import { describe, expect, it } from 'vitest';
import { ownNamespace, uniqueName } from '../support/namespace.js';
import { turns, watch } from '../support/promises.js';

ownNamespace('deadlock-warning');
configure({ detectDeadlocks: false });

type Warning = Error & { code?: string };

const warnings: Warning[] = [];
process.on('warning', (warning: Warning) => {
  if (warning.code === 'HOLDFAST_DEADLOCK') warnings.push(warning);
});

/** The next such warning. */
async function warned(): Promise<Warning> {
  for (;;) {
    const [warning] = (await once(process, 'warning')) as [Warning];
    if (warning.code === 'HOLDFAST_DEADLOCK') return warning;
  }
}

type Held = { release(): void };

/** Each holds, and then waits for what it holds. */
const cases: [string, () => Promise<[Held, Promise<Held>, string]>][] = [
  [
    'a Lock by with()',
    async () => {
      const lock = new Lock(uniqueName());
      const held = await entered((fn) => lock.with(fn));
      return [held, lock.acquire(), lock.name];
    },
  ],
  [
    'a Lock by acquire()',
    async () => {
      const lock = new Lock(uniqueName());
      return [await lock.acquire(), lock.acquire(), lock.name];
    },
  ],
  [
    'an RLock by acquireSync()',
    async () => {
      const lock = new RLock(uniqueName());
      return [lock.acquireSync(), lock.acquire(), lock.name];
    },
  ],
  [
    'permits',
    async () => {
      const s = new Semaphore(uniqueName(), 3);
      return [await s.acquire(2), s.acquire(2), s.name];
    },
  ],
  [
    'the other side of an RWLock',
    async () => {
      const rw = new RWLock(uniqueName());
      return [await rw.read.acquire(), rw.write.acquire(), rw.name];
    },
  ],
];

/** The guard of a with() whose function goes on until that is released. */
function entered(take: (fn: (held: Held) => Promise<void>) => Promise<void>): Promise<Held> {
  return new Promise((resolve) => {
    let end = () => {};
    const ended = new Promise<void>((done) => {
      end = done;
    });
    void take(() => {
      resolve({ release: end });
      return ended;
    });
  });
}

describe.each(cases)('whoever holds %s and waits for it for a second', (_, make) => {
  it('is warned once, and gets it when it is released', async () => {
    const before = warnings.length;
    const warning = warned();
    const [held, waiting, name] = await make();
    expect((await warning).message).toContain(JSON.stringify(name));
    expect((await warning).message).toContain('detectDeadlocks');
    const watched = watch(waiting);
    await turns();
    expect(watched.state).toBe('pending');
    held.release();
    (await waiting).release();
    expect(warnings.length).toBe(before + 1);
  });
});

it('who waits while holders come and go is not warned', async () => {
  const lock = new Lock(uniqueName());
  const s = new Semaphore(uniqueName(), 1);
  const witness = warned();
  const stuck = new Lock(uniqueName());
  const mine = await stuck.acquire();
  const never = stuck.acquire();
  let isOver = false;
  const work = async () => {
    while (!isOver) {
      await lock.with(() => turns(1));
      await s.with(() => turns(1));
    }
  };
  const all = Promise.all([work(), work(), work()]);
  // By then both were looked at as often as the one that is warned of.
  expect((await witness).message).toContain(JSON.stringify(stuck.name));
  isOver = true;
  await all;
  mine.release();
  (await never).release();
  expect(warnings.filter(({ message }) => message.includes(JSON.stringify(lock.name)))).toEqual([]);
  expect(warnings.filter(({ message }) => message.includes(JSON.stringify(s.name)))).toEqual([]);
});
