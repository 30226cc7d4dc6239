/**
 * Every error of this package: a class for what callers catch, a `code` for what they look up.
 * Nothing here loads the addon, so that its own loader can throw these.
 */

/** Codes of {@link RegionError}. */
export type RegionErrorCode =
  | 'ERR_HOLDFAST_REGION_CORRUPT'
  | 'ERR_HOLDFAST_REGION_MISMATCH'
  | 'ERR_HOLDFAST_REGION_ACCESS'
  | 'ERR_HOLDFAST_REGION_FULL'
  | 'ERR_HOLDFAST_REGION_GONE'
  | 'ERR_HOLDFAST_NO_SPACE'
  | 'ERR_HOLDFAST_UNSUPPORTED';

/** Every `code` that an error of this package can have. */
export type HoldfastErrorCode =
  | RegionErrorCode
  | 'ERR_HOLDFAST_TIMEOUT'
  | 'ERR_HOLDFAST_DEADLOCK'
  | 'ERR_HOLDFAST_NOT_HELD'
  | 'ERR_HOLDFAST_CLOSED'
  | 'ERR_HOLDFAST_UNLINKED'
  | 'ERR_HOLDFAST_KIND_MISMATCH'
  | 'ERR_HOLDFAST_IN_USE'
  | 'ERR_HOLDFAST_HELD'
  | 'ERR_HOLDFAST_CONFIGURED'
  | 'ERR_HOLDFAST_NOT_FOUND'
  | 'ERR_HOLDFAST_OTHER_PARAMETERS'
  | 'ERR_HOLDFAST_BROKEN_BARRIER'
  | 'ERR_HOLDFAST_EXISTS'
  | 'ERR_HOLDFAST_NOT_RECOVERABLE'
  | 'ERR_HOLDFAST_SYSTEM'
  | 'ERR_HOLDFAST_LOAD';

/**
 * Base of all errors of this package, and the class of those that have none of their own:
 *
 * | code | meaning |
 * | --- | --- |
 * | `ERR_HOLDFAST_KIND_MISMATCH` | the name is in use by an object of another kind |
 * | `ERR_HOLDFAST_OTHER_PARAMETERS` | the object exists, and was made with other parameters |
 * | `ERR_HOLDFAST_IN_USE` | refused, as somebody holds the lock or has the namespace open |
 * | `ERR_HOLDFAST_HELD` | refused, as this thread holds the lock |
 * | `ERR_HOLDFAST_CONFIGURED` | the process uses other settings or another namespace already |
 * | `ERR_HOLDFAST_NOT_FOUND` | `open()` of an object that does not exist (any more) |
 * | `ERR_HOLDFAST_EXISTS` | `holdfast/posix`: it was to be made exclusively, and exists |
 * | `ERR_HOLDFAST_NOT_RECOVERABLE` | `holdfast/posix`: a robust mutex was unlocked after its owner's death and never made consistent |
 * | `ERR_HOLDFAST_SYSTEM` | the system refused a call; the message says which, why, and what helps |
 * | `ERR_HOLDFAST_LOAD` | the native addon cannot be loaded; the message has the remedy |
 *
 * Where the system refused a call, the `cause` is an error as Node.js itself throws it: with `code` (`EMFILE`), `errno`,
 * `syscall`, and `path` where there is one. {@link RegionError} as well.
 *
 * Bad arguments are not among them: those are a built-in `TypeError` or `RangeError` with the code
 * `ERR_HOLDFAST_INVALID_ARGUMENT`.
 */
export class HoldfastError extends Error {
  /** Stable, for programs; the message is for people and may change. */
  readonly code: HoldfastErrorCode;

  static {
    named(this, 'HoldfastError');
  }

  constructor(message: string, code: HoldfastErrorCode, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** The lock was not to be had within `timeout`. Code `ERR_HOLDFAST_TIMEOUT`. */
export class TimeoutError extends HoldfastError {
  static {
    named(this, 'TimeoutError');
  }

  constructor(message: string, options?: ErrorOptions) {
    super(message, 'ERR_HOLDFAST_TIMEOUT', options);
  }
}

/**
 * The wait could never have ended: this thread would block itself while it is the holder, or a promise would wait for
 * a `with()` that it is awaited in. Code `ERR_HOLDFAST_DEADLOCK`.
 */
export class DeadlockError extends HoldfastError {
  static {
    named(this, 'DeadlockError');
  }

  constructor(message: string, options?: ErrorOptions) {
    super(message, 'ERR_HOLDFAST_DEADLOCK', options);
  }
}

/** Something was released that is not held, or not any more. Code `ERR_HOLDFAST_NOT_HELD`. */
export class NotHeldError extends HoldfastError {
  static {
    named(this, 'NotHeldError');
  }

  constructor(message: string, options?: ErrorOptions) {
    super(message, 'ERR_HOLDFAST_NOT_HELD', options);
  }
}

/** The object was used after its `close()`. Code `ERR_HOLDFAST_CLOSED`. */
export class ClosedError extends HoldfastError {
  static {
    named(this, 'ClosedError');
  }

  constructor(message: string, options?: ErrorOptions) {
    super(message, 'ERR_HOLDFAST_CLOSED', options);
  }
}

/** The object was removed by an `unlink()`, of this or another process. Code `ERR_HOLDFAST_UNLINKED`. */
export class UnlinkedError extends HoldfastError {
  static {
    named(this, 'UnlinkedError');
  }

  constructor(message: string, options?: ErrorOptions) {
    super(message, 'ERR_HOLDFAST_UNLINKED', options);
  }
}

/**
 * The barrier is broken, or broke while one waited at it: a party timed out, was aborted or died, the action failed,
 * or somebody called `abort()` or `reset()`. Code `ERR_HOLDFAST_BROKEN_BARRIER`. Of the party that timed out the
 * `cause` is a TimeoutError.
 */
export class BrokenBarrierError extends HoldfastError {
  static {
    named(this, 'BrokenBarrierError');
  }

  constructor(message: string, options?: ErrorOptions) {
    super(message, 'ERR_HOLDFAST_BROKEN_BARRIER', options);
  }
}

/**
 * The shared memory itself is at fault:
 *
 * | code | meaning |
 * | --- | --- |
 * | `ERR_HOLDFAST_REGION_CORRUPT` | what stands in it cannot be; somebody scribbled over it |
 * | `ERR_HOLDFAST_REGION_MISMATCH` | living processes use it with another layout of this package |
 * | `ERR_HOLDFAST_REGION_ACCESS` | the file has another owner, or a wider mode than asked for; or the system says so |
 * | `ERR_HOLDFAST_REGION_FULL` | no room for more objects, threads or processes |
 * | `ERR_HOLDFAST_REGION_GONE` | its namespace was unlinked by this process |
 * | `ERR_HOLDFAST_NO_SPACE` | no memory for it: `/dev/shm` is full, or a limit is reached |
 * | `ERR_HOLDFAST_UNSUPPORTED` | robust mutexes do not work on this machine |
 */
export class RegionError extends HoldfastError {
  declare readonly code: RegionErrorCode;

  static {
    named(this, 'RegionError');
  }

  // Not useless: it narrows the codes.
  constructor(message: string, code: RegionErrorCode, options?: ErrorOptions) {
    super(message, code, options);
  }
}

/** As built-in errors have it: the name sits on the prototype, and is not listed. */
function named(errorClass: { readonly prototype: Error }, name: string): void {
  Object.defineProperty(errorClass.prototype, 'name', {
    value: name,
    configurable: true,
    writable: true,
  });
}
