// Read, compute, write: a step that takes a while, and that nobody may come between.
//
// Three processes count in one file, and each holds the lock in another way: with() waits for a
// promise, withSync() blocks the thread, and acquire() with try/finally is for code that neither
// of them fits. It is one lock all the same: a blocked thread and a waiting promise exclude each
// other.
//
// Run:     node examples/file-counter.mjs
// Prints:  with      counted 30
//          withSync  counted 30
//          acquire   counted 30
//          expected 90, counted 90

import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { configure, fork, forkArgs, Lock, unlinkNamespace } from 'holdfast';

const INCREMENTS = 30;
const COMPUTE_MS = 2;

const increment = {
  async with(lock, file) {
    await lock.with(async () => {
      const count = read(file);
      write(file, await compute(count));
    });
  },

  withSync(lock, file) {
    lock.withSync(() => {
      const count = read(file);
      write(file, computeSync(count));
    });
  },

  async acquire(lock, file) {
    const held = await lock.acquire();
    try {
      const count = read(file);
      write(file, await compute(count));
    } finally {
      held.release();
    }
  },
};

const args = forkArgs();
await (args === undefined ? parent() : child(args));

async function child({ lock, file, way }) {
  for (let i = 0; i < INCREMENTS; i++) await increment[way](lock, file);
}

function read(file) {
  return Number(readFileSync(file, 'utf8'));
}

function write(file, count) {
  writeFileSync(file, String(count));
}

async function compute(count) {
  await setTimeout(COMPUTE_MS);
  return count + 1;
}

function computeSync(count) {
  const nobody = new Int32Array(new SharedArrayBuffer(4));
  Atomics.wait(nobody, 0, 0, COMPUTE_MS); // sleeps, and blocks the thread
  return count + 1;
}

async function parent() {
  configure({ namespace: `example-file-counter-${process.pid}` });
  const folder = mkdtempSync(join(tmpdir(), 'file-counter-'));
  const file = join(folder, 'count');
  write(file, 0);

  const lock = new Lock('count');
  const ways = Object.keys(increment);
  const children = ways.map((way) => fork(import.meta.filename, { args: { lock, file, way } }));
  const exits = await Promise.all(children.map((child) => once(child, 'exit')));

  const expected = ways.length * INCREMENTS;
  const counted = read(file);
  rmSync(folder, { recursive: true });
  unlinkNamespace();

  for (const [i, way] of ways.entries()) {
    const [code] = exits[i];
    console.log(
      `${way.padEnd(9)} ${code === 0 ? `counted ${INCREMENTS}` : `failed with exit code ${code}`}`,
    );
  }
  console.log(`expected ${expected}, counted ${counted}`);
  process.exitCode = counted === expected ? 0 : 1;
}
