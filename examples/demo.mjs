// Four processes count in one file, and one of them is killed while it holds the lock.
//
// Each process adds 1 to the number in the file, 200 times: takes the lock, reads, pauses, writes,
// releases. In the middle of its increment 50, after the read and before the write, one process
// says that it holds the lock, and is killed with SIGKILL. The others go on, and the next one to
// get the lock is told that its owner died.
//
// Run:     npm run demo
// Prints:  the progress (redrawn on a terminal), and then, for example,
//
//          killed:      pid 4242 by SIGKILL, holding the lock, in the middle of its increment 50
//          next owner:  pid 4243, <n> ms after the kill, told abandoned: true
//          expected:    649 = 3 x 200 + 49
//          counted:     649
//
// Exits 0 if the count is right and exactly one process was told; 1 if not; 130 after Ctrl-C.

import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { configure, fork, forkArgs, Lock, unlinkNamespace } from 'holdfast';

const PROCESSES = 4;
const INCREMENTS = 200;
const VICTIM = 1; // which of the processes is killed
const FATAL = 50; // it dies in the middle of this one
const PAUSE_MS = 2; // between read and write
const STANDSTILL_MS = 300; // between its word and the kill: time to see that everybody waits
const LIMIT_MS = 60_000; // for everything

// ---- a counting process

async function count({ file, victim }) {
  process.on('SIGINT', () => {
    // Ctrl-C reaches the whole process group: leave it to the parent, which ends all.
  });
  const lock = new Lock('count', { warnOnAbandoned: false }); // the demo reports it itself

  process.send({ event: 'ready' });
  await once(process, 'message');

  for (let i = 1; i <= INCREMENTS; i++) {
    await lock.with(async (held) => {
      if (held.abandoned) process.send({ event: 'told', at: String(now()) });
      const value = Number(readFileSync(file, 'utf8'));
      await setTimeout(PAUSE_MS);
      if (victim && i === FATAL) await death();
      writeFileSync(file, String(value + 1));
    });
    process.send({ event: 'counted', done: i });
  }
}

/** Tells the parent that the lock is held, and waits for the kill. */
async function death() {
  process.send({ event: 'holding' });
  await setTimeout(LIMIT_MS);
  throw new Error('the parent did not kill this process');
}

/** CLOCK_MONOTONIC in nanoseconds: one clock for all processes, so that its values compare. */
function now() {
  return process.hrtime.bigint();
}

// ---- the parent

async function parent() {
  configure({ namespace: `demo-${process.pid}` });
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-demo-'));
  const file = join(folder, 'count');
  writeFileSync(file, '0');

  const children = Array.from({ length: PROCESSES }, (_, i) =>
    fork(import.meta.filename, { args: { file, victim: i === VICTIM } }),
  );
  const ended = Promise.all(
    children.map((child) => Promise.all([once(child, 'exit'), once(child, 'disconnect')])),
  );
  const stop = stopSignal(children);

  try {
    const { told, killedAt } = await run(children, ended, stop);
    const counted = Number(readFileSync(file, 'utf8'));
    process.exitCode = report(children[VICTIM], { told, killedAt, counted }) ? 0 : 1;
  } catch (error) {
    if (!stop.aborted) throw error;
    console.error(`stopped: ${stop.reason.message}`);
    process.exitCode = stop.reason.exitCode ?? 1;
  } finally {
    for (const child of children) child.kill('SIGKILL');
    await ended;
    unlinkNamespace();
    rmSync(folder, { recursive: true });
  }
}

/** Aborts on Ctrl-C, when a process ends that should not, and when all takes far too long. */
function stopSignal(children) {
  const stop = new AbortController();
  for (const [signal, exitCode] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ]) {
    process.on(signal, () => stop.abort(Object.assign(new Error(signal), { exitCode })));
  }
  for (const child of children) {
    child.once('exit', (code, signal) => {
      if (code !== 0 && !child.killed)
        stop.abort(new Error(`pid ${child.pid} ended with ${signal ?? code}`));
    });
  }
  AbortSignal.timeout(LIMIT_MS).addEventListener('abort', () => {
    stop.abort(new Error(`not done after ${LIMIT_MS / 1000} seconds`));
  });
  return stop.signal;
}

/** Runs the race. Returns when the victim was killed, and who was told of its death, and when. */
async function run(children, ended, stop) {
  const victim = children[VICTIM];
  const progress = new Progress(process.stdout, children);
  const told = [];

  for (const child of children) {
    // A message { event: 'ready' } becomes the event 'ready'.
    child.on('message', ({ event, ...data }) => child.emit(event, data));
    child.on('counted', ({ done }) => progress.counted(child, done));
    child.on('told', ({ at }) => {
      told.push({ pid: child.pid, at: BigInt(at) });
      progress.note(child, 'got the lock, told abandoned: true');
    });
  }
  await Promise.all(children.map((child) => once(child, 'ready', { signal: stop })));
  for (const child of children) child.send('go');

  await once(victim, 'holding', { signal: stop });
  progress.note(victim, 'holds the lock');
  await setTimeout(STANDSTILL_MS, undefined, { signal: stop });
  const killedAt = now();
  victim.kill('SIGKILL');
  progress.note(victim, 'killed while it held the lock');

  await Promise.race([ended, once(stop, 'abort')]);
  stop.throwIfAborted();
  return { told, killedAt };
}

/** Prints the result. Returns whether it is as it must be. */
function report(victim, { told, killedAt, counted }) {
  const expected = (PROCESSES - 1) * INCREMENTS + FATAL - 1;
  console.log();
  console.log(
    `killed:      pid ${victim.pid} by SIGKILL, holding the lock, in the middle of its increment ${FATAL}`,
  );
  for (const { pid, at } of told) {
    const afterMs = (Number(at - killedAt) / 1e6).toFixed(1);
    console.log(`next owner:  pid ${pid}, ${afterMs} ms after the kill, told abandoned: true`);
  }
  if (told.length !== 1)
    console.log(`WRONG: ${told.length} processes were told of the death, not exactly one`);
  console.log(`expected:    ${expected} = ${PROCESSES - 1} x ${INCREMENTS} + ${FATAL - 1}`);
  console.log(`counted:     ${counted}`);
  if (counted !== expected) console.log('WRONG: the count differs');
  return told.length === 1 && counted === expected;
}

// ---- the progress, a line a process

class Progress {
  #stream;
  #lines;
  #drawn = false;

  constructor(stream, children) {
    this.#stream = stream;
    this.#lines = new Map(children.map((child) => [child.pid, { done: 0, note: '' }]));
    this.#draw();
  }

  counted({ pid }, done) {
    this.#lines.get(pid).done = done;
    this.#draw();
    if (done % 50 === 0) this.#say(pid, `${done}/${INCREMENTS}`);
  }

  note({ pid }, note) {
    this.#lines.get(pid).note = note;
    this.#draw();
    this.#say(pid, note);
  }

  /** Not a terminal: a plain line. */
  #say(pid, text) {
    if (!this.#stream.isTTY) this.#stream.write(`pid ${pid}: ${text}\n`);
  }

  /** A terminal: all lines, over those drawn before. */
  #draw() {
    if (!this.#stream.isTTY) return;
    const up = this.#drawn ? `\x1b[${this.#lines.size}A` : '';
    const lines = [...this.#lines].map(([pid, { done, note }]) => {
      const bar = '#'.repeat((done / INCREMENTS) * 30).padEnd(30, '.');
      return `\x1b[2Kpid ${String(pid).padEnd(8)}${bar} ${String(done).padStart(3)}/${INCREMENTS}  ${note}\n`;
    });
    this.#stream.write(up + lines.join(''));
    this.#drawn = true;
  }
}

const args = forkArgs(); // what the parent gave; undefined in the parent itself
await (args === undefined ? parent() : count(args));
