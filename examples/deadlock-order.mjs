// The deadlock of deadlock.mjs, cured by order: everybody takes the pen before the paper.
//
// Then a ring cannot close: whoever has the paper has the pen already, and waits for nothing. Any
// order will do, if it is the same for all; here it is the one in which the locks are written
// down. The order in which they are asked for does not matter.
//
// Run:     node examples/deadlock-order.mjs
// Prints:  2 writers, 100 letters each: 200 letters written

import { once } from 'node:events';
import { setImmediate } from 'node:timers/promises';
import { configure, fork, forkArgs, Lock, SharedValue, unlinkNamespace } from 'holdfast';

const LETTERS = 100;
const ORDER = ['pen', 'paper'];

const args = forkArgs();
await (args === undefined ? parent() : writer(args));

async function writer({ locks, letters }) {
  const [first, second] = locks.sort((a, b) => ORDER.indexOf(a.name) - ORDER.indexOf(b.name));
  for (let i = 0; i < LETTERS; i++) {
    await first.with(async () => {
      await setImmediate(); // the other may run, and want what we take next
      await second.with(() => letters.add(1));
    });
  }
}

async function parent() {
  configure({ namespace: `example-deadlock-order-${process.pid}` });
  const pen = new Lock('pen');
  const paper = new Lock('paper');
  const letters = new SharedValue('letters', 'int32');

  const children = [
    [pen, paper],
    [paper, pen],
  ].map((locks) => fork(import.meta.filename, { args: { locks, letters } }));
  await Promise.all(children.map((child) => once(child, 'exit')));

  const written = letters.value;
  unlinkNamespace();

  console.log(`2 writers, ${LETTERS} letters each: ${written} letters written`);
  process.exitCode = written === 2 * LETTERS ? 0 : 1;
}
