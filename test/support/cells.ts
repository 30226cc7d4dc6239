import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Makes a file of `count` zeroes, for the fixtures' `Cells` to share without any atomicity. */
export function makeCells(directory: string, name: string, count: number): string {
  const path = join(directory, name);
  writeFileSync(path, new Uint8Array(8 * count));
  return path;
}

/** All numbers of the file. */
export function readCells(path: string): number[] {
  const bytes = readFileSync(path);
  return Array.from({ length: bytes.length / 8 }, (_, i) => bytes.readDoubleLE(8 * i));
}

/** The lines that several processes appended to a file. */
export function readLines(path: string): string[] {
  return readFileSync(path, 'utf8').split('\n').filter(Boolean);
}
