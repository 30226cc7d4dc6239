import { Event } from 'holdfast';
import { expect, it } from 'vitest';
import { meeters, verbFor } from '../support/meet.js';
import { ownNamespace, uniqueName } from '../support/namespace.js';
import { untilIdle } from '../support/proc.js';

ownNamespace('events');

async function waiting(count: number, name: string, options?: object) {
  const agents = await meeters(count);
  const waits = await Promise.all(
    agents.map((agent, i) => agent.begin<boolean>(verbFor('eventWait', i), { name, options })),
  );
  return { agents, answers: () => Promise.all(waits.map((wait) => wait.answer)) };
}

it('set() in one process wakes all in all processes', async () => {
  const name = uniqueName('event');
  const { agents, answers } = await waiting(4, name);
  const own = new Event(name).wait();
  await agents[0]?.call('set', { name });
  expect(await answers()).toEqual([true, true, true, true]);
  expect(await own).toBe(true);
  expect(await agents[1]?.call('isSet', { name })).toBe(true);
});

it('set(); clear() wakes whoever waited, in all processes', async () => {
  const name = uniqueName('event');
  const event = new Event(name);
  for (let round = 0; round < 10; round += 1) {
    const { answers, agents } = await waiting(2, name);
    event.set();
    event.clear();
    expect(await answers()).toEqual([true, true]);
    expect(event.isSet).toBe(false);
    for (const { child } of agents) child.kill();
  }
});

it('a waiter that dies leaves nothing behind, and a dead setter leaves it set', async () => {
  const name = uniqueName('event');
  const { agents } = await waiting(4, name);
  for (const { child } of agents.slice(0, 2)) child.kill();
  await Promise.all(agents.slice(0, 2).map(({ child }) => child.exited));
  const [setter] = await meeters(1);
  await setter?.call('set', { name });
  setter?.child.kill();
  await setter?.child.exited;
  expect(new Event(name).isSet).toBe(true);
  expect(await new Event(name).wait()).toBe(true);
});

it('a time-out is false, not before its time, sync and async', async () => {
  const name = uniqueName('event');
  const [agent] = await meeters(1);
  if (agent === undefined) throw new Error('no agent');
  await untilIdle(agent.pid);
  for (const verb of ['eventWait', 'eventWaitSync']) {
    const start = performance.now();
    expect(await agent.call(verb, { name, options: { timeout: 70 } })).toBe(false);
    expect(performance.now() - start).toBeGreaterThanOrEqual(70);
  }
});
