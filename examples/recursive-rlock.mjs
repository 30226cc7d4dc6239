// An RLock: whoever holds it may take it again, and it is free when the last level is released.
//
// That is what a class needs whose public methods lock, and call each other: transfer() holds the
// bank's lock, and withdraw() and deposit() take it again inside. Two processes transfer money to
// and fro; an auditor in a third adds up the accounts meanwhile, and never sees a transfer half
// done.
//
// Run:     node examples/recursive-rlock.mjs
// Prints:  RLock, sync:   depth 1, 2, 3, then 0
//          RLock, async:  outer, inner, then the other task
//          Lock, sync:    ERR_HOLDFAST_DEADLOCK
//          200 audits: the total was 1000 each time

import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { configure, fork, forkArgs, Lock, RLock, unlinkNamespace } from 'holdfast';

const ROUNDS = 200;
const TOTAL = 1000;

class Bank {
  #lock;
  #file;

  constructor(lock, file) {
    this.#lock = lock;
    this.#file = file;
  }

  withdraw(account, amount) {
    this.#lock.withSync(() => this.#change(account, -amount));
  }

  deposit(account, amount) {
    this.#lock.withSync(() => this.#change(account, +amount));
  }

  transfer(from, to, amount) {
    this.#lock.withSync(() => {
      this.withdraw(from, amount); // takes the lock again: with a Lock, a DeadlockError
      this.deposit(to, amount);
    });
  }

  total() {
    return this.#lock.withSync(() =>
      Object.values(this.#read()).reduce((sum, amount) => sum + amount, 0),
    );
  }

  #read() {
    return JSON.parse(readFileSync(this.#file, 'utf8'));
  }

  #change(account, by) {
    const accounts = this.#read();
    accounts[account] += by;
    writeFileSync(this.#file, JSON.stringify(accounts));
  }
}

const jobs = {
  to: (bank) => bank.transfer('ann', 'bob', 3),
  fro: (bank) => bank.transfer('bob', 'ann', 3),
  audit(bank) {
    const total = bank.total();
    if (total !== TOTAL) throw new Error(`the accounts add up to ${total}, not ${TOTAL}`);
  },
};

const args = forkArgs();
await (args === undefined ? parent() : child(args));

function child({ lock, file, job }) {
  const bank = new Bank(lock, file);
  for (let i = 0; i < ROUNDS; i++) jobs[job](bank);
}

async function parent() {
  configure({ namespace: `example-recursive-rlock-${process.pid}` });

  console.log(`RLock, sync:   ${syncDepths(new RLock('sync'))}`);
  console.log(`RLock, async:  ${await asyncOrder(new RLock('async'))}`);
  console.log(`Lock, sync:    ${plainLock(new Lock('plain'))}`);

  const folder = mkdtempSync(join(tmpdir(), 'recursive-rlock-'));
  const file = join(folder, 'accounts.json');
  writeFileSync(file, JSON.stringify({ ann: TOTAL / 2, bob: TOTAL / 2 }));

  const lock = new RLock('bank');
  const children = Object.keys(jobs).map((job) =>
    fork(import.meta.filename, { args: { lock, file, job } }),
  );
  const exits = await Promise.all(children.map((child) => once(child, 'exit')));

  rmSync(folder, { recursive: true });
  unlinkNamespace();

  if (exits.every(([code]) => code === 0)) {
    console.log(`${ROUNDS} audits: the total was ${TOTAL} each time`);
  } else {
    process.exitCode = 1;
  }
}

// In sync calls, the thread is the holder.
function syncDepths(lock) {
  const depths = [];
  const descend = (levels) =>
    lock.withSync(() => {
      depths.push(lock.depth);
      if (levels > 1) descend(levels - 1);
    });
  descend(3);
  return `depth ${depths.join(', ')}, then ${lock.depth}`;
}

// In promises, the holder is the function that with() runs, with all that it awaits and starts.
// Another task of the same thread is another holder: it waits.
async function asyncOrder(lock) {
  const order = [];
  const task = lock.with(async () => {
    order.push('outer');
    await setTimeout(5);
    await lock.with(() => order.push('inner'));
  });
  const other = lock.with(() => order.push('then the other task'));
  await Promise.all([task, other]);
  return order.join(', ');
}

// A Lock is not recursive. To wait for oneself would be to wait for ever, so it throws at once.
function plainLock(lock) {
  try {
    return lock.withSync(() => lock.withSync(() => 'no error'));
  } catch (error) {
    return error.code;
  }
}
