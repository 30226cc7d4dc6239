import { RWLock } from 'holdfast';
import { describe, expect, it } from 'vitest';
import { type Agent, processAgent, type RemoteWarning, remoteError } from '../support/agent.js';
import { ownNamespace, uniqueName } from '../support/namespace.js';

ownNamespace('rwlock-death');

const on = (lock: string, side: 'read' | 'write') => ({ lock, kind: 'RWLock' as const, side });
const quiet = (name: string) => new RWLock(name, { warnOnAbandoned: false });

async function die(agent: Agent): Promise<void> {
  agent.child.kill();
  await agent.child.exited;
}

describe("a dead reader's share", () => {
  it.each(['acquire', 'acquireSync'])('goes: the writer in %s() gets the lock', async (verb) => {
    const name = uniqueName();
    const victim = await processAgent();
    const writer = await processAgent();
    await victim.call('acquireSync', on(name, 'read'));
    await victim.call('acquireSync', on(name, 'read'));
    const wait = await writer.begin(verb, on(name, 'write'));
    victim.child.kill();
    expect(await wait.answer).toMatchObject({ abandoned: false });
    expect(quiet(name).readers).toBe(0);
  });

  it('goes with the upgrade that it waited for; other readers stay alone', async () => {
    const name = uniqueName();
    const rw = quiet(name);
    const victim = await processAgent();
    const { guard } = await victim.call('acquireSync', on(name, 'read'));
    const share = rw.read.acquireSync();
    const upgrade = await victim.begin('upgrade', { guard });
    upgrade.answer.catch(() => {});
    expect(rw.read.tryAcquire()).toBeNull();
    await die(victim);
    const second = await rw.read.acquire();
    expect([second.abandoned, rw.write.locked]).toEqual([false, false]);
    second.release();
    // First its wait goes, and then its share: without this one that would last.
    const held = await share.upgrade();
    expect(held.abandoned).toBe(false);
    held.release();
  });
});

describe("a dead writer's lock", () => {
  it.each(['acquire', 'acquireSync'])('passes on as abandoned, to %s()', async (verb) => {
    const name = uniqueName();
    const victim = await processAgent();
    const heir = await processAgent();
    const { token } = await victim.call('acquireSync', on(name, 'write'));
    const wait = await heir.begin(verb, on(name, 'write'));
    victim.child.kill();
    const held = await wait.answer;
    expect(held.abandoned).toBe(true);
    expect(held.token).toBeGreaterThan(token);
    await heir.call('releaseGuard', { guard: held.guard });
    expect(await heir.call(verb, on(name, 'write'))).toMatchObject({ abandoned: false });
    const [warning, ...more] = await heir.call<RemoteWarning[]>('warnings');
    expect(warning).toMatchObject({ name: 'HoldfastWarning', code: 'HOLDFAST_ABANDONED' });
    expect(warning?.message).toContain(name);
    expect(more).toEqual([]);
  });

  it('is told to readers until one writer has been told', async () => {
    const name = uniqueName();
    const rw = quiet(name);
    const victim = await processAgent();
    await victim.call('acquireSync', on(name, 'write'));
    await die(victim);
    const readers = [await rw.read.acquire(), rw.read.acquireSync()];
    expect(readers.map(({ abandoned }) => abandoned)).toEqual([true, true]);
    for (const guard of readers) guard.release();
    const told = [rw.write, rw.read, rw.write].map((side) =>
      side.withSync(({ abandoned }) => abandoned),
    );
    expect(told).toEqual([true, false, false]);
  });

  it('is told to the one after, where the one who was told aborted in the same breath', async () => {
    const name = uniqueName();
    const rw = quiet(name);
    const victim = await processAgent();
    await victim.call('acquireSync', on(name, 'write'));
    await die(victim);
    (await rw.read.acquire()).release(); // by now the death is noticed
    const abort = new AbortController();
    const wait = rw.write.acquire({ signal: abort.signal });
    expect(rw.write.locked).toBe(true);
    abort.abort();
    await expect(wait).rejects.toBe(abort.signal.reason);
    expect(rw.write.locked).toBe(false);
    const share = rw.read.acquireSync();
    const second = new AbortController();
    const upgrade = share.upgrade({ signal: second.signal });
    second.abort();
    await expect(upgrade).rejects.toBe(second.signal.reason);
    expect(share.released).toBe(false);
    share.release();
    expect(rw.write.withSync(({ abandoned }) => abandoned)).toBe(true);
    expect(rw.write.withSync(({ abandoned }) => abandoned)).toBe(false);
  });

  it('after a downgrade is only a share', async () => {
    const name = uniqueName();
    const victim = await processAgent();
    const { guard } = await victim.call('acquireSync', on(name, 'write'));
    await victim.call('downgrade', { guard });
    await die(victim);
    expect((await quiet(name).write.acquire()).abandoned).toBe(false);
    quiet(name).write.release();
  });
});

describe('a dead waiter', () => {
  it.each(['acquire', 'acquireSync'])(
    'for the write side, in %s(), is passed over',
    async (verb) => {
      const name = uniqueName();
      const rw = quiet(name);
      const share = rw.read.acquireSync();
      const victim = await processAgent();
      const wait = await victim.begin(verb, on(name, 'write'));
      wait.answer.catch(() => {});
      const reader = rw.read.acquire();
      victim.child.kill();
      const second = await reader;
      expect(second.abandoned).toBe(false);
      second.release();
      share.release();
    },
  );
});

describe('between processes', () => {
  it('the second upgrade is refused at once, and the first goes on', async () => {
    const name = uniqueName();
    const [a, b] = await Promise.all([processAgent(), processAgent()]);
    const first = await a.call('acquireSync', on(name, 'read'));
    const second = await b.call('acquireSync', on(name, 'read'));
    const upgrade = await a.begin('upgradeSync', { guard: first.guard });
    for (const verb of ['upgrade', 'upgradeSync']) {
      const error = await remoteError(b.call(verb, { guard: second.guard }));
      expect([error.kind, error.code]).toEqual(['DeadlockError', 'ERR_HOLDFAST_DEADLOCK']);
    }
    await b.call('releaseGuard', { guard: second.guard });
    const held = await upgrade.answer;
    expect(quiet(name).write.locked).toBe(true);
    await a.call('releaseGuard', { guard: held.guard });
  });
});
