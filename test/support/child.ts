import { type ChildProcess, type ForkOptions, fork } from 'node:child_process';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { afterEach } from 'vitest';
import { describeThreads } from './proc.js';

/** What fixtures send: a type and whatever else. */
export interface Message {
  readonly type: string;
  readonly [key: string]: unknown;
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface SpawnOptions extends ForkOptions {
  /** Arguments, in `process.argv` of the fixture. */
  readonly args?: readonly (string | number)[];
  /** After so long the child is hung: it is killed, and whoever waits for it fails. */
  readonly watchdogMs?: number;
}

/** For what takes a second where nothing else runs. */
const WATCHDOG_MS = 150_000;

type Match = (message: Message) => boolean;
interface Waiting {
  readonly match: Match;
  readonly resolve: (message: Message) => void;
  readonly reject: (error: Error) => void;
}

const alive = new Set<Child>();
const hung: Error[] = [];

export function fixtureUrl(name: string): URL {
  return new URL(`../processes/fixtures/${name}`, import.meta.url);
}

/** A child process under a watchdog, whose messages are waited for by type. */
export class Child {
  readonly process: ChildProcess;
  readonly name: string;
  readonly exited: Promise<Exit>;
  #messages: Message[] = [];
  #waiting: Waiting[] = [];
  #over: Error | null = null;
  #output = '';
  readonly #group: boolean;

  constructor(process: ChildProcess, name: string, watchdogMs: number, group = false) {
    this.process = process;
    this.name = name;
    this.#group = group;
    alive.add(this);
    for (const stream of [process.stdout, process.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#output += text;
      });
    }
    process.on('message', (message) => this.#arrived(message as Message));
    const watchdog = setTimeout(() => this.#hung(watchdogMs), watchdogMs);
    this.exited = new Promise((resolve, reject) => {
      process.on('error', reject);
      // 'close' and not 'exit': by then every message and all output have arrived.
      process.on('close', (code, signal) => {
        clearTimeout(watchdog);
        alive.delete(this);
        const error = this.#over ?? new Error(`${this} ended (${code ?? signal})${this.#said()}`);
        this.#end(error);
        if (hung.includes(error)) {
          reject(error);
        } else {
          resolve({ code, signal });
        }
      });
    });
    this.exited.catch(() => {});
  }

  get pid(): number {
    if (this.process.pid === undefined) {
      throw new Error(`${this.name} did not start`);
    }
    return this.process.pid;
  }

  /** All that it wrote to stdout and stderr. */
  get output(): string {
    return this.#output;
  }

  toString(): string {
    return `child ${this.name} (pid ${this.process.pid})`;
  }

  send(message: object): void {
    this.process.send?.(message as never, () => {});
  }

  /** The oldest message of this type that nobody took yet; rejects if the child ends before. */
  next<T = Message>(wanted: string | Match): Promise<T> {
    const match = typeof wanted === 'string' ? (m: Message) => m.type === wanted : wanted;
    const at = this.#messages.findIndex(match);
    if (at >= 0) {
      return Promise.resolve(this.#messages.splice(at, 1)[0] as T);
    }
    if (this.#over) {
      return Promise.reject(this.#over);
    }
    const promise = new Promise<Message>((resolve, reject) => {
      this.#waiting.push({ match, resolve, reject });
    });
    promise.catch(() => {});
    return promise as Promise<T>;
  }

  kill(signal: NodeJS.Signals = 'SIGKILL'): void {
    try {
      process.kill(this.#group ? -this.pid : this.pid, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') {
        throw error;
      }
    }
  }

  #arrived(message: Message): void {
    const at = this.#waiting.findIndex(({ match }) => match(message));
    if (at >= 0) {
      this.#waiting.splice(at, 1)[0]?.resolve(message);
    } else {
      this.#messages.push(message);
    }
  }

  #hung(watchdogMs: number): void {
    const threads = describeThreads(this.pid);
    const error = new Error(
      `WATCHDOG: ${this} still ran after ${watchdogMs} ms${this.#said()}\n${threads}`,
    );
    hung.push(error);
    this.#end(error);
    this.kill();
  }

  #end(error: Error): void {
    this.#over ??= error;
    for (const { reject } of this.#waiting.splice(0)) {
      reject(error);
    }
  }

  #said(): string {
    return this.#output ? `; it said:\n${this.#output}` : '; it said nothing';
  }
}

/** Starts a fixture. Whatever still runs after the test is killed. */
export function spawnFixture(name: string, options: SpawnOptions = {}): Child {
  const { args = [], watchdogMs = WATCHDOG_MS, env, ...rest } = options;
  const process_ = fork(fileURLToPath(fixtureUrl(name)), args.map(String), {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    execArgv: [],
    cwd: tmpdir(),
    env: { ...process.env, ...env },
    ...rest,
  });
  return new Child(process_, [name, ...args].join(' '), watchdogMs, options.detached);
}

/** Puts a child that was started otherwise (holdfast's own fork) under the same care. */
export function adopt(child: ChildProcess, name: string, watchdogMs = WATCHDOG_MS): Child {
  return new Child(child, name, watchdogMs);
}

afterEach(async () => {
  const left = [...alive];
  for (const child of left) {
    child.kill();
  }
  await Promise.all(left.map((child) => child.exited.catch(() => {})));
  const failures = hung.splice(0);
  if (failures[0]) {
    throw failures[0];
  }
});
