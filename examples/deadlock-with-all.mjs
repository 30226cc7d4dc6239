// The deadlock of deadlock.mjs, cured by withAll(): all the locks, or none.
//
// Ann asks for pen and paper, Bob for paper and pen. withAll() takes them in one order of its own,
// the same in every process, so the order in which they are asked for does not matter.
//
// Run:     node examples/deadlock-with-all.mjs
// Prints:  2 writers, 100 letters each: 200 letters written

import { once } from 'node:events';
import { configure, fork, forkArgs, Lock, SharedValue, unlinkNamespace, withAll } from 'holdfast';

const LETTERS = 100;

const args = forkArgs();
await (args === undefined ? parent() : writer(args));

async function writer({ locks, letters }) {
  for (let i = 0; i < LETTERS; i++) {
    await withAll(locks, () => letters.add(1));
  }
}

async function parent() {
  configure({ namespace: `example-deadlock-with-all-${process.pid}` });
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
