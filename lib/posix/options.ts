/** What the bare objects have in common: names, and how they are opened. */
import {
  checkBoolean,
  checkOptions,
  invalidRange,
  invalidType,
  quoted,
  shown,
} from '../arguments.js';
import { ClosedError, RegionError } from '../errors.js';
import { native, Status } from '../native.js';
import { statusError } from '../status.js';

/** How an object is opened. */
export interface PosixOptions {
  /** Make it where there is none. Default: `true`. */
  create?: boolean | undefined;
  /** Make it, and fail where there is one. Default: `false`. */
  exclusive?: boolean | undefined;
  /** Permissions of a new one. Default: `0o600`. */
  mode?: number | undefined;
  /**
   * Open it although another user made it. Default: `false`: what neither this user nor root made is refused with
   * `ERR_HOLDFAST_REGION_ACCESS`, since any user may take a name in `/dev/shm` first.
   */
  allowOtherOwner?: boolean | undefined;
}

/** As `native/posix/named_mutex.h` has it. */
const Create = { Never: 0, IfMissing: 1, Exclusively: 2 } as const;

/** Added to it, as `native/binding/posix.cc` has it. */
const ANY_OWNER = 4;

const KEYS = ['create', 'exclusive', 'mode', 'allowOtherOwner'];

/** glibc's limit for semaphores, whose files are called `sem.NAME`. */
const NAME_BYTES = 251;

/** @internal */
export interface Opening {
  /** What to make, and whose to open. */
  readonly how: number;
  readonly mode: number;
}

/** Checks the options of a constructor. @internal */
export function opening(
  options: PosixOptions | undefined,
  where: string,
  moreKeys: readonly string[] = [],
): Opening {
  checkOptions(options, [...KEYS, ...moreKeys], where);
  const { create = true, exclusive = false, mode = 0o600, allowOtherOwner = false } = options ?? {};
  checkBoolean(create, '"create"');
  checkBoolean(exclusive, '"exclusive"');
  checkBoolean(allowOtherOwner, '"allowOtherOwner"');
  if (typeof mode !== 'number') {
    throw invalidType(`"mode" must be a number such as 0o600, not ${shown(mode)}`);
  }
  if (!Number.isInteger(mode) || mode < 0 || mode > 0o777) {
    throw invalidRange(`"mode" must be between 0 and 0o777, not ${shown(mode)}`);
  }
  if (exclusive && !create) {
    throw invalidRange('"exclusive" needs "create": it makes the object, or fails');
  }
  const made = exclusive ? Create.Exclusively : Create.IfMissing;
  const how = (create ? made : Create.Never) + (allowOtherOwner ? ANY_OWNER : 0);
  return { how, mode };
}

/** The same, where nothing is to be made. @internal */
export function ofExisting({ how, mode }: Opening): Opening {
  return { how: Create.Never + (how & ANY_OWNER), mode };
}

/** Checks a name as POSIX has it: a slash, and then no more of them. @internal */
export function checkPosixName(name: unknown): asserts name is string {
  if (typeof name !== 'string') throw invalidType(`a name must be a string, not ${shown(name)}`);
  const isWellFormed = /^\/[^/\0]+$/.test(name) && name !== '/.' && name !== '/..';
  if (!isWellFormed) {
    throw invalidRange(
      `a POSIX name is "/" and then one or more other characters, not ${shown(name)}`,
    );
  }
  if (Buffer.byteLength(name) > NAME_BYTES) {
    throw invalidRange(`a POSIX name has at most ${NAME_BYTES} bytes, not ${shown(name)}`);
  }
}

/** An open object: its handle, and its end. @internal */
export class Opened {
  readonly title: string;
  #handle: number;

  constructor(kindName: string, name: string, handle: number) {
    this.title = `${kindName} ${quoted(name)}`;
    if (handle === Status.Corrupt) {
      throw new RegionError(
        `cannot open ${this.title}: its file is too short`,
        'ERR_HOLDFAST_REGION_CORRUPT',
      );
    }
    // Not by the system.
    if (handle === Status.Access && native.failure(handle) === undefined) {
      throw new RegionError(
        `cannot open ${this.title}: its permissions are not for this user, or another user made it ` +
          'and the option "allowOtherOwner" is not set',
        'ERR_HOLDFAST_REGION_ACCESS',
      );
    }
    if (handle < 0) throw statusError(handle, `cannot open ${this.title}`, native.detail());
    this.#handle = handle;
  }

  get isOpen(): boolean {
    return this.#handle >= 0;
  }

  get handle(): number {
    if (this.#handle >= 0) return this.#handle;
    throw new ClosedError(`cannot use ${this.title}: it is closed`);
  }

  /** The status of a call on it, which must not be negative. */
  checked(status: number, verb: string): number {
    if (status === Status.Corrupt) {
      throw new RegionError(
        `cannot ${verb} ${this.title}: its memory was overwritten; stop all who use it, then unlink it`,
        'ERR_HOLDFAST_REGION_CORRUPT',
      );
    }
    if (status < 0) throw statusError(status, `cannot ${verb} ${this.title}`);
    return status;
  }

  close(): void {
    if (this.#handle < 0) return;
    this.checked(native.posixClose(this.#handle), 'close');
    this.#handle = -1;
  }
}

/** As `native/binding/posix.cc` has it. @internal */
export const Unlink = { Semaphore: 0, SharedMemory: 1 } as const;

/** Removes a name. `false`: there was none. @internal */
export function unlinkName(kind: number, name: string, kindName: string): boolean {
  checkPosixName(name);
  const status = native.posixUnlink(kind, name);
  if (status === Status.NotFound) return false;
  if (status < 0) {
    throw statusError(status, `cannot unlink ${kindName} ${quoted(name)}`, native.detail());
  }
  return true;
}
