/**
 * From the addon's negative statuses to errors: the one table.
 *
 * @internal
 */
import {
  ClosedError,
  DeadlockError,
  HoldfastError,
  type HoldfastErrorCode,
  NotHeldError,
  RegionError,
  type RegionErrorCode,
  TimeoutError,
  UnlinkedError,
} from './errors.js';
import { native, Status } from './native.js';
import { failureWords, type SystemFailure, systemError } from './system-failure.js';

type Build = (message: string, options?: ErrorOptions) => Error;

interface Row {
  /** What happened, as the end of "cannot open Lock "a": ...". */
  readonly words: string;
  /** The same around the addon's detail, where "words (detail)" does not do. */
  readonly detailed?: (detail: string) => string;
  readonly build: Build;
}

const plain =
  (code: HoldfastErrorCode): Build =>
  (message, options) =>
    new HoldfastError(message, code, options);

const region =
  (code: RegionErrorCode): Build =>
  (message, options) =>
    new RegionError(message, code, options);

// A Map and not an object: a status is a negative number, which no array or shape is made for.
const table = new Map<number, Row>([
  [Status.TimedOut, { words: 'timed out', build: (m) => new TimeoutError(m) }],
  [Status.NotOwner, { words: 'this thread does not hold it', build: (m) => new NotHeldError(m) }],
  [
    Status.Corrupt,
    {
      words: 'the shared memory is corrupt; stop all processes of the namespace, then unlink it',
      build: region('ERR_HOLDFAST_REGION_CORRUPT'),
    },
  ],
  [
    Status.Mismatch,
    {
      words: 'living processes use the namespace with another version or C library',
      build: region('ERR_HOLDFAST_REGION_MISMATCH'),
    },
  ],
  [
    Status.Access,
    {
      words: 'the shared-memory file has another owner or a wider mode than asked for',
      build: region('ERR_HOLDFAST_REGION_ACCESS'),
    },
  ],
  [Status.NoSpace, { words: '/dev/shm is full', build: region('ERR_HOLDFAST_NO_SPACE') }],
  [
    Status.Full,
    { words: 'the namespace has no room left', build: region('ERR_HOLDFAST_REGION_FULL') },
  ],
  [
    Status.Unsupported,
    {
      words: 'robust mutexes do not work on this machine',
      detailed: (why) => why,
      build: region('ERR_HOLDFAST_UNSUPPORTED'),
    },
  ],
  [
    Status.KindMismatch,
    {
      words: 'the name is in use by an object of another kind',
      detailed: (kind) => `the name is in use by an object of kind ${kind}`,
      build: plain('ERR_HOLDFAST_KIND_MISMATCH'),
    },
  ],
  [
    Status.InUse,
    {
      words: 'it is in use',
      detailed: (who) => `it is in use by ${/^\d/.test(who) ? 'pid ' : ''}${who}`,
      build: plain('ERR_HOLDFAST_IN_USE'),
    },
  ],
  [Status.NotFound, { words: 'it does not exist', build: plain('ERR_HOLDFAST_NOT_FOUND') }],
  [Status.Unlinked, { words: 'it was unlinked', build: (m) => new UnlinkedError(m) }],
  [Status.System, { words: 'a system call failed', build: plain('ERR_HOLDFAST_SYSTEM') }],
  [Status.BadHandle, { words: 'it is closed', build: (m) => new ClosedError(m) }],
  [
    Status.Gone,
    {
      words: 'this process unlinked its namespace, and can open no other',
      build: region('ERR_HOLDFAST_REGION_GONE'),
    },
  ],
  [
    Status.Configured,
    {
      words: 'this process uses another namespace',
      detailed: (namespace) => `this process uses namespace ${JSON.stringify(namespace)}`,
      build: plain('ERR_HOLDFAST_CONFIGURED'),
    },
  ],
  [Status.Exists, { words: 'it exists already', build: plain('ERR_HOLDFAST_EXISTS') }],
  [
    Status.NotRecoverable,
    {
      words: 'its owner died, and it was unlocked without consistent()',
      build: plain('ERR_HOLDFAST_NOT_RECOVERABLE'),
    },
  ],
  [
    Status.Ended,
    {
      words: 'this process is leaving, or was forked without exec',
      build: plain('ERR_HOLDFAST_SYSTEM'),
    },
  ],
  [
    Status.OtherParameters,
    {
      words: 'it was made with other parameters',
      build: plain('ERR_HOLDFAST_OTHER_PARAMETERS'),
    },
  ],
  [Status.Deadlock, { words: 'it could never succeed', build: (m) => new DeadlockError(m) }],
  [
    Status.BadArgument,
    { words: 'the addon refused an argument', build: plain('ERR_HOLDFAST_SYSTEM') },
  ],
]);

/**
 * A new error for a status of the addon's.
 *
 * @param doing - what failed, as the start of the message: `cannot open Lock "a"`
 * @param detail - `native.detail()` after a call that sets it: those on a lock's word do not, and
 *   what stands there then is of another failure. What came from a system call has it as its `cause`
 */
export function statusError(status: number, doing: string, detail = ''): Error {
  const row = table.get(status);
  if (row === undefined) {
    return new HoldfastError(`${doing}: unknown status ${status}`, 'ERR_HOLDFAST_SYSTEM');
  }
  const failure = failureOf(status);
  if (failure !== undefined) {
    return row.build(`${doing}: ${failureWords(failure)}`, { cause: systemError(failure) });
  }
  const pid = status === Status.Corrupt ? native.stuckPid() : 0;
  return row.build(`${doing}: ${pid === 0 ? explained(row, detail) : stuck(pid)}`);
}

/** Statuses that may come from a system call, whose failure says more than they do. */
const ofSystem: ReadonlySet<number> = new Set([
  Status.System,
  Status.Access,
  Status.NoSpace,
  Status.Unsupported,
  Status.BadArgument,
]);

function failureOf(status: number): SystemFailure | undefined {
  const parts = ofSystem.has(status) ? native.failure(status) : undefined;
  if (parts === undefined) return undefined;
  const [call, errno, path] = parts;
  return { call, errno, path };
}

function stuck(pid: number): string {
  return (
    `process ${pid} has been inside for 10 s: continue it or end it; if it is not there, the shared ` +
    'memory is damaged: stop all processes of the namespace, then unlink it'
  );
}

function explained(row: Row, detail: string): string {
  if (detail === '') return row.words;
  return row.detailed?.(detail) ?? `${row.words} (${detail})`;
}
