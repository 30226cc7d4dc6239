/** Shared memory as `shm_open` has it. */
import { constants } from 'node:buffer';
import { invalidRange, invalidType, shown } from '../arguments.js';
import { DISPOSE } from '../dispose.js';
import { native, Status } from '../native.js';
import { POSIX } from '../not-data.js';
import { statusError } from '../status.js';
import {
  checkPosixName,
  Opened,
  ofExisting,
  opening,
  type PosixOptions,
  Unlink,
  unlinkName,
} from './options.js';

/** Options of `new SharedMemory()`. */
export interface SharedMemoryOptions extends PosixOptions {
  /** In bytes. Needed to make it; an existing one must have as many at least. */
  size?: number | undefined;
}

/**
 * A piece of POSIX shared memory (`shm_open`), mapped as an `ArrayBuffer`, to share with programs in other languages.
 *
 * @example
 * ```ts
 * import { SharedMemory } from 'holdfast/posix';
 *
 * const memory = new SharedMemory('/frames', { size: 1 << 20 });
 * const pixels = new Uint8Array(memory.buffer);
 * ```
 */
export class SharedMemory implements Disposable {
  /** With its slash. */
  readonly name: string;
  /** @internal */
  readonly notData = POSIX;
  /** In bytes, as it was when it was opened. */
  readonly size: number;
  readonly #opened: Opened;
  readonly #buffer: ArrayBuffer;

  /**
   * Opens it. A new one has all its memory reserved before it has its name, and is zero. Does not block.
   *
   * @param name - `/` and up to 250 bytes without another one
   * @param options - `size`; `create` (default `true`), `exclusive`, `allowOtherOwner`, and `mode` (default `0o600`) of a
   *   new one
   * @throws HoldfastError `ERR_HOLDFAST_NOT_FOUND`, `ERR_HOLDFAST_EXISTS`, `ERR_HOLDFAST_SYSTEM`
   * @throws RegionError `ERR_HOLDFAST_NO_SPACE`: `/dev/shm` cannot hold it, nothing was made
   * @throws RegionError `ERR_HOLDFAST_REGION_CORRUPT`: it exists, and is smaller than `size`
   * @throws RegionError `ERR_HOLDFAST_REGION_ACCESS`
   * @throws TypeError, RangeError `ERR_HOLDFAST_INVALID_ARGUMENT`
   */
  constructor(name: string, options?: SharedMemoryOptions) {
    checkPosixName(name);
    const wanted = opening(options, 'new SharedMemory()', ['size']);
    const size = options?.size;
    checkSize(size);
    // Without a size there is nothing to make, and what exists may have any.
    const { how, mode } = size === undefined ? ofExisting(wanted) : wanted;
    if (size === undefined && options?.exclusive) {
      throw invalidRange('"exclusive" needs "size": it makes the memory, or fails');
    }
    this.name = name;
    const handle = native.sharedMemoryOpen(name, how, mode, size ?? 1);
    if (handle === Status.NotFound && size === undefined && options?.create !== false) {
      throw statusError(handle, `cannot open SharedMemory ${shown(name)}`, '"size" would make it');
    }
    this.#opened = new Opened('SharedMemory', name, handle);
    const buffer = native.sharedMemoryBuffer(handle);
    if (typeof buffer === 'number') {
      this.#opened.close();
      throw statusError(buffer, `cannot map ${this.#opened.title}`, native.detail());
    }
    this.#buffer = buffer;
    this.size = buffer.byteLength;
  }

  /**
   * The memory itself, with nothing in between. It may be used after {@link close} too. If another program makes the
   * file shorter, an access beyond its end kills the process (SIGBUS).
   *
   * @throws ClosedError `ERR_HOLDFAST_CLOSED`
   */
  get buffer(): ArrayBuffer {
    void this.#opened.handle;
    return this.#buffer;
  }

  /** Closes this instance; the memory stays, and is unmapped when no buffer over it is left. Idempotent. */
  close(): void {
    this.#opened.close();
  }

  /** The same as {@link close}: for `using`. */
  [DISPOSE](): void {
    this.close();
  }

  /** Removes the name, as `shm_unlink` does: who has it open goes on with it. `false`: there was none. */
  unlink(): boolean {
    return SharedMemory.unlink(this.name);
  }

  /** Removes a name without opening it. `false`: there was none. */
  static unlink(name: string): boolean {
    return unlinkName(Unlink.SharedMemory, name, 'SharedMemory');
  }
}

function checkSize(size: unknown): void {
  if (size === undefined) return;
  if (typeof size !== 'number') throw invalidType(`"size" must be a number, not ${shown(size)}`);
  if (Number.isInteger(size) && size > 0 && size <= constants.MAX_LENGTH) return;
  throw invalidRange(
    `"size" must be an integer from 1 to ${constants.MAX_LENGTH}, not ${shown(size)}`,
  );
}
