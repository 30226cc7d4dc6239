import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, readdirSync, renameSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { SharedArray } from 'holdfast';
import { NamedSemaphore, RobustMutex, SharedMemory } from 'holdfast/posix';
import { describe, expect, it } from 'vitest';
import { fixtureUrl, spawnFixture } from '../support/child.js';
import { thrownBy } from '../support/errors.js';
import { extraNamespace, ownNamespace, regionFile, uniqueName } from '../support/namespace.js';
import { posixName } from '../support/posix-name.js';

const namespace = ownNamespace('same-file');
const isRoot = process.getuid?.() === 0;
const NOBODY = 65_534;

interface Done {
  readonly existing: unknown;
  readonly fresh: unknown;
  readonly unlinked: unknown;
}

/** A process' array, which lives on in `holder` while others fail to open it. */
async function arrayOfAnother(space: string, mode: number) {
  const name = uniqueName('array');
  const holder = spawnFixture('array-holder.mjs', {
    args: [mode, name],
    env: { HOLDFAST_NAMESPACE: space },
  });
  await holder.next('ready');
  return {
    name,
    /** What it holds; or the code of an error, where its array is over. Then it removes it, and ends. */
    async look(): Promise<unknown> {
      holder.send({ type: 'look' });
      const { seen } = await holder.next<{ type: string; seen: unknown }>('seen');
      holder.send({ type: 'end' });
      await holder.exited;
      return seen;
    },
  };
}

const changed = async (space: string, mode: number, change: string, name: string) => {
  const child = spawnFixture('changed-user.mjs', {
    args: [mode, change, name, uniqueName('fresh')],
    env: { HOLDFAST_NAMESPACE: space },
  });
  return child.next<Done & { type: string }>('done');
};

describe.skipIf(!isRoot)('a process that has changed its user since it joined', () => {
  it('may not open an array any more, and harms nobody by it', async () => {
    const space = extraNamespace();
    const array = await arrayOfAnother(space, 0o600);
    expect(await changed(space, 0o600, 'setuid', array.name)).toMatchObject({
      existing: 'ERR_HOLDFAST_REGION_ACCESS',
      fresh: 'ERR_HOLDFAST_REGION_ACCESS',
      unlinked: 'ERR_HOLDFAST_REGION_ACCESS',
    });
    expect(await array.look()).toEqual([7]);
  });

  it('goes on in a namespace of its group', async () => {
    const space = extraNamespace();
    const array = await arrayOfAnother(space, 0o660);
    expect(await changed(space, 0o660, 'setuid', array.name)).toMatchObject({
      existing: [7],
      fresh: [0],
      unlinked: 'ERR_HOLDFAST_IN_USE',
    });
    expect(await array.look()).toEqual([7]);
  });

  it('or its group, goes on with the files of the group that it joined', async () => {
    const space = extraNamespace();
    const array = await arrayOfAnother(space, 0o660);
    expect(await changed(space, 0o660, 'setegid', array.name)).toMatchObject({
      existing: [7],
      fresh: 'ERR_HOLDFAST_REGION_ACCESS',
      unlinked: 'ERR_HOLDFAST_IN_USE',
    });
    expect(await array.look()).toEqual([7]);
  });
});

/** Runs a fixture with mounts of its own; `null` and a printed reason where that may not be. */
function withMounts(mounts: string, fixture: string, ...args: string[]) {
  const script = `mount --make-rprivate / && ${mounts} && exec "$@"`;
  const trial = spawnSync('unshare', ['--mount', 'sh', '-c', script, 'sh', 'true']);
  if (trial.status !== 0) {
    console.warn(`skipped: ${trial.error?.message ?? trial.stderr}`);
    return null;
  }
  const command = [process.execPath, fileURLToPath(fixtureUrl(fixture)), ...args];
  const run = spawnSync('unshare', ['--mount', 'sh', '-c', script, 'sh', ...command], {
    encoding: 'utf8',
    env: { ...process.env, HOLDFAST_NAMESPACE: namespace },
    timeout: 60_000,
    killSignal: 'SIGKILL',
  });
  expect(run.stderr).toBe('');
  expect(run.signal).toBeNull();
  return JSON.parse(run.stdout);
}

it('where there is no /proc, shared memory is made all the same', ({ skip }) => {
  const seen = withMounts(
    'mount -t tmpfs none /dev/shm && mount -t tmpfs none /proc',
    'without-proc.mjs',
  );
  if (seen === null) return skip();
  expect(seen).toEqual({ proc: false, sum: 6, size: 100, state: 'locked', left: [] });
});

it('a process that finds another /dev/shm than it joined in ends nothing for the others', ({
  skip,
}) => {
  const array = new SharedArray(uniqueName('array'), 'int32', [7]);
  const seen = withMounts('true', 'other-shm.mjs', array.name);
  if (seen === null) return skip();
  expect(seen).toEqual({ code: 'ERR_HOLDFAST_SYSTEM' });
  expect(array.notify(0)).toBe(0);
  expect([...new SharedArray(array.name, 'int32', 1)]).toEqual([7]);
});

describe('the memory of an array in a file', () => {
  const files = () =>
    readdirSync('/dev/shm').filter((file) => file.startsWith(`${regionFile(namespace).slice(9)}.`));

  function madeArray(): { array: SharedArray; file: string } {
    const before = files();
    const array = new SharedArray(uniqueName('array'), 'int32', [7]);
    const made = files().filter((file) => !before.includes(file));
    expect(made).toHaveLength(1);
    return { array, file: `/dev/shm/${made[0]}` };
  }

  async function openedBy(array: SharedArray): Promise<unknown> {
    const child = spawnFixture('memory.mjs', { serialization: 'advanced' });
    await child.next('ready');
    child.send({ id: 1, token: array.toJSON(), verb: 'contents', args: [] });
    const { error, value } = await child.next<{ type: string; error?: string; value?: unknown }>(
      'answer',
    );
    return error ?? value;
  }

  it.runIf(isRoot)('of another user is refused, whatever its group and mode', async () => {
    const { array, file } = madeArray();
    chownSync(file, NOBODY, 0);
    expect(await openedBy(array)).toBe('ERR_HOLDFAST_REGION_ACCESS');
    chmodSync(file, 0o666);
    expect(await openedBy(array)).toBe('ERR_HOLDFAST_REGION_ACCESS');
    expect(array.notify(0)).toBe(0);
    chownSync(file, 0, 0);
    chmodSync(file, 0o600);
    expect(await openedBy(array)).toEqual([7]);
    array.unlink();
  });

  it('with a wider mode than the region`s is refused', async () => {
    const { array, file } = madeArray();
    chmodSync(file, 0o666);
    expect(await openedBy(array)).toBe('ERR_HOLDFAST_REGION_ACCESS');
    expect(array.notify(0)).toBe(0);
    array.unlink();
  });

  it('that was removed by hand ends the array for everybody', async () => {
    const { array, file } = madeArray();
    const aside = `${file}.aside`;
    renameSync(file, aside);
    expect(await openedBy(array)).toBe('ERR_HOLDFAST_NOT_FOUND');
    expect(thrownBy(() => array.notify(0)).code).toBe('ERR_HOLDFAST_UNLINKED');
    spawnSync('rm', [aside]);
    array.close();
  });
});

describe.each([
  ['NamedSemaphore', NamedSemaphore, {}],
  ['RobustMutex', RobustMutex, {}],
  ['SharedMemory', SharedMemory, { size: 100 }],
] as const)('a %s', (kind, Kind, more) => {
  const fileOf = (name: string) =>
    `/dev/shm/${kind === 'NamedSemaphore' ? 'sem.' : ''}${name.slice(1)}`;

  it.runIf(isRoot)('of another user is refused unless it is asked for', () => {
    const name = posixName();
    new Kind(name, { ...more, mode: 0o666 }).close();
    chownSync(fileOf(name), NOBODY, NOBODY);
    for (const create of [true, false]) {
      const error = thrownBy(() => new Kind(name, { ...more, create }));
      expect(error.code).toBe('ERR_HOLDFAST_REGION_ACCESS');
      expect(error.message).toContain('allowOtherOwner');
      new Kind(name, { ...more, create, allowOtherOwner: true }).close();
    }
  });

  it.runIf(isRoot)('of root`s is anybody`s to open, as its mode allows', async () => {
    const [open, closed] = [posixName(), posixName()];
    new Kind(open, more).close();
    chmodSync(fileOf(open), 0o666);
    new Kind(closed, more).close();
    const child = spawnFixture('posix-user.mjs', {
      args: [NOBODY, `${kind}:${open}`, `${kind}:${closed}`],
    });
    const { codes } = await child.next<{ type: string; codes: string[] }>('done');
    expect(codes).toEqual(['opened', 'ERR_HOLDFAST_REGION_ACCESS']);
  });
});

it('zeros are no mutex: ERR_HOLDFAST_KIND_MISMATCH', () => {
  const name = posixName();
  const memory = new SharedMemory(name, { size: 4096 });
  expect(thrownBy(() => new RobustMutex(name)).code).toBe('ERR_HOLDFAST_KIND_MISMATCH');
  expect(new Uint8Array(memory.buffer).every((byte) => byte === 0)).toBe(true);
  memory.unlink();
  expect(new RobustMutex(name).lockSync()).toBe('locked');
});
