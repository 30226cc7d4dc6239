/**
 * The native addon: where it is looked for, and what it offers. The only file that loads it.
 *
 * @internal
 */
import { closeSync, existsSync, openSync, readSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { HoldfastError } from './errors.js';

/** What went wrong, as a negative number; 0 and above is an answer. The same as `native/status.h`. */
export const Status = {
  TimedOut: -1,
  NotOwner: -2,
  Corrupt: -3,
  Mismatch: -4,
  Access: -5,
  NoSpace: -6,
  Full: -7,
  Unsupported: -8,
  KindMismatch: -9,
  InUse: -10,
  NotFound: -11,
  Unlinked: -12,
  System: -13,
  BadHandle: -14,
  Gone: -15,
  Configured: -16,
  Exists: -17,
  Ended: -18,
  BadArgument: -19,
  OtherParameters: -20,
  Deadlock: -21,
  NotRecoverable: -22,
} as const;

/** How an attempt at a lock came out. */
export const Outcome = {
  /** Queued, or held by somebody else: nothing was taken. */
  Pending: 0,
  Taken: 1,
  /** Taken, and the holder before died while it held. */
  TakenAbandoned: 2,
  TimedOut: 3,
  Cancelled: 4,
  /** A barrier's party gave up or died. */
  Broken: 5,
  /** The last party of a barrier: runs the action, then says how it went. */
  RunAction: 6,
  /** Shared memory: the element holds something else already. */
  NotEqual: 7,
  /** And above: a barrier party's index, plus this. */
  FirstIndex: 16,
} as const;

/** What {@link Native.attempt} does where what is wanted is not to be had. */
export const OrElse = {
  /** One try. */
  Leave: 0,
  /** Wait one's turn. */
  Queue: 1,
  /** One last try, then out of the queue. */
  Cancel: 2,
} as const;

/** Of {@link Native.act}. */
export const Action = {
  /** Semaphore: units. RWLock: a role. */
  Release: 1,
  Set: 2,
  Clear: 3,
  /** Condition: units at most. */
  Notify: 4,
  ActionDone: 5,
  ActionFailed: 6,
  Abort: 7,
  Reset: 8,
  Downgrade: 9,
  /** RWLock: gives the write side back, which was `TakenAbandoned`, and nobody was told. */
  ReleaseUntold: 10,
  DowngradeUntold: 11,
} as const;

/** Of {@link Native.ask}. */
export const Question = {
  /** Semaphore: free permits. Barrier: parties that wait. RWLock: readers. */
  Value: 1,
  /** Barrier: 1 broken. RWLock: 1 has a writer. */
  State: 2,
  /** How many are queued. */
  Waiting: 3,
  /** What the object was made with. */
  First: 4,
  Second: 5,
} as const;

/** How {@link Native.lockRelease} frees a lock. */
export const Release = {
  Plain: 0,
  /** Offer the lock to the first waiter that runs, and let nobody barge. */
  Fair: 1,
  /** `TakenAbandoned` was the outcome, and nobody was told: the next owner is. */
  Untold: 2,
} as const;

/** Kinds of object, as they stand in the region. */
export const Kind = {
  Lock: 1,
  RLock: 2,
  Semaphore: 3,
  Event: 4,
  Condition: 5,
  Barrier: 6,
  RWLock: 7,
  SharedValue: 8,
  SharedArray: 9,
} as const;

/** Flags of {@link Native.openObject}. */
export const OpenFlag = {
  /** Make the object where there is none. */
  Create: 1,
  /** Remove the object when its last opener closes it or dies. */
  Anonymous: 2,
} as const;

/**
 * The addon's functions. Each answers with a number: 0 and above as told here, below 0 a
 * {@link Status}, whose words {@link Native.detail} has. None throws. Handles are small integers
 * of the calling realm, and are checked natively. Unless said otherwise a call does not block.
 */
export interface Native {
  /**
   * Joins the process to a region (its first thread does) and the calling realm as an agent.
   *
   * @param mode - permissions of the shared-memory file: 0o600 or 0o660
   * @param threadId - `worker_threads.threadId`: 0 is the main thread
   * @param onReady - called on this thread's event loop with the waits that ended since:
   *   `[handle, outcome, handle, outcome, ...]`. An outcome is `Taken` or `TakenAbandoned` (this
   *   agent is the owner now), `Cancelled` (see {@link attemptSync}) or a negative {@link Status} (the
   *   wait is over without the lock).
   * @returns the agent's slot, 1 to 65535: what a lock word names its owner by
   */
  join(
    namespace: string,
    mode: number,
    threadId: number,
    onReady: (batch: number[]) => void,
  ): number;

  /**
   * Opens an object, and creates it on request. Opened again by the same agent: the same handle,
   * and one `close` more to call.
   *
   * @param kind - one of {@link Kind}
   * @param flags - a sum of {@link OpenFlag}
   * @param first - what the object is made with, in its kind's words; whoever opens it says the same
   * @param second - the same
   * @returns a handle
   */
  openObject(name: string, kind: number, flags: number, first: number, second: number): number;

  /**
   * One more seat at an open object that is no lock: for one wait at a time. To be closed before it.
   *
   * @returns a handle
   */
  openWaiter(handle: number): number;

  /**
   * An attempt at an object by a waiter. `Pending` after `OrElse.Queue`: `onReady` reports the outcome.
   *
   * @param waiter - from {@link openWaiter}
   * @param role - what is wanted, in the kind's words
   * @param units - how much of it
   * @param orElse - one of {@link OrElse}
   * @returns an {@link Outcome}
   */
  attempt(waiter: number, role: number, units: number, orElse: number): number;

  /**
   * The same, blocking the thread; never `Pending`. It returns early where the thread may not go on (`terminate()`,
   * `process.exit()`, `vm` with a time-out), and takes nothing then. JavaScript is torn out of the call, or sees
   * `Ended` in its last moments. If it lives on, `onReady` reports how the wait ended: `Cancelled`, unless what it
   * waited for had come.
   *
   * @param deadlineMs - on the clock of {@link now}; Infinity: none
   */
  attemptSync(waiter: number, role: number, units: number, deadlineMs: number): number;

  /**
   * A change that never waits.
   *
   * @param handle - the object's, or the waiter's whose change it is
   * @param action - one of {@link Action}
   * @returns how many were woken, an {@link Outcome}, or 0
   */
  act(handle: number, action: number, units: number): number;

  /** What an object's state is: one of {@link Question}. */
  ask(handle: number, question: number): number;

  /**
   * What other realms of this thread hold of the object, and cannot release while this one blocks the thread: of a lock
   * 1, of a semaphore their permits, of an RWLock anything but 0.
   */
  heldByOtherRealms(handle: number): number;

  /**
   * {@link openObject} for `SharedValue` and `SharedArray`. The memory of an array is reserved before the object is
   * made: `NoSpace` makes nothing.
   *
   * @param type - an element type's code
   * @param length - how many elements; 1 for a value
   * @param initial - what a new one starts with; zeros without
   * @returns a handle
   */
  openMemory(
    name: string,
    kind: number,
    flags: number,
    type: number,
    length: number,
    initial: Uint8Array | undefined,
  ): number;

  /** The elements. The buffer may outlive the handle; a value's must not be used then. */
  memoryOf(handle: number): ArrayBuffer | number;

  /** A number that no other object of the region has or had. */
  memoryId(handle: number): number;

  /**
   * Before an {@link attempt} at memory: what the element (the attempt's role) must hold for the wait to begin. Else
   * the outcome is `NotEqual`.
   *
   * @param waiter - from {@link openWaiter}
   */
  memoryExpect(waiter: number, low: number, high: number): number;

  /** Wakes at most `count` who wait for the element. Returns how many. */
  memoryNotify(handle: number, index: number, count: number): number;

  /**
   * The object's first cache line, 64 bytes of shared memory. `Int32[0]`: the lock word.
   * `Int32[1]`: an RLock's depth. `Float64[1]`: the fencing token. The owner alone writes the last
   * two; JS counts the token up by one in every acquisition, native ones included.
   */
  view(handle: number): ArrayBuffer | number;

  /** Closes one opening; the last takes the agent's ticket out. `InUse`: this agent is the owner. */
  close(handle: number): number;

  /** Ends the object for every process. `InUse`: it is held, and {@link detail} is the holder's pid. */
  unlink(handle: number): number;

  /** One try, which never queues: `Pending` (held), `Taken` or `TakenAbandoned`. */
  lockTry(handle: number): number;

  /**
   * Queues the agent's ticket, if it is not queued yet; `onReady` reports the end.
   *
   * @returns `Pending`, `Taken` or `TakenAbandoned`
   */
  lockWait(handle: number): number;

  /**
   * Ends the agent's wait with a last look: takes the lock if it was granted or is free, else
   * takes the ticket out.
   *
   * @returns `Cancelled`, `Taken` or `TakenAbandoned`
   */
  lockCancel(handle: number): number;

  /**
   * Waits for the lock, blocking the thread. It returns early as {@link attemptSync} does.
   *
   * @param deadlineMs - on the clock of {@link now}; `Infinity` for none
   * @param keepTicket - after `TimedOut`, leave the agent's ticket in the queue: promises of this
   *   thread still wait
   * @returns `Taken`, `TakenAbandoned` or `TimedOut`
   */
  lockAcquireSync(handle: number, deadlineMs: number, keepTicket: boolean): number;

  /**
   * Releases where the word's fast path does not do.
   *
   * @param how - one of {@link Release}
   * @returns 0, or `NotOwner`
   */
  lockRelease(handle: number, how: number): number;

  /** Who holds the lock: `[pid, threadId, heldForMs]`, `null` where nobody does, or a status. */
  lockHolder(handle: number): [pid: number, threadId: number, heldForMs: number] | null | number;

  // The bare objects of holdfast/posix, which need no region. `how`: make it 0 never, 1 if missing, 2 exclusively; + 4: open
  // one that another user made, too.

  /** `sem_open`. @returns a handle of {@link posixClose} and the functions below */
  semaphoreOpen(name: string, how: number, mode: number, initial: number): number;
  semaphorePost(handle: number): number;
  /** @returns `Taken` or `TimedOut` */
  semaphoreTryWait(handle: number): number;
  /** Blocks; returns early as {@link attemptSync} does. @returns `Taken` or `TimedOut` */
  semaphoreWait(handle: number, deadlineMs: number): number;
  semaphoreValue(handle: number): number;

  /** `KindMismatch`: it is no robust, process-shared mutex. */
  mutexOpen(name: string, how: number, mode: number): number;
  /** @returns `Taken`, `TakenAbandoned` (its owner died) or `TimedOut` (somebody has it) */
  mutexTryLock(handle: number): number;
  /** The same, blocking; returns early as {@link attemptSync} does. `Deadlock`: this thread has it. */
  mutexLock(handle: number, deadlineMs: number): number;
  mutexUnlock(handle: number): number;
  /** `BadArgument`: no owner has died. */
  mutexConsistent(handle: number): number;

  sharedMemoryOpen(name: string, how: number, mode: number, bytes: number): number;
  /** All of it. The buffer may outlive the handle. */
  sharedMemoryBuffer(handle: number): ArrayBuffer | number;

  /** `InUse`: a mutex that this thread has. */
  posixClose(handle: number): number;
  /** @param kind - 0: a semaphore's name; 1: of shared memory */
  posixUnlink(kind: number, name: string): number;

  /** Whether this thread's notifier keeps the event loop alive: on while a promise waits. */
  keepAlive(on: boolean): number;

  /** The clock of all deadlines: CLOCK_MONOTONIC, in milliseconds. */
  now(): number;

  /**
   * Removes a namespace's shared-memory file.
   *
   * @returns 1 removed, 0 there was none, or a status: `InUse` while others have it open
   */
  unlinkNamespace(namespace: string, mode: number): number;

  /** The words of this thread's last negative status: a file, or pids such as "12, 40". */
  detail(): string;

  /** The system call that it comes from, with errno and its file or ''. `undefined`: from none; or it is another status. */
  failure(status: number): [call: string, errno: number, path: string] | undefined;

  /**
   * The process that was inside for too long, where this thread's last call was `Corrupt` for that. Once; 0: it was
   * for another reason.
   */
  stuckPid(): number;
}

/**
 * What the addon itself exports. The process loads it once; each realm that loads this module (a `vm` context, a test
 * runner that begins anew) has functions of its own, and is an agent of its own.
 */
interface Addon {
  realm(): Native;
}

/**
 * The platform whose prebuilt addon this process can load: `linux-x64-glibc`, `linux-arm64-musl`.
 *
 * @internal
 */
export function platformTag(): string {
  return `${process.platform}-${process.arch}-${libc()}`;
}

function libc(): 'glibc' | 'musl' {
  // The runtime's own ELF header names its dynamic linker: some microseconds, where
  // process.report.getReport() may take seconds, and no guess from files that musl may have left.
  const head = Buffer.alloc(4096);
  try {
    const fd = openSync('/proc/self/exe', 'r');
    try {
      readSync(fd, head, 0, head.length, 0);
    } finally {
      closeSync(fd);
    }
  } catch {
    // No /proc: settle it by the linker's file below.
  }
  if (head.includes('/ld-linux')) return 'glibc';
  if (head.includes('/ld-musl-')) return 'musl';
  return existsSync('/etc/alpine-release') ? 'musl' : 'glibc';
}

function load(): Native {
  if (process.platform !== 'linux') {
    throw loadError(
      `holdfast runs on Linux (x64, arm64) only: its locks rest on futexes and robust mutexes, ` +
        `which ${process.platform} does not have.`,
      [],
    );
  }
  const require = createRequire(import.meta.url);
  const candidates = [
    '../build/Release/holdfast.node', // built on this machine
    `../prebuilds/${platformTag()}/holdfast.node`, // shipped
  ];
  const causes: unknown[] = [];
  const report: string[] = [];
  for (const candidate of candidates) {
    try {
      return (require(candidate) as Addon).realm();
    } catch (cause) {
      causes.push(cause);
      report.push(`  ${fileURLToPath(new URL(candidate, import.meta.url))}: ${firstLine(cause)}`);
    }
  }
  throw loadError(
    `holdfast cannot load its native addon on ${platformTag()}, Node.js ${process.version}:\n` +
      `${report.join('\n')}\n` +
      'Build it here with `npm rebuild holdfast`, which needs python3, make and g++.',
    causes,
  );
}

function loadError(message: string, causes: unknown[]): HoldfastError {
  const cause = causes.length > 1 ? new AggregateError(causes) : causes[0];
  return new HoldfastError(message, 'ERR_HOLDFAST_LOAD', { cause });
}

function firstLine(cause: unknown): string {
  // Below its first line, "Cannot find module" carries a list of who required it.
  return String(cause instanceof Error ? cause.message : cause).split('\n', 1)[0] ?? '';
}

/** The addon, loaded. */
export const native: Native = load();
