// Every object of holdfast and every verb on it. Each wait has a time-out and is made through `wait` (waits.mjs).
import { setTimeout as sleep } from 'node:timers/promises';
import {
  Barrier,
  Condition,
  Event,
  Lock,
  open,
  RLock,
  RWLock,
  Semaphore,
  SharedArray,
  SharedValue,
  withAll,
} from 'holdfast';

const makers = {
  lock: () => new Lock('lock'),
  rlock: () => new RLock('rlock'),
  permits: () => new Semaphore('permits', 3),
  pool: () => new Semaphore('pool', 2, { owned: false }),
  event: () => new Event('event'),
  condition: () => new Condition(new Lock('condition lock'), { name: 'condition' }),
  barrier: () => new Barrier('barrier', 3),
  rwlock: () => new RWLock('rwlock'),
  value: () => new SharedValue('value', 'int32'),
  big: () => new SharedValue('big', 'uint64'),
  array: () => new SharedArray('array', 'int32', 5000),
  floats: () => new SharedArray('floats', 'float64', [1, 2, 3]),
};

/** One thread's objects: opened when they are wanted, and again after a dropped one. */
export class Family {
  #open = new Map();

  get(name) {
    if (!this.#open.has(name)) this.#open.set(name, makers[name]());
    return this.#open.get(name);
  }

  drop(name) {
    const object = this.#open.get(name);
    this.#open.delete(name);
    object?.close();
  }

  get names() {
    return Object.keys(makers);
  }
}

const pause = () => sleep(Math.random() * 2);

async function hold(taking, wait) {
  const guard = await taking;
  await pause();
  wait('release', 0, () => guard.release());
}

function holdSync(guard, wait) {
  wait('release', 0, () => guard.release());
}

/** Named `<object>.<verb>`; those that end in Sync block. Each gets the object, `wait`, and the time-out in ms. */
export const verbs = {
  'lock.acquire': (o, wait, timeout) =>
    hold(
      wait('acquire', timeout, () => o.acquire({ timeout })),
      wait,
    ),
  'lock.acquireSync': (o, wait, timeout) =>
    holdSync(
      wait('acquireSync', timeout, () => o.acquireSync({ timeout })),
      wait,
    ),
  'lock.tryAcquire'(o, wait) {
    const guard = wait('tryAcquire', 0, () => o.tryAcquire());
    if (guard) holdSync(guard, wait);
  },
  'lock.with': (o, wait, timeout) => wait('with', timeout + 5, () => o.with(() => {}, { timeout })),
  'lock.holder': (o, wait) => wait('holder', 0, () => [o.holder, o.locked]),
  'rlock.acquire': (o, wait, timeout) =>
    hold(
      wait('acquire', timeout, () => o.acquire({ timeout })),
      wait,
    ),
  'rlock.withSync': (o, wait, timeout) =>
    wait('withSync', 2 * timeout, () =>
      o.withSync(() => o.withSync(() => o.depth, { timeout }), { timeout }),
    ),
  'permits.acquire': (o, wait, timeout) =>
    hold(
      wait('acquire', timeout, () => o.acquire(2, { timeout })),
      wait,
    ),
  'permits.acquireSync': (o, wait, timeout) =>
    holdSync(
      wait('acquireSync', timeout, () => o.acquireSync({ timeout })),
      wait,
    ),
  'permits.available': (o, wait) => wait('available', 0, () => o.available),
  'pool.acquire': (o, wait, timeout) =>
    hold(
      wait('acquire', timeout, () => o.acquire({ timeout })),
      wait,
    ),
  'event.wait': (o, wait, timeout) => wait('wait', timeout, () => o.wait({ timeout })),
  'event.waitSync': (o, wait, timeout) => wait('waitSync', timeout, () => o.waitSync({ timeout })),
  'event.set': (o, wait) => wait('set', 0, () => o.set()),
  'event.clear': (o, wait) => wait('clear', 0, () => o.isSet && o.clear()),
  async 'condition.wait'(o, wait, timeout) {
    const guard = await wait('acquire', timeout, () => o.lock.acquire({ timeout }));
    try {
      await wait('wait', timeout, () => o.wait({ timeout }));
    } finally {
      if (!guard.released) wait('release', 0, () => guard.release());
    }
  },
  'condition.waitSync'(o, wait, timeout) {
    const guard = wait('acquireSync', timeout, () => o.lock.acquireSync({ timeout }));
    try {
      wait('waitSync', timeout, () => o.waitSync({ timeout }));
    } finally {
      if (!guard.released) wait('release', 0, () => guard.release());
    }
  },
  async 'condition.notify'(o, wait, timeout) {
    const guard = await wait('acquire', timeout, () => o.lock.acquire({ timeout }));
    try {
      wait('notify', 0, () => (Math.random() < 0.5 ? o.notify(2) : o.notifyAll()));
    } finally {
      if (!guard.released) wait('release', 0, () => guard.release());
    }
  },
  'barrier.wait': (o, wait, timeout) => wait('wait', timeout, () => o.wait({ timeout })),
  'barrier.waitSync': (o, wait, timeout) =>
    wait('waitSync', timeout, () => o.waitSync({ timeout })),
  'barrier.reset': (o, wait) => wait('reset', 0, () => (o.broken ? o.reset() : o.nWaiting)),
  'rwlock.read': (o, wait, timeout) =>
    hold(
      wait('read.acquire', timeout, () => o.read.acquire({ timeout })),
      wait,
    ),
  'rwlock.write': (o, wait, timeout) =>
    hold(
      wait('write.acquire', timeout, () => o.write.acquire({ timeout })),
      wait,
    ),
  'rwlock.writeSync': (o, wait, timeout) =>
    holdSync(
      wait('write.acquireSync', timeout, () => o.write.acquireSync({ timeout })),
      wait,
    ),
  async 'rwlock.upgrade'(o, wait, timeout) {
    const reader = await wait('read.acquire', timeout, () => o.read.acquire({ timeout }));
    try {
      const writer = await wait('upgrade', timeout, () => reader.upgrade({ timeout }));
      const again = wait('downgrade', 0, () => writer.downgrade());
      wait('release', 0, () => again.release());
    } finally {
      if (!reader.released) wait('release', 0, () => reader.release());
    }
  },
  'rwlock.readers': (o, wait) => wait('readers', 0, () => [o.readers, o.write.locked]),
  'value.wait': (o, wait, timeout) => wait('wait', timeout, () => o.wait(o.value, { timeout })),
  'value.waitSync': (o, wait, timeout) =>
    wait('waitSync', timeout, () => o.waitSync(o.value, { timeout })),
  'value.notify'(o, wait) {
    o.add(1);
    wait('notify', 0, () => o.notify());
  },
  'big.wait': (o, wait, timeout) => wait('wait', timeout, () => o.wait(o.load(), { timeout })),
  'big.withLock': (o, wait, timeout) =>
    wait('withLock', timeout + 5, () =>
      o.withLock(
        () => {
          o.value = BigInt(Math.floor(Math.random() * 3));
        },
        { timeout },
      ),
    ),
  'array.wait': (o, wait, timeout) =>
    wait('wait', timeout, () => o.wait(o.length - 1, o.load(-1), { timeout })),
  'array.waitSync': (o, wait, timeout) =>
    wait('waitSync', timeout, () => o.waitSync(0, o.load(0), { timeout })),
  'array.notify'(o, wait) {
    o.add(-1, 1);
    wait('notify', 0, () => o.notify(-1, 1));
  },
  'floats.withLock': (o, wait, timeout) =>
    wait('withLock', timeout + 5, () =>
      o.withLock(
        () => {
          o.array[1] += 1;
        },
        { timeout },
      ),
    ),
};

/** Verbs on objects that come and go: the registry's work. */
export const passing = {
  async nameless(wait, timeout) {
    const lock = wait('new Lock', 0, () => new Lock());
    const twin = wait('open', 0, () => open(JSON.stringify(lock)));
    const guard = await wait('acquire', timeout, () => lock.acquire({ timeout }));
    wait('release', 0, () => guard.release());
    wait('close', 0, () => twin.close());
    wait('close', 0, () => lock.close());
  },
  array(wait) {
    const array = wait('new SharedArray', 0, () => new SharedArray(undefined, 'uint8', 5000));
    wait('close', 0, () => array.close());
  },
  unlinked(wait) {
    const event = wait('new Event', 0, () => new Event('passing'));
    wait('unlink', 0, () => event.unlink());
    wait('close', 0, () => event.close());
  },
  async all(wait, timeout) {
    const [lock, permits] = [new Lock('lock'), new Semaphore('permits', 3)];
    try {
      await wait('withAll', timeout + 5, () => withAll([lock, permits], () => {}, { timeout }));
    } finally {
      lock.close();
      permits.close();
    }
  },
};
