import { SharedArray } from 'holdfast';
import { expect, it } from 'vitest';
import { processAgent } from '../support/agent.js';
import { extraNamespace, ownNamespace, uniqueName } from '../support/namespace.js';
import { untilStopped } from '../support/proc.js';
import { putInside, setParameters } from '../support/region.js';

const namespace = ownNamespace('damaged');

/** So long they wait for a guard; well over what one that runs takes to answer. */
const SHORT_PATIENCE = { HOLDFAST_GUARD_PATIENCE_MS: '2000' };

/** One that is stopped, and the guard says that it is inside; one that comes upon that. */
async function stoppedInside(
  kind: 'Lock' | 'RLock' | 'Semaphore',
  args: readonly unknown[],
  patience = {},
) {
  const space = extraNamespace();
  const lock = uniqueName();
  const env = { HOLDFAST_NAMESPACE: space, ...patience };
  const stopped = await processAgent({ env });
  await stopped.call('tryAcquire', { lock: uniqueName() }); // joins as the first
  const user = await processAgent({ env });
  const other = await processAgent({ env });
  const { guard } = await user.call('acquireSync', { lock, kind, args });
  stopped.child.kill('SIGSTOP');
  await untilStopped(stopped.pid);
  const waits = await other.begin('acquire', { lock, kind, args });
  const put = () => putInside(space, lock, stopped.pid, 0);
  put();
  return { lock, stopped, user, guard, waits, put };
}

/** While somebody cannot get in, each call is an error. */
async function untilAnswered(call: () => Promise<unknown>): Promise<void> {
  const isAnswered = () =>
    call().then(
      () => true,
      () => false,
    );
  while (!(await isAnswered()));
}

it.each([
  ['Lock', []],
  ['RLock', []],
  ['Semaphore', [1, { owned: true }]],
] as const)(
  'a release of %s that cannot get in says who is inside, and can be called again',
  async (kind, args) => {
    const { stopped, user, guard, waits } = await stoppedInside(kind, args, SHORT_PATIENCE);
    const failed = user.call('releaseGuard', { guard });
    await expect(failed).rejects.toMatchObject({ code: 'ERR_HOLDFAST_REGION_CORRUPT' });
    await expect(failed).rejects.toThrow(`process ${stopped.pid} has been inside`);
    expect(await user.call('isReleased', { guard })).toBe(false);
    stopped.child.kill('SIGCONT');
    await untilAnswered(() => user.call('releaseGuard', { guard }));
    expect(await user.call('isReleased', { guard })).toBe(true);
    expect(await waits.answer).toHaveProperty('guard');
  },
);

it('a wait that could not be taken out of the queue leaves it when somebody can get in again', async () => {
  const { lock, stopped, user, guard, waits, put } = await stoppedInside(
    'Semaphore',
    [2],
    SHORT_PATIENCE,
  );
  stopped.child.kill('SIGCONT');
  expect(await waits.answer).toHaveProperty('guard');
  await untilAnswered(() => user.call('look', { lock, property: 'available' }));
  // It waits for more than there will be, before all others.
  const first = await user.begin('acquire', { lock, n: 2, abortable: 'first' });
  stopped.child.kill('SIGSTOP');
  await untilStopped(stopped.pid);
  put();
  await user.call('abort', { signal: 'first', reason: 'no longer' });
  await expect(first.answer).rejects.toThrow('no longer');
  stopped.child.kill('SIGCONT');
  await untilAnswered(() => user.call('releaseGuard', { guard }));
  expect(await user.call('acquire', { lock, n: 1 })).toHaveProperty('guard');
});

it('a guard that names one that lives and is not inside is had all the same', async () => {
  const { stopped, user, guard, waits, put } = await stoppedInside('Lock', []);
  stopped.child.kill('SIGCONT');
  put();
  await user.call('releaseGuard', { guard });
  expect(await waits.answer).toHaveProperty('guard');
});

it('a wait for an element trusts no length and no type that it reads in shared memory', async () => {
  const name = uniqueName('array');
  const length = 1024;
  const array = new SharedArray(name, 'int32', length);
  const INT64 = 7;
  setParameters(namespace, name, [INT64, 1 << 20]);
  expect(array.waitSync(length - 1, 0, { timeout: 20 })).toBe('timed-out');
  expect(array.length).toBe(length);
  array.close();
});
