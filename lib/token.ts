/** Shared objects inside plain data, on their way to another process or thread. */
import { checkName, checkNamespace, checkOptions, invalidType, shown } from './arguments.js';
import { ACTION, type BarrierOptions, openBarrier } from './barrier.js';
import { COMPANION, isCompanionName } from './companion.js';
import { openCondition } from './condition.js';
import type { ElementType } from './element-type.js';
import { Event } from './event.js';
import { EXISTING, type LockOptions } from './exclusive.js';
import { Lock } from './lock.js';
import { isShared } from './not-data.js';
import { joinRegion } from './region.js';
import { RLock } from './rlock.js';
import { RWLock } from './rwlock.js';
import { Semaphore, type SemaphoreOptions } from './semaphore.js';
import { SharedArray } from './shared-array.js';
import { AS_IT_IS } from './shared-memory.js';
import { SharedValue } from './shared-value.js';

/** Options of {@link open}, {@link unpack} and `forkArgs`. */
export interface OpenOptions {
  /** The action of a Barrier whose token says that it has one: see `BarrierOptions`. */
  action?: BarrierOptions['action'];
}

/** What all tokens have; some kinds add to it. */
interface AnyToken {
  readonly holdfast: string;
  readonly namespace: string;
  readonly name: string;
}

/** In a constructor's options: open what exists, with the parameters that it was made with. */
const existing = { [EXISTING]: true };

/**
 * Every kind that has a token, by the token's `holdfast`: how an existing object is opened. The
 * namespace is joined and the name checked before; whatever else a token carries is the opener's to check.
 */
const kinds = {
  Lock: kind(({ name }) => new Lock(name, existing as LockOptions)),
  RLock: kind(({ name }) => {
    const companion = isCompanionName(name) ? { [COMPANION]: true } : {};
    return new RLock(name, { ...existing, ...companion } as LockOptions);
  }),
  RWLock: kind(({ name }) => new RWLock(name, existing as LockOptions)),
  Semaphore: kind(({ name }) => new Semaphore(name, 1, existing as SemaphoreOptions)),
  SharedValue: kind(({ name }) => new SharedValue<ElementType>(name, AS_IT_IS)),
  SharedArray: kind(({ name }) => new SharedArray<ElementType>(name, AS_IT_IS, 0)),
  Event: kind(({ name }) => new Event(name, existing)),
  Condition: kind((token) => openCondition(token, openLock)),
  Barrier: kind(openBarrier),
  // A new kind: one line here.
};

/** The lock that a condition's token carries. */
function openLock(token: unknown): Lock | RLock {
  if (isToken(token) && (token.holdfast === 'Lock' || token.holdfast === 'RLock')) {
    return open<'Lock' | 'RLock'>({ ...token, holdfast: token.holdfast });
  }
  throw invalidType(`the token of a condition carries its lock's, not ${shown(token)}`);
}

interface KindRow<T extends Shared> {
  readonly open: (token: AnyToken) => T;
}

/** What every shared object can do. */
interface Shared {
  readonly name: string;
  close(): void;
  toJSON(): AnyToken;
}

function kind<T extends Shared>(open: (token: AnyToken) => T): KindRow<T> {
  return { open };
}

/** The kinds of object that have a token: `Lock`, `Semaphore`, ... */
export type TokenKind = keyof typeof kinds;

/** The class of a kind's objects. */
export type SharedObjectOf<K extends TokenKind> = ReturnType<(typeof kinds)[K]['open']>;

/** What `toJSON()` of a kind's objects gives. */
export type TokenOf<K extends TokenKind> = ReturnType<SharedObjectOf<K>['toJSON']>;

/**
 * Opens the object that a token stands for. Makes none: what no longer exists cannot be what the
 * sender meant. A process that uses no namespace yet joins the token's. Does not wait.
 *
 * @param token - what `toJSON()` gave, or the JSON text of it
 * @param options - of a Barrier: `action`, without which one that was made with an action is not opened
 * @returns a new instance of this thread, of the class that the token names, to be closed like any other
 * @throws HoldfastError `ERR_HOLDFAST_NOT_FOUND`: the object does not exist (any more)
 * @throws HoldfastError `ERR_HOLDFAST_CONFIGURED`: this process uses another namespace
 * @throws HoldfastError `ERR_HOLDFAST_KIND_MISMATCH`, RegionError
 * @throws TypeError, RangeError `ERR_HOLDFAST_INVALID_ARGUMENT`: not a token
 */
export function open<K extends TokenKind>(
  token: {
    readonly holdfast: K;
    readonly namespace: string;
    readonly name: string;
  },
  options?: OpenOptions,
): SharedObjectOf<K>;
/** @typeParam K - the kind that the text is known to name */
export function open<K extends TokenKind = TokenKind>(
  token: string,
  options?: OpenOptions,
): SharedObjectOf<K>;
export function open(token: unknown, options?: OpenOptions): Shared {
  const data = typeof token === 'string' ? parse(token) : token;
  if (!isToken(data)) {
    throw invalidType(
      `open() takes a token as toJSON() makes it, or its JSON text, not ${shown(token)}`,
    );
  }
  checkNamespace(data.namespace);
  if (data.holdfast !== 'RLock' || !isCompanionName(data.name)) checkName(data.name);
  if (data.holdfast === 'Barrier') checkOpenOptions(options, 'open()');
  else checkOptions(options, [], `open() of a ${data.holdfast}`);
  joinRegion(data.namespace);
  return kinds[data.holdfast].open({ ...data, [ACTION]: options?.action } as AnyToken);
}

function checkOpenOptions(options: OpenOptions | undefined, where: string): void {
  checkOptions(options, ['action'], where);
  const action: unknown = options?.action;
  if (action === undefined || typeof action === 'function') return;
  throw invalidType(`"action" of ${where} must be a function, not ${shown(action)}`);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw invalidType(`open() takes a token or its JSON text, not ${shown(text)}`, { cause });
  }
}

function isToken(value: unknown): value is AnyToken & { readonly holdfast: TokenKind } {
  if (typeof value !== 'object' || value === null) return false;
  const { holdfast, namespace, name } = value as Record<string, unknown>;
  return (
    typeof holdfast === 'string' &&
    Object.hasOwn(kinds, holdfast) &&
    typeof namespace === 'string' &&
    typeof name === 'string'
  );
}

/**
 * Copies plain data with each shared object in it replaced by its token, at any depth: for
 * `child.send(pack(data))`, `worker.postMessage(pack(data))` or `workerData: pack(data)`.
 *
 * Arrays and plain objects are copied; everything else (dates, buffers, maps) is left as it is, for
 * the channel to carry or refuse.
 *
 * @throws TypeError `ERR_HOLDFAST_INVALID_ARGUMENT`: the data contains itself
 */
export function pack(data: unknown): unknown {
  return copy(data, objectToToken, 'pack()');
}

/**
 * The other end of {@link pack}: copies plain data with each token in it replaced by an open object.
 *
 * @param options - `action`, for each Barrier among them whose token says that it has one
 * @throws HoldfastError, RegionError, TypeError, RangeError as {@link open}; what it had opened by
 *   then is closed again
 */
export function unpack(data: unknown, options?: OpenOptions): unknown {
  checkOpenOptions(options, 'unpack()');
  const opened: Shared[] = [];
  const revive = (value: object): unknown => {
    if (!isToken(value)) return undefined;
    const isWithAction = value.holdfast === 'Barrier' && 'action' in value;
    const object = open(value, isWithAction ? options : undefined);
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

function objectToToken(value: object): unknown {
  return isShared(value) ? value.toJSON() : undefined;
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
