// Three dogs at one bowl: a SharedValue and the lock that it brings with it.
//
// Each dog looks into the bowl, eats a bite, and leaves the rest. `bowl.value -= 1` alone would
// not do: it reads, and then writes, and another dog may eat in between. withLock() holds the
// value's own lock, so no second object is needed.
//
// Run:     node examples/dogs-at-a-bowl.mjs
// Prints:  (how much each dog ate, which differs from run to run, then)
//          60 bites in the bowl, 60 eaten by 3 dogs, 0 left

import { once } from 'node:events';
import { setImmediate, setTimeout } from 'node:timers/promises';
import { Barrier, configure, fork, forkArgs, SharedValue, unlinkNamespace } from 'holdfast';

const BITES = 60;
const DOGS = ['Argos', 'Bella', 'Carlo'];

const args = forkArgs();
await (args === undefined ? parent() : dog(args));

async function dog({ bowl, call }) {
  await call.wait(); // until all three are there
  let eaten = 0;
  while (await bowl.withLock(() => bite(bowl))) {
    eaten++;
    await setTimeout(1); // it swallows, and makes room
  }
  process.send(eaten);
}

/** Eats a bite, if there is one. */
async function bite(bowl) {
  const bites = bowl.value;
  if (bites === 0) return false;
  await setImmediate(); // it bites, and the others may run
  bowl.value = bites - 1;
  return true;
}

async function parent() {
  configure({ namespace: `example-dogs-${process.pid}` });
  const bowl = new SharedValue('bowl', 'int32', BITES);
  const call = new Barrier('call', DOGS.length);

  const children = DOGS.map(() => fork(import.meta.filename, { args: { bowl, call } }));
  const exits = Promise.all(children.map((child) => once(child, 'exit')));
  const meals = await Promise.all(children.map(async (child) => (await once(child, 'message'))[0]));
  await exits;

  const left = bowl.value;
  unlinkNamespace();

  for (const [i, name] of DOGS.entries()) console.log(`${name} ate ${meals[i]}`);
  const eaten = meals.reduce((sum, meal) => sum + meal, 0);
  console.log(`${BITES} bites in the bowl, ${eaten} eaten by ${DOGS.length} dogs, ${left} left`);
  process.exitCode = eaten === BITES && left === 0 ? 0 : 1;
}
