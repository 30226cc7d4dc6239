// Three seats and four buyers: the last one to come gets none.
//
// To look whether a seat is left, and to take it, is one step, under a Lock. The number of seats
// is in shared memory: a SharedValue.
//
// Run:     node examples/tickets.mjs
// Prints:  (who got which seat, which differs from run to run, then)
//          3 seats, 4 buyers: 3 sold, none twice, 1 buyer came too late

import { once } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import { configure, fork, forkArgs, Lock, SharedValue, unlinkNamespace } from 'holdfast';

const SEATS = 3;
const BUYERS = ['Ann', 'Bob', 'Cid', 'Dot'];

const args = forkArgs();
await (args === undefined ? parent() : buyer(args));

async function buyer({ office, seats }) {
  const seat = await office.with(async () => {
    const left = seats.value;
    if (left === 0) return null;
    await setTimeout(5); // to pay
    seats.value = left - 1;
    return left;
  });
  process.send({ seat });
}

async function parent() {
  configure({ namespace: `example-tickets-${process.pid}` });
  const office = new Lock('office');
  const seats = new SharedValue('seats', 'int32', SEATS);

  const children = BUYERS.map(() => fork(import.meta.filename, { args: { office, seats } }));
  const exits = Promise.all(children.map((child) => once(child, 'exit')));
  const answers = await Promise.all(
    children.map(async (child) => (await once(child, 'message'))[0]),
  );
  await exits;

  const left = seats.value;
  unlinkNamespace();

  for (const [i, name] of BUYERS.entries()) {
    const { seat } = answers[i];
    console.log(`${name} ${seat === null ? 'came too late' : `has seat ${seat}`}`);
  }
  const sold = answers.map(({ seat }) => seat).filter((seat) => seat !== null);
  const twice = sold.length - new Set(sold).size;
  const late = BUYERS.length - sold.length;
  console.log(
    `${SEATS} seats, ${BUYERS.length} buyers: ${sold.length} sold, ` +
      `${twice === 0 ? 'none' : twice} twice, ${late} buyer came too late`,
  );
  process.exitCode = sold.length === SEATS && twice === 0 && left === 0 ? 0 : 1;
}
