import { readdirSync, rmSync, statSync, truncateSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { type Child, spawnFixture } from '../support/child.js';
import { extraNamespace, leftovers, regionFile } from '../support/namespace.js';
import { untilKeeperIdle } from '../support/proc.js';

/*
 * Files that somebody cuts while they are mapped. An access beyond the end is a SIGBUS, which nobody can prevent; but
 * whoever opens, makes or removes something looks first, and so does a thread that ends.
 */

interface Done {
  readonly type: string;
  readonly name?: string;
  readonly code?: string;
  readonly message?: string;
}

function member(space: string, verb: string): Child {
  return spawnFixture('cut.mjs', { args: [verb], env: { HOLDFAST_NAMESPACE: space } });
}

/** Ready, and its keeper asleep: awake it would look at what is cut off. */
async function readyMember(space: string, verb: string): Promise<Child> {
  const child = member(space, verb);
  await child.next('ready');
  await untilKeeperIdle(child.pid);
  return child;
}

/** What the member says, and that it ends well. */
async function outcome(child: Child): Promise<Done> {
  child.send({});
  const done = await child.next<Done>('done');
  expect(await child.exited).toEqual({ code: 0, signal: null });
  return done;
}

const arrayFile = (space: string) =>
  `/dev/shm/${readdirSync('/dev/shm').find((f) => leftovers(space).includes(f) && f.endsWith('~'))}`;

const spaces: string[] = [];
function cutSpace(): string {
  const space = extraNamespace();
  spaces.push(space);
  return space;
}

// By hand: nobody can unlink them any more.
afterEach(() => {
  for (const file of spaces.splice(0).flatMap(leftovers)) rmSync(`/dev/shm/${file}`);
});

describe('a namespace`s file that was cut', () => {
  it.each(['open', 'wait', 'unlink'].flatMap((verb) => [0, 4096, -4096].map((to) => [verb, to])))(
    'is an error of %s, after a cut to %i bytes',
    async (verb, to) => {
      const space = cutSpace();
      const child = await readyMember(space, verb as string);
      const bytes = statSync(regionFile(space)).size;
      const left = (to as number) < 0 ? bytes + (to as number) : (to as number);
      truncateSync(regionFile(space), left);
      const done = await outcome(child);
      expect(done).toMatchObject({ name: 'RegionError', code: 'ERR_HOLDFAST_REGION_CORRUPT' });
      expect(done.message).toContain(`cut to ${left} bytes`);
      // Nobody has made it longer again: zeros would be free locks.
      expect(statSync(regionFile(space)).size).toBe(left);
    },
  );

  it.each(['close', 'nothing'])('is no matter to %s and to a thread that leaves', async (verb) => {
    const space = cutSpace();
    const child = await readyMember(space, verb);
    truncateSync(regionFile(space), 0);
    expect(await outcome(child)).toEqual({ type: 'done' });
  });
});

describe('an array`s file that was cut', () => {
  it('is an error of who opens it next, and of who opens it again', async () => {
    const space = cutSpace();
    const [again, late] = [member(space, 'array'), member(space, 'nothing')];
    await again.next('ready');
    await late.next('ready');
    truncateSync(arrayFile(space), 4096);
    const done = await outcome(again);
    expect(done).toMatchObject({ name: 'RegionError', code: 'ERR_HOLDFAST_REGION_CORRUPT' });
    expect(done.message).toContain('cut to 4096 bytes');
    const newcomer = member(space, 'nothing');
    await expect(newcomer.next('ready')).rejects.toThrow('cut to 4096 bytes');
    expect(await outcome(late)).toEqual({ type: 'done' });
  });
});
