import { Barrier, BrokenBarrierError, Lock, open, pack, TimeoutError, unpack } from 'holdfast';
import { describe, expect, it } from 'vitest';
import { INVALID, reasonOf, rejectedBy, thrownBy } from '../support/errors.js';
import { ownNamespace, uniqueName } from '../support/namespace.js';
import { turns, watch } from '../support/promises.js';

ownNamespace('barrier');

const BROKEN = 'ERR_HOLDFAST_BROKEN_BARRIER';

it.each([[0], [-1], [1.5], [2 ** 31], [Number.NaN], [Number.POSITIVE_INFINITY]])(
  'refuses %d parties with a RangeError',
  (parties) => {
    expect(thrownBy(() => new Barrier(parties))).toBeInstanceOf(RangeError);
    expect(thrownBy(() => new Barrier('a', parties)).code).toBe(INVALID);
  },
);

it('refuses other bad arguments', async () => {
  expect(thrownBy(() => new Barrier('a', '2' as never))).toBeInstanceOf(TypeError);
  expect(thrownBy(() => new Barrier('a', 2, { action: 1 as never }))).toBeInstanceOf(TypeError);
  expect(thrownBy(() => new Barrier(2, { timeout: Number.NaN })).code).toBe(INVALID);
  expect(thrownBy(() => new Barrier(2, { timout: 1 } as never)).message).toMatch('timeout');
  const error = await rejectedBy(() => new Barrier(2).wait({ timeout: '1' as never }));
  expect(error.code).toBe(INVALID);
});

it('with other parties than it was made with says both', () => {
  const barrier = new Barrier(uniqueName('barrier'), 3);
  const error = thrownBy(() => new Barrier(barrier.name, 4));
  expect(error.code).toBe('ERR_HOLDFAST_OTHER_PARAMETERS');
  expect(error.message).toMatch(/4 parties.*3 parties/);
});

it('of one party lets it through, each time', async () => {
  const barrier = new Barrier(1);
  for (let i = 0; i < 3; i += 1) {
    expect(await barrier.wait()).toBe(0);
    expect(barrier.waitSync({ timeout: 0 })).toBe(0);
  }
});

it('gives each party of a round another index; the last to come is the last', async () => {
  const barrier = new Barrier(3);
  for (let round = 0; round < 5; round += 1) {
    const waits = [barrier.wait(), barrier.wait()];
    expect(barrier.nWaiting).toBe(2);
    expect(await barrier.wait()).toBe(2);
    expect(barrier.nWaiting).toBe(0);
    expect(await Promise.all(waits)).toEqual([0, 1]);
  }
});

it('more waits than parties make several rounds', async () => {
  const barrier = new Barrier(2, { action: () => turns(2) });
  const indices = await Promise.all(Array.from({ length: 10 }, () => barrier.wait()));
  expect(indices.sort()).toEqual([0, 0, 0, 0, 0, 1, 1, 1, 1, 1]);
});

it('runs the action once a round, before anybody goes on', async () => {
  let runs = 0;
  let first = { state: 'none' };
  const barrier = new Barrier(2, {
    async action() {
      runs += 1;
      await turns();
      expect(first.state).toBe('pending');
      expect(barrier.nWaiting).toBe(2);
    },
  });
  const waiting = barrier.wait();
  first = watch(waiting);
  expect(await barrier.wait()).toBe(1);
  expect(await waiting).toBe(0);
  expect(runs).toBe(1);
});

it('a failing action: its error to its runner, the others get BrokenBarrierError', async () => {
  const failure = new Error('on purpose');
  const barrier = new Barrier(2, {
    action() {
      throw failure;
    },
  });
  const other = rejectedBy(() => barrier.wait());
  expect(await reasonOf(() => barrier.wait())).toBe(failure);
  expect(await other).toBeInstanceOf(BrokenBarrierError);
  expect(barrier.broken).toBe(true);
  expect((await rejectedBy(() => barrier.wait())).code).toBe(BROKEN);
  expect(thrownBy(() => barrier.waitSync()).code).toBe(BROKEN);
});

it('waitSync() refuses an async action, and that breaks it', async () => {
  const barrier = new Barrier(2, { action: async () => {} });
  const other = rejectedBy(() => barrier.wait());
  const error = thrownBy(() => barrier.waitSync());
  expect(error).toBeInstanceOf(TypeError);
  expect(error.code).toBe(INVALID);
  expect((await other).code).toBe(BROKEN);
});

it('a time-out breaks it for all, not before its time', async () => {
  const barrier = new Barrier(3);
  const other = rejectedBy(() => barrier.wait());
  const start = performance.now();
  const error = await rejectedBy(() => barrier.wait({ timeout: 30 }));
  expect(performance.now() - start).toBeGreaterThanOrEqual(30);
  expect(error).toBeInstanceOf(BrokenBarrierError);
  expect(error.cause).toBeInstanceOf(TimeoutError);
  expect((await other).code).toBe(BROKEN);
  expect((await other).cause).toBeUndefined();
  expect(barrier.broken).toBe(true);
  expect(barrier.nWaiting).toBe(0);
});

it.each(['wait', 'waitSync'] as const)('%s() without time breaks it at once', async (verb) => {
  const barrier = new Barrier(2);
  for (const timeout of [0, Number.NEGATIVE_INFINITY]) {
    barrier.reset();
    const error = await rejectedBy(async () => barrier[verb]({ timeout }));
    expect(error.cause).toBeInstanceOf(TimeoutError);
    expect(barrier.broken).toBe(true);
  }
});

it("takes the constructor's time-out where the wait has none", async () => {
  const barrier = new Barrier(2, { timeout: 20 });
  expect((await rejectedBy(() => barrier.wait())).cause).toBeInstanceOf(TimeoutError);
  barrier.reset();
  expect(thrownBy(() => barrier.waitSync()).cause).toBeInstanceOf(TimeoutError);
  barrier.reset();
  const waiting = watch(barrier.wait({ timeout: 60_000 }));
  await turns();
  expect(waiting.state).toBe('pending');
  expect(await barrier.wait()).toBe(1);
});

it('an abort rejects with its reason, and breaks it; one before the wait does not', async () => {
  const barrier = new Barrier(3);
  const gone = AbortSignal.abort(new Error('before'));
  const other = rejectedBy(() => barrier.wait());
  expect(await reasonOf(() => barrier.wait({ signal: gone }))).toBe(gone.reason);
  expect(barrier.broken).toBe(false);
  const controller = new AbortController();
  const aborted = reasonOf(() => barrier.wait({ signal: controller.signal }));
  expect(barrier.nWaiting).toBe(2);
  controller.abort(new Error('during'));
  expect(await aborted).toBe(controller.signal.reason);
  expect((await other).code).toBe(BROKEN);
});

it('abort() breaks it for present and later waits; reset() mends', async () => {
  const barrier = new Barrier(2);
  const present = rejectedBy(() => barrier.wait());
  barrier.abort();
  expect((await present).code).toBe(BROKEN);
  expect((await rejectedBy(() => barrier.wait())).code).toBe(BROKEN);
  barrier.reset();
  expect(barrier.broken).toBe(false);
  const waiting = barrier.wait();
  expect(await barrier.wait()).toBe(1);
  expect(await waiting).toBe(0);
});

it('reset() frees who waits with BrokenBarrierError, and leaves it whole', async () => {
  const barrier = new Barrier(2);
  const present = rejectedBy(() => barrier.wait());
  barrier.reset();
  expect((await present).code).toBe(BROKEN);
  expect(barrier.broken).toBe(false);
  expect(barrier.nWaiting).toBe(0);
});

it.each(['abort', 'reset'] as const)('%s() while the action runs: nobody goes on', async (verb) => {
  const barrier: Barrier = new Barrier(2, { action: () => barrier[verb]() });
  const other = rejectedBy(() => barrier.wait());
  expect((await rejectedBy(() => barrier.wait())).code).toBe(BROKEN);
  expect((await other).code).toBe(BROKEN);
  expect(barrier.broken).toBe(verb === 'abort');
});

it('is not closed or unlinked while this thread runs its action', async () => {
  const barrier: Barrier = new Barrier(uniqueName('barrier'), 1, {
    action() {
      expect(thrownBy(() => barrier.close()).code).toBe('ERR_HOLDFAST_HELD');
      expect(thrownBy(() => barrier.unlink()).code).toBe('ERR_HOLDFAST_HELD');
    },
  });
  expect(await barrier.wait()).toBe(0);
  barrier.unlink();
});

it('close() takes the waits of this thread along, and so breaks it', async () => {
  const barrier = new Barrier(uniqueName('barrier'), 2);
  const waiting = rejectedBy(() => barrier.wait());
  barrier.close();
  expect((await waiting).code).toBe('ERR_HOLDFAST_CLOSED');
  expect(new Barrier(barrier.name, 2).broken).toBe(true);
});

it('unlink() ends it for everybody', async () => {
  const barrier = new Barrier(uniqueName('barrier'), 2);
  const other = new Barrier(barrier.name, 2);
  const waiting = rejectedBy(() => other.wait());
  barrier.unlink();
  expect((await waiting).code).toBe('ERR_HOLDFAST_UNLINKED');
  expect(thrownBy(() => other.reset()).code).toBe('ERR_HOLDFAST_UNLINKED');
});

it('a token opens the same barrier, which knows its parties', async () => {
  const barrier = new Barrier(2);
  const again = open(barrier.toJSON());
  expect(again.parties).toBe(2);
  const waiting = barrier.wait();
  expect(await again.wait()).toBe(1);
  expect(await waiting).toBe(0);
});

describe('a token', () => {
  it('carries the default time-out', async () => {
    const barrier = new Barrier(2, { timeout: 20 });
    for (const token of [barrier.toJSON(), JSON.stringify(barrier)]) {
      const again = open<'Barrier'>(token as string);
      expect((await rejectedBy(() => again.wait())).cause).toBeInstanceOf(TimeoutError);
      again.reset();
      expect(open(again.toJSON()).toJSON()).toEqual(barrier.toJSON());
    }
    const never = new Barrier(2, { timeout: Number.NEGATIVE_INFINITY });
    const passed = open<'Barrier'>(JSON.stringify(never));
    expect((await rejectedBy(() => passed.wait())).cause).toBeInstanceOf(TimeoutError);
  });

  it('is as ever where there is neither a time-out nor an action', () => {
    const barrier = new Barrier(2, { timeout: Number.POSITIVE_INFINITY });
    const { name } = barrier;
    const namespace = process.env['HOLDFAST_NAMESPACE'];
    expect(barrier.toJSON()).toStrictEqual({ holdfast: 'Barrier', namespace, name });
  });

  it('of one with an action opens none without: that would be the one to run it', async () => {
    const runs: string[] = [];
    const barrier = new Barrier(2, { action: () => void runs.push('the first') });
    const token = barrier.toJSON();
    for (const opened of [() => open(token), () => open(JSON.stringify(token))]) {
      const error = thrownBy(opened);
      expect(error).toBeInstanceOf(TypeError);
      expect(error.code).toBe(INVALID);
      expect(error.message).toMatch(JSON.stringify(barrier.name));
      expect(error.message).toMatch('open(token, { action })');
    }
    const again = open(token, { action: () => void runs.push('the second') });
    for (const [waiter, runner] of [
      [barrier, again],
      [again, barrier],
    ] as const) {
      const waiting = waiter.wait();
      expect(await runner.wait()).toBe(1);
      await waiting;
    }
    expect(runs).toEqual(['the second', 'the first']);
    expect(again.toJSON()).toEqual(token);
  });

  it('among data takes its action from unpack()', async () => {
    const runs: string[] = [];
    const data = {
      first: new Barrier(1, { action: () => {} }),
      plain: new Barrier(1),
      lock: new Lock(),
    };
    const packed = pack(data);
    expect(thrownBy(() => unpack(packed)).message).toMatch('unpack(data, { action })');
    const copy = unpack(packed, { action: () => void runs.push('run') }) as typeof data;
    await copy.plain.wait();
    expect(runs).toEqual([]);
    await copy.first.wait();
    expect(runs).toEqual(['run']);
    expect(copy.lock).toBeInstanceOf(Lock);
  });

  it('is refused with a bad time-out or a bad action, and other tokens with any', () => {
    const token = new Barrier(2).toJSON();
    for (const timeout of [null, '5', Number.NaN]) {
      const error = thrownBy(() => open({ ...token, timeout } as never));
      expect(error.code).toBe(INVALID);
      expect(error.message).toMatch('"timeout"');
    }
    const bad = { action: 5 as never };
    expect(thrownBy(() => open(token, bad)).message).toMatch(
      '"action" of open() must be a function',
    );
    expect(thrownBy(() => unpack({}, bad)).message).toMatch('"action" of unpack() must be');
    const error = thrownBy(() => open(new Lock().toJSON(), { action() {} } as never));
    expect(error.message).toMatch('open() of a Lock has no option "action"');
    expect(thrownBy(() => open(token, { actoin() {} } as never)).message).toMatch('"action"?');
    expect(thrownBy(() => unpack({}, { actoin() {} } as never)).message).toMatch('"action"?');
  });
});
