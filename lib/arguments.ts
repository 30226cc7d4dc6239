/**
 * Checks on what callers pass in, before anything is changed by it. Each error names the argument,
 * what came, and what to do.
 *
 * @internal
 */
import { inspect } from 'node:util';

/** Options of `acquire` and `with`. */
export interface AcquireOptions {
  /**
   * Milliseconds to wait at most. `<= 0`: one try. Default: for ever. The wait never ends earlier;
   * it may end later, by as much as the event loop or the machine is busy.
   */
  timeout?: number | undefined;
  /** Ends the wait when it aborts: the promise rejects with `signal.reason`. */
  signal?: AbortSignal | undefined;
}

/** Options of `acquireSync` and `withSync`. */
export interface AcquireSyncOptions {
  /** Milliseconds to wait at most. `<= 0`: one try. Default: for ever. Never ends earlier. */
  timeout?: number | undefined;
}

const INVALID = 'ERR_HOLDFAST_INVALID_ARGUMENT';

/** The maximum length of a name. */
const NAME_BYTES = 255;

const NAMESPACE = /^[A-Za-z0-9._-]{1,64}$/;

// With the u flag a surrogate pair is one character, so this finds lone halves only.
const LONE_SURROGATE = /\p{Surrogate}/u;

/** A value of the wrong type. */
export function invalidType(message: string, options?: ErrorOptions): TypeError {
  return Object.assign(new TypeError(message, options), { code: INVALID });
}

/** A value of the right type which cannot be used. */
export function invalidRange(message: string): RangeError {
  return Object.assign(new RangeError(message), { code: INVALID });
}

/** A value as an error message shows it: short, on one line. */
export function shown(value: unknown): string {
  const text = inspect(value, { depth: 0, breakLength: Number.POSITIVE_INFINITY });
  return text.length <= 80 ? text : `${text.slice(0, 77)}...`;
}

/**
 * Checks that `options` is an object and knows no other keys than `known`.
 *
 * @param where - whose options: `acquire()`
 */
export function checkOptions(options: unknown, known: readonly string[], where: string): void {
  if (options === undefined) return;
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw invalidType(`the options of ${where} must be an object, not ${shown(options)}`);
  }
  for (const key of Object.keys(options)) {
    if (known.includes(key)) continue;
    const right = known.length === 0 ? '' : `: did you mean ${quoted(nearest(key, known))}?`;
    throw invalidType(`${where} has no option ${quoted(key)}${right}`);
  }
}

const ACQUIRE_KEYS = ['timeout', 'signal'];

/** Checks the options of a verb that returns a promise. */
export function checkAcquireOptions(options: AcquireOptions | undefined, where: string): void {
  if (options === undefined) return;
  checkOptions(options, ACQUIRE_KEYS, where);
  checkTimeout(options.timeout, where);
  const signal: unknown = options.signal;
  if (signal !== undefined && !isSignal(signal)) {
    throw invalidType(`"signal" of ${where} must be an AbortSignal, not ${shown(signal)}`);
  }
}

/** Checks the options of a verb that blocks, and returns its time-out in milliseconds. */
export function syncTimeout(options: AcquireSyncOptions | undefined, where: string): number {
  if (options === undefined) return Number.POSITIVE_INFINITY;
  checkOptions(options, ACQUIRE_KEYS, where);
  if ((options as AcquireOptions).signal !== undefined) {
    throw invalidType(
      `${where} takes no "signal": it blocks this thread, so nothing could abort it meanwhile; ` +
        'use "timeout", or the verb without "Sync"',
    );
  }
  checkTimeout(options.timeout, where);
  return options.timeout ?? Number.POSITIVE_INFINITY;
}

function checkTimeout(timeout: unknown, where: string): void {
  if (timeout === undefined) return;
  if (typeof timeout !== 'number' || Number.isNaN(timeout)) {
    throw invalidType(
      `"timeout" of ${where} must be a number of milliseconds, not ${shown(timeout)}`,
    );
  }
}

function isSignal(value: unknown): value is AbortSignal {
  // By shape: a signal of another realm or a polyfill is as good.
  return (
    typeof value === 'object' &&
    value !== null &&
    typeof (value as AbortSignal).aborted === 'boolean' &&
    typeof (value as AbortSignal).addEventListener === 'function' &&
    typeof (value as AbortSignal).removeEventListener === 'function'
  );
}

/** What {@link checkNoOptions} sends to, for a lock's `tryAcquire()`. */
export const WAITING_VERBS = 'acquire({ timeout }) or acquireSync({ timeout })';

/**
 * Refuses options where a verb takes none.
 *
 * @param remedy - the verbs that take them, and wait
 */
export function checkNoOptions(options: unknown, where: string, remedy: string): void {
  if (options === undefined) return;
  checkOptions(options, Object.keys(Object(options)), where); // an object at least
  const [key] = Object.keys(options as object);
  if (key === undefined) return;
  throw invalidType(`${where} has no option ${quoted(key)}, as it never waits: use ${remedy}`);
}

/**
 * Refuses a promise where work must be done by the time its function returns. The rejection that the promise may end in
 * is nobody's any more, and so not "unhandled": the mistake is this one.
 */
export function refusePromise(result: unknown, message: string): void {
  if (typeof (result as { then?: unknown } | null | undefined)?.then !== 'function') return;
  Promise.resolve(result).catch(() => {});
  throw invalidType(message);
}

/** Checks an object's name: 1 to 255 bytes of well-formed UTF-8 without NUL. */
export function checkName(name: unknown): asserts name is string {
  if (typeof name !== 'string') {
    throw invalidType(`a name must be a string, not ${shown(name)}`);
  }
  if (name === '') {
    throw invalidRange('a name must not be empty; leave it out to have a unique one made');
  }
  if (LONE_SURROGATE.test(name)) {
    throw invalidRange(
      `a name must be well-formed Unicode: ${shown(name)} has half a surrogate pair`,
    );
  }
  if (name.includes('\0')) {
    throw invalidRange(`a name must not contain NUL: ${shown(name)}`);
  }
  const bytes = Buffer.byteLength(name);
  if (bytes > NAME_BYTES) {
    throw invalidRange(
      `a name has at most ${NAME_BYTES} bytes of UTF-8, not ${bytes}: ${shown(name)}`,
    );
  }
}

/**
 * Checks a namespace.
 *
 * @param source - what it is called where it comes from: `namespace`, `HOLDFAST_NAMESPACE`
 */
export function checkNamespace(
  namespace: unknown,
  source = 'namespace',
): asserts namespace is string {
  if (typeof namespace !== 'string') {
    throw invalidType(`"${source}" must be a string, not ${shown(namespace)}`);
  }
  if (!NAMESPACE.test(namespace)) {
    throw invalidRange(
      `"${source}" must be 1 to 64 characters of A-Z, a-z, 0-9, ".", "_" and "-", ` +
        `not ${shown(namespace)}`,
    );
  }
}

/** Checks a switch. */
export function checkBoolean(value: unknown, what: string): asserts value is boolean {
  if (typeof value !== 'boolean') {
    throw invalidType(`${what} must be true or false, not ${shown(value)}`);
  }
}

/** Checks the work that `with` and `withSync` are given. */
export function checkFunction(fn: unknown, where: string): void {
  if (typeof fn !== 'function') {
    throw invalidType(`${where} takes a function first, not ${shown(fn)}`);
  }
}

/** A string in double quotes, as JSON has it: control characters cannot break the message. */
export function quoted(text: string): string {
  return JSON.stringify(text);
}

/** The one of `known` that takes the fewest edits to reach from `key`. */
function nearest(key: string, known: readonly string[]): string {
  let best = '';
  let fewest = Number.POSITIVE_INFINITY;
  for (const candidate of known) {
    const edits = distance(key.toLowerCase(), candidate.toLowerCase());
    if (edits < fewest) {
      fewest = edits;
      best = candidate;
    }
  }
  return best;
}

/** Levenshtein's distance. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(change, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
