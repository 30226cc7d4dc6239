import { Lock } from 'holdfast';
import { expect, it } from 'vitest';
import { processAgent } from '../support/agent.js';
import { spawnFixture } from '../support/child.js';
import { ownNamespace, uniqueName } from '../support/namespace.js';

ownNamespace('descriptors');

it('no descriptor of the region leaks into a child process', async () => {
  const name = uniqueName();
  const lock = new Lock(name);
  const agent = await processAgent();
  // Everything is in use: a hold, a wait, the keeper.
  await agent.call('acquireSync', { lock: name });
  const waiting = lock.acquire();
  const child = spawnFixture('descriptors.mjs');
  const { targets } = await child.next<{ targets: string[] }>('descriptors');
  const known = [
    /^\/dev\/null$/,
    /^pipe:/,
    /^socket:/,
    /^anon_inode:/,
    /^\/proc\//,
    /^\(closed\)$/,
  ];
  const unknown = targets.filter((target) => !known.some((pattern) => pattern.test(target)));
  expect(targets.length).toBeGreaterThan(3);
  expect(unknown).toEqual([]);
  await agent.call('release', { lock: name });
  (await waiting).release();
});
