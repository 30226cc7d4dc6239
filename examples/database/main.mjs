// A database file with many readers: an RWLock.
//
// Four processes read and two write. The readers begin by meeting inside, which only works because
// they share the lock. Each write moves money from one account to another, and puts the file down
// in two pieces; a reader that came in between would find half a file, or a wrong sum.
//
// Run:     node examples/database/main.mjs
// Prints:  4 readers were in at once
//          200 reads beside 40 updates: no half-written file, no wrong sum, no update lost

import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { Barrier, configure, fork, forkArgs, unlinkNamespace } from 'holdfast';
import { Database } from './database.mjs';

const READERS = 4;
const READS = 50;
const WRITERS = 2;
const UPDATES = 20;
const TOTAL = 1000;

const jobs = { read, write };

const args = forkArgs();
await (args === undefined ? parent() : jobs[args.job](args));

async function read({ path, readers, all }) {
  const database = new Database('accounts', path);
  await database.read(() => readers.wait()); // goes on when all of them are inside
  process.send('met');
  await all.wait(); // and now the writers too
  for (let i = 0; i < READS; i++) {
    await database.read(({ ann, bob }) => {
      if (ann + bob !== TOTAL) throw new Error(`${ann} + ${bob} is not ${TOTAL}`);
    });
    await setTimeout(1); // to think about it
  }
}

async function write({ path, all }) {
  const database = new Database('accounts', path);
  await all.wait();
  for (let i = 0; i < UPDATES; i++) {
    await database.update((records) => {
      records.ann -= 3;
      records.bob += 3;
    });
  }
}

async function parent() {
  configure({ namespace: `example-database-${process.pid}` });
  const folder = mkdtempSync(join(tmpdir(), 'database-'));
  const path = join(folder, 'accounts.json');
  const database = new Database('accounts', path);
  await database.update((records) => Object.assign(records, { ann: TOTAL, bob: 0 }));

  const readers = new Barrier('readers', READERS);
  const all = new Barrier('all', READERS + WRITERS);
  const start = (job) => fork(import.meta.filename, { args: { job, path, readers, all } });
  const reading = Array.from({ length: READERS }, () => start('read'));
  const writing = Array.from({ length: WRITERS }, () => start('write'));
  const exits = Promise.all([...reading, ...writing].map((child) => once(child, 'exit')));

  await Promise.all(reading.map((child) => once(child, 'message')));
  console.log(`${READERS} readers were in at once`);
  const whole = (await exits).every(([code]) => code === 0);

  const moved = await database.read(({ bob }) => bob / 3);
  rmSync(folder, { recursive: true });
  unlinkNamespace();

  const updates = WRITERS * UPDATES;
  if (whole && moved === updates) {
    console.log(
      `${READERS * READS} reads beside ${updates} updates: ` +
        'no half-written file, no wrong sum, no update lost',
    );
  } else {
    console.log(`the reads were ${whole ? '' : 'NOT '}whole; ${updates - moved} updates lost`);
    process.exitCode = 1;
  }
}
