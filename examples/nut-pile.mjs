// A pile of nuts and four squirrels: each takes a nut, carries it home, and comes back until none
// is left.
//
// The pile is a file. To take a nut is to read the pile, take one off, and write the rest back:
// under the lock. To carry it home is the slow part, and needs no lock. with() returns what its
// function returns, here the nut.
//
// Run:     node examples/nut-pile.mjs
// Prints:  (how many nuts each squirrel got, which differs from run to run, then)
//          200 nuts, 4 squirrels: none left, none taken twice

import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { configure, fork, forkArgs, Lock, unlinkNamespace } from 'holdfast';

const NUTS = 200;
const SQUIRRELS = ['Ash', 'Birch', 'Cedar', 'Doug'];

const args = forkArgs();
await (args === undefined ? parent() : squirrel(args));

async function squirrel({ lock, pile }) {
  const hoard = [];
  for (;;) {
    const nut = await lock.with(() => takeNut(pile));
    if (nut === undefined) break;
    await setTimeout(1); // carry it home
    hoard.push(nut);
  }
  process.send(hoard);
}

function takeNut(pile) {
  const nuts = JSON.parse(readFileSync(pile, 'utf8'));
  const nut = nuts.pop();
  writeFileSync(pile, JSON.stringify(nuts));
  return nut;
}

async function parent() {
  configure({ namespace: `example-nut-pile-${process.pid}` });
  const folder = mkdtempSync(join(tmpdir(), 'nut-pile-'));
  const pile = join(folder, 'pile.json');
  const nuts = Array.from({ length: NUTS }, (_, i) => i + 1);
  writeFileSync(pile, JSON.stringify(nuts));

  const lock = new Lock('pile');
  const children = SQUIRRELS.map(() => fork(import.meta.filename, { args: { lock, pile } }));
  const exits = Promise.all(children.map((child) => once(child, 'exit')));
  const hoards = await Promise.all(
    children.map(async (child) => (await once(child, 'message'))[0]),
  );
  await exits;

  const left = JSON.parse(readFileSync(pile, 'utf8')).length;
  rmSync(folder, { recursive: true });
  unlinkNamespace();

  for (const [i, name] of SQUIRRELS.entries())
    console.log(`${name.padEnd(5)} has ${hoards[i].length} nuts`);
  const taken = hoards.flat();
  const twice = taken.length - new Set(taken).size;
  const inWords = (count) => (count === 0 ? 'none' : count);
  console.log(
    `${NUTS} nuts, ${SQUIRRELS.length} squirrels: ${inWords(left)} left, ${inWords(twice)} taken twice`,
  );
  process.exitCode = left === 0 && twice === 0 && taken.length === NUTS ? 0 : 1;
}
