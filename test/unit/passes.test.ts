import { Lock } from 'holdfast';
import { describe, expect, it } from 'vitest';
import { ownNamespace, uniqueName } from '../support/namespace.js';

ownNamespace('passes');

/** Far more than fit into one turn. */
const MANY = 3_000_000;

/** Two tasks that pass a lock to each other in microtasks, until `isOver`. Gives how many passes they made. */
async function passing(lock: Lock, isOver: (passes: number) => boolean): Promise<number> {
  let passes = 0;
  const task = async () => {
    while (!isOver(passes)) {
      const held = await lock.acquire();
      passes += 1;
      held.release();
    }
  };
  await Promise.all([task(), task()]);
  return passes;
}

/** Counts how often the event loop turns, from now on. */
function countTurns() {
  const counted = { turns: 0, stop: () => clearImmediate(immediate) };
  let immediate = setImmediate(count);
  function count() {
    counted.turns += 1;
    immediate = setImmediate(count);
  }
  return counted;
}

describe('a lock that two tasks of a thread pass to each other', () => {
  it('lets the event loop turn, though neither ever stops', async () => {
    let hasTurned = false;
    setImmediate(() => {
      hasTurned = true;
    });
    const lock = new Lock(uniqueName());
    const passes = await passing(lock, (count) => hasTurned || count >= MANY);
    expect(passes).toBeLessThan(MANY);
  });

  it('is passed on many times in each turn, also after one was used up', async () => {
    const lock = new Lock(uniqueName());
    for (let spell = 0; spell < 3; spell += 1) {
      const counted = countTurns();
      await passing(lock, (count) => count >= 2_000 && counted.turns > 0);
      counted.stop();
      const again = countTurns();
      const passes = await passing(lock, (count) => count >= 2_000);
      again.stop();
      expect(again.turns).toBeLessThan(passes / 4);
    }
  });
});
