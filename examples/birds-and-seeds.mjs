// Four birds at three heaps of seeds: a SharedArray and the lock that it brings with it.
//
// Each bird flies to the largest heap and takes a seed. To find the largest it must look at all
// three, so all three must stand still: withLock() holds the array's own lock. Inside, `array` is
// an ordinary typed array over the shared memory.
//
// Run:     node examples/birds-and-seeds.mjs
// Prints:  (how many seeds each bird got, which differs from run to run, then)
//          90 seeds in 3 heaps, 90 eaten by 4 birds; left: 0, 0, 0

import { once } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import { configure, fork, forkArgs, SharedArray, unlinkNamespace } from 'holdfast';

const HEAPS = [20, 50, 20];
const BIRDS = ['Finch', 'Robin', 'Tit', 'Wren'];

const args = forkArgs();
await (args === undefined ? parent() : bird(args));

async function bird({ heaps }) {
  let eaten = 0;
  while (await heaps.withLock(() => takeSeed(heaps.array))) {
    await setTimeout(1); // it eats: this needs no lock
    eaten++;
  }
  process.send(eaten);
}

/** Takes a seed off the largest heap, if there is one. */
function takeSeed(heaps) {
  const most = Math.max(...heaps);
  if (most === 0) return false;
  heaps[heaps.indexOf(most)] -= 1;
  return true;
}

async function parent() {
  configure({ namespace: `example-birds-${process.pid}` });
  const heaps = new SharedArray('heaps', 'uint16', HEAPS);

  const children = BIRDS.map(() => fork(import.meta.filename, { args: { heaps } }));
  const exits = Promise.all(children.map((child) => once(child, 'exit')));
  const meals = await Promise.all(children.map(async (child) => (await once(child, 'message'))[0]));
  await exits;

  const left = [...heaps];
  unlinkNamespace();

  for (const [i, name] of BIRDS.entries()) console.log(`${name.padEnd(5)} ate ${meals[i]}`);
  const seeds = sum(HEAPS);
  const eaten = sum(meals);
  console.log(
    `${seeds} seeds in ${HEAPS.length} heaps, ${eaten} eaten by ${BIRDS.length} birds; ` +
      `left: ${left.join(', ')}`,
  );
  process.exitCode = eaten === seeds && sum(left) === 0 ? 0 : 1;
}

function sum(numbers) {
  return numbers.reduce((total, number) => total + number, 0);
}
