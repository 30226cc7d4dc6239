import { Lock } from 'holdfast';
import { describe, expect, it } from 'vitest';
import {
  type Agent,
  processAgent,
  type RemoteGuard,
  type RemoteWarning,
  type Request,
} from '../support/agent.js';
import { extraNamespace, ownNamespace, uniqueName } from '../support/namespace.js';

ownNamespace('abandoned');

async function killHolder(name: string, request: Request = {}, levels = 1): Promise<number> {
  const victim = await processAgent();
  const { token } = await victim.call('acquireLevels', { lock: name, ...request, levels });
  victim.child.kill();
  await victim.child.exited;
  return token;
}

/** `tryAcquire()` until the death has been noticed: it never waits for that itself. */
async function untilAcquired(agent: Agent, request: Request): Promise<RemoteGuard> {
  for (;;) {
    const held = await agent.call<RemoteGuard | null>('tryAcquire', request);
    if (held) {
      return held;
    }
  }
}

describe('the owner after a death', () => {
  it.each(['acquire', 'acquireSync', 'tryAcquire'])(
    'is told by %s(), and the one after it is not',
    async (verb) => {
      const name = uniqueName();
      const request = { lock: name };
      const heir = await processAgent();
      const token = await killHolder(name);
      const held =
        verb === 'tryAcquire' ? await untilAcquired(heir, request) : await heir.call(verb, request);
      expect(held.abandoned).toBe(true);
      expect(held.token).toBeGreaterThan(token);
      await heir.call('release', request);
      for (const again of ['acquire', 'acquireSync', 'tryAcquire']) {
        expect(await heir.call(again, request)).toMatchObject({ abandoned: false });
        await heir.call('release', request);
      }
    },
  );

  it('is told by with() and withSync()', async () => {
    const name = uniqueName();
    const lock = new Lock(name, { warnOnAbandoned: false });
    await killHolder(name);
    expect(await lock.with((held) => held.abandoned)).toBe(true);
    await killHolder(name);
    expect(lock.withSync((held) => held.abandoned)).toBe(true);
    expect(lock.withSync((held) => held.abandoned)).toBe(false);
  });

  it('is told of each death, one after the other', async () => {
    const name = uniqueName();
    const lock = new Lock(name, { warnOnAbandoned: false });
    for (let i = 0; i < 5; i += 1) {
      await killHolder(name);
      const told = [lock, lock].map((l) => l.withSync((held) => held.abandoned));
      expect(told).toEqual([true, false]);
    }
  });

  it('that dies in its turn passes the news of its own death on', async () => {
    const name = uniqueName();
    await killHolder(name);
    const second = await processAgent();
    expect(await second.call('acquireSync', { lock: name })).toMatchObject({ abandoned: true });
    second.child.kill();
    await second.child.exited;
    const lock = new Lock(name, { warnOnAbandoned: false });
    expect(lock.withSync((held) => held.abandoned)).toBe(true);
    expect(lock.withSync((held) => held.abandoned)).toBe(false);
  });

  it('of an RLock held three levels deep is told once, and begins at level one', async () => {
    const name = uniqueName();
    const kind = 'RLock' as const;
    const heir = await processAgent();
    await killHolder(name, { kind }, 3);
    expect(await heir.call('acquireSync', { lock: name, kind })).toMatchObject({ abandoned: true });
    expect(await heir.call('depth', { lock: name, kind })).toBe(1);
    await heir.call('release', { lock: name, kind });
    expect(await heir.call('locked', { lock: name, kind })).toBe(false);
    expect(await heir.call('acquire', { lock: name, kind })).toMatchObject({ abandoned: false });
  });

  it('who dies with a hundred locks frees all hundred', async () => {
    const names = Array.from({ length: 100 }, () => uniqueName());
    const victim = await processAgent();
    for (const lock of names) {
      await victim.call('acquireSync', { lock });
    }
    victim.child.kill();
    await victim.child.exited;
    for (const name of names) {
      const lock = new Lock(name, { warnOnAbandoned: false });
      expect(lock.withSync((held) => held.abandoned)).toBe(true);
    }
  });
});

describe('the warning', () => {
  /** Four deaths, learnt of by each verb, while it waits and later: the warnings that they bring. */
  const warningsOf = async (agent: Agent, { options, kind = 'Lock' }: Request = {}) => {
    const name = uniqueName();
    const request = { lock: name, kind };
    await agent.call('open', { ...request, name, ...(options ? { options } : {}) });
    for (const verb of ['acquireSync', 'acquire']) {
      await killHolder(name, { kind });
      expect(await agent.call(verb, request)).toMatchObject({ abandoned: true });
      await agent.call('release', request);

      const victim = await processAgent();
      await victim.call('acquireSync', request);
      const waiting = await agent.begin(verb, request);
      victim.child.kill();
      expect(await waiting.answer).toMatchObject({ abandoned: true });
      await agent.call('release', request);
      await agent.call(verb, request);
      await agent.call('release', request);
    }
    return { name, warnings: await agent.call<RemoteWarning[]>('warnings') };
  };

  it.each(['Lock', 'RLock'] as const)(
    'comes once for each death, with its code and the name of the %s',
    async (kind) => {
      const { name, warnings } = await warningsOf(await processAgent(), { kind });
      const warning = {
        name: 'HoldfastWarning',
        code: 'HOLDFAST_ABANDONED',
        message: expect.stringContaining(name),
      };
      expect(warnings).toEqual([warning, warning, warning, warning]);
    },
  );

  it.each(['Lock', 'RLock'] as const)('is off by the option of the %s', async (kind) => {
    const options = { warnOnAbandoned: false };
    const { warnings } = await warningsOf(await processAgent(), { kind, options });
    expect(warnings).toEqual([]);
  });

  it('is off by configure(), and on again by the option of a lock', async () => {
    const agent = await processAgent();
    await agent.call('configure', { options: { warnOnAbandoned: false } });
    expect((await warningsOf(agent)).warnings).toEqual([]);
    const { warnings } = await warningsOf(agent, { options: { warnOnAbandoned: true } });
    expect(warnings).toHaveLength(4);
  });
});

it('a death in a namespace where nobody else lives is told to who comes later', async () => {
  const env = { HOLDFAST_NAMESPACE: extraNamespace() };
  const victim = await processAgent({ env });
  await victim.call('acquireSync', { lock: 'alone' });
  victim.child.kill();
  await victim.child.exited;
  const heir = await processAgent({ env });
  expect(await heir.call('acquireSync', { lock: 'alone' })).toMatchObject({ abandoned: true });
});
