import { Lock, RLock } from 'holdfast';
import { expect, it } from 'vitest';
import { processAgent, remoteError } from '../support/agent.js';
import { ownNamespace, uniqueName } from '../support/namespace.js';

ownNamespace('kinds-elsewhere');

it.each([
  ['Lock', Lock, 'RLock'],
  ['RLock', RLock, 'Lock'],
] as const)(
  'the name of a %s is refused to the other kind in another process, too',
  async (...row) => {
    const [, Kind, other] = row;
    const name = uniqueName();
    const lock = new Kind(name);
    const agent = await processAgent();
    const error = await remoteError(agent.call('open', { lock: 'alias', kind: other, name }));
    expect(error.kind).toBe('HoldfastError');
    expect(error.code).toBe('ERR_HOLDFAST_KIND_MISMATCH');
    expect(error.message).toMatch(/\bLock\b/);
    expect(error.message).toMatch(/\bRLock\b/);
    lock.acquireSync({ timeout: 0 }).release();
  },
);
