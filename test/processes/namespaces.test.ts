import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type Agent, processAgent, remoteError, workerAgents } from '../support/agent.js';
import { INVALID } from '../support/errors.js';
import { extraNamespace, ownNamespace, regionFile, uniqueName } from '../support/namespace.js';

const namespace = ownNamespace('namespaces');
const inSpace = (space: string) => processAgent({ env: { HOLDFAST_NAMESPACE: space } });

describe('a namespace', () => {
  it('keeps its locks apart from those of another', async () => {
    const [one, other] = await Promise.all([inSpace(namespace), inSpace(extraNamespace())]);
    await one.call('acquireSync', { lock: 'same-name' });
    expect(await other.call('tryAcquire', { lock: 'same-name' })).not.toBeNull();
    expect(await one.call('holder', { lock: 'same-name' })).toMatchObject({ pid: one.pid });
  });

  it('comes from configure() before the environment', async () => {
    const space = extraNamespace();
    const agent = await inSpace(namespace);
    await agent.call('configure', { options: { namespace: space } });
    await agent.call('open', { lock: 'any', name: 'any' });
    expect(await agent.call('token', { lock: 'any' })).toMatchObject({ namespace: space });
    expect(existsSync(regionFile(space))).toBe(true);
  });

  it('cannot be changed after the first object: ERR_HOLDFAST_CONFIGURED', async () => {
    const agent = await inSpace(namespace);
    await agent.call('open', { lock: 'any', name: 'any' });
    const configure = { options: { namespace: 'some-other' } };
    const error = await remoteError(agent.call('configure', configure));
    expect(error.kind).toBe('HoldfastError');
    expect(error.code).toBe('ERR_HOLDFAST_CONFIGURED');
    await agent.call('configure', { options: { namespace } });
  });

  it.each(['a/b', '/', '../etc', 'a b', 'ä', 'a'.repeat(65)])(
    '%j in the environment is refused at the first object, and no file is made',
    async (bad) => {
      const agent = await inSpace(bad);
      const error = await remoteError(agent.call('open', { lock: 'any', name: 'any' }));
      expect(error.code).toBe(INVALID);
      expect(error.message).toContain('HOLDFAST_NAMESPACE');
      expect(existsSync(regionFile(bad))).toBe(false);
    },
  );

  it('may have 64 characters of all allowed kinds', async () => {
    const space = extraNamespace(64);
    const agent = await inSpace(space);
    await agent.call('acquireSync', { lock: 'any' });
    expect(existsSync(regionFile(space))).toBe(true);
    await agent.call('release', { lock: 'any' });
    expect(await agent.call('unlinkNamespace', { namespace: space })).toBe(true);
    expect(existsSync(regionFile(space))).toBe(false);
  });
});

describe('unlinkNamespace()', () => {
  it('removes the file and says whether there was one', async () => {
    const space = extraNamespace();
    const maker = await inSpace(space);
    await maker.call('open', { lock: 'any', name: 'any' });
    maker.child.kill();
    await maker.child.exited;
    const remover = await inSpace(namespace);
    expect(existsSync(regionFile(space))).toBe(true);
    expect(await remover.call('unlinkNamespace', { namespace: space })).toBe(true);
    expect(existsSync(regionFile(space))).toBe(false);
    expect(await remover.call('unlinkNamespace', { namespace: space })).toBe(false);
  });

  it('is refused while another process has it open, idle as it may be, and names it', async () => {
    const space = extraNamespace();
    const [user, other, remover] = await Promise.all([space, space, namespace].map(inSpace));
    await user!.call('open', { lock: 'any', name: 'any' });
    await other!.call('open', { lock: 'any', name: 'any' });
    const error = await remoteError(remover!.call('unlinkNamespace', { namespace: space }));
    expect(error.code).toBe('ERR_HOLDFAST_IN_USE');
    expect(error.message).toContain(String(user!.pid));
    expect(error.message).toContain(String(other!.pid));
    expect(await user!.call('tryAcquire', { lock: 'any' })).not.toBeNull();
    await user!.call('release', { lock: 'any' });
  });

  it('is refused to one of two processes that have it open', async () => {
    const space = extraNamespace();
    const [one, other] = await Promise.all([space, space].map(inSpace));
    await one!.call('open', { lock: 'any', name: 'any' });
    await other!.call('open', { lock: 'any', name: 'any' });
    const error = await remoteError(one!.call('unlinkNamespace'));
    expect(error.code).toBe('ERR_HOLDFAST_IN_USE');
    expect(error.message).toContain(String(other!.pid));
    other!.child.kill();
    await other!.child.exited;
    expect(await one!.call('unlinkNamespace')).toBe(true);
  });

  it('is refused while another thread of this process has it open', async () => {
    const space = extraNamespace();
    const agents = await workerAgents(2, { env: { HOLDFAST_NAMESPACE: space } });
    const [one, other] = agents as [Agent, Agent];
    await one.call('open', { lock: 'any', name: 'any' });
    await other.call('open', { lock: 'any', name: 'any' });
    const error = await remoteError(one.call('unlinkNamespace'));
    expect(error.code).toBe('ERR_HOLDFAST_IN_USE');
  });

  it('is refused while this thread holds a lock of it', async () => {
    const agent = await inSpace(extraNamespace());
    await agent.call('acquireSync', { lock: 'any' });
    const error = await remoteError(agent.call('unlinkNamespace'));
    expect(error.code).toBe('ERR_HOLDFAST_HELD');
    await agent.call('release', { lock: 'any' });
    expect(await agent.call('unlinkNamespace')).toBe(true);
  });

  it('by its own user closes all objects, and every later use says ERR_HOLDFAST_REGION_GONE', async () => {
    const space = extraNamespace();
    const agent = await inSpace(space);
    await agent.call('open', { lock: 'one', name: 'one' });
    await agent.call('open', { lock: 'other', name: 'other', kind: 'RLock' });
    expect(await agent.call('unlinkNamespace')).toBe(true);
    expect(existsSync(regionFile(space))).toBe(false);
    for (const lock of ['one', 'other']) {
      const error = await remoteError(agent.call('acquireSync', { lock }));
      expect(['ERR_HOLDFAST_CLOSED', 'ERR_HOLDFAST_REGION_GONE']).toContain(error.code);
    }
    const error = await remoteError(agent.call('open', { lock: 'new', name: 'new' }));
    expect(error.kind).toBe('RegionError');
    expect(error.code).toBe('ERR_HOLDFAST_REGION_GONE');
    expect(existsSync(regionFile(space))).toBe(false);
  });

  it('lets others begin the namespace anew', async () => {
    const space = extraNamespace();
    const [first, second] = await Promise.all([space, space].map(inSpace));
    await first!.call('acquireSync', { lock: uniqueName() });
    first!.child.kill();
    await first!.child.exited;
    const remover = await inSpace(namespace);
    expect(await remover.call('unlinkNamespace', { namespace: space })).toBe(true);
    expect(await second!.call('acquireSync', { lock: 'any' })).toMatchObject({ abandoned: false });
  });
});
