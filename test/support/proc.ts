import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

/*
 * What /proc tells about a child's threads. Tests poll these conditions; they never sleep for a
 * guess. LOOP: epoll_wait, epoll_pwait, epoll_pwait2 and io_uring_enter, where an idle event loop sleeps.
 */
const FUTEX_CALL = process.arch === 'arm64' ? 98 : 202;
const FUTEX_WAITV_CALL = 449;
const FUTEX_PRIVATE_FLAG = 128;
const FUTEX_WAIT_BITSET = 9;
/** TicketState::Waiting of native/region/layout.h. */
const WAITING = 1;
const LOOP = new Set(process.arch === 'arm64' ? [22, 441, 426] : [232, 281, 441, 426]);
const POLL_MS = 2;
const WATCHDOG_MS = 100_000;

function read(path: string): string | null {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return null;
  }
}

interface Sleep {
  readonly call: number;
  readonly where: string;
  /** The second and the third argument of the call: a futex' operation, and the value that it waits at. */
  readonly how: number;
  readonly value: number;
}

/** The system call that a thread sleeps in, or null while it runs. */
function sleepsIn(pid: number, tid: number): Sleep | null {
  const [call, where, how, value] = (read(`/proc/${pid}/task/${tid}/syscall`) ?? '').split(' ');
  const number = Number(call);
  if (!call || where === undefined || !Number.isInteger(number) || number < 0) {
    return null;
  }
  return { call: number, where, how: Number(how), value: Number(value) };
}

/** A futex between processes. V8 and the C library wait at private ones, for threads of their own. */
function isSharedFutex({ call, how }: Sleep): boolean {
  return call === FUTEX_WAITV_CALL || (call === FUTEX_CALL && (how & FUTEX_PRIVATE_FLAG) === 0);
}

/** One line a thread: its state and what it sleeps in. For the messages of watchdogs. */
export function describeThreads(pid: number): string {
  let tids: string[];
  try {
    tids = readdirSync(`/proc/${pid}/task`);
  } catch {
    return '(gone)';
  }
  return tids
    .map((tid) => {
      const state = read(`/proc/${pid}/task/${tid}/stat`)?.replace(/^.*\) (\S).*$/s, '$1');
      const call = read(`/proc/${pid}/task/${tid}/syscall`)?.split(' ').slice(0, 4).join(' ');
      return `  thread ${tid}: state ${state ?? '?'}, system call ${call ?? '?'}`;
    })
    .join('\n');
}

async function until(what: string, pid: number, holds: () => boolean): Promise<void> {
  const giveUp = performance.now() + WATCHDOG_MS;
  while (!holds()) {
    if (performance.now() > giveUp) {
      throw new Error(`process ${pid} did not come to ${what}:\n${describeThreads(pid)}`);
    }
    await delay(POLL_MS);
  }
}

/** The thread sleeps in such a call, at one place, at three looks in a row. */
async function untilAsleep(
  what: string,
  pid: number,
  tid: number,
  isSuch: (sleep: Sleep) => boolean,
) {
  let before = '';
  let looks = 0;
  await until(what, pid, () => {
    const now = sleepsIn(pid, tid);
    looks = now && isSuch(now) && now.where === before ? looks + 1 : 0;
    before = now?.where ?? '';
    return looks >= 3;
  });
}

/** The thread sleeps as one that is queued at an object: nobody else waits for this value. */
export async function untilQueued(pid: number, tid = pid): Promise<void> {
  await until('be queued', pid, () => {
    const now = sleepsIn(pid, tid);
    return now?.call === FUTEX_CALL && now.how === FUTEX_WAIT_BITSET && now.value === WAITING;
  });
}

/** The keeper of the process has nothing to do. */
export async function untilKeeperIdle(pid: number): Promise<void> {
  const isKeeper = (tid: string) =>
    read(`/proc/${pid}/task/${tid}/comm`)?.startsWith('holdfast-keeper');
  const keeper = Number(threadsOf(pid).find(isKeeper));
  await untilAsleep('have an idle keeper', pid, keeper, ({ call }) => call === FUTEX_WAITV_CALL);
}

/** The thread is blocked on a futex between processes: whatever it waits for there, it waits. */
export async function untilBlocked(pid: number, tid = pid): Promise<void> {
  await untilAsleep('be blocked on a futex', pid, tid, isSharedFutex);
}

/** The thread is in that wait of fixtures/waits.mjs. */
export async function untilWaiting(what: string, pid: number, tid = pid): Promise<void> {
  await (/^NamedSemaphore|^RobustMutex/.test(what) ? untilBlocked : untilQueued)(pid, tid);
}

/** The thread's event loop has nothing to do. */
export async function untilIdle(pid: number, tid = pid): Promise<void> {
  await untilAsleep('sleep in its event loop', pid, tid, ({ call }) => LOOP.has(call));
}

function threadsOf(pid: number): string[] {
  return readdirSync(`/proc/${pid}/task`);
}

/** All threads of the process are stopped, as by SIGSTOP. */
export async function untilStopped(pid: number): Promise<void> {
  const isStopped = (tid: string) => /\) T /.test(read(`/proc/${pid}/task/${tid}/stat`) ?? '');
  await until('be stopped', pid, () => threadsOf(pid).every(isStopped));
}

/**
 * Stops the process where each of its threads is in a system call, and so none of them in the middle of a state
 * change: there it would hold up others until it goes on, which is documented, and not what is tested.
 */
export async function stopAsleep(pid: number): Promise<void> {
  const isInCall = (tid: string) => sleepsIn(pid, Number(tid)) !== null;
  for (;;) {
    process.kill(pid, 'SIGSTOP');
    await untilStopped(pid);
    if (threadsOf(pid).every(isInCall)) return;
    process.kill(pid, 'SIGCONT');
  }
}

/** Nothing of the process is left but what its parent has not asked for. */
export function hasEnded(pid: number): boolean {
  return /\) Z |^$/.test(read(`/proc/${pid}/stat`) ?? '');
}

export async function untilEnded(pid: number): Promise<void> {
  await until('its end', pid, () => hasEnded(pid));
}
