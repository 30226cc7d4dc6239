/**
 * What the system refused: which call, why, and what helps. The one table from errno to a remedy.
 *
 * @internal
 */
import { getSystemErrorMap, getSystemErrorName } from 'node:util';
import { quoted } from './arguments.js';

/** A system call that failed, as the addon tells it. */
export interface SystemFailure {
  readonly call: string;
  /** Positive, as C has it. */
  readonly errno: number;
  /** Empty: the call is about no file. */
  readonly path: string;
}

const FORBIDDEN =
  'the system does not know or forbids this call, as the seccomp filter of a container may: let it pass';
const NO_FOLDER = '/dev/shm is missing: mount a tmpfs there';

/** By the name of errno, or by the call and that, which goes before. */
const remedies = new Map<string, string>([
  ['EMFILE', 'this process has as many files open as it may: raise its limit (ulimit -n)'],
  ['ENFILE', 'the system has as many files open as it may: raise its limit (fs.file-max)'],
  ['ENOSPC', '/dev/shm is full: remove what is there, or make it larger (docker run --shm-size)'],
  ['EDQUOT', 'the quota of /dev/shm is used up: remove what is there, or raise it'],
  ['EFBIG', 'it is larger than a file of this process may be: raise the limit (ulimit -f)'],
  ['ENOMEM', 'memory is short: free some, or raise the limit of the container'],
  [
    'mmap ENOMEM',
    'this process has no room for it in its address space, of which a namespace takes 1 GiB: raise the limit (ulimit -v)',
  ],
  [
    'pthread_create EAGAIN',
    'no thread is to be had: raise the limit of this user (ulimit -u) or of the container (pids.max)',
  ],
  ['open EAGAIN', 'it was made and removed again and again meanwhile'],
  ['ENOENT', NO_FOLDER],
  ['ENOTDIR', '/dev/shm is no folder: mount a tmpfs there'],
  ['EROFS', '/dev/shm is read-only: mount it writable'],
  ['EISDIR', 'a folder is in the way: remove it'],
  ['ELOOP', 'a symbolic link is in the way: remove it'],
  [
    'EACCES',
    'it belongs to another user, or /dev/shm lets this one make nothing (its mode should be 1777)',
  ],
  ['EPERM', FORBIDDEN],
  ['ENOSYS', FORBIDDEN],
  [
    'fcntl EINVAL',
    'this system has no open-file-description locks, which Linux has had since 3.15',
  ],
  ['ftruncate EINVAL', 'what is in the way is no file of shared memory: remove it'],
  ['EBADF', 'other code of this process has closed the descriptor of its shared memory'],
  ['EINTR', 'signals came faster than it could be done'],
]);

/** As the end of "cannot open Lock "a": ...". */
export function failureWords(failure: SystemFailure): string {
  const code = getSystemErrorName(-failure.errno);
  const remedy = remedies.get(`${failure.call} ${code}`) ?? remedies.get(code);
  const where = failure.path === '' ? '' : `, ${quoted(failure.path)}`;
  return `${failure.call} failed with ${code} (${textOf(failure.errno)}${where})${
    remedy === undefined ? '' : `: ${remedy}`
  }`;
}

/** An error as Node.js has them of system calls: the `cause`. */
export function systemError({ call, errno, path }: SystemFailure): NodeJS.ErrnoException {
  const code = getSystemErrorName(-errno);
  const where = path === '' ? '' : ` '${path}'`;
  const error = new Error(`${code}: ${textOf(errno)}, ${call}${where}`);
  return Object.assign(error, {
    errno: -errno,
    code,
    syscall: call,
    ...(path === '' ? {} : { path }),
  });
}

function textOf(errno: number): string {
  return getSystemErrorMap().get(-errno)?.[1] ?? 'unknown error';
}
