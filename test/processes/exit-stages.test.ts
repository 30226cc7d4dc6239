import { Lock } from 'holdfast';
import { describe, expect, it } from 'vitest';
import { type Agent, processAgent, type RemoteWarning, workerAgents } from '../support/agent.js';
import { ownNamespace, uniqueName } from '../support/namespace.js';

ownNamespace('exit-stages');

/*
 * A victim ends in every stage of its life in every way. The next owner must get the lock, and is
 * told "abandoned" exactly where the victim held it.
 */
type Stage =
  | 'idle'
  | 'holding by acquireSync()'
  | 'holding by acquire()'
  | 'holding with a leaked guard'
  | 'waiting in acquireSync()'
  | 'waiting in acquire()';

const stages: Stage[] = [
  'idle',
  'holding by acquireSync()',
  'holding by acquire()',
  'holding with a leaked guard',
  'waiting in acquireSync()',
  'waiting in acquire()',
];
const holds = (stage: Stage) => stage.startsWith('holding');
const waits = (stage: Stage) => stage.startsWith('waiting');
const runsJs = (stage: Stage) => stage !== 'waiting in acquireSync()';

interface Way {
  readonly name: string;
  readonly possible: (stage: Stage) => boolean;
  readonly end: (victim: Agent) => Promise<unknown>;
  readonly result?: { code: number | null; signal: NodeJS.Signals | null };
}

const exited = (run: (victim: Agent) => void) => (victim: Agent) => {
  run(victim);
  return victim.child.exited;
};
const gone = (run: (victim: Agent) => void) => (victim: Agent) => {
  run(victim);
  return victim.child.next((m) => m.type === 'gone' && m['member'] === victim.member);
};
const always = () => true;
/** A thread that is blocked cannot run the JS that would end it. */
const notBlocked = runsJs;
/** A pending wait keeps the event loop alive: see loop-lifetime.test.ts. */
const nothingPending = (stage: Stage) => !waits(stage);

const processWays: Way[] = [
  {
    name: 'SIGKILL',
    possible: always,
    end: exited((victim) => victim.child.kill()),
    result: { code: null, signal: 'SIGKILL' },
  },
  {
    name: 'SIGTERM',
    possible: always,
    end: exited((victim) => victim.child.kill('SIGTERM')),
    result: { code: null, signal: 'SIGTERM' },
  },
  {
    name: 'SIGABRT',
    possible: always,
    end: exited((victim) => victim.child.kill('SIGABRT')),
    result: { code: null, signal: 'SIGABRT' },
  },
  {
    name: 'process.abort()',
    possible: notBlocked,
    end: exited((victim) => victim.order('abortProcess')),
    result: { code: null, signal: 'SIGABRT' },
  },
  {
    name: 'an uncaught error',
    possible: notBlocked,
    end: exited((victim) => victim.order('crash')),
    result: { code: 1, signal: null },
  },
  {
    name: 'process.exit()',
    possible: notBlocked,
    end: exited((victim) => victim.order('exit')),
    result: { code: 0, signal: null },
  },
  {
    name: 'its normal end',
    possible: nothingPending,
    end: exited((victim) => victim.order('leave')),
    result: { code: 0, signal: null },
  },
];

const workerWays: Way[] = [
  {
    name: 'worker.terminate()',
    possible: always,
    end: gone((victim) => victim.order('terminate')),
  },
  { name: 'process.exit()', possible: notBlocked, end: gone((victim) => victim.order('exit')) },
  { name: 'an uncaught error', possible: notBlocked, end: gone((victim) => victim.order('crash')) },
  {
    name: 'its normal end',
    possible: nothingPending,
    end: gone((victim) => victim.order('leave')),
  },
  {
    name: 'SIGKILL of its process',
    possible: always,
    end: exited((victim) => victim.child.kill()),
    result: { code: null, signal: 'SIGKILL' },
  },
  {
    name: 'process.exit() of its main thread',
    possible: always,
    end: exited((victim) => victim.order('exitHost')),
    result: { code: 0, signal: null },
  },
];

const gc = { execArgv: ['--expose-gc'] };
const processVictim = () => processAgent(gc);
const workerVictim = async () => (await workerAgents(1, gc))[0] as Agent;

async function bring(victim: Agent, stage: Stage, name: string): Promise<void> {
  const request = { lock: name };
  if (stage === 'idle') {
    await victim.call('acquireSync', request);
    await victim.call('release', request);
  } else if (stage === 'holding by acquireSync()') {
    await victim.call('acquireSync', request);
  } else if (stage === 'holding by acquire()') {
    await victim.call('acquire', request);
  } else if (stage === 'holding with a leaked guard') {
    await victim.call('leak', request);
  } else {
    const verb = stage === 'waiting in acquireSync()' ? 'acquireSync' : 'acquire';
    await victim.begin(verb, request);
  }
}

async function endAt(stage: Stage, way: Way, makeVictim: () => Promise<Agent>): Promise<void> {
  const name = uniqueName();
  const lock = new Lock(name, { warnOnAbandoned: false });
  const [victim, heirs] = await Promise.all([makeVictim(), workerAgents(2)]);
  const [syncHeir, asyncHeir] = heirs as [Agent, Agent];
  const held = waits(stage) ? lock.acquireSync() : null;
  await bring(victim, stage, name);

  // The heirs stand in the queue when the victim ends, where there is something to wait for.
  const queued = stage !== 'idle';
  const bySync = queued ? await syncHeir.begin('acquireSync', { lock: name }) : null;
  const byPromise = queued ? await asyncHeir.begin('acquire', { lock: name }) : null;
  const result = await way.end(victim);
  if (way.result) {
    expect(result).toEqual(way.result);
  }
  held?.release();

  const told: boolean[] = [];
  const heir = async (agent: Agent, answer: Promise<{ abandoned: boolean }>) => {
    told.push((await answer).abandoned);
    await agent.call('release', { lock: name });
  };
  await Promise.all([
    heir(syncHeir, bySync?.answer ?? syncHeir.call('acquireSync', { lock: name })),
    heir(asyncHeir, byPromise?.answer ?? asyncHeir.call('acquire', { lock: name })),
  ]);
  expect(told).toEqual([holds(stage), false]);

  const warnings = await Promise.all(heirs.map((agent) => agent.call<RemoteWarning[]>('warnings')));
  const codes = warnings.flat().map(({ code }) => code);
  expect(codes).toEqual(holds(stage) ? ['HOLDFAST_ABANDONED'] : []);

  const after = lock.acquireSync({ timeout: 0 });
  expect(after.abandoned).toBe(false);
  after.release();
}

describe.each(stages)('a process that is %s', (stage) => {
  it.each(processWays.filter((way) => way.possible(stage)).map((way) => [way.name, way] as const))(
    'ends by %s',
    (_, way) => endAt(stage, way, processVictim),
  );
});

describe.each(stages)('a worker that is %s', (stage) => {
  it.each(workerWays.filter((way) => way.possible(stage)).map((way) => [way.name, way] as const))(
    'ends by %s',
    (_, way) => endAt(stage, way, workerVictim),
  );
});
