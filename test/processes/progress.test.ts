import { Lock, RLock, RWLock, Semaphore } from 'holdfast';
import { describe, expect, it } from 'vitest';
import type { Agent, Request, Wait } from '../support/agent.js';
import { absences, company, makeBusy, type PutOut, untilAsleep } from '../support/company.js';
import { ownNamespace, uniqueName } from '../support/namespace.js';

ownNamespace('progress');

/*
 * A waiter that does not run holds up nobody, and owns nothing that it has not taken note of. Those that wait for one
 * another here would wait for ever if what is given depended on who is put out: they are let run again, or killed,
 * only when the others have had their turns.
 */
const WATCHDOG_MS = 100_000;
// Of what a death may hit one way or another.
const ROUNDS = 4;
// So many that a second for each would be the watchdog's.
const TIMES = 60;
/** So many times more must one order have been seen than the other. */
const LEAD = 5;
const quiet = { warnOnAbandoned: false };

interface Held {
  readonly abandoned?: boolean;
  release(): void;
}
interface Side {
  acquireSync(options?: { timeout?: number }): Held;
  tryAcquire(): Held | null;
  acquire(): Promise<Held>;
}
interface Contest {
  /** How the test takes it, so that all others wait. */
  readonly mine: Side;
  /** What who is put out waits for, and what those behind it wait for. */
  readonly head: Request;
  readonly behind: Request;
}

const contests: Record<string, () => Contest> = {
  Lock: () => same(new Lock(uniqueName(), quiet), 'Lock', [quiet]),
  RLock: () => same(new RLock(uniqueName(), quiet), 'RLock', [quiet]),
  'a permit of a Semaphore': () => same(new Semaphore(uniqueName(), 1), 'Semaphore', [1]),
  'a permit that is not owned': () => {
    const args = [1, { owned: false }] as const;
    return same(new Semaphore(uniqueName(), ...args), 'Semaphore', args);
  },
  'the write side before writers': () => sides('write', 'write'),
  'the write side before readers': () => sides('write', 'read'),
  'the read side before writers': () => sides('read', 'write'),
};

function same(mine: Side & { name: string }, kind: string, args: readonly unknown[]): Contest {
  const request = { kind: kind as never, name: mine.name, args };
  return { mine, head: request, behind: request };
}

function sides(head: 'read' | 'write', behind: 'read' | 'write'): Contest {
  const rw = new RWLock(uniqueName(), quiet);
  const request = { kind: 'RWLock' as const, name: rw.name, args: [quiet] };
  return {
    mine: rw.write,
    head: { ...request, side: head },
    behind: { ...request, side: behind },
  };
}

interface Answer {
  readonly guard: number;
  readonly abandoned?: boolean;
}

/** An agent that waits. */
class Waiter {
  readonly agent: Agent;
  readonly #verb: string;
  readonly #request: Request;
  #wait: Wait<Answer> | undefined;

  constructor(agent: Agent, verb: string, request: Request) {
    this.agent = agent;
    this.#verb = verb;
    this.#request = request;
  }

  async begin(): Promise<this> {
    this.#wait = await this.agent.begin<Answer>(this.#verb, this.#request);
    return this;
  }

  /** Gets it, and is not told of a death. */
  async takes(): Promise<number> {
    const { guard, abandoned } = await (this.#wait as Wait<Answer>).answer;
    expect(abandoned ?? false).toBe(false);
    return guard;
  }

  releases(guard: number): Promise<unknown> {
    return this.agent.call('releaseGuard', { guard });
  }

  async hasItsTurn(): Promise<void> {
    await this.releases(await this.takes());
  }

  /**
   * Has waited for long, is woken, looks, and has lost: from then on an impatient waiter, which some would give the next
   * turn unasked. Returns what the test holds.
   */
  async loses(mine: Side, first: Held): Promise<Held> {
    let held = first;
    for (let time = 0; time < 5; time += 1) {
      await untilAsleep(this.agent, this.#verb);
      held.release();
      const again = mine.tryAcquire();
      if (again) {
        await untilAsleep(this.agent, this.#verb);
        return again;
      }
      // It was faster; or there is no overtaking here.
      await this.hasItsTurn();
      held = mine.acquireSync();
      await this.begin();
    }
    return held;
  }
}

/** The test holds, `agent` waits and is put out. `release` gives it free. */
async function putOutAtTheHead(
  { mine, head }: Contest,
  agent: Agent,
  { verb, putOut }: { verb: string; putOut: PutOut },
) {
  const held = mine.acquireSync();
  const waiter = await new Waiter(agent, verb, head).begin();
  const lost = await waiter.loses(mine, held);
  const comeBack = await putOut(agent);
  return { waiter, comeBack, release: () => lost.release() };
}

/** It is to be had, and whole. */
function expectNoDeathTold(mine: Side): void {
  for (let i = 0; i < 2; i += 1) {
    const held = mine.acquireSync({ timeout: WATCHDOG_MS });
    expect(held.abandoned ?? false).toBe(false);
    held.release();
  }
}

const names = Object.keys(contests);
const make = (name: string) => (contests[name] as () => Contest)();

describe.each(absences)('$what', (absence) => {
  it.each(names)('in line for %s holds up nobody, and has its turn when it runs', async (name) => {
    const contest = make(name);
    const [first, ...others] = await company(3, WATCHDOG_MS);
    const { waiter, comeBack, release } = await putOutAtTheHead(contest, first as Agent, absence);
    const behind: Waiter[] = [];
    for (const [i, agent] of others.entries()) {
      const verb = i % 2 === 0 ? 'acquire' : 'acquireSync';
      behind.push(await new Waiter(agent, verb, contest.behind).begin());
    }
    release();
    await Promise.all(behind.map((one) => one.hasItsTurn()));
    await comeBack();
    await waiter.hasItsTurn();
    contest.mine.acquireSync({ timeout: 0 }).release();
  });

  it.each(names)('in line for %s and then killed was no owner, and loses nothing', async (name) => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const { mine, ...contest } = make(name);
      const [first] = (await company(1, WATCHDOG_MS)) as [Agent];
      const { release } = await putOutAtTheHead({ mine, ...contest }, first, absence);
      release();
      first.child.kill();
      await first.child.exited;
      expectNoDeathTold(mine);
    }
  });

  it.each(['Lock', 'RLock'])('in line for a %s is not shown as its owner', async (name) => {
    const contest = make(name);
    const [first] = (await company(1, WATCHDOG_MS)) as [Agent];
    const { release } = await putOutAtTheHead(contest, first, absence);
    release();
    expect((contest.mine as unknown as Lock).holder).toBeNull();
    (await contest.mine.acquire()).release();
  });
});

describe('several that do not run', () => {
  it.each(names)('in a row for %s hold up nobody, and have their turns', async (name) => {
    const contest = make(name);
    const agents = await company(6, WATCHDOG_MS);
    const last = agents.pop() as Agent;
    let held = contest.mine.acquireSync();
    const out: { waiter: Waiter; comeBack: () => Promise<void> }[] = [];
    for (const [i, agent] of agents.entries()) {
      const { verb, putOut } = absences[i % absences.length] as (typeof absences)[number];
      const waiter = await new Waiter(agent, verb, contest.head).begin();
      if (i === 0) held = await waiter.loses(contest.mine, held);
      out.push({ waiter, comeBack: await putOut(agent) });
    }
    const behind = await new Waiter(last, 'acquire', contest.behind).begin();
    held.release();
    await behind.hasItsTurn();
    for (const { comeBack } of out.reverse()) await comeBack();
    await Promise.all(out.map(({ waiter }) => waiter.hasItsTurn()));
    contest.mine.acquireSync({ timeout: 0 }).release();
  });
});

describe.each(['acquire', 'acquireSync'])('a waiter in %s()', (verb) => {
  it.each(names)('for %s that is killed just before the release was no owner', async (name) => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const { mine, head } = make(name);
      const [victim] = (await company(1, WATCHDOG_MS)) as [Agent];
      const first = mine.acquireSync();
      const waiter = await new Waiter(victim, verb, head).begin();
      const held = await waiter.loses(mine, first);
      // From the kill on it runs no more, though nobody has noticed yet that it is dead.
      victim.child.kill();
      held.release();
      await victim.child.exited;
      expectNoDeathTold(mine);
    }
  });
});

// Once for each release: what is slow only now and then shows in many.
it.each(['Lock', 'RLock'])(
  'a %s that comes free again and again goes to who runs each time, though one in front does not',
  async (name) => {
    const contest = make(name);
    const [first, second] = (await company(2, WATCHDOG_MS)) as [Agent, Agent];
    let held = contest.mine.acquireSync();
    const waiter = await new Waiter(first, 'acquire', contest.head).begin();
    const comeBack = await makeBusy(first);
    for (let time = 0; time < TIMES; time += 1) {
      const other = await new Waiter(second, 'acquire', contest.behind).begin();
      held.release();
      await other.hasItsTurn();
      held = contest.mine.acquireSync();
    }
    held.release();
    await comeBack();
    await waiter.hasItsTurn();
  },
);

it.each(['Lock', 'a permit of a Semaphore', 'the write side before writers'])(
  'who is back waits for %s in its old place, before those who came later',
  async (name) => {
    const contest = make(name);
    const [first, second, third] = (await company(3, WATCHDOG_MS)) as [Agent, Agent, Agent];
    // Not each time: whom the machine lets run late is passed over, by design. So one order must lead.
    let lead = 0;
    while (Math.abs(lead) < LEAD) {
      const held = contest.mine.acquireSync();
      const early = await new Waiter(first, 'acquire', contest.head).begin();
      const comeBack = await makeBusy(first);
      const running = await new Waiter(second, 'acquire', contest.behind).begin();
      held.release();
      const guard = await running.takes();
      const late = await new Waiter(third, 'acquire', contest.behind).begin();
      await comeBack();
      await untilAsleep(first, 'acquire');
      const order: Waiter[] = [];
      const turns = [early, late].map(async (waiter) => {
        const own = await waiter.takes();
        order.push(waiter);
        await waiter.releases(own);
      });
      await running.releases(guard);
      await Promise.all(turns);
      lead += order[0] === early ? 1 : -1;
    }
    expect(lead).toBe(LEAD);
  },
);

describe.each(absences)('$what with a share', ({ verb, putOut }) => {
  const upgrade = verb === 'acquire' ? 'upgrade' : 'upgradeSync';

  /** The test and another have shares; that one waits for an upgrade, is put out, and could have it now. */
  async function upgradeOf(agent: Agent) {
    const rw = new RWLock(uniqueName(), quiet);
    const request = {
      kind: 'RWLock' as const,
      name: rw.name,
      args: [quiet],
      side: 'read' as const,
    };
    const mine = rw.read.acquireSync();
    const { guard } = await agent.call<Answer>('acquireSync', request);
    const waiter = await new Waiter(agent, upgrade, { guard }).begin();
    const comeBack = await putOut(agent);
    return { rw, request, waiter, comeBack, release: () => mine.release() };
  }

  it('that waits for an upgrade and is killed then was no writer', async () => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const [agent] = (await company(1, WATCHDOG_MS)) as [Agent];
      const { rw, release } = await upgradeOf(agent);
      release();
      agent.child.kill();
      await agent.child.exited;
      expectNoDeathTold(rw.write);
      expect(rw.readers).toBe(0);
    }
  });

  it('that waits for an upgrade keeps no other reader out, and has it when it runs', async () => {
    const [agent, reader] = (await company(2, WATCHDOG_MS)) as [Agent, Agent];
    const { rw, request, waiter, comeBack, release } = await upgradeOf(agent);
    const behind = await new Waiter(reader, 'acquire', request).begin();
    release();
    const share = await behind.takes();
    expect(rw.write.locked).toBe(false);
    await comeBack();
    await behind.releases(share);
    await waiter.hasItsTurn();
    rw.write.acquireSync({ timeout: 0 }).release();
  });
});
