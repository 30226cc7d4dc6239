/**
 * What makes `structuredClone()`, `postMessage()` and `workerData` refuse an object of this package. They copy a class'
 * instance without a word, as a plain object of what is enumerable: a husk. Before 22.10 Node.js has nothing that marks
 * an object (`markAsUncloneable`); but what cannot be cloned is refused with a DataCloneError that shows it, and of a
 * symbol that is its description. So each object has one of these, enumerable, as `notData`. Not the guards: there is one for
 * each acquisition, which would pay for it.
 */

/**
 * Of what `pack()` takes. From the registry, so that the objects of other realms and copies of this package are known
 * by it as well.
 *
 * @internal
 */
export const SHARED = Symbol.for(
  'an object of holdfast is shared, not copied: send pack(data), and unpack(data) where it arrives',
);

/** @internal */
export const SIDE = Symbol.for(
  'a side of an RWLock is not copied: send pack(rwlock), and unpack() it where it arrives',
);

/** @internal */
export const POSIX = Symbol.for(
  'an object of holdfast/posix is not copied: send its name, and open it where that arrives',
);

/** A shared object, of whatever realm. */
interface Shared {
  readonly notData: typeof SHARED;
  toJSON(): unknown;
}

/** @internal */
export function isShared(value: object): value is Shared {
  const { notData, toJSON } = value as Partial<Shared>;
  return notData === SHARED && typeof toJSON === 'function';
}

/**
 * In an error, after an object that is of none of the classes that are wanted.
 *
 * @internal
 */
export function orOfAnotherRealm(value: unknown): string {
  if (typeof value !== 'object' || value === null || !isShared(value)) return '';
  return '; if that is of another realm (a vm context) or another copy of this package, unpack(pack(it)) opens it here';
}
