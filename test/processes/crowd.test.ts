import { Lock } from 'holdfast';
import { expect, it } from 'vitest';
import { makeCells, readCells } from '../support/cells.js';
import { spawnFixture } from '../support/child.js';
import { ownDirectory, ownNamespace, uniqueName } from '../support/namespace.js';

ownNamespace('crowd');
const directory = ownDirectory();

it('1,000 promises wait in each of 4 processes, and files can be read meanwhile', async () => {
  const name = uniqueName();
  const path = makeCells(directory, name, 1);
  const held = await new Lock(name).acquire();
  const children = Array.from({ length: 4 }, () =>
    spawnFixture('crowd.mjs', { args: [path, name, 1_000] }),
  );
  await Promise.all(children.map((child) => child.next('queued')));
  for (const child of children) {
    const read = await child.next<{ bytes: number; granted: number }>('read');
    expect(read.bytes).toBeGreaterThan(0);
    expect(read.granted).toBe(0);
  }
  held.release();
  for (const child of children) {
    expect(await child.next('done')).toMatchObject({ granted: 1_000, inOrder: true });
  }
  expect(readCells(path)[0]).toBe(4_000);
});
