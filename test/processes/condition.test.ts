import { Condition, Lock, RLock } from 'holdfast';
import { describe, expect, it } from 'vitest';
import { type Agent, processAgent } from '../support/agent.js';
import { reasonOf } from '../support/errors.js';
import { meeters, verbFor } from '../support/meet.js';
import { ownNamespace, uniqueName } from '../support/namespace.js';

ownNamespace('conditions');

const kinds = { Lock, RLock };
interface Back {
  readonly value: boolean;
  readonly held: boolean;
}

describe.each(['Lock', 'RLock'] as const)('a condition on a %s', (kind) => {
  /** `count` processes that wait, in order. */
  async function waiting(count: number, verb = (i: number) => verbFor('conditionWait', i)) {
    const lock = uniqueName();
    const condition = new Condition(new kinds[kind](lock), { name: `${lock}-condition` });
    const agents = await meeters(count);
    const waits: Promise<Back>[] = [];
    for (const [i, agent] of agents.entries()) {
      waits.push((await agent.begin<Back>(verb(i), { lock, kind })).answer);
    }
    return { condition, agents: agents as [Agent, ...Agent[]], waits };
  }

  it('six waiters: notify(2) wakes 2, notify(4) the other 4, notify(3) none', async () => {
    const { condition, waits } = await waiting(6);
    const back = { value: true, held: true };
    let woken = 0;
    const twoAreBack = new Promise<void>((resolve, reject) => {
      for (const wait of waits) {
        wait.then(() => {
          woken += 1;
          if (woken === 2) resolve();
        }, reject);
      }
    });
    expect(condition.withSync(() => condition.notify(2))).toBe(2);
    await twoAreBack; // mostly the first two; others, where one of those is slow
    expect(woken).toBe(2);
    expect(condition.withSync(() => condition.notify(4))).toBe(4);
    expect(await Promise.all(waits)).toEqual(waits.map(() => back));
    expect(condition.withSync(() => condition.notify(3))).toBe(0);
    expect(condition.lock.locked).toBe(false);
  });

  it.each(['conditionWait', 'conditionWaitSync'])(
    'a notified process that dies in %s before it has the lock passes the notification on',
    async (verb) => {
      const { condition, agents, waits } = await waiting(3, (i) =>
        i === 0 ? verb : verbFor('conditionWait', i),
      );
      const held = condition.lock.acquireSync();
      expect(condition.notify(1)).toBe(1);
      agents[0].child.kill();
      await agents[0].child.exited;
      held.release();
      // The second, or the third if that is slow.
      expect(await Promise.race([waits[1], waits[2]])).toEqual({ value: true, held: true });
      condition.withSync(() => condition.notifyAll());
      expect(await Promise.all([waits[1], waits[2]])).toEqual(
        Array(2).fill({ value: true, held: true }),
      );
    },
  );

  it('a waiter that dies unnotified leaves nothing behind', async () => {
    const { condition, agents, waits } = await waiting(2);
    agents[0].child.kill();
    await agents[0].child.exited;
    expect(condition.withSync(() => condition.notify(1))).toBe(1);
    // If the dead one was not reaped yet when it was notified, that went on to the other.
    expect(await waits[1]).toEqual({ value: true, held: true });
  });

  it('time-outs leave nothing behind, and come back with the lock', async () => {
    const lock = uniqueName();
    const condition = new Condition(new kinds[kind](lock), { name: `${lock}-condition` });
    const agents = await meeters(2);
    const answers = agents.map((agent, i) =>
      agent.call<Back>(verbFor('conditionWait', i), { lock, kind, options: { timeout: 70 } }),
    );
    expect(await Promise.all(answers)).toEqual([
      { value: false, held: true },
      { value: false, held: true },
    ]);
    expect(condition.withSync(() => condition.notifyAll())).toBe(0);
  });

  it('a wait that takes over from a dead holder has abandoned: true on its guard', async () => {
    const name = uniqueName();
    const condition = new Condition(new kinds[kind](name, { warnOnAbandoned: false }));
    const agent = await processAgent();
    const held = await condition.lock.acquire();
    const queued = await agent.begin('acquire', { lock: name, kind });
    const controller = new AbortController();
    const aborted = reasonOf(() => condition.wait({ signal: controller.signal }));
    await queued.answer;
    expect(held.abandoned).toBe(false);
    controller.abort(new Error('given up'));
    agent.child.kill();
    expect(await aborted).toBe(controller.signal.reason);
    expect(held.abandoned).toBe(true);
    held.release();
    expect(condition.lock.locked).toBe(false);
  });

  it('a blocked waiter holds no promise of its thread and no other process up', async () => {
    const { condition, waits } = await waiting(1, () => 'conditionWait');
    const held = condition.lock.acquireSync();
    const next = condition.lock.acquire(); // waits in this thread, which blocks now
    const notifier = condition.waitSync({ timeout: 30 });
    expect(notifier).toBe(false);
    condition.notifyAll();
    held.release();
    (await next).release();
    expect(await waits[0]).toEqual({ value: true, held: true });
  });
});
