// Two cooks, one oven.
//
// Both cooks print to the same terminal. Whoever has the oven prints "puts in" and, when the dish
// is baked, "takes out"; the other waits. So the lines come in pairs, and never a dish goes in
// before the last one is out. Which cook comes first is up to the machine.
//
// Run:     node examples/oven/main.mjs
// Prints:  Ada puts the bread in
//          Ada takes the bread out
//          Ben puts the pizza in
//          ...
//          6 dishes baked, one at a time

import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { configure, fork, unlinkNamespace } from 'holdfast';

const cooks = [
  { name: 'Ada', dishes: ['bread', 'cake', 'quiche'] },
  { name: 'Ben', dishes: ['pizza', 'lasagne', 'crumble'] },
];

configure({ namespace: `example-oven-${process.pid}` });
const folder = mkdtempSync(join(tmpdir(), 'oven-'));
const tray = join(folder, 'tray'); // the file is there while a dish is in the oven

const children = cooks.map((cook) =>
  fork(new URL('cook.mjs', import.meta.url), { args: { ...cook, tray } }),
);
const exits = await Promise.all(children.map((child) => once(child, 'exit')));

rmSync(folder, { recursive: true });
unlinkNamespace();

if (exits.every(([code]) => code === 0)) {
  console.log(`${cooks.flatMap((cook) => cook.dishes).length} dishes baked, one at a time`);
} else {
  process.exitCode = 1;
}
