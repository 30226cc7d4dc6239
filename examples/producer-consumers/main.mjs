// A producer and three consumers, and a buffer of four places between them: two Conditions on one
// Lock.
//
// Whoever finds nothing to take, or no place to put, waits with waitFor(): it gives the lock up,
// sleeps until it is notified, and has the lock again when the predicate is true. The buffer is in
// buffer.mjs.
//
// Run:     node examples/producer-consumers/main.mjs
// Prints:  100 numbers through 4 places: each came to one consumer, each consumer's in order

import { once } from 'node:events';
import { configure, fork, forkArgs, unlinkNamespace } from 'holdfast';
import { Buffer } from './buffer.mjs';

const NUMBERS = 100;
const PLACES = 4;
const CONSUMERS = 3;

const args = forkArgs();
const jobs = { produce, consume };
await (args === undefined ? parent() : jobs[args.job]());

async function produce() {
  const buffer = new Buffer('numbers', PLACES);
  for (let number = 1; number <= NUMBERS; number++) await buffer.put(number);
  await buffer.end();
}

async function consume() {
  const buffer = new Buffer('numbers', PLACES);
  const taken = [];
  for (;;) {
    const number = await buffer.take();
    if (number === undefined) break;
    taken.push(number);
  }
  process.send(taken);
}

async function parent() {
  configure({ namespace: `example-producer-consumers-${process.pid}` });
  new Buffer('numbers', PLACES);

  const start = (job) => fork(import.meta.filename, { args: { job } });
  const consumers = Array.from({ length: CONSUMERS }, () => start('consume'));
  const children = [...consumers, start('produce')];
  const exits = Promise.all(children.map((child) => once(child, 'exit')));
  const hands = await Promise.all(
    consumers.map(async (child) => (await once(child, 'message'))[0]),
  );
  await exits;
  unlinkNamespace();

  const ascending = (numbers) => numbers.every((number, i) => i === 0 || numbers[i - 1] < number);
  const all = hands.flat().sort((a, b) => a - b);
  const each = all.length === NUMBERS && all.every((number, i) => number === i + 1);
  const inOrder = hands.every(ascending);
  console.log(
    `${NUMBERS} numbers through ${PLACES} places: each came to ${each ? '' : 'NOT '}one consumer, ` +
      `each consumer's ${inOrder ? '' : 'NOT '}in order`,
  );
  process.exitCode = each && inOrder ? 0 : 1;
}
