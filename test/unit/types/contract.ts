// The declared types, as a user's strict program sees them: compiled, never run.
import {
  ClosedError,
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
  TimeoutError,
  UnlinkedError,
  type unlinkNamespace,
  unpack,
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
