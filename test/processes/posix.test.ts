import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { NamedSemaphore, RobustMutex } from 'holdfast/posix';
import { beforeAll, describe, expect, it } from 'vitest';
import { adopt, type Child, fixtureUrl } from '../support/child.js';
import { thrownBy } from '../support/errors.js';
import { ownDirectory } from '../support/namespace.js';
import { posixName } from '../support/posix-name.js';
import { untilBlocked } from '../support/proc.js';

const binary = join(ownDirectory(), 'posix-peer');

beforeAll(() => {
  const source = fileURLToPath(fixtureUrl('posix-peer.c'));
  execFileSync('cc', ['-Wall', '-Wextra', '-Werror', '-o', binary, source, '-lpthread', '-lrt']);
});

/** The C program. */
class Peer {
  readonly child: Child;
  readonly #answers: AsyncIterator<string>;

  constructor(semaphore: string, mutex: string) {
    const program = spawn(binary, [semaphore, mutex], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.child = adopt(program, 'posix-peer');
    this.#answers = createInterface({ input: program.stdout })[Symbol.asyncIterator]();
  }

  /** Tells it what to do; the answer comes when it is done. */
  tell(command: string): { answer: Promise<string> } {
    this.child.process.stdin?.write(`${command}\n`);
    const answer = this.#answers.next().then(({ value, done }) => (done ? 'gone' : value));
    return { answer };
  }

  async does(...commands: string[]): Promise<string[]> {
    const answers: string[] = [];
    for (const command of commands) answers.push(await this.tell(command).answer);
    return answers;
  }

  async dies(): Promise<void> {
    this.tell('die');
    await this.child.exited;
  }
}

describe('a semaphore shared with a C program', () => {
  it('wakes it, and is posted by it: for a promise and for a blocked thread', async () => {
    const semaphore = new NamedSemaphore(posixName());
    const peer = new Peer(semaphore.name, posixName());
    expect(await peer.does('sem_open', 'sem_trywait')).toEqual(['ok', 'zero']);

    const woken = peer.tell('sem_wait');
    await untilBlocked(peer.child.pid);
    semaphore.post();
    expect(await woken.answer).toBe('ok');

    const waiting = semaphore.wait();
    expect(await peer.does('sem_post')).toEqual(['ok']);
    await waiting;

    peer.tell('sem_post');
    semaphore.waitSync();
    expect(semaphore.value).toBe(0);
  });

  it('that made it', async () => {
    const name = posixName();
    const peer = new Peer(name, posixName());
    expect(await peer.does('sem_open', 'sem_post', 'sem_post')).toEqual(['ok', 'ok', 'ok']);
    expect(new NamedSemaphore(name, { create: false }).value).toBe(2);
  });

  it('loses the permit of one that is killed, as POSIX has it', async () => {
    const semaphore = new NamedSemaphore(posixName(), { initial: 1 });
    const peer = new Peer(semaphore.name, posixName());
    expect(await peer.does('sem_open', 'sem_wait')).toEqual(['ok', 'ok']);
    await peer.dies();
    expect(semaphore.tryWait()).toBe(false);
  });
});

describe.each(['mutex_open', 'mutex_make'])('a mutex shared with a C program (%s)', (how) => {
  async function shared(): Promise<{ mutex: RobustMutex; peer: Peer }> {
    const name = posixName();
    const peer = new Peer(posixName(), name);
    const mine = how === 'mutex_open' ? new RobustMutex(name) : undefined;
    expect(await peer.does(how)).toEqual(['ok']);
    return { mutex: mine ?? new RobustMutex(name, { create: false }), peer };
  }

  it('excludes either side', async () => {
    const { mutex, peer } = await shared();
    expect(mutex.lockSync()).toBe('locked');
    expect(await peer.does('trylock')).toEqual(['busy']);
    const waiting = peer.tell('lock');
    await untilBlocked(peer.child.pid);
    mutex.unlock();
    expect(await waiting.answer).toBe('ok');
    expect(mutex.tryLock()).toBeNull();
    expect(thrownBy(() => mutex.lockSync({ timeout: 20 })).code).toBe('ERR_HOLDFAST_TIMEOUT');
    expect(thrownBy(() => mutex.unlock()).code).toBe('ERR_HOLDFAST_NOT_HELD');
    peer.tell('unlock');
    expect(mutex.lockSync()).toBe('locked');
    mutex.unlock();
  });

  it('tells the death of the C program, and goes on after consistent()', async () => {
    const { mutex, peer } = await shared();
    expect(await peer.does('lock')).toEqual(['ok']);
    await peer.dies();
    expect(mutex.lockSync()).toBe('owner-died');
    mutex.consistent();
    mutex.unlock();
    expect(mutex.lockSync()).toBe('locked');
    mutex.unlock();
  });

  it('is not recoverable for anybody once it was unlocked without consistent()', async () => {
    const { mutex, peer } = await shared();
    expect(await peer.does('lock')).toEqual(['ok']);
    await peer.dies();
    expect(mutex.tryLock()).toBe('owner-died');
    mutex.unlock();
    expect(thrownBy(() => mutex.lockSync()).code).toBe('ERR_HOLDFAST_NOT_RECOVERABLE');
    expect(thrownBy(() => mutex.tryLock()).code).toBe('ERR_HOLDFAST_NOT_RECOVERABLE');
    const other = new Peer(posixName(), mutex.name);
    expect(await other.does('mutex_open', 'lock')).toEqual(['ok', 'not-recoverable']);
  });

  it('tells the C program the end of a worker that had it', async () => {
    const { mutex, peer } = await shared();
    const worker = new Worker(fixtureUrl('mutex-worker.mjs'), { workerData: mutex.name });
    expect(await once(worker, 'message')).toEqual(['locked']);
    expect(mutex.tryLock()).toBeNull();
    expect(thrownBy(() => mutex.unlock()).code).toBe('ERR_HOLDFAST_NOT_HELD');
    await worker.terminate();
    expect(await peer.does('lock', 'consistent', 'unlock')).toEqual(['owner-died', 'ok', 'ok']);
  });
});

it('a worker that is blocked can be terminated', async () => {
  const mutex = new RobustMutex(posixName());
  mutex.lockSync();
  const worker = new Worker(fixtureUrl('mutex-worker.mjs'), { workerData: mutex.name });
  await once(worker, 'online');
  await worker.terminate();
  mutex.unlock();
});
