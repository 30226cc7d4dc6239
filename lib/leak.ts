/**
 * Guards that are garbage-collected unreleased: nobody can release them any more, and what they stand for stays held.
 *
 * To be collected a guard must be known to nobody but its owner. Who holds what is the thread's to know from the first
 * moment, though, and to register a guard with the collector costs several times what an acquire does. So the thread
 * knows the guard itself at first, and something in its place from the first look on (see watch.ts), which is within a
 * second: most guards do not live as long.
 */

/** Whether what goes wrong shall be told at some cost. */
export const isDebug = process.env['HOLDFAST_DEBUG'] === '1';

/** Of whose code no frame is shown. */
const PACKAGE = new URL('.', import.meta.url).href;
const AS_A_PROMISE = 'at new Promise (';

/** What stands for a guard that may be collected. */
export interface Leakable {
  /** As messages name what it holds: `Lock "orders"`. */
  readonly title: string;
  /** Whether nobody holds by it, or somebody may still release it otherwise. */
  readonly isHarmless: boolean;
}

/** Where guards were acquired, under `HOLDFAST_DEBUG=1`. */
const places = new WeakMap<object, string>();

/** Objects that were warned of, by their titles: once for each. */
const warned = new Set<string>();

const collected = new FinalizationRegistry<{ held: Leakable; place: string | undefined }>(
  ({ held, place }) => {
    if (held.isHarmless || warned.has(held.title)) return;
    warned.add(held.title);
    const where =
      place === undefined
        ? 'HOLDFAST_DEBUG=1 in the environment shows where it was acquired.'
        : `It was acquired here:\n${place}`;
    process.emitWarning(
      `${held.title} is held by a guard that was garbage-collected without release(), and so until this thread ends. ` +
        where,
      { type: 'HoldfastWarning', code: 'HOLDFAST_LEAKED' },
    );
  },
);

/** What the thread knows in place of a guard. */
const standIns = new WeakMap<object, object>();
/** The other way round. */
const originals = new WeakMap<object, WeakRef<object>>();

/** What the thread knows `guard` by. */
export function asKnown<Guard extends object>(guard: Guard): Guard {
  return (standIns.get(guard) as Guard | undefined) ?? guard;
}

/** The guard that `standIn` stands for, if it does and that is not collected. */
export function originalOf<Guard extends object>(standIn: Guard): Guard | undefined {
  return originals.get(standIn)?.deref() as Guard | undefined;
}

export function isStandIn(guard: object): boolean {
  return originals.has(guard);
}

/** The thread knows `standIn` in place of `guard` from now on. */
export function replaceBy<Guard extends Leakable>(guard: Guard, standIn: Guard): void {
  standIns.set(guard, standIn);
  originals.set(standIn, new WeakRef(guard));
  watchOver(guard, standIn);
}

/** Has it told when `guard` is collected while something is held by `held`, which must not know the guard. */
export function watchOver(guard: object, held: Leakable): void {
  collected.register(guard, { held, place: places.get(guard) });
}

/** Where the running code is called from, under `HOLDFAST_DEBUG=1`. */
export function here(): string | undefined {
  if (!isDebug) return undefined;
  const at: { stack?: string } = {};
  Error.captureStackTrace(at, here);
  const frames = (at.stack ?? '').split('\n').slice(1);
  return frames
    .filter((frame) => !frame.includes(PACKAGE) && !frame.includes(AS_A_PROMISE))
    .join('\n');
}

/** Notes where `guard` was acquired. */
export function notePlace(guard: object, place: string | undefined): void {
  if (place !== undefined) places.set(guard, place);
}
