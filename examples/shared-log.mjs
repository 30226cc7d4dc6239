// Several processes append to one log file, and no entry is torn or lost.
//
// An entry is written in pieces, as they come: a head, some details, an end. Without the lock the
// pieces of different processes would be mixed. The parent reads the log back: each entry must be
// whole, and each process's entries must be there, in order.
//
// Run:     node examples/shared-log.mjs
// Prints:  4 writers, 100 entries each: 400 whole, 0 torn, 0 lost

import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { configure, fork, forkArgs, Lock, unlinkNamespace } from 'holdfast';

const WRITERS = 4;
const ENTRIES = 100;

const args = forkArgs();
await (args === undefined ? parent() : child(args));

async function child({ lock, path, writer }) {
  const log = await open(path, 'a');
  for (let entry = 1; entry <= ENTRIES; entry++) {
    await lock.with(async () => {
      await log.write(`<${writer}.${entry}`);
      await log.write(' some details,');
      await log.write(` and the end of ${writer}.${entry}>\n`);
    });
  }
  await log.close();
}

async function parent() {
  configure({ namespace: `example-shared-log-${process.pid}` });
  const folder = mkdtempSync(join(tmpdir(), 'shared-log-'));
  const path = join(folder, 'shared.log');

  const lock = new Lock('log');
  const children = Array.from({ length: WRITERS }, (_, i) =>
    fork(import.meta.filename, { args: { lock, path, writer: i + 1 } }),
  );
  await Promise.all(children.map((child) => once(child, 'exit')));

  const lines = readFileSync(path, 'utf8').split('\n').slice(0, -1);
  rmSync(folder, { recursive: true });
  unlinkNamespace();

  const { whole, torn } = check(lines);
  const lost = WRITERS * ENTRIES - whole;
  console.log(
    `${WRITERS} writers, ${ENTRIES} entries each: ${whole} whole, ${torn} torn, ${lost} lost`,
  );
  process.exitCode = torn === 0 && lost === 0 ? 0 : 1;
}

/** Counts the lines that are one whole entry, the next one of its writer, and the others. */
function check(lines) {
  const next = new Map();
  let whole = 0;
  for (const line of lines) {
    const [, writer, entry] =
      /^<(\d+)\.(\d+) some details, and the end of \1\.\2>$/.exec(line) ?? [];
    if (writer === undefined || Number(entry) !== (next.get(writer) ?? 1)) continue;
    next.set(writer, Number(entry) + 1);
    whole++;
  }
  return { whole, torn: lines.length - whole };
}
