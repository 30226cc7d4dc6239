// A producer and consumers once more, with a counter: loaves on a shelf, and a Condition.
//
// A baker bakes 24 loaves and counts each on the shelf; four customers buy six each. All that they
// share is a number, so the number is what they wait for: a loop around wait(), since another
// customer may have been there first. (waitFor() is that loop.) Without a lock of its own a
// condition makes one, an RLock; with() takes it.
//
// Run:     node examples/bakery.mjs
// Prints:  24 loaves baked, 24 sold to 4 customers, 0 left

import { once } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import { Condition, configure, fork, forkArgs, SharedValue, unlinkNamespace } from 'holdfast';

const CUSTOMERS = 4;
const EACH = 6;

const jobs = { bake, buy };

const args = forkArgs();
await (args === undefined ? parent() : jobs[args.job](args));

async function bake({ shop, loaves }) {
  let baked = 0;
  for (; baked < CUSTOMERS * EACH; baked++) {
    await setTimeout(1); // in the oven: this needs no lock
    await shop.with(() => {
      loaves.value += 1;
      shop.notify(); // one loaf, one customer
    });
  }
  process.send(baked);
}

async function buy({ shop, loaves }) {
  let bought = 0;
  for (; bought < EACH; bought++) {
    await shop.with(async () => {
      while (loaves.value === 0) await shop.wait();
      loaves.value -= 1;
    });
  }
  process.send(bought);
}

async function parent() {
  configure({ namespace: `example-bakery-${process.pid}` });
  const shop = new Condition();
  const loaves = new SharedValue('loaves', 'int32');

  const start = (job) => fork(import.meta.filename, { args: { job, shop, loaves } });
  const children = [...Array.from({ length: CUSTOMERS }, () => start('buy')), start('bake')];
  const exits = Promise.all(children.map((child) => once(child, 'exit')));
  const counts = await Promise.all(
    children.map(async (child) => (await once(child, 'message'))[0]),
  );
  await exits;

  const left = loaves.value;
  unlinkNamespace();

  const baked = counts.pop();
  const sold = counts.reduce((sum, bought) => sum + bought, 0);
  console.log(`${baked} loaves baked, ${sold} sold to ${CUSTOMERS} customers, ${left} left`);
  process.exitCode = baked === sold && left === 0 ? 0 : 1;
}
