import { expect, it } from 'vitest';
import { type Message, spawnFixture } from '../support/child.js';
import { ownNamespace } from '../support/namespace.js';

ownNamespace('unbroken');

it('one task that always finds its lock free lets timers fire, and holds nothing meanwhile', async () => {
  const child = spawnFixture('unbroken.mjs');
  const verbs: string[] = [];
  for (;;) {
    const message = await child.next<Message>(() => true);
    if (message.type === 'done') break;
    expect(message).toMatchObject({ type: 'fired', held: 0 });
    verbs.push(message['verb'] as string);
  }
  expect(verbs.length).toBe(17);
  expect(await child.exited).toEqual({ code: 0, signal: null });
});
