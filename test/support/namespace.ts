import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { unlinkNamespace } from 'holdfast';
import { afterAll, expect } from 'vitest';

/** The region's file. One that admits the group is the group's, and so another one. */
export function regionFile(namespace: string, mode = 0o600): string {
  const owner = (mode & 0o070) === 0 ? `${process.getuid?.()}` : `g${process.getgid?.()}`;
  return `/dev/shm/holdfast-${owner}-${namespace}`;
}

/** What of this namespace lies in /dev/shm: its files, and whatever may lie beside them. */
export function leftovers(namespace: string): string[] {
  return readdirSync('/dev/shm').filter(
    (file) => file.startsWith('holdfast-') && `${file}.`.includes(`-${namespace}.`),
  );
}

/**
 * A namespace for this test file alone: in force for the test process and, by the environment, for
 * every child. After the last test it is unlinked, which fails while a child of it lives or the test
 * process still holds a lock: both are leaks of a test.
 */
export function ownNamespace(label: string): string {
  const namespace = `test-${label}-${process.pid}`;
  process.env['HOLDFAST_NAMESPACE'] = namespace;
  afterAll(() => {
    try {
      unlinkNamespace(namespace);
      expect(leftovers(namespace)).toEqual([]);
    } finally {
      rmSync(regionFile(namespace), { force: true });
    }
  });
  return namespace;
}

const extras = new Set<string>();
afterAll(() => {
  // Removed by hand: some of these files are such that holdfast itself refuses to touch them.
  for (const namespace of extras) {
    rmSync(regionFile(namespace), { force: true });
    rmSync(regionFile(namespace, 0o660), { force: true });
    expect(leftovers(namespace)).toEqual([]);
  }
});

let spaces = 0;

/** A further namespace, for children that get it by `env` or configure(). */
export function extraNamespace(length = 0): string {
  spaces += 1;
  const namespace = `test-extra-${process.pid}-${spaces}`.padEnd(length, '.A_z-09');
  extras.add(namespace);
  return namespace;
}

let names = 0;

/** A lock name that no other test of this file uses. */
export function uniqueName(label = 'lock'): string {
  names += 1;
  return `${label}-${names}`;
}

/** A directory for files that processes share, removed after the last test. */
export function ownDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-test-'));
  afterAll(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}
