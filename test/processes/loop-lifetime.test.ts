import { once } from 'node:events';
import { Lock, RLock } from 'holdfast';
import { describe, expect, it } from 'vitest';
import { type Child, spawnFixture } from '../support/child.js';
import { ownNamespace, uniqueName } from '../support/namespace.js';
import { untilIdle } from '../support/proc.js';

ownNamespace('lifetime');

async function disconnected(child: Child): Promise<void> {
  await child.next('ready');
  if (child.process.connected) {
    await once(child.process, 'disconnect');
  }
}

describe('a process with nothing pending ends by itself', () => {
  it.each([
    ['nothing', ''],
    ['open', ''],
    ['open and used', ''],
    ['used by a promise', ''],
    ['a leaked guard', ''],
    ['a leaked guard of a promise', ''],
    ['after a time-out', 'ERR_HOLDFAST_TIMEOUT\n'],
    ['after an abort', 'AbortError\n'],
    ['after a wait', ''],
  ])('%s', async (what, output) => {
    const child = spawnFixture('stay.mjs', { args: [what, uniqueName()] });
    expect(await child.exited).toEqual({ code: 0, signal: null });
    expect(child.output).toBe(output);
  });

  it('after waits by a signal that takes no listener', async () => {
    const child = spawnFixture('deaf-signal.mjs');
    expect(await child.exited).toEqual({ code: 0, signal: null });
    expect(child.output).toBe('');
  });
});

describe('a process with a pending wait stays until it ends', () => {
  it.each([
    ['waiting for acquire()', Lock, 'acquired\n'],
    ['waiting for with()', RLock, 'acquired\n'],
    ['waiting behind another wait', Lock, 'aborted\nacquired\n'],
  ])('%s', async (what, Kind, output) => {
    const name = uniqueName();
    const held = new Kind(name).acquireSync();
    const child = spawnFixture('stay.mjs', { args: [what, name] });
    await disconnected(child);
    await Promise.race([untilIdle(child.pid), child.exited]);
    held.release();
    expect(await child.exited).toEqual({ code: 0, signal: null });
    expect(child.output).toBe(output);
  });

  it('waiting until a time-out', async () => {
    const name = uniqueName();
    const held = new Lock(name).acquireSync();
    const child = spawnFixture('stay.mjs', { args: ['waiting until a time-out', name] });
    expect(await child.exited).toEqual({ code: 0, signal: null });
    expect(child.output).toBe('ERR_HOLDFAST_TIMEOUT\n');
    held.release();
  });
});

describe('after waits of every kind that ended in every way', () => {
  it('nothing is left on their signals, and the process ends by itself', async () => {
    const child = spawnFixture('every-wait.mjs');
    expect(await child.exited).toEqual({ code: 0, signal: null });
    expect(child.output).toBe('');
  });

  it('the next wait keeps the process alive', async () => {
    const lock = new Lock(uniqueName());
    const held = lock.acquireSync();
    const child = spawnFixture('every-wait.mjs', { args: [lock.name] });
    await disconnected(child);
    await Promise.race([untilIdle(child.pid), child.exited]);
    held.release();
    expect(await child.exited).toEqual({ code: 0, signal: null });
    expect(child.output).toBe('acquired\n');
  });
});
