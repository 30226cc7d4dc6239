// A deadlock: two processes, two locks, and each waits for what the other has.
//
// To write a letter takes the pen and the paper. Ann takes the pen first, Bob the paper first.
// Here they wait until each has one, so that it happens on every run; elsewhere it happens once
// in a while. Without the time-out this example would never end.
//
// Three cures: deadlock-order.mjs, deadlock-retry.mjs and deadlock-with-all.mjs.
//
// Run:     node examples/deadlock.mjs
// Prints:  Ann has the pen, and got no paper in 200 ms
//          Bob has the paper, and got no pen in 200 ms
//          0 letters written: a deadlock, and only the time-out ended it

import { once } from 'node:events';
import { Barrier, configure, fork, forkArgs, Lock, TimeoutError, unlinkNamespace } from 'holdfast';

const PATIENCE_MS = 200;

const args = forkArgs();
await (args === undefined ? parent() : writer(args));

async function writer({ first, second, both }) {
  const written = await first.with(async () => {
    await both.wait(); // now each has its first
    try {
      return await second.with(() => true, { timeout: PATIENCE_MS });
    } catch (error) {
      if (!(error instanceof TimeoutError)) throw error;
      return false;
    } finally {
      await both.wait(); // neither lets go before the other has given up too
    }
  });
  process.send({ written });
}

async function parent() {
  configure({ namespace: `example-deadlock-${process.pid}` });
  const pen = new Lock('pen');
  const paper = new Lock('paper');
  const both = new Barrier('both', 2);

  const writers = [
    { name: 'Ann', first: pen, second: paper },
    { name: 'Bob', first: paper, second: pen },
  ];
  const children = writers.map(({ first, second }) =>
    fork(import.meta.filename, { args: { first, second, both } }),
  );
  const exits = Promise.all(children.map((child) => once(child, 'exit')));
  const results = await Promise.all(
    children.map(async (child) => (await once(child, 'message'))[0]),
  );
  await exits;

  for (const [i, { name, first, second }] of writers.entries()) {
    const got = results[i].written ? `the ${second.name}` : `no ${second.name}`;
    console.log(`${name} has the ${first.name}, and got ${got} in ${PATIENCE_MS} ms`);
  }
  unlinkNamespace();

  const written = results.filter((result) => result.written).length;
  console.log(`${written} letters written: a deadlock, and only the time-out ended it`);
  process.exitCode = written === 0 ? 0 : 1;
}
