// What each spec file of each test runner does: a little of everything, under names that all of them share.
// `counted` is one up for each file that has run to its end: test/processes/runners.test.ts looks there.
export function suite({ afterAll, beforeAll, expect, test }, holdfast, runner) {
  const { Barrier, Condition, Event, Lock, RLock, RWLock, Semaphore, SharedArray, SharedValue } =
    holdfast;
  const name = (what) => `${runner}-${what}`;

  // A file looks at who is inside and how many: where a runner has both at work at once, they take turns.
  const stage = new Lock(name('stage'));
  let turn;
  beforeAll(async () => {
    turn = await stage.acquire();
  });
  afterAll(() => turn.release());

  test('with() and withSync() release', async () => {
    const locks = [new Lock(name('lock')), new RLock(name('rlock'))];
    for (const lock of locks) {
      const guard = await lock.with(async (held) => {
        expect(lock.locked).toBe(true);
        return held;
      });
      expect(guard.released).toBe(true);
      expect(lock.locked).toBe(false);
      expect(lock.withSync((held) => held).released).toBe(true);
      await expect(lock.with(() => Promise.reject(new Error('thrown')))).rejects.toThrow('thrown');
      expect(lock.locked).toBe(false);
    }
  });

  test('promises take turns', async () => {
    const lock = new Lock(name('turns'));
    let inside = 0;
    const work = () =>
      lock.with(async () => {
        inside += 1;
        await new Promise((resolve) => setTimeout(resolve, 1));
        expect(inside).toBe(1);
        inside -= 1;
      });
    await Promise.all(Array.from({ length: 20 }, work));
    expect(lock.locked).toBe(false);
  });

  test('guards end by using, where there is the symbol', async () => {
    const lock = new Lock(name('using'));
    const dispose = Symbol.dispose ?? Symbol.for('Symbol.dispose');
    const asyncDispose = Symbol.asyncDispose ?? Symbol.for('Symbol.asyncDispose');
    const guard = lock.acquireSync();
    guard[dispose]();
    expect(guard.released).toBe(true);
    const again = await lock.acquire();
    await again[asyncDispose]();
    expect(again.released).toBe(true);
    lock[dispose]();
  });

  test('permits and sides', async () => {
    const permits = new Semaphore(name('permits'), 2);
    await permits.with(() => expect(permits.available).toBe(1));
    expect(permits.withSync(() => permits.available)).toBe(1);
    expect(permits.available).toBe(2);
    const sides = new RWLock(name('sides'));
    await sides.read.with(() => sides.read.with(() => expect(sides.readers).toBe(2)));
    expect(await sides.write.with((guard) => guard)).toMatchObject({ released: true });
    expect(sides.read.withSync((guard) => guard).released).toBe(true);
    await holdfast.withAll([permits, sides.write], () => expect(sides.write.locked).toBe(true));
    expect(sides.write.locked).toBe(false);
  });

  test('waits for one another', async () => {
    const event = new Event(name('event'));
    event.clear();
    const told = event.wait();
    event.set();
    expect(await told).toBe(true);
    const barrier = new Barrier(name('barrier'), 2);
    expect((await Promise.all([barrier.wait(), barrier.wait()])).sort()).toEqual([0, 1]);
    const condition = new Condition(new Lock(name('condition')));
    let ready = false;
    const waited = condition.lock.with(() => condition.waitFor(() => ready));
    await condition.lock.with(() => {
      ready = true;
      condition.notifyAll();
    });
    expect(await waited).toBe(true);
  });

  test('errors are those of the classes that are imported', async () => {
    const lock = new Lock(name('errors'));
    const guard = lock.acquireSync();
    await expect(lock.acquire({ timeout: 1 })).rejects.toBeInstanceOf(holdfast.TimeoutError);
    expect(() => lock.acquireSync()).toThrow(holdfast.DeadlockError);
    const controller = new AbortController();
    const aborted = lock.acquire({ signal: controller.signal });
    controller.abort(new Error('not now'));
    await expect(aborted).rejects.toThrow('not now');
    guard.release();
    const { copy } = holdfast.unpack(structuredClone(holdfast.pack({ copy: lock })));
    expect(copy).toBeInstanceOf(Lock);
  });

  test('shared memory, and the end of this file', async () => {
    const array = new SharedArray(name('array'), 'float64', 4);
    array.set(1, 0.5);
    expect([...array]).toEqual([array.get(0), 0.5, array.get(2), array.get(3)]);
    const counted = new SharedValue(name('counted'), 'int32');
    expect(await counted.lock.with(() => counted.add(1))).toBeLessThan(2);
  });
}
