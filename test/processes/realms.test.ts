import { describe, expect, it } from 'vitest';
import { spawnFixture } from '../support/child.js';
import { copyPackage } from '../support/copy.js';
import { ownDirectory, ownNamespace } from '../support/namespace.js';

ownNamespace('realms');

const execArgv = ['--experimental-vm-modules', '--no-warnings'];

interface Context {
  readonly released: Record<string, boolean>;
  readonly odd: boolean;
}

it('in a vm context, with no Symbol.dispose on Node.js 20, every `with` ends what it began', async () => {
  const child = spawnFixture('context.mjs', { execArgv });
  const { released, odd } = await child.next<Context & { type: string }>('done');
  expect(Object.entries(released).filter(([, isOver]) => !isOver)).toEqual([]);
  expect(Object.keys(released)).toHaveLength(16);
  expect(odd).toBe(false);
  expect(await child.exited).toEqual({ code: 0, signal: null });
});

const inRealms = async <T>(task: string) => {
  const child = spawnFixture('realms.mjs', { args: [task], execArgv });
  const done = await child.next<T & { type: string }>('done');
  expect(await child.exited).toEqual({ code: 0, signal: null });
  return done;
};

describe('realms of one thread, over one addon', () => {
  it('exclude one another, as agents of their own', async () => {
    expect(await inRealms('exclude')).toMatchObject({ count: 150, most: 1, classes: 3 });
  });

  it('are refused a wait that blocks the thread for what another of them holds', async () => {
    interface Said {
      readonly said: Record<string, string>;
      readonly upgrade: string;
      readonly kept: boolean;
      readonly once: string;
      readonly beside: string;
      readonly tried: unknown;
    }
    const { said, upgrade, kept, once, beside, tried } = await inRealms<Said>('deadlock');
    expect(Object.keys(said)).toHaveLength(10);
    for (const [what, words] of Object.entries(said)) {
      if (what.endsWith('free')) expect(`${what} ${words}`).toBe(`${what} none`);
      else expect(words).toMatch(/^ERR_HOLDFAST_DEADLOCK: .*/);
    }
    expect(said['lock']).toContain('in another realm');
    expect(said['read']).toContain('in another realm');
    expect(said['permits']).toContain('of which this thread holds 2');
    expect(upgrade).toMatch(/^ERR_HOLDFAST_DEADLOCK: .*in another realm/);
    expect(kept).toBe(true);
    expect(once).toMatch(/^ERR_HOLDFAST_TIMEOUT/);
    expect(beside).toMatch(/^ERR_HOLDFAST_DEADLOCK/);
    expect(tried).toBeNull();
  });

  it('hand objects to one another by tokens, and each throws errors of its own', async () => {
    const { foreign, ...done } = await inRealms<{ foreign: string[] }>('tokens');
    expect(done).toMatchObject({
      packed: { holdfast: 'Lock' },
      isOwnThread: true,
      holder: { thread: 0 },
      aborted: true,
      ofThatRealm: true,
    });
    expect(foreign).toHaveLength(2);
    for (const words of foreign) {
      expect(words).toMatch(
        /^ERR_HOLDFAST_INVALID_ARGUMENT: .* unpack\(pack\(it\)\) opens it here/,
      );
    }
  });

  it('are in one namespace: another is refused with the words of configure()', async () => {
    const { code } = await inRealms<{ code: string }>('namespace');
    expect(code).toMatch(
      /^ERR_HOLDFAST_CONFIGURED: .*"another".*this process uses namespace "test-/,
    );
  });
});

it('two copies of the package in one process are as two processes to each other', async () => {
  const child = spawnFixture('copies.mjs', { args: [copyPackage(ownDirectory())] });
  const done = await child.next<{ type: string; message: string }>('done');
  expect(done).toMatchObject({ count: 100, tried: null, opened: true, sameClasses: false });
  expect(done.message).toContain(`held by pid ${child.pid}, thread 0`);
  expect(await child.exited).toEqual({ code: 0, signal: null });
});
