import { Event, open } from 'holdfast';
import { expect, it } from 'vitest';
import { INVALID, reasonOf, rejectedBy, thrownBy } from '../support/errors.js';
import { ownNamespace, uniqueName } from '../support/namespace.js';
import { turns, watch } from '../support/promises.js';

ownNamespace('event');

it('starts unset; set() and clear() are idempotent', () => {
  const event = new Event(uniqueName('event'));
  expect(event.isSet).toBe(false);
  event.clear();
  for (let i = 0; i < 2; i += 1) {
    event.set();
    expect(event.isSet).toBe(true);
  }
  event.clear();
  expect(event.isSet).toBe(false);
});

it('two of one name are one event', () => {
  const name = uniqueName('event');
  const one = new Event(name);
  new Event(name).set();
  expect(one.isSet).toBe(true);
});

it('a wait for a set event is true at once, also with no time', async () => {
  const event = new Event();
  event.set();
  expect(await event.wait()).toBe(true);
  expect(await event.wait({ timeout: 0 })).toBe(true);
  expect(event.waitSync()).toBe(true);
  expect(event.waitSync({ timeout: -1 })).toBe(true);
});

it('a wait for an unset event is false after its time, never before', async () => {
  const event = new Event();
  let start = performance.now();
  expect(await event.wait({ timeout: 30 })).toBe(false);
  expect(performance.now() - start).toBeGreaterThanOrEqual(30);
  start = performance.now();
  expect(event.waitSync({ timeout: 30 })).toBe(false);
  expect(performance.now() - start).toBeGreaterThanOrEqual(30);
  expect(await event.wait({ timeout: 0 })).toBe(false);
  expect(event.waitSync({ timeout: 0 })).toBe(false);
});

it('set() wakes all promises that wait', async () => {
  const event = new Event();
  const waits = Array.from({ length: 100 }, () => event.wait());
  const watched = watch(waits[0] as Promise<boolean>);
  await turns();
  expect(watched.state).toBe('pending');
  event.set();
  expect(await Promise.all(waits)).toEqual(waits.map(() => true));
});

it('set(); clear() wakes whoever waited, with true; who comes later waits', async () => {
  const event = new Event();
  const waits = [event.wait(), event.wait({ timeout: 60_000 })];
  event.set();
  event.clear();
  const late = watch(event.wait({ timeout: 60_000 }));
  expect(await Promise.all(waits)).toEqual([true, true]);
  await turns();
  expect(late.state).toBe('pending');
  event.set();
});

it('an abort rejects with its reason, before and during the wait, and leaves the others', async () => {
  const event = new Event();
  const gone = AbortSignal.abort(new Error('before'));
  expect(await reasonOf(() => event.wait({ signal: gone }))).toBe(gone.reason);
  const controller = new AbortController();
  const aborted = reasonOf(() => event.wait({ signal: controller.signal }));
  const other = event.wait();
  controller.abort(new Error('during'));
  expect(await aborted).toBe(controller.signal.reason);
  event.set();
  expect(await other).toBe(true);
  expect(await reasonOf(() => event.wait({ signal: gone }))).toBe(gone.reason);
});

it('refuses bad arguments', async () => {
  const event = new Event();
  for (const options of [{ timeout: Number.NaN }, { timeout: '1' }, { signal: 1 }, { timout: 1 }]) {
    const error = await rejectedBy(() => event.wait(options as never));
    expect(error).toBeInstanceOf(TypeError);
    expect(error.code).toBe(INVALID);
  }
  const { signal } = new AbortController();
  expect(thrownBy(() => event.waitSync({ signal } as never)).code).toBe(INVALID);
  expect(thrownBy(() => new Event('')).code).toBe(INVALID);
  expect(thrownBy(() => new Event('a', { made: 1 } as never)).code).toBe(INVALID);
});

it('close() ends its waits with ClosedError, and later calls', async () => {
  const event = new Event(uniqueName('event'));
  const other = new Event(event.name);
  const waiting = rejectedBy(() => event.wait());
  event.close();
  event.close();
  expect(thrownBy(() => event.isSet).code).toBe('ERR_HOLDFAST_CLOSED');
  other.close();
  expect((await waiting).code).toBe('ERR_HOLDFAST_CLOSED');
});

it('unlink() ends it for everybody with UnlinkedError; the name is free', async () => {
  const event = new Event(uniqueName('event'));
  const other = new Event(event.name);
  const waiting = rejectedBy(() => other.wait());
  event.unlink();
  expect((await waiting).code).toBe('ERR_HOLDFAST_UNLINKED');
  for (const use of [() => other.isSet, () => other.set(), () => other.clear()]) {
    expect(thrownBy(use).code).toBe('ERR_HOLDFAST_UNLINKED');
  }
  expect(new Event(event.name).isSet).toBe(false);

  const alone = new Event(uniqueName('event'));
  const last = rejectedBy(() => alone.wait());
  alone.unlink();
  expect((await last).code).toBe('ERR_HOLDFAST_UNLINKED');
});

it('a token opens the same event', () => {
  const event = new Event();
  const again = open(event.toJSON());
  event.set();
  expect(again).toBeInstanceOf(Event);
  expect(again.isSet).toBe(true);
});
