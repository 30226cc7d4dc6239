import { type Child, type Message, type SpawnOptions, spawnFixture } from './child.js';
import type { Coded } from './errors.js';
import { untilQueued } from './proc.js';

/** A guard of an agent, as it reports it. */
export interface RemoteGuard {
  readonly guard: number;
  readonly token: number;
  readonly abandoned: boolean;
}

export interface RemoteWarning {
  readonly name: string;
  readonly code: string;
  readonly message: string;
}

/** An error that an agent met: `kind` is the class's name, `elapsed` how long the call took (ms). */
export class RemoteError extends Error {
  readonly code: string | undefined;
  readonly kind: string;
  readonly elapsed: number;

  constructor(answer: {
    error: { kind: string; code?: string; message: string };
    elapsed: number;
  }) {
    super(answer.error.message);
    this.code = answer.error.code;
    this.kind = answer.error.kind;
    this.elapsed = answer.elapsed;
  }
}

/** A request that an agent has begun and not yet answered. Not a thenable, so it can be awaited for. */
export interface Wait<T> {
  readonly answer: Promise<T>;
}

export interface Request {
  /** The lock's name, or the alias that `open` gave it. */
  readonly lock?: string;
  readonly kind?: 'Lock' | 'RLock' | 'Semaphore' | 'RWLock';
  /** Of an RWLock. */
  readonly side?: 'read' | 'write';
  /** What the constructor is given after the name. */
  readonly args?: readonly unknown[];
  readonly options?: object | undefined;
  readonly [key: string]: unknown;
}

interface Ready extends Message {
  readonly pid: number;
  readonly tid: number;
  readonly thread: number;
}

let requests = 0;

/**
 * One agent (main thread of a process, or a worker) under remote control of the test: see
 * fixtures/agent.mjs for the verbs.
 */
export class Agent {
  readonly child: Child;
  readonly member: number | undefined;
  readonly pid: number;
  readonly tid: number;
  /** The worker's threadId; 0 for a main thread. */
  readonly thread: number;

  constructor(child: Child, ready: Ready, member?: number) {
    this.child = child;
    this.member = member;
    this.pid = ready.pid;
    this.tid = ready.tid;
    this.thread = ready.thread;
  }

  /** Asks, and waits for the answer. */
  call<T = RemoteGuard>(verb: string, request: Request = {}): Promise<T> {
    return this.#send<T>(verb, request).answer;
  }

  /** Asks for what must wait, and returns when it waits: queued, or blocked in the futex. */
  async begin<T = RemoteGuard>(verb: string, request: Request = {}): Promise<Wait<T>> {
    const { id, answer } = this.#send<T>(verb, request);
    let answered: unknown = null;
    answer.then(
      () => {
        answered = new Error(`${verb} of ${this.child} did not wait`);
      },
      (error: unknown) => {
        answered = error;
      },
    );
    const begun = this.child.next((m) => m.type === 'begun' && m['id'] === id);
    await Promise.race([begun, answer.then(() => {})]);
    if (verb.endsWith('Sync') && !answered) {
      await untilQueued(this.pid, this.tid);
    }
    if (answered) {
      throw answered;
    }
    return { answer };
  }

  /** Gives an order that has no answer, because the agent dies of it. */
  order(verb: string): void {
    this.child.send({ id: 0, verb, member: this.member });
  }

  #send<T>(verb: string, request: Request): { id: number; answer: Promise<T> } {
    requests += 1;
    const id = requests;
    const answer = this.child
      .next((message) => message.type === 'answer' && message['id'] === id)
      .then((message) => {
        if (message['error']) {
          throw new RemoteError(message as never);
        }
        return message['value'] as T;
      });
    answer.catch(() => {});
    this.child.send({ ...request, id, verb, member: this.member });
    return { id, answer };
  }
}

/** The error that an agent's answer brings; it is a failure if it brings none. */
export async function remoteError(answer: Promise<unknown>): Promise<RemoteError> {
  const value = await answer.catch((error: Coded) => error);
  if (value instanceof RemoteError) {
    return value;
  }
  if (value instanceof Error) {
    throw value;
  }
  throw new Error(`expected an error, but got ${JSON.stringify(value)}`);
}

/** An agent that is a process of its own. */
export async function processAgent(options: SpawnOptions = {}): Promise<Agent> {
  const child = spawnFixture('agent.mjs', options);
  return new Agent(child, await child.next<Ready>('ready'));
}

/** Agents that are workers of one further process, `agent.child`. */
export function workerAgents(count: number, options: SpawnOptions = {}): Promise<Agent[]> {
  return hostedAgents('worker', count, options);
}

/** Agents that are processes of one process group, whose leader is `agent.child`. */
export function groupAgents(count: number): Promise<Agent[]> {
  return hostedAgents('process', count, { detached: true });
}

async function hostedAgents(kind: string, count: number, options: SpawnOptions) {
  const child = spawnFixture('host.mjs', { ...options, args: [kind, count] });
  const members = Array.from({ length: count }, (_, member) => member);
  return Promise.all(
    members.map(async (member) => {
      const ready = await child.next<Ready>((m) => m.type === 'ready' && m['member'] === member);
      return new Agent(child, ready, member);
    }),
  );
}
