// A bank loses money without a lock, and none with it.
//
// Four tellers, each a process, move money from their customer's account to a common one: read
// both, compute, write both. Without a lock they read the same balance, and all but one of the
// deposits are overwritten. Here they meet between reading and writing, so that it happens every
// time; in a bank it would happen now and then. Under the lock they cannot meet: one at a time is
// between reading and writing.
//
// Run:     node examples/bank-transfer.mjs
// Prints:  without a lock: 400 at first, 340 at the end: 60 lost
//          with a lock:    400 at first, 400 at the end: nothing lost

import { once } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import { Barrier, configure, fork, forkArgs, Lock, SharedArray, unlinkNamespace } from 'holdfast';

const TELLERS = 4;
const TRANSFERS = 20;
const BALANCE = 100;
const COMMON = 0; // the common account; the others are the tellers' customers'

const args = forkArgs();
await (args === undefined ? parent() : teller(args));

async function teller({ accounts, customer, lock, meeting }) {
  for (let i = 0; i < TRANSFERS; i++) {
    if (lock === undefined) {
      await transfer(accounts, customer, () => meeting.wait());
    } else {
      await lock.with(() => transfer(accounts, customer, () => setTimeout(1)));
    }
  }
}

async function transfer(accounts, from, pause) {
  const had = accounts.get(from);
  const common = accounts.get(COMMON);
  await pause(); // the forms have to be signed
  accounts.set(from, had - 1);
  accounts.set(COMMON, common + 1);
}

async function parent() {
  configure({ namespace: `example-bank-transfer-${process.pid}` });
  const meeting = new Barrier('tellers', TELLERS);
  const without = await run('without a lock', { meeting });
  const withLock = await run('with a lock', { lock: new Lock('bank') });
  unlinkNamespace();
  process.exitCode = without > 0 && withLock === 0 ? 0 : 1;
}

/** Opens accounts, lets the tellers work on them, and says how much money is gone. */
async function run(name, tools) {
  const balances = [0, ...Array(TELLERS).fill(BALANCE)];
  const accounts = new SharedArray(name, 'int32', balances);
  const children = Array.from({ length: TELLERS }, (_, i) =>
    fork(import.meta.filename, { args: { ...tools, accounts, customer: i + 1 } }),
  );
  await Promise.all(children.map((child) => once(child, 'exit')));

  const first = sum(balances);
  const end = sum([...accounts]);
  const lost = first - end;
  console.log(
    `${`${name}:`.padEnd(15)} ${first} at first, ${end} at the end: ${lost === 0 ? 'nothing' : lost} lost`,
  );
  return lost;
}

function sum(amounts) {
  return amounts.reduce((total, amount) => total + amount, 0);
}
