import { readdirSync } from 'node:fs';
import { NamedSemaphore, SharedMemory } from 'holdfast/posix';
import { afterAll, expect } from 'vitest';

const prefix = `/hf-test-${process.pid}-`;
const names: string[] = [];

afterAll(() => {
  for (const name of names) {
    NamedSemaphore.unlink(name);
    SharedMemory.unlink(name);
  }
  const left = readdirSync('/dev/shm').filter((file) => file.includes(prefix.slice(1)));
  expect(left).toEqual([]);
});

/** A name for a bare POSIX object that no other test uses, removed after the last test. */
export function posixName(): string {
  const name = `${prefix}${names.length}`;
  names.push(name);
  return name;
}
