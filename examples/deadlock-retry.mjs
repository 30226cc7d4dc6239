// The deadlock of deadlock.mjs, cured by time-out and retry: for locks that come in no order.
//
// Whoever does not get the second lock in time puts the first one back, pauses, and starts again.
// The pauses are of chance: were they equal, the two could go on missing each other. They run into
// each other once on purpose, at the first letter, so somebody gives up at least once.
//
// Where the locks are known beforehand, order or withAll() is better: nobody waits in vain.
//
// Run:     node examples/deadlock-retry.mjs
// Prints:  2 writers, 20 letters each: 40 letters written, after giving up at least once

import { once } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import {
  Barrier,
  configure,
  fork,
  forkArgs,
  Lock,
  SharedValue,
  TimeoutError,
  unlinkNamespace,
} from 'holdfast';

const LETTERS = 20;
const chance = (ms) => ms * (0.5 + Math.random());

const args = forkArgs();
await (args === undefined ? parent() : writer(args));

async function writer({ first, second, both, letters, retries }) {
  let met = false;
  for (let i = 0; i < LETTERS; i++) {
    while (!(await tryToWrite())) {
      retries.add(1);
      await setTimeout(chance(10));
    }
  }

  /** Writes a letter and returns true; or gives everything back and returns false. */
  async function tryToWrite() {
    return await first.with(async () => {
      if (!met) await both.wait(); // now each has its first
      met = true;
      try {
        await second.with(() => letters.add(1), { timeout: chance(10) });
        return true;
      } catch (error) {
        if (error instanceof TimeoutError) return false;
        throw error;
      }
    });
  }
}

async function parent() {
  configure({ namespace: `example-deadlock-retry-${process.pid}` });
  const pen = new Lock('pen');
  const paper = new Lock('paper');
  const both = new Barrier('both', 2);
  const letters = new SharedValue('letters', 'int32');
  const retries = new SharedValue('retries', 'int32');

  const children = [
    { first: pen, second: paper },
    { first: paper, second: pen },
  ].map((locks) => fork(import.meta.filename, { args: { ...locks, both, letters, retries } }));
  await Promise.all(children.map((child) => once(child, 'exit')));

  const written = letters.value;
  const gaveUp = retries.value > 0;
  unlinkNamespace();

  console.log(
    `2 writers, ${LETTERS} letters each: ${written} letters written, ` +
      `${gaveUp ? 'after giving up at least once' : 'and nobody gave up'}`,
  );
  process.exitCode = written === 2 * LETTERS && gaveUp ? 0 : 1;
}
