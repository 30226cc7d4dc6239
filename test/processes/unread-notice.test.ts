import { Condition, Lock, open, SharedArray, SharedValue } from 'holdfast';
import { describe, expect, it } from 'vitest';
import type { Agent, Request } from '../support/agent.js';
import { absences, company } from '../support/company.js';
import { ownNamespace, uniqueName } from '../support/namespace.js';

const namespace = ownNamespace('unread-notice');

/*
 * A notification goes to who waited when it was given, and is used once: also where who was chosen does not run, and
 * where that one dies without having seen it.
 */
const WATCHDOG_MS = 150_000;

interface Place {
  /** What agents wait by: the verbs of fixtures/family.mjs. */
  readonly verb: string;
  readonly request: Request;
  readonly told: unknown;
  notify(): number;
  notifyAll(): number;
}

const places: Record<string, () => Place> = {
  'a condition'() {
    const name = uniqueName();
    const condition = new Condition(new Lock(`${name}-lock`, { warnOnAbandoned: false }), { name });
    return {
      verb: 'condition.wait',
      request: { name },
      told: [true, true],
      notify: () => condition.withSync(() => condition.notify()),
      notifyAll: () => condition.withSync(() => condition.notifyAll()),
    };
  },
  'a shared value'() {
    const name = uniqueName();
    const value = new SharedValue(name, 'int32');
    return {
      verb: 'wait',
      request: { kind: 'SharedValue' as never, name, args: ['int32'], call: [0] },
      told: 'ok',
      notify: () => value.notify(1),
      notifyAll: () => value.notify(),
    };
  },
  'an element of a shared array'() {
    const name = uniqueName();
    const array = new SharedArray(name, 'int32', 4);
    return {
      verb: 'wait',
      request: { kind: 'SharedArray' as never, name, args: ['int32', 4], call: [2, 0] },
      told: 'ok',
      notify: () => array.notify(2, 1),
      notifyAll: () => array.notify(2),
    };
  },
};

const names = Object.keys(places);
const make = (name: string) => (places[name] as () => Place)();

describe.each(absences)('$what', ({ verb, putOut }) => {
  const suffix = verb.endsWith('Sync') ? 'Sync' : '';
  const waitAt = ({ verb: base, request }: Place, agent: Agent, form = suffix) =>
    agent.begin<unknown>(`${base}${form}`, request);

  it.each(names)('at %s lets its notification go to the next, and waits on', async (name) => {
    const place = make(name);
    const [first, second] = (await company(2, WATCHDOG_MS)) as [Agent, Agent];
    const early = await waitAt(place, first);
    const comeBack = await putOut(first);
    const running = await waitAt(place, second, '');
    expect(place.notify()).toBe(1);
    expect(await running.answer).toEqual(place.told);
    await comeBack();
    // Neither had it too, nor lost its place.
    expect(place.notify()).toBe(1);
    expect(await early.answer).toEqual(place.told);
    expect(place.notify()).toBe(0);
  });

  it.each(names)('at %s has one that nobody else waits for when it runs', async (name) => {
    const place = make(name);
    const [first, second] = (await company(2, WATCHDOG_MS)) as [Agent, Agent];
    const waits = [await waitAt(place, first), await waitAt(place, second)];
    const back = [await putOut(first), await putOut(second)];
    expect(place.notify()).toBe(1);
    for (const comeBack of back) await comeBack();
    expect(await Promise.race(waits.map(({ answer }) => answer))).toEqual(place.told);
    expect(place.notify()).toBe(1);
    expect(await Promise.all(waits.map(({ answer }) => answer))).toEqual([place.told, place.told]);
    expect(place.notify()).toBe(0);
  });

  it.each(names)('at %s and then killed leaves none to who comes later', async (name) => {
    for (const notify of ['notify', 'notifyAll'] as const) {
      const place = make(name);
      const [first, second] = (await company(2, WATCHDOG_MS)) as [Agent, Agent];
      await waitAt(place, first);
      await putOut(first);
      expect(place[notify]()).toBe(1);
      const late = await waitAt(place, second, '');
      first.child.kill();
      await first.child.exited;
      settleDeaths();
      // The one who is late was not told: it still waits.
      expect(place.notify()).toBe(1);
      expect(await late.answer).toEqual(place.told);
    }
  });

  it.each(names)('at %s and then killed leaves none of a notifyAll() to others', async (name) => {
    const place = make(name);
    const [first, ...others] = (await company(3, WATCHDOG_MS)) as [Agent, Agent, Agent];
    const [second, third] = others;
    await waitAt(place, first);
    await putOut(first);
    const running = await waitAt(place, second, '');
    expect(place.notifyAll()).toBe(2);
    expect(await running.answer).toEqual(place.told);
    const late = await waitAt(place, third, '');
    first.child.kill();
    await first.child.exited;
    settleDeaths();
    expect(place.notify()).toBe(1);
    expect(await late.answer).toEqual(place.told);
  });
});

/** Who opens what nobody has by its token looks first whether somebody died. */
function settleDeaths(): void {
  const token = { holdfast: 'Lock', namespace, name: uniqueName('nobody') } as const;
  expect(() => open(token)).toThrow(/./);
}
