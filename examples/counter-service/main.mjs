// A class around a lock and a value, used by four processes: 1000 increments each.
//
// increment() returns the new value, so each number from 1 to 4000 is given out exactly once:
// whoever needs unique numbers can have them this way.
//
// Run:     node examples/counter-service/main.mjs
// Prints:  4 processes, 1000 increments each: the counter stands at 4000
//          each number from 1 to 4000 was given out once

import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { configure, fork, forkArgs, unlinkNamespace } from 'holdfast';
import { Counter } from './counter.mjs';

const PROCESSES = 4;
const INCREMENTS = 1000;

const args = forkArgs();
await (args === undefined ? parent() : child(args));

function child({ file }) {
  const visits = new Counter('visits', file);
  const numbers = Array.from({ length: INCREMENTS }, () => visits.increment());
  process.send(numbers);
}

async function parent() {
  configure({ namespace: `example-counter-service-${process.pid}` });
  const folder = mkdtempSync(join(tmpdir(), 'counter-service-'));
  const file = join(folder, 'visits');

  const children = Array.from({ length: PROCESSES }, () =>
    fork(import.meta.filename, { args: { file } }),
  );
  const exits = Promise.all(children.map((child) => once(child, 'exit')));
  const numbers = await Promise.all(
    children.map(async (child) => (await once(child, 'message'))[0]),
  );
  await exits;

  const { value } = new Counter('visits', file);
  rmSync(folder, { recursive: true });
  unlinkNamespace();

  const expected = PROCESSES * INCREMENTS;
  const distinct = new Set(numbers.flat());
  const unique =
    distinct.size === expected && Math.min(...distinct) === 1 && Math.max(...distinct) === expected;
  console.log(
    `${PROCESSES} processes, ${INCREMENTS} increments each: the counter stands at ${value}`,
  );
  console.log(`each number from 1 to ${expected} was ${unique ? '' : 'NOT '}given out once`);
  process.exitCode = value === expected && unique ? 0 : 1;
}
