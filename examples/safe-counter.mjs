// The unsafe counter, made safe: the same read, yield, write, now under a Lock.
//
// Run:     node examples/safe-counter.mjs
// Prints:  expected 1000, counted 1000: nothing lost

import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { configure, fork, forkArgs, Lock, unlinkNamespace } from 'holdfast';

const PROCESSES = 4;
const INCREMENTS = 250;

const args = forkArgs(); // what the parent gave; undefined in the parent itself
await (args === undefined ? parent() : child(args));

async function child({ lock, file }) {
  for (let i = 0; i < INCREMENTS; i++) {
    await lock.with(async () => {
      const count = Number(readFileSync(file, 'utf8'));
      await setImmediate(); // the others may run, but none of them gets in here
      writeFileSync(file, String(count + 1));
    });
  }
}

async function parent() {
  configure({ namespace: `example-safe-counter-${process.pid}` });
  const folder = mkdtempSync(join(tmpdir(), 'safe-counter-'));
  const file = join(folder, 'count');
  writeFileSync(file, '0');

  const lock = new Lock('count');
  const children = Array.from({ length: PROCESSES }, () =>
    fork(import.meta.filename, { args: { lock, file } }),
  );
  await Promise.all(children.map((child) => once(child, 'exit')));

  const expected = PROCESSES * INCREMENTS;
  const counted = Number(readFileSync(file, 'utf8'));
  rmSync(folder, { recursive: true });
  unlinkNamespace();

  const lost = expected - counted;
  console.log(`expected ${expected}, counted ${counted}: ${lost === 0 ? 'nothing' : lost} lost`);
  process.exitCode = lost === 0 ? 0 : 1;
}
