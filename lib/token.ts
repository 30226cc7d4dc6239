/** Locks inside plain data, on their way to another process or thread. */
import { checkName, checkNamespace, invalidType, shown } from './arguments.js';
import { EXISTING, type LockOptions, type LockToken } from './exclusive.js';
import { Lock } from './lock.js';
import { joinRegion } from './region.js';
import { RLock } from './rlock.js';

const classes = { Lock, RLock };

/**
 * Opens the object that a token stands for. Makes none: what no longer exists cannot be what the
 * sender meant. A process that uses no namespace yet joins the token's. Does not wait.
 *
 * @param token - what `toJSON()` gave, or the JSON text of it
 * @returns a new `Lock` or `RLock` of this thread, to be closed like any other
 * @throws HoldfastError `ERR_HOLDFAST_NOT_FOUND`: the object does not exist (any more)
 * @throws HoldfastError `ERR_HOLDFAST_CONFIGURED`: this process uses another namespace
 * @throws HoldfastError `ERR_HOLDFAST_KIND_MISMATCH`, RegionError
 * @throws TypeError, RangeError `ERR_HOLDFAST_INVALID_ARGUMENT`: not a token
 */
export function open(token: LockToken | string): Lock | RLock {
  const data = typeof token === 'string' ? parse(token) : token;
  if (!isToken(data)) {
    throw invalidType(
      `open() takes a token as toJSON() makes it, or its JSON text, not ${shown(token)}`,
    );
  }
  checkNamespace(data.namespace);
  checkName(data.name);
  joinRegion(data.namespace);
  return new classes[data.holdfast](data.name, { [EXISTING]: true } as LockOptions);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw invalidType(`open() takes a token or its JSON text, not ${shown(text)}`, { cause });
  }
}

function isToken(value: unknown): value is LockToken {
  if (typeof value !== 'object' || value === null) return false;
  const { holdfast, namespace, name } = value as Record<string, unknown>;
  return (
    typeof holdfast === 'string' &&
    Object.hasOwn(classes, holdfast) &&
    typeof namespace === 'string' &&
    typeof name === 'string'
  );
}

/**
 * Copies plain data with each lock in it replaced by its token, at any depth: for
 * `child.send(pack(data))`, `worker.postMessage(pack(data))` or `workerData: pack(data)`.
 *
 * Arrays and plain objects are copied; everything else (dates, buffers, maps) is left as it is, for
 * the channel to carry or refuse.
 *
 * @throws TypeError `ERR_HOLDFAST_INVALID_ARGUMENT`: the data contains itself
 */
export function pack(data: unknown): unknown {
  return copy(data, lockToToken, 'pack()');
}

/**
 * The other end of {@link pack}: copies plain data with each token in it replaced by an open lock.
 *
 * @throws HoldfastError, RegionError, TypeError, RangeError as {@link open}; what it had opened by
 *   then is closed again
 */
export function unpack(data: unknown): unknown {
  const opened: (Lock | RLock)[] = [];
  const revive = (value: object): unknown => {
    if (!isToken(value)) return undefined;
    const object = open(value);
    opened.push(object);
    return object;
  };
  try {
    return copy(data, revive, 'unpack()');
  } catch (error) {
    for (const object of opened) object.close();
    throw error;
  }
}

function lockToToken(value: object): unknown {
  return value instanceof Lock || value instanceof RLock ? value.toJSON() : undefined;
}

/** A copy in which each object that `replace` has something for is replaced by it. */
function copy(
  value: unknown,
  replace: (value: object) => unknown,
  where: string,
  around = new Set<object>(),
): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const replacement = replace(value);
  if (replacement !== undefined) return replacement;
  const isArray = Array.isArray(value);
  if (!isArray && !isPlain(value)) return value;
  if (around.has(value)) {
    throw invalidType(`${where} takes plain data, but this contains itself: ${shown(value)}`);
  }
  around.add(value);
  const copied = isArray
    ? value.map((item) => copy(item, replace, where, around))
    : // fromEntries defines each property, so even a key "__proto__" is only data.
      Object.fromEntries(
        Object.entries(value).map(([key, item]) => [key, copy(item, replace, where, around)]),
      );
  around.delete(value);
  return copied;
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  // By what it lacks: a plain object of another realm has another Object.prototype.
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}
