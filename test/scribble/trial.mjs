// What both kinds of trial share: a namespace, its files, children under watch, and what was found.
import { execFile, fork } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { LATE_MS, nowMs, PATIENCE } from './waits.mjs';

/** As family.mjs names it. */
const CONDITION_LOCK = 'condition lock';

const SHM = '/dev/shm';
const run = promisify(execFile);
const HANG_MS = 10_000 * PATIENCE;
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
const trials = new Set();

for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1));
process.on('exit', () => {
  for (const trial of trials) trial.clearNow();
});

export class Trial {
  kind = '';
  heldUp = false;
  writes = [];
  findings = [];
  codes = {};
  #children = new Set();

  constructor(seed, settings) {
    this.seed = seed;
    this.settings = settings;
    this.number = spaces++;
    this.namespace = `scribble-${process.pid}-${this.number}`;
    // native/region/region.h: region_file_name()
    trials.add(this);
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
    const { stdout } = await run(program, args, { timeout: 30_000 * PATIENCE });
    const [first, ...writes] = stdout.trim().split('\n');
    this.kind = JSON.parse(first).kind;
    this.writes = writes;
  }

  found(what, detail) {
    this.findings.push({ what, detail });
  }

  /**
   * Whether somebody holds the lock of the condition, by its bytes. Taking it back is the one wait without a time-out:
   * it waits for whoever they say.
   */
  async conditionIsHeld() {
    const { stdout } = await run(this.settings.program, [this.file, 'owner', CONDITION_LOCK]);
    return stdout.split('\n').some((owner) => Number(owner) > 0);
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
    trials.delete(this);
    this.clearNow();
  }

  /** The same at once, for the runner's own end. */
  clearNow() {
    for (const child of this.#children) child.process.kill('SIGKILL');
    for (const suffix of this.contents().keys()) rmSync(this.file + suffix, { force: true });
  }
}

class Child {
  findings = 0;
  #lastBeat = nowMs();
  #output = '';
  #isEnding = false;
  #late = 0;
  #unheld = new Set();

  constructor(trial, module, name, options) {
    this.name = name;
    this.trial = trial;
    const { keep } = trial.settings;
    this.folder = keep && join(keep, `${trial.seed}.${trial.number}`, name.replaceAll(' ', '-'));
    if (this.folder) mkdirSync(this.folder, { recursive: true });
    this.process = fork(
      fileURLToPath(new URL(module, import.meta.url)),
      [JSON.stringify(options)],
      {
        stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
        execArgv: [],
        env: { ...process.env, HOLDFAST_NAMESPACE: trial.namespace },
        ...(this.folder ? { cwd: this.folder } : {}),
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
      this.process.on('close', async (code, signal) => {
        clearInterval(this.watch);
        resolve();
        this.#judgeEnd(code, signal);
        if (this.folder) await this.#keepWhatIsLeft();
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
    if (this.killed) return;
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

  async #arrived(message, ready) {
    if (!this.#isEnding) this.#lastBeat = nowMs();
    if (message.codes) this.codes = message.codes;
    if (message.type === 'ready') ready();
    if (message.type !== 'finding') return;
    const { what, detail } = message;
    if (what !== 'late' || (await this.#isLate(message))) this.found(what, detail);
  }

  async #lookAfter() {
    const now = nowMs();
    const silentMs = now - this.#lastBeat - stalledMs(this.#lastBeat, now);
    if (silentMs < HANG_MS) return;
    clearInterval(this.watch);
    const when = this.#isEnding ? 'does not end when told to' : 'no sign of life';
    const where = readFileSync(`/proc/${this.pid}/cmdline`, 'utf8').replaceAll('\0', '');
    if (!(await this.#isHeldUp(where.slice('in '.length)))) {
      this.found('hang', `${when} for ${HANG_MS} ms, ${where}`);
    }
    if (this.folder) await this.#keepStacks('-p', `${this.pid}`);
    this.kill();
  }

  async #isLate({ verb, goesOn, lateMs, from, to }) {
    // What the machine itself took.
    if (lateMs - stalledMs(from, to) <= LATE_MS) return false;
    if (/^condition\.wait/.test(verb)) {
      // Once it has ended, nobody knows who had its lock. Else it is late if nobody has it, at two looks in a row.
      if (!goesOn || (await this.#isHeldUp(verb))) {
        this.#unheld.delete(from);
        return false;
      }
      if (!this.#unheld.has(from)) return !this.#unheld.add(from);
    }
    // One reason makes many late.
    return ++this.#late <= 3;
  }

  async #isHeldUp(verb) {
    const is = /^condition\.wait/.test(verb) && (await this.trial.conditionIsHeld());
    if (is) this.trial.heldUp = true;
    return is;
  }

  /** By gdb, where it is. */
  async #keepStacks(...what) {
    const file = join(this.folder, 'stacks.txt');
    try {
      const args = ['-batch', '-nx', '-ex', 'thread apply all bt 14', ...what];
      const { stdout } = await run('gdb', args, { timeout: 60_000 });
      if (stdout.includes('#0')) writeFileSync(file, stdout);
    } catch {
      // No gdb, or the process has ended meanwhile.
    }
  }

  async #keepWhatIsLeft() {
    const core = join(this.folder, 'core');
    if (existsSync(core)) {
      await this.#keepStacks(process.execPath, core);
      rmSync(core);
    }
    try {
      rmdirSync(this.folder);
      rmdirSync(dirname(this.folder));
    } catch {
      // There is something in it.
    }
  }

  #judgeEnd(code, signal) {
    for (const [name, count] of Object.entries(this.codes ?? {})) {
      this.trial.codes[name] = (this.trial.codes[name] ?? 0) + count;
    }
    if (this.killed || (code === 0 && signal === null)) return;
    const said = this.#output.trim().split('\n').slice(-12).join('\n    ');
    const how = `pid ${this.pid} ended by ${signal ?? `code ${code}`}`;
    this.found(signal ? 'crash' : 'error', said ? `${how}\n    ${said}` : how);
  }
}

function withResolvers() {
  const made = {};
  made.promise = new Promise((resolve) => {
    made.resolve = resolve;
  });
  return made;
}
