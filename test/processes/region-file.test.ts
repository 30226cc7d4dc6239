import {
  chmodSync,
  chownSync,
  closeSync,
  openSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { processAgent, remoteError } from '../support/agent.js';
import { spawnFixture } from '../support/child.js';
import { extraNamespace, ownDirectory, ownNamespace, regionFile } from '../support/namespace.js';

ownNamespace('region-file');
const directory = ownDirectory();
const modeOf = (file: string) => statSync(file).mode & 0o7777;
const inSpace = (space: string) => processAgent({ env: { HOLDFAST_NAMESPACE: space } });
const opening = async (space: string) =>
  remoteError((await inSpace(space)).call('open', { lock: 'any', name: 'any' }));

describe('the file`s mode', () => {
  it.each([
    [0o000, undefined, 0o600],
    [0o022, undefined, 0o600],
    [0o777, undefined, 0o600],
    [0o277, 0o600, 0o600],
    [0o000, 0o660, 0o660],
    [0o077, 0o660, 0o660],
    [0o777, 0o660, 0o660],
  ])('under the umask %o, asked for %o, is %o', async (umask, mode, expected) => {
    const space = extraNamespace();
    const child = spawnFixture('masked.mjs', {
      args: mode === undefined ? [umask] : [umask, mode],
      env: { HOLDFAST_NAMESPACE: space },
    });
    await child.next('made');
    expect(modeOf(regionFile(space, expected))).toBe(expected);
    // And a second process finds nothing wrong with it, if it asks for the same.
    const second = await inSpace(space);
    if (mode !== undefined) {
      await second.call('configure', { options: { mode } });
    }
    expect(await second.call('acquireSync', { lock: 'any' })).toMatchObject({ abandoned: false });
  });
});

describe('a file that somebody else may have made first is refused', () => {
  it.each([0o666, 0o660, 0o640, 0o604, 0o602])('with the mode %o', async (mode) => {
    const space = extraNamespace();
    const maker = spawnFixture('masked.mjs', { args: [0], env: { HOLDFAST_NAMESPACE: space } });
    await maker.next('made');
    maker.kill();
    await maker.exited;
    chmodSync(regionFile(space), mode);
    const error = await opening(space);
    expect(error.kind).toBe('RegionError');
    expect(error.code).toBe('ERR_HOLDFAST_REGION_ACCESS');
    expect(modeOf(regionFile(space))).toBe(mode);
  });

  it('empty and with a wider mode', async () => {
    const space = extraNamespace();
    writeFileSync(regionFile(space), '');
    chmodSync(regionFile(space), 0o666);
    expect((await opening(space)).code).toBe('ERR_HOLDFAST_REGION_ACCESS');
  });

  it.skipIf(process.getuid?.() !== 0)('with another owner', async () => {
    const space = extraNamespace();
    writeFileSync(regionFile(space), '', { mode: 0o600 });
    chownSync(regionFile(space), 65_534, 65_534);
    const error = await opening(space);
    expect(error.kind).toBe('RegionError');
    expect(error.code).toBe('ERR_HOLDFAST_REGION_ACCESS');
  });

  it('as a symbolic link, and what it points to is left alone', async () => {
    const space = extraNamespace();
    const target = join(directory, 'target');
    writeFileSync(target, 'precious', { mode: 0o600 });
    symlinkSync(target, regionFile(space));
    const error = await opening(space);
    expect(error.code).toMatch(/^ERR_HOLDFAST_/);
    expect(readFileSync(target, 'utf8')).toBe('precious');
  });
});

describe('a file whose content cannot be trusted', () => {
  it.each([0, 1, 4096, 100_000])(
    'with %d bytes of nothing, left by a creator that was killed, is made anew',
    async (size) => {
      const space = extraNamespace();
      writeFileSync(regionFile(space), new Uint8Array(size), { mode: 0o600 });
      const agent = await inSpace(space);
      expect(await agent.call('acquireSync', { lock: 'any' })).toMatchObject({ abandoned: false });
    },
  );

  it('whose header is scribbled over while a process lives is an error, never a crash', async () => {
    const space = extraNamespace();
    const living = await inSpace(space);
    await living.call('open', { lock: 'any', name: 'any' });
    const fd = openSync(regionFile(space), 'r+');
    writeSync(fd, new Uint8Array(16).fill(0xa5), 0, 16, 0);
    closeSync(fd);
    const error = await opening(space);
    expect(error.kind).toBe('RegionError');
    expect(error.code).toMatch(/^ERR_HOLDFAST_REGION_(CORRUPT|MISMATCH)$/);
  });
});
