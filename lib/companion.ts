/**
 * Locks that belong to another object: the `lock` of a SharedValue or SharedArray. In the region they are RLocks like
 * any other, under names that no user's name can collide with, and go with their last opener.
 *
 * @internal
 */

/** A key of a lock's options which callers cannot reach: this is a companion, under a name of {@link companionName}. */
export const COMPANION: unique symbol = Symbol('companion');

/** User names have no NUL. */
const PREFIX = '\0lock:';

const NAME_BYTES = 255;

/**
 * The name of an object's lock.
 *
 * @param id - what tells the object from all others of the region, also from earlier ones of its name
 * @param name - of the object, for messages; cut where it is too long
 */
export function companionName(id: number, name: string): string {
  let left = NAME_BYTES - Buffer.byteLength(`${PREFIX}${id}:`);
  let kept = '';
  for (const character of name) {
    left -= Buffer.byteLength(character);
    if (left < 0) break;
    kept += character;
  }
  return `${PREFIX}${id}:${kept}`;
}

/** Whether it is the name of such a lock. */
export function isCompanionName(name: string): boolean {
  return name.startsWith(PREFIX);
}

/** A lock as messages name it: `Lock "orders"`, `RLock of "count"`. */
export function titleOf(kindName: string, name: string): string {
  if (!isCompanionName(name)) return `${kindName} ${JSON.stringify(name)}`;
  const of = name.slice(name.indexOf(':', PREFIX.length) + 1);
  return `${kindName} of ${JSON.stringify(of)}`;
}
