import { Barrier, fork } from 'holdfast';
import { expect, it } from 'vitest';
import { type Agent, remoteError } from '../support/agent.js';
import { makeCells } from '../support/cells.js';
import { adopt, fixtureUrl } from '../support/child.js';
import { INVALID, rejectedBy } from '../support/errors.js';
import { meeters, verbFor } from '../support/meet.js';
import { ownDirectory, ownNamespace, uniqueName } from '../support/namespace.js';

ownNamespace('barriers');
const directory = ownDirectory();
const BROKEN = 'ERR_HOLDFAST_BROKEN_BARRIER';

it('5 processes, sync and async, stay in lockstep over 1,000 rounds', async () => {
  const [parties, rounds] = [5, 1_000];
  const name = uniqueName('barrier');
  const cells = makeCells(directory, name, parties);
  const agents = await meeters(parties);
  const indices = await Promise.all(
    agents.map((agent, seat) =>
      agent.call<number[]>('lockstep', {
        name,
        parties,
        rounds,
        seat,
        cells,
        sync: seat % 2 === 0,
      }),
    ),
  );
  // Each round gave each index once.
  for (let index = 0; index < parties; index += 1) {
    expect(indices.reduce((sum, counts) => sum + (counts[index] ?? 0), 0)).toBe(rounds);
  }
});

async function present(count: number, parties: number) {
  const name = uniqueName('barrier');
  const agents = (await meeters(count)) as [Agent, ...Agent[]];
  const waits = await Promise.all(
    agents.map((agent, i) =>
      agent.begin<number>(verbFor('barrierWait', i), { name, parties, options: {} }),
    ),
  );
  const barrier = new Barrier(name, parties);
  return { name, agents, barrier, waits: waits.map(({ answer }) => answer) };
}

it.each([0, 1])('the death of a waiting party (%i) breaks it for all', async (victim) => {
  const { agents, barrier, waits } = await present(3, 5);
  const own = rejectedBy(() => barrier.wait());
  agents[victim]?.child.kill();
  for (const [i, wait] of waits.entries()) {
    if (i !== victim) expect((await remoteError(wait)).code).toBe(BROKEN);
  }
  expect((await own).code).toBe(BROKEN);
  expect(barrier.broken).toBe(true);
  barrier.reset();
  expect(barrier.broken).toBe(false);
});

it('the death of who runs the action breaks it for all', async () => {
  const { name, barrier, waits } = await present(2, 3);
  const [runner] = (await meeters(1)) as [Agent];
  await runner.begin('barrierAct', { name, parties: 3 });
  expect(barrier.nWaiting).toBe(3);
  runner.child.kill();
  for (const wait of waits) expect((await remoteError(wait)).code).toBe(BROKEN);
  expect(barrier.broken).toBe(true);
});

it.each(['abort', 'reset'] as const)('%s() frees who waits in all processes', async (verb) => {
  const { barrier, waits } = await present(2, 3);
  expect(barrier.nWaiting).toBe(2);
  barrier[verb]();
  for (const wait of waits) expect((await remoteError(wait)).kind).toBe('BrokenBarrierError');
  expect(barrier.broken).toBe(verb === 'abort');
});

it('a time-out in one process breaks it in all', async () => {
  const { barrier, waits } = await present(2, 4);
  const error = await rejectedBy(() => barrier.wait({ timeout: 20 }));
  expect(error.code).toBe(BROKEN);
  for (const wait of waits) expect((await remoteError(wait)).code).toBe(BROKEN);
});

it('forkArgs() takes the action of a barrier that was made with one', async () => {
  let ran = 0;
  const barrier = new Barrier(2, { action: () => void ran++ });
  const child = adopt(
    fork(fixtureUrl('party.mjs'), {
      args: { barrier },
      execArgv: [],
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    }),
    'party.mjs',
  );
  expect(await child.next('ready')).toMatchObject({ refused: INVALID });
  const waiting = barrier.wait();
  child.send({ go: true });
  await child.next('ran');
  expect(await child.next('through')).toMatchObject({ index: 1 });
  expect(await waiting).toBe(0);
  expect(ran).toBe(0);
  expect(await child.exited).toEqual({ code: 0, signal: null });
});
