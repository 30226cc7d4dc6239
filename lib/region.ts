/**
 * This thread's place in the region: which shared memory the process uses, this thread as an agent
 * in it, the objects that the thread has open, and who keeps the event loop alive.
 */
import { getEnvironmentData, setEnvironmentData, threadId } from 'node:worker_threads';
import {
  checkBoolean,
  checkNamespace,
  checkOptions,
  invalidRange,
  invalidType,
  quoted,
  shown,
} from './arguments.js';
import { HoldfastError } from './errors.js';
import { isDebug } from './leak.js';
import { native, Status } from './native.js';
import { isContextFree } from './scope.js';
import { statusError } from './status.js';
import { throwUncaught } from './timers.js';
import { freshTurn } from './turn.js';

/** Options of {@link configure}. */
export interface ConfigureOptions {
  /**
   * Which shared memory to use: 1 to 64 characters of `A-Z a-z 0-9 . _ -`. Processes with the same
   * namespace and user share all names. Default: `$HOLDFAST_NAMESPACE`, else `default`.
   */
  namespace?: string | undefined;
  /**
   * Permissions of the shared-memory file: `0o600` (default), or `0o660` to share it with all users of this
   * process' group. The two are different files: a user's own namespace and a group's of the same name share
   * nothing.
   */
  mode?: number | undefined;
  /** Whether taking over from a holder that died emits a process warning. Default: `true`. */
  warnOnAbandoned?: boolean | undefined;
  /**
   * Whether a promise that waits, from inside of a `with()`, for what that `with()` holds is a DeadlockError at once,
   * where it would wait for ever. Default: `true` where it costs nothing, which is from Node.js 24 on, or where
   * `HOLDFAST_DEBUG=1` is set. Before Node.js 24 it makes every promise of the thread slower.
   */
  detectDeadlocks?: boolean | undefined;
}

/** What is in force for this thread. */
interface Settings {
  readonly namespace: string;
  readonly mode: number;
  readonly warnOnAbandoned: boolean;
  readonly detectDeadlocks: boolean;
}

/** An object that this thread has open. */
export interface RegionObject {
  readonly name: string;
  /** Whether this thread holds any of it. */
  readonly isHeld: boolean;
  /** A wait of this thread ended: an `Outcome` or a negative `Status`. Must not throw. */
  ready(outcome: number): void;
  /** Nothing can be done with it any more, for the reason `status`. Must not throw. */
  endWith(status: number): void;
}

const MODES = [0o600, 0o660];
const CONFIGURE_KEYS = ['namespace', 'mode', 'warnOnAbandoned', 'detectDeadlocks'];

/** Under this key new workers inherit what `configure()` set in the thread that starts them. */
const INHERITED = 'holdfast.settings';

/** `fork()` hands a mode other than the default to the child in this variable. */
const MODE_VARIABLE = 'HOLDFAST_MODE';

/**
 * In an error: why a wait that blocks the thread could never end.
 *
 * @internal
 */
export const HELD_BY_OTHER_REALM =
  'is held by other code of this thread, in another realm (a vm context, or another copy of this module), which ' +
  'could not release it while this one blocks the thread';

let settings: Settings | null = null;
let isExplicit = false;
let agent = 0;
let isGone = false;
let waiting = 0;

const objects = new Map<number, RegionObject>();

/**
 * Settles what this process shares with whom. Call it once a process, before the first object is
 * made; workers that are started later inherit it, and children of `fork()` the namespace and mode.
 * Does not block.
 *
 * @param options - `namespace`, `mode`, `warnOnAbandoned`, `detectDeadlocks`; what is left out has its default
 * @throws HoldfastError `ERR_HOLDFAST_CONFIGURED`: called again, or after the first object, for
 *   anything but what is in force
 * @throws TypeError, RangeError `ERR_HOLDFAST_INVALID_ARGUMENT`
 */
export function configure(options: ConfigureOptions): void {
  if (options === undefined) throw invalidType('configure() needs an object of options');
  checkOptions(options, CONFIGURE_KEYS, 'configure()');
  const { namespace, mode, warnOnAbandoned, detectDeadlocks } = options;
  if (namespace !== undefined) checkNamespace(namespace);
  if (mode !== undefined) checkMode(mode, '"mode"');
  if (warnOnAbandoned !== undefined) checkBoolean(warnOnAbandoned, '"warnOnAbandoned"');
  if (detectDeadlocks !== undefined) checkBoolean(detectDeadlocks, '"detectDeadlocks"');

  if (settings === null) {
    const found = defaults();
    settings = {
      namespace: namespace ?? found.namespace,
      mode: mode ?? found.mode,
      warnOnAbandoned: warnOnAbandoned ?? found.warnOnAbandoned,
      detectDeadlocks: detectDeadlocks ?? found.detectDeadlocks,
    };
    isExplicit = true;
    setEnvironmentData(INHERITED, { ...settings });
    return;
  }
  refuseOther('namespace', namespace, settings.namespace);
  refuseOther('mode', mode, settings.mode, (value) => `0o${value.toString(8)}`);
  refuseOther('warnOnAbandoned', warnOnAbandoned, settings.warnOnAbandoned);
  refuseOther('detectDeadlocks', detectDeadlocks, settings.detectDeadlocks);
}

function refuseOther<T>(
  key: string,
  wanted: T | undefined,
  inForce: T,
  format: (value: T) => string = String,
): void {
  if (wanted === undefined || wanted === inForce) return;
  throw new HoldfastError(
    `configure() cannot set ${key} to ${format(wanted)}: this process uses ${format(inForce)} ` +
      'already; call configure() once, before the first object is made',
    'ERR_HOLDFAST_CONFIGURED',
  );
}

function defaults(): Settings {
  const inherited = getEnvironmentData(INHERITED) as unknown as Settings | undefined;
  if (inherited !== undefined) return inherited;
  const namespace = process.env['HOLDFAST_NAMESPACE'] ?? 'default';
  checkNamespace(namespace, 'HOLDFAST_NAMESPACE');
  const octal = process.env[MODE_VARIABLE];
  const mode = octal === undefined ? 0o600 : Number.parseInt(octal, 8);
  checkMode(mode, MODE_VARIABLE);
  return { namespace, mode, warnOnAbandoned: true, detectDeadlocks: isContextFree || isDebug };
}

function checkMode(mode: unknown, what: string): void {
  if (typeof mode !== 'number') {
    throw invalidType(`${what} must be a number such as 0o600, not ${shown(mode)}`);
  }
  if (!MODES.includes(mode)) {
    throw invalidRange(
      `${what} must be 0o600 or 0o660, not 0o${mode.toString(8)}: who may read shared memory ` +
        'of locks must be able to write it, and "others" must not',
    );
  }
}

/**
 * What is in force, or would be if an object was made now.
 *
 * @internal
 */
export function inForce(): Settings {
  return settings ?? defaults();
}

/**
 * Joins the region, if this thread has not yet.
 *
 * @param namespace - the one that must be in force, where a token names it
 * @returns this thread's agent slot
 * @internal
 */
export function joinRegion(namespace?: string): number {
  if (isGone) throw statusError(Status.Gone, 'cannot use this namespace');
  if (agent !== 0) {
    if (namespace !== undefined) refuseOtherNamespace(namespace);
    return agent;
  }
  if (isExplicit && namespace !== undefined) refuseOtherNamespace(namespace);
  const wanted = namespace === undefined ? inForce() : { ...inForce(), namespace };
  const joined = join(wanted, isExplicit || namespace !== undefined);
  agent = joined.agent;
  settings = joined.settings;
  return agent;
}

function join(wanted: Settings, isBinding: boolean): { agent: number; settings: Settings } {
  const status = native.join(wanted.namespace, wanted.mode, threadId, onReady);
  if (status >= 0) return { agent: status, settings: wanted };
  const detail = native.detail();
  // A worker whose main thread took its namespace from a token: it has the process's one.
  if (status === Status.Configured && !isBinding) {
    return join({ ...wanted, namespace: detail }, true);
  }
  throw statusError(status, `cannot join namespace ${quoted(wanted.namespace)}`, detail);
}

function refuseOtherNamespace(namespace: string): void {
  const used = inForce().namespace;
  if (namespace === used) return;
  throw new HoldfastError(
    `the token belongs to namespace ${quoted(namespace)}, but this process uses ${quoted(used)}`,
    'ERR_HOLDFAST_CONFIGURED',
  );
}

/** Called by the addon, on this thread's event loop. It reports each outcome once: an exception must not keep the rest. */
function onReady(batch: number[]): void {
  freshTurn();
  for (let i = 0; i + 1 < batch.length; i += 2) {
    try {
      objects.get(batch[i] as number)?.ready(batch[i + 1] as number);
    } catch (error) {
      throwUncaught(error);
    }
  }
}

/**
 * The object is open in this thread from now on, under a native handle.
 *
 * @internal
 */
export function register(handle: number, object: RegionObject): void {
  objects.set(handle, object);
}

/** @internal */
export function unregister(handle: number): void {
  objects.delete(handle);
}

/**
 * Counts a request that waits. The event loop lives on while there is any.
 *
 * @internal
 */
export function waitBegins(): void {
  if (waiting++ === 0) native.keepAlive(true);
}

/** @internal */
export function waitEnds(): void {
  if (--waiting === 0) native.keepAlive(false);
}

/**
 * Removes a namespace's shared memory, with every object in it. Where this thread has it open, that
 * closes its objects (what waits rejects), and no later use of this package works in this process:
 * it is meant for the end of a test run or of an application. Does not block.
 *
 * @param namespace - default: the one in force
 * @returns whether there was one
 * @throws HoldfastError `ERR_HOLDFAST_IN_USE`: other processes, named in the message, or other
 *   threads of this one have it open; or another realm of this thread holds something in it, or waits
 * @throws HoldfastError `ERR_HOLDFAST_HELD`: this thread holds a lock in it
 * @throws TypeError, RangeError `ERR_HOLDFAST_INVALID_ARGUMENT`
 */
export function unlinkNamespace(namespace?: string): boolean {
  if (namespace !== undefined) checkNamespace(namespace);
  const target = namespace ?? inForce().namespace;
  const isOwn = agent !== 0 && target === inForce().namespace;
  if (isOwn) refuseHeld(target);
  const status = native.unlinkNamespace(target, inForce().mode);
  if (status < 0) {
    throw statusError(status, `cannot unlink namespace ${quoted(target)}`, native.detail());
  }
  if (isOwn) {
    isGone = true;
    for (const object of [...objects.values()]) object.endWith(Status.Gone);
  }
  return status === 1;
}

function refuseHeld(namespace: string): void {
  for (const object of objects.values()) {
    if (!object.isHeld) continue;
    throw new HoldfastError(
      `cannot unlink namespace ${quoted(namespace)}: this thread holds ${quoted(object.name)}`,
      'ERR_HOLDFAST_HELD',
    );
  }
}

/**
 * What a child process needs in its environment to share this one's objects.
 *
 * @internal
 */
export function childEnvironment(): Record<string, string> {
  const { namespace, mode } = inForce();
  const environment: Record<string, string> = { HOLDFAST_NAMESPACE: namespace };
  if (mode !== 0o600) environment[MODE_VARIABLE] = mode.toString(8);
  return environment;
}
