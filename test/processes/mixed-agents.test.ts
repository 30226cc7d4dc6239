import { Lock } from 'holdfast';
import { expect, it } from 'vitest';
import { workerAgents } from '../support/agent.js';
import { makeCells, readCells } from '../support/cells.js';
import { spawnFixture } from '../support/child.js';
import { ownDirectory, ownNamespace, uniqueName } from '../support/namespace.js';

ownNamespace('mixed');
const directory = ownDirectory();

it('main threads and workers of several processes count exactly on one lock', async () => {
  const name = uniqueName();
  const path = makeCells(directory, name, 1);
  const times = 3_000;
  const team = (...modes: string[]) =>
    spawnFixture('team.mjs', { args: [path, name, times, ...modes], watchdogMs: 300_000 });
  const single = (mode: string) =>
    spawnFixture('increment.mjs', { args: [path, name, times, mode], watchdogMs: 300_000 });
  const children = [
    team('sync', 'async', 'with'),
    team('async', 'withSync'),
    single('sync'),
    single('async'),
  ];
  await Promise.all(children.map((child) => child.next('ready')));
  for (const child of children) {
    child.send({ type: 'go' });
  }
  await Promise.all(children.map((child) => child.next('done')));
  // Two teams with their main threads, five workers and two single processes.
  expect(readCells(path)[0]).toBe(9 * times);
});

it('two workers of one process are two agents: a sync wait for the other is no deadlock', async () => {
  const name = uniqueName();
  const [one, other] = await workerAgents(2);
  const held = await one!.call('acquire', { lock: name });
  const waiting = await other!.begin('acquireSync', { lock: name, options: { timeout: 600_000 } });
  expect(await one!.call('holder', { lock: name })).toMatchObject({
    pid: one!.pid,
    thread: one!.thread,
  });
  await one!.call('releaseGuard', { guard: held.guard });
  expect(await waiting.answer).toMatchObject({ abandoned: false });
  expect(new Lock(name).holder).toMatchObject({ pid: other!.pid, thread: other!.thread });
  await other!.call('release', { lock: name });
});
