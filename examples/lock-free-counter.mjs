// A counter without any lock: compareExchange() on a SharedValue.
//
// Read the value, compute the next one, and write it only if the value is still the one that was
// read; otherwise somebody else was faster, so try again. Nobody ever waits. Any computation will
// do in the middle: here the counter goes round, 0 to 9999 and then 0 again, which no add() could
// do. (For plain counting there is add().)
//
// Run:     node examples/lock-free-counter.mjs
// Prints:  4 processes, 10000 steps each: 4 times round, and back at 0

import { once } from 'node:events';
import { Barrier, configure, fork, forkArgs, SharedValue, unlinkNamespace } from 'holdfast';

const PROCESSES = 4;
const STEPS = 10_000;
const ROUND = 10_000;

const args = forkArgs();
await (args === undefined ? parent() : child(args));

async function child({ start, counter, rounds }) {
  await start.wait(); // all four at once
  for (let i = 0; i < STEPS; i++) {
    if (step(counter) === 0) rounds.add(1);
  }
}

/** One step on; the new value. */
function step(counter) {
  for (;;) {
    const seen = counter.load();
    const next = (seen + 1) % ROUND;
    if (counter.compareExchange(seen, next) === seen) return next;
  }
}

async function parent() {
  configure({ namespace: `example-lock-free-${process.pid}` });
  const start = new Barrier('start', PROCESSES);
  const counter = new SharedValue('counter', 'uint32');
  const rounds = new SharedValue('rounds', 'uint32');

  const children = Array.from({ length: PROCESSES }, () =>
    fork(import.meta.filename, { args: { start, counter, rounds } }),
  );
  await Promise.all(children.map((child) => once(child, 'exit')));

  const end = counter.value;
  const times = rounds.value;
  unlinkNamespace();

  console.log(
    `${PROCESSES} processes, ${STEPS} steps each: ${times} times round, and back at ${end}`,
  );
  process.exitCode = end === 0 && times === (PROCESSES * STEPS) / ROUND ? 0 : 1;
}
