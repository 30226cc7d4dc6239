// The declared types, as a user's strict program sees them: compiled, never run.
import {
  Barrier,
  ClosedError,
  Condition,
  configure,
  DeadlockError,
  fork,
  forkArgs,
  HoldfastError,
  Lock,
  type LockGuard,
  type LockToken,
  NotHeldError,
  open,
  pack,
  RegionError,
  RLock,
  RWLock,
  Semaphore,
  SharedArray,
  SharedValue,
  TimeoutError,
  UnlinkedError,
  type unlinkNamespace,
  unpack,
  withAll,
  withAllSync,
} from 'holdfast';

type Equal<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function same<A, B>(..._proof: Equal<A, B> extends true ? [] : [never]): void {}

configure({});
configure({ namespace: 'x', mode: 0o600, warnOnAbandoned: false, detectDeadlocks: true });
// @ts-expect-error a misspelt option
configure({ namespce: 'x' });

const lock = new Lock('orders', { warnOnAbandoned: false });
new Lock();
new RLock();
// @ts-expect-error a name is a string
new Lock(5);

export async function verbs(signal: AbortSignal): Promise<void> {
  same<Awaited<ReturnType<typeof lock.acquire>>, LockGuard>();
  same<ReturnType<typeof lock.acquireSync>, LockGuard>();
  same<ReturnType<typeof lock.tryAcquire>, LockGuard | null>();
  await using held = await lock.acquire({ timeout: 500, signal });
  using sync = lock.acquireSync({ timeout: 500 });
  using maybe = lock.tryAcquire();
  // @ts-expect-error a sync wait cannot be aborted
  lock.acquireSync({ signal });
  // @ts-expect-error a time-out is a number
  lock.acquire({ timeout: '500' });
  same<typeof held.abandoned, boolean>();
  same<typeof held.token, number>();
  same<typeof held.released, boolean>();
  // @ts-expect-error read-only
  held.token = 5;
  sync.release();
  maybe?.release();
  // @ts-expect-error it may be null
  maybe.release();

  const seven = await lock.with(async (guard) => guard.token);
  same<typeof seven, number>();
  const text = await lock.with(() => 'text', { timeout: 5, signal });
  same<typeof text, string>();
  const flag = lock.withSync((guard) => guard.abandoned, { timeout: 5 });
  same<typeof flag, boolean>();
}

same<typeof lock.name, string>();
same<typeof lock.locked, boolean>();
same<NonNullable<typeof lock.holder>['pid'], number>();
same<NonNullable<typeof lock.holder>['thread'], number>();
same<NonNullable<typeof lock.holder>['since'], Date>();
// @ts-expect-error it may be null
lock.holder.pid;
// @ts-expect-error read-only
lock.name = 'x';
same<RLock['depth'], number>();
// @ts-expect-error a plain lock has no depth
lock.depth;

const token: LockToken = lock.toJSON();
const opened: Lock | RLock = open(token);
open(JSON.stringify(token));
opened.close();
opened.unlink();
opened[Symbol.dispose]();

unpack(pack({ lock }));
same<ReturnType<typeof pack>, unknown>();
fork('./child.js', { args: { lock }, execArgv: [], argv: ['x'] }).send('x');
fork(new URL('file:///child.js'));
const args = forkArgs<{ lock: Lock }>();
same<typeof args.lock, Lock>();
same<ReturnType<typeof forkArgs>, unknown>();
same<ReturnType<typeof unlinkNamespace>, boolean>();

export function caught(error: unknown): string | undefined {
  if (error instanceof HoldfastError) {
    const code: string = error.code;
    return code;
  }
  return undefined;
}

export const errors: (typeof HoldfastError)[] = [
  ClosedError,
  DeadlockError,
  NotHeldError,
  RegionError,
  TimeoutError,
  UnlinkedError,
] as never;

// What could only throw at run time does not compile.
const small = new SharedValue('small', 'int8');
const float = new SharedValue('float', 'float64');
const floats = new SharedArray('floats', 'float32', 8);
const big = new SharedValue('big', 'int64');
const words = new SharedArray('words', 'uint32', 8);

export async function memory(anyValue: SharedValue): Promise<void> {
  same<ReturnType<typeof small.add>, number>();
  small.add(1);
  big.add(1n);
  // @ts-expect-error 64 bits are a bigint
  big.add(1);
  // @ts-expect-error no float has an atomic change
  float.add(1);
  // @ts-expect-error the same
  floats.add(0, 1);
  // @ts-expect-error the same
  float.compareExchange(0, 1);
  same<ReturnType<typeof float.load>, never>();
  float.value += 0.5;
  same<ReturnType<typeof words.load>, number>();
  await words.wait(0, 1, { timeout: 5 });
  big.waitSync(1n);
  // @ts-expect-error 8 bits cannot be waited for
  small.wait(0);
  // @ts-expect-error nor by a thread
  small.waitSync(0);
  // @ts-expect-error nor a float
  await floats.wait(0, 0);
  // Of what came by a token the type is known at run time only.
  anyValue.store(1);
  await anyValue.wait(1);
}

const thenable: PromiseLike<number> = Promise.resolve(1);
const permits = new Semaphore('permits', 2);
const sides = new RWLock('sides');

export async function holds(lock: Lock, rlock: RLock): Promise<void> {
  same<Awaited<ReturnType<typeof lock.with<number>>>, number>();
  const one: number = await lock.with(() => thenable);
  const two: number = await rlock.with(() => thenable);
  const three: number = await permits.with(() => thenable);
  const four: number = await sides.read.with(() => thenable);
  const five: number = await withAll([lock, permits], () => thenable);
  const six: number = await words.withLock(() => thenable);
  const seven: number = await new Condition(lock).with(() => thenable);
  new Barrier(2, { action: async () => {} });
  same<number, typeof one & typeof two & typeof three & typeof four & typeof five>();
  same<number, typeof six & typeof seven>();

  const text: string = lock.withSync(() => 'text');
  const nothing: undefined = lock.withSync(() => undefined);
  lock.withSync(() => {});
  const anything = lock.withSync(() => JSON.parse(text));
  same<typeof nothing, undefined>();
  anything.whatever;
  lock.withSync((): unknown => 1);
  lock.withSync((): never => {
    throw new Error('enough');
  });
  // @ts-expect-error the work would go on after the release
  lock.withSync(async () => 1);
  // @ts-expect-error the same
  rlock.withSync(() => thenable);
  // @ts-expect-error the same
  permits.withSync(async () => {});
  // @ts-expect-error the same
  sides.write.withSync(async () => {});
  // @ts-expect-error the same
  withAllSync([lock], async () => {});
  // @ts-expect-error the same
  words.withLockSync(async () => {});
  // @ts-expect-error the same
  new Condition(lock).withSync(async () => {});
  // @ts-expect-error a promise now and then
  lock.withSync((): number | Promise<number> => 1);
}
