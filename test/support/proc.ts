import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

/*
 * What /proc tells about a child's threads. Tests poll these conditions; they never sleep for a
 * guess. FUTEX: futex on x64 and arm64, futex_waitv on both. LOOP: epoll_wait, epoll_pwait,
 * epoll_pwait2 and io_uring_enter, where an idle event loop sleeps.
 */
const FUTEX = new Set(process.arch === 'arm64' ? [98, 449] : [202, 449]);
const LOOP = new Set(process.arch === 'arm64' ? [22, 441, 426] : [232, 281, 441, 426]);
const POLL_MS = 2;
const WATCHDOG_MS = 30_000;

function read(path: string): string | null {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return null;
  }
}

/** The system call that a thread sleeps in, with its first argument, or null while it runs. */
function sleepsIn(pid: number, tid: number): { call: number; where: string } | null {
  const [call, where] = (read(`/proc/${pid}/task/${tid}/syscall`) ?? '').split(' ');
  const number = Number(call);
  if (!call || where === undefined || !Number.isInteger(number) || number < 0) {
    return null;
  }
  return { call: number, where };
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

/** The thread sleeps in one of `calls`, at one place, at three looks in a row. */
async function untilAsleep(what: string, pid: number, tid: number, calls: Set<number>) {
  let before = '';
  let looks = 0;
  await until(what, pid, () => {
    const now = sleepsIn(pid, tid);
    looks = now && calls.has(now.call) && now.where === before ? looks + 1 : 0;
    before = now?.where ?? '';
    return looks >= 3;
  });
}

/** The thread is blocked on a futex: after a request for a sync wait, it waits. */
export async function untilBlocked(pid: number, tid = pid): Promise<void> {
  await untilAsleep('be blocked on a futex', pid, tid, FUTEX);
}

/** The thread's event loop has nothing to do. */
export async function untilIdle(pid: number, tid = pid): Promise<void> {
  await untilAsleep('sleep in its event loop', pid, tid, LOOP);
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
