// The output of several processes, not scrambled: a Lock around what belongs together.
//
// Three processes write to one terminal, each four verses of three lines, and each line in two
// pieces, with a pause between. Under the lock a verse comes out whole.
//
// Run:     node examples/printing.mjs
// Prints:  (12 verses, in an order that differs from run to run, for example)
//          Ann, verse 1, line 1
//          Ann, verse 1, line 2
//          Ann, verse 1, line 3
//          ...
//          3 processes, 12 verses: printed one at a time

import { once } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import { Barrier, configure, fork, forkArgs, Lock, unlinkNamespace } from 'holdfast';

const POETS = ['Ann', 'Bob', 'Cid'];
const VERSES = 4;
const LINES = 3;

const args = forkArgs();
await (args === undefined ? parent() : poet(args));

async function poet({ start, output, name }) {
  await start.wait(); // for the others, so that all want to write at once
  for (let verse = 1; verse <= VERSES; verse++) {
    await output.with(() => print(name, verse));
  }
}

async function print(name, verse) {
  for (let line = 1; line <= LINES; line++) {
    process.stdout.write(`${name}, verse ${verse}, `);
    await setTimeout(1); // it thinks, and the others may run
    process.stdout.write(`line ${line}\n`);
  }
}

async function parent() {
  configure({ namespace: `example-printing-${process.pid}` });
  const start = new Barrier('start', POETS.length);
  const output = new Lock('output');

  const children = POETS.map((name) =>
    fork(import.meta.filename, { args: { start, output, name } }),
  );
  const exits = await Promise.all(children.map((child) => once(child, 'exit')));
  unlinkNamespace();

  if (exits.every(([code]) => code === 0)) {
    console.log(
      `${POETS.length} processes, ${POETS.length * VERSES} verses: printed one at a time`,
    );
  } else {
    process.exitCode = 1;
  }
}
