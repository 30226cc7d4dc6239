// What goes wrong without a lock.
//
// Four processes add 1 to the number in a file, 25 times each: read, yield, write. While one of
// them yields, the others read the same number; then all four write the same successor, and three
// of four increments are lost. On a real day that happens now and then. Here it is certain: each
// process yields until the parent has heard from all four, so nobody writes before everybody has
// read.
//
// Run:     node examples/unsafe-counter.mjs
// Prints:  expected 100, counted 25: 75 increments lost

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const PROCESSES = 4;
const INCREMENTS = 25;

const [file] = process.argv.slice(2);
await (file === undefined ? parent() : child(file));

async function child(file) {
  for (let i = 0; i < INCREMENTS; i++) {
    const count = Number(readFileSync(file, 'utf8'));
    await everybody(); // all four have read the same number ...
    writeFileSync(file, String(count + 1));
    await everybody(); // ... and all four have written the same one
  }
}

/** Yields until all processes have come here. */
async function everybody() {
  process.send('here');
  await once(process, 'message');
}

async function parent() {
  const folder = mkdtempSync(join(tmpdir(), 'unsafe-counter-'));
  const file = join(folder, 'count');
  writeFileSync(file, '0');

  const children = Array.from({ length: PROCESSES }, () => fork(import.meta.filename, [file]));
  let here = 0;
  for (const child of children) {
    child.on('message', () => {
      if (++here < PROCESSES) return;
      here = 0;
      for (const waiting of children) waiting.send('go on');
    });
  }
  await Promise.all(children.map((child) => once(child, 'exit')));

  const expected = PROCESSES * INCREMENTS;
  const counted = Number(readFileSync(file, 'utf8'));
  rmSync(folder, { recursive: true });

  console.log(`expected ${expected}, counted ${counted}: ${expected - counted} increments lost`);
  process.exitCode = counted === INCREMENTS ? 0 : 1;
}
