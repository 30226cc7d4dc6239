// At most 2 of 5 in a section: a Semaphore with 2 permits.
//
// Five processes go in and out of a section four times each, all of them at once. Each counts
// itself in and out by an atomic add, so that each knows how many are inside.
//
// Run:     node examples/semaphore-section.mjs
// Prints:  5 processes, 20 visits: never more than 2 inside at once

import { once } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import {
  Barrier,
  configure,
  fork,
  forkArgs,
  Semaphore,
  SharedArray,
  SharedValue,
  unlinkNamespace,
} from 'holdfast';

const PROCESSES = 5;
const VISITS = 4;
const ROOM = 2;

const args = forkArgs();
await (args === undefined ? parent() : visitor(args));

async function visitor({ start, room, inside, crowds }) {
  await start.wait(); // for the other four, so that all want in at once
  for (let i = 0; i < VISITS; i++) {
    await room.with(async () => {
      const crowd = inside.add(1) + 1; // add() returns the old value
      crowds.add(crowd, 1);
      await setTimeout(10); // what there is to do inside
      inside.sub(1);
    });
  }
}

async function parent() {
  configure({ namespace: `example-semaphore-section-${process.pid}` });
  const start = new Barrier('start', PROCESSES);
  const room = new Semaphore('room', ROOM);
  const inside = new SharedValue('inside', 'int32');
  const crowds = new SharedArray('crowds', 'int32', PROCESSES + 1); // visits, by how many were inside

  const children = Array.from({ length: PROCESSES }, () =>
    fork(import.meta.filename, { args: { start, room, inside, crowds } }),
  );
  await Promise.all(children.map((child) => once(child, 'exit')));

  const counts = [...crowds];
  unlinkNamespace();

  const most = counts.findLastIndex((visits) => visits > 0);
  const visits = counts.reduce((sum, visits) => sum + visits, 0);
  console.log(`${PROCESSES} processes, ${visits} visits: never more than ${most} inside at once`);
  process.exitCode = most === ROOM && visits === PROCESSES * VISITS ? 0 : 1;
}
