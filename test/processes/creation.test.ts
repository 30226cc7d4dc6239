import { setTimeout as delay } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { processAgent } from '../support/agent.js';
import { spawnFixture } from '../support/child.js';
import { extraNamespace, ownNamespace } from '../support/namespace.js';

ownNamespace('creation');

it.each([1, 2, 3, 4, 5])(
  '6 processes make one region at the same moment, and it is one (round %i)',
  async () => {
    const env = { HOLDFAST_NAMESPACE: extraNamespace() };
    // They have loaded the package, and not used it yet.
    const agents = await Promise.all(Array.from({ length: 6 }, () => processAgent({ env })));
    const guards = await Promise.all(
      agents.map(async (agent) => {
        const held = await agent.call('acquireSync', { lock: 'first' });
        await agent.call('release', { lock: 'first' });
        return held;
      }),
    );
    // Two regions would give the same tokens twice.
    expect(new Set(guards.map(({ token }) => token)).size).toBe(6);
    await agents[0]?.call('acquireSync', { lock: 'first' });
    for (const agent of agents.slice(1)) {
      expect(await agent.call('tryAcquire', { lock: 'first' })).toBeNull();
    }
  },
);

it('a process that is killed at any moment of its start leaves a region that others can use', async () => {
  for (let round = 0; round < 30; round += 1) {
    const env = { HOLDFAST_NAMESPACE: extraNamespace() };
    const victim = spawnFixture('masked.mjs', { args: [0o022], env });
    // Not a wait for anything: it only spreads the moments of death over the start.
    await delay(20 + Math.random() * 80);
    victim.kill();
    await victim.exited;
    const heir = spawnFixture('masked.mjs', { args: [0o022], env });
    await heir.next('made');
    heir.kill();
    await heir.exited;
  }
});
