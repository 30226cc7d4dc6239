/** Child processes that get live objects among their arguments. */
import { type ChildProcess, type ForkOptions, fork as forkProcess } from 'node:child_process';
import {
  getEnvironmentData,
  isMainThread,
  setEnvironmentData,
  workerData,
} from 'node:worker_threads';
import { invalidRange, invalidType, shown } from './arguments.js';
import { childEnvironment } from './region.js';
import { type OpenOptions, pack, unpack } from './token.js';

/** Options of {@link fork}: those of `child_process.fork`, and two more. */
export interface ForkWithArgsOptions extends ForkOptions {
  /**
   * What `forkArgs()` gives in the child: data that JSON can carry, with locks anywhere in it. At
   * most 100 KiB of JSON.
   */
  args?: unknown;
  /** Command-line arguments of the child: its `process.argv.slice(2)`. Default: none. */
  argv?: readonly string[] | undefined;
}

const VARIABLE = 'HOLDFAST_FORK_ARGS';

/** One string of an environment may have 128 KiB on Linux, its name and the `=` included. */
const MAX_BYTES = 100 * 1024;

/** Under this key every realm and every copy of this package finds what the process was given. */
const GIVEN = 'holdfast.fork-args';

const given = isMainThread ? takeGiven() : undefined;

/**
 * Out of the environment at once: that is inherited, and a grandchild that this process starts by other means was given
 * nothing. Kept for the process: who loads this later would take itself for one that nobody forked, and fork.
 */
function takeGiven(): string | undefined {
  const found = process.env[VARIABLE];
  if (found === undefined) return getEnvironmentData(GIVEN) as string | undefined;
  delete process.env[VARIABLE];
  setEnvironmentData(GIVEN, found);
  return found;
}

let received: { readonly value: unknown } | null = null;

/**
 * Starts a Node.js process as `child_process.fork` does, and hands data to it in which locks are
 * live: the child gets it from {@link forkArgs}. The child uses this process's namespace and
 * mode.
 *
 * Keep the locks open until the child has them: an anonymous one is removed when its last process
 * closes it.
 *
 * @param modulePath - the module to run, as `child_process.fork` takes it
 * @param options - `args`, `argv`, and all options of `child_process.fork`
 * @returns the child process; does not wait for it
 * @throws RangeError `ERR_HOLDFAST_INVALID_ARGUMENT`: `args` takes over 100 KiB; send it with
 *   `child.send(pack(data))`, and `unpack(message)` in the child
 * @throws TypeError `ERR_HOLDFAST_INVALID_ARGUMENT`: `args` cannot be JSON
 */
export function fork(modulePath: string | URL, options: ForkWithArgsOptions = {}): ChildProcess {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw invalidType(
      `the options of fork() must be an object, not ${shown(options)}; ` +
        'command-line arguments go into its "argv"',
    );
  }
  const { args, argv, ...forkOptions } = options;
  if (argv !== undefined && !Array.isArray(argv)) {
    throw invalidType(`"argv" of fork() must be an array of strings, not ${shown(argv)}`);
  }
  const env = { ...(options.env ?? process.env), ...childEnvironment() };
  delete env[VARIABLE];
  if (args !== undefined) env[VARIABLE] = toJson(args);
  return forkProcess(modulePath, argv ?? [], { ...forkOptions, env });
}

function toJson(args: unknown): string {
  let json: string | undefined;
  try {
    json = JSON.stringify(pack(args));
  } catch (cause) {
    throw invalidType(`"args" of fork() cannot be JSON: ${String(cause)}`, { cause });
  }
  if (json === undefined) {
    throw invalidType(`"args" of fork() must be data that JSON can carry, not ${shown(args)}`);
  }
  const bytes = Buffer.byteLength(json);
  if (bytes > MAX_BYTES) {
    throw invalidRange(
      `"args" of fork() takes ${bytes} bytes of JSON, and at most ${MAX_BYTES} fit into the ` +
        "child's environment: send it with child.send(pack(args)), and unpack() it there",
    );
  }
  return json;
}

/**
 * What this process or worker was started with, its locks open: in a child of {@link fork} its
 * `args`, in a worker `unpack(workerData)`, else `undefined`. Each call gives the same value.
 *
 * @param options - `action`, for Barriers among them that were made with one; those of the first call count
 * @throws as `open()`: a lock among them no longer exists
 */
export function forkArgs<T = unknown>(options?: OpenOptions): T {
  received ??= { value: isMainThread ? fromJson(options) : unpack(workerData, options) };
  return received.value as T;
}

function fromJson(options: OpenOptions | undefined): unknown {
  return given === undefined ? undefined : unpack(JSON.parse(given), options);
}
