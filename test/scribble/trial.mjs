// What both kinds of trial share: a namespace, its files, children under watch, and what was found.
import { execFile, fork, spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { LATE_MS, nowMs } from './waits.mjs';

const SHM = '/dev/shm';
const HANG_MS = 10_000;
const TICK_MS = 20;

/** How late the runner's own timers were, lately: the runner does next to nothing, so it is the machine. */
const stalls = [];
let lastTick = nowMs();
setInterval(() => {
  const now = nowMs();
  if (now - lastTick > 2 * TICK_MS) stalls.push({ from: lastTick + TICK_MS, to: now });
  if (stalls.length > 2000) stalls.splice(0, 1000);
  lastTick = now;
}, TICK_MS).unref();

function stalledMs(from, to) {
  return stalls.reduce(
    (sum, stall) => sum + Math.max(0, Math.min(to, stall.to) - Math.max(from, stall.from)),
    0,
  );
}

let spaces = 0;

export class Trial {
  kind = '';
  writes = [];
  findings = [];
  codes = {};
  #children = new Set();

  constructor(seed, settings) {
    this.seed = seed;
    this.settings = settings;
    this.namespace = `scribble-${process.pid}-${spaces++}`;
    // native/region/region.h: region_file_name()
    this.file = join(SHM, `holdfast-${process.getuid()}-${this.namespace}`);
  }

  /** The region's file and its data files, by what follows the region's name. */
  contents() {
    const prefix = this.file.slice(SHM.length + 1);
    const names = readdirSync(SHM).filter(
      (name) => name === prefix || name.startsWith(`${prefix}.`),
    );
    return new Map(names.map((name) => [name.slice(prefix.length), readFileSync(join(SHM, name))]));
  }

  place(contents) {
    for (const [suffix, bytes] of contents) {
      writeFileSync(this.file + suffix, bytes, { mode: 0o600, flag: 'wx' });
    }
  }

  /** Writes on the region's file, over so many ms. */
  async damage(overMs) {
    const { program, kind } = this.settings;
    const args = [this.file, `${this.seed}`, kind, `${overMs}`];
    const { stdout } = await promisify(execFile)(program, args, { timeout: 30_000 });
    const [first, ...writes] = stdout.trim().split('\n');
    this.kind = JSON.parse(first).kind;
    this.writes = writes;
  }

  found(what, detail) {
    this.findings.push({ what, detail });
  }

  /** A child that is watched from its start to its end. */
  start(module, name, options) {
    const child = new Child(this, module, name, options);
    this.#children.add(child);
    return child;
  }

  /** Whatever still runs is killed, and nothing is left behind. */
  async clear() {
    await Promise.all([...this.#children].map((child) => child.kill()));
    for (const suffix of this.contents().keys()) rmSync(this.file + suffix, { force: true });
  }
}

class Child {
  findings = 0;
  #lastBeat = nowMs();
  #output = '';
  #isEnding = false;

  constructor(trial, module, name, options) {
    this.name = name;
    this.trial = trial;
    const folder = trial.settings.keep || undefined;
    if (folder) mkdirSync(folder, { recursive: true });
    this.process = fork(
      fileURLToPath(new URL(module, import.meta.url)),
      [JSON.stringify(options)],
      {
        stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
        execArgv: [],
        env: { ...process.env, HOLDFAST_NAMESPACE: trial.namespace },
        cwd: folder,
      },
    );
    for (const stream of [this.process.stdout, this.process.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => {
        this.#output += text;
      });
    }
    const { promise, resolve } = Promise.withResolvers?.() ?? withResolvers();
    this.ready = promise;
    this.process.on('message', (message) => this.#arrived(message, resolve));
    this.ended = new Promise((done) => {
      this.process.on('close', (code, signal) => {
        clearInterval(this.watch);
        resolve();
        this.#judgeEnd(code, signal);
        done();
      });
    });
    this.watch = setInterval(() => this.#lookAfter(), 500);
  }

  get pid() {
    return this.process.pid;
  }

  send(message) {
    if (this.process.connected) this.process.send(message, () => {});
  }

  /** Told to end: it has to, soon. */
  async end() {
    this.#isEnding = true;
    this.#lastBeat = nowMs();
    this.send({ phase: 'end' });
    await this.ended;
  }

  async kill() {
    this.killed = true;
    this.process.kill('SIGKILL');
    await this.ended;
  }

  found(what, detail) {
    this.findings += 1;
    this.trial.found(what, `${this.name}: ${detail}`);
  }

  #arrived(message, ready) {
    if (!this.#isEnding) this.#lastBeat = nowMs();
    if (message.codes) this.codes = message.codes;
    if (message.type === 'ready') ready();
    if (message.type !== 'finding') return;
    const { what, detail, lateMs, from, to } = message;
    // What the machine itself took.
    if (what === 'late' && lateMs - stalledMs(from, to) <= LATE_MS) return;
    this.found(what, detail);
  }

  #lookAfter() {
    const now = nowMs();
    const silentMs = now - this.#lastBeat - stalledMs(this.#lastBeat, now);
    if (silentMs < HANG_MS) return;
    clearInterval(this.watch);
    const when = this.#isEnding ? 'does not end when told to' : 'no sign of life';
    this.found('hang', `${when} for ${HANG_MS} ms${this.#stacks()}`);
    this.kill();
  }

  #stacks() {
    if (!this.trial.settings.keep) return '';
    const args = ['-p', `${this.pid}`, '-batch', '-ex', 'thread apply all bt 14'];
    const { stdout } = spawnSync('gdb', args, { encoding: 'utf8', timeout: 60_000 });
    const file = join(this.trial.settings.keep, `stacks-${this.trial.seed}-${this.name}.txt`);
    writeFileSync(file, stdout ?? 'no gdb');
    return `; its stacks: ${file}`;
  }

  #judgeEnd(code, signal) {
    for (const [name, count] of Object.entries(this.codes ?? {})) {
      this.trial.codes[name] = (this.trial.codes[name] ?? 0) + count;
    }
    if (this.killed || (code === 0 && signal === null)) return;
    const said = this.#output.trim().split('\n').slice(-12).join('\n    ');
    const what = signal ? 'crash' : 'error';
    this.found(what, `pid ${this.pid} ended by ${signal ?? `code ${code}`}\n    ${said}`);
  }
}

function withResolvers() {
  const made = {};
  made.promise = new Promise((resolve) => {
    made.resolve = resolve;
  });
  return made;
}
