import { Lock } from 'holdfast';
import { describe, expect, it } from 'vitest';
import { processAgent, remoteError } from '../support/agent.js';
import { thrownBy } from '../support/errors.js';
import { ownNamespace, uniqueName } from '../support/namespace.js';
import { stopAsleep } from '../support/proc.js';

ownNamespace('unlink-elsewhere');

describe('unlink() of a lock that other processes have open', () => {
  it('is over for them: each verb gets UnlinkedError', async () => {
    const name = uniqueName();
    const agent = await processAgent();
    await agent.call('acquireSync', { lock: name });
    await agent.call('release', { lock: name });
    new Lock(name).unlink();
    for (const verb of ['acquire', 'acquireSync', 'tryAcquire']) {
      const error = await remoteError(agent.call(verb, { lock: name }));
      expect(error.kind).toBe('UnlinkedError');
      expect(error.code).toBe('ERR_HOLDFAST_UNLINKED');
    }
  });

  it('leaves the name free: they open the new lock under it', async () => {
    const name = uniqueName();
    const agent = await processAgent();
    const old = await agent.call('acquireSync', { lock: name });
    await agent.call('release', { lock: name });
    new Lock(name).unlink();
    const lock = new Lock(name);
    const held = lock.acquireSync();
    expect(held.token).toBeGreaterThan(old.token);
    await agent.call('open', { lock: 'alias', name });
    expect(await agent.call('tryAcquire', { lock: 'alias' })).toBeNull();
    held.release();
    const next = await agent.call('tryAcquire', { lock: 'alias' });
    expect(next.token).toBeGreaterThan(held.token);
  });

  it('is refused while another process holds it, and names that process', async () => {
    const name = uniqueName();
    const agent = await processAgent();
    await agent.call('acquireSync', { lock: name });
    const lock = new Lock(name);
    const error = thrownBy(() => lock.unlink());
    expect(error.code).toBe('ERR_HOLDFAST_IN_USE');
    expect(error.message).toContain(String(agent.pid));
    const waiting = lock.acquire();
    await agent.call('release', { lock: name });
    (await waiting).release();
  });

  it('ends the wait of one that was woken and has not run yet', async () => {
    const name = uniqueName();
    const agent = await processAgent();
    const lock = new Lock(name);
    const held = lock.acquireSync();
    const waiting = await agent.begin('acquireSync', { lock: name });
    await stopAsleep(agent.pid);
    held.release();
    lock.unlink();
    agent.child.kill('SIGCONT');
    expect((await remoteError(waiting.answer)).code).toBe('ERR_HOLDFAST_UNLINKED');
  });
});

describe('an anonymous lock', () => {
  it('lives while any process has it open, and is freed when the last has closed it', async () => {
    const lock = new Lock();
    const token = lock.toJSON();
    const [one, other] = await Promise.all([processAgent(), processAgent()]);
    await one.call('openToken', { lock: 'alias', token });
    lock.close();
    await other.call('openToken', { lock: 'alias', token });
    await other.call('close', { lock: 'alias' });
    await one.call('acquireSync', { lock: 'alias' });
    await one.call('release', { lock: 'alias' });
    await one.call('close', { lock: 'alias' });
    const error = await remoteError(other.call('openToken', { lock: 'again', token }));
    expect(error.code).toBe('ERR_HOLDFAST_NOT_FOUND');
  });

  it.each(['SIGKILL', 'SIGTERM'] as const)(
    'is freed when the last process that had it ends by %s',
    async (signal) => {
      const [maker, other] = await Promise.all([processAgent(), processAgent()]);
      await maker.call('open', { lock: 'alias' });
      const token = await maker.call<object>('token', { lock: 'alias' });
      await other.call('openToken', { lock: 'mine', token });
      maker.child.kill(signal);
      await maker.child.exited;
      await other.call('acquireSync', { lock: 'mine' });
      await other.call('release', { lock: 'mine' });
      await other.call('close', { lock: 'mine' });
      // Once it is reaped, by whoever comes to it first.
      const opened = () =>
        other.call('openToken', { lock: 'again', token }).then(
          () => 'opened',
          ({ code }) => code,
        );
      let outcome = await opened();
      while (outcome === 'opened') {
        await other.call('close', { lock: 'again' });
        outcome = await opened();
      }
      expect(outcome).toBe('ERR_HOLDFAST_NOT_FOUND');
    },
  );
});
