import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import { regionFile } from './namespace.js';

/*
 * Damage of a region's bytes, as somebody does who knows nothing of them. Offsets are those of
 * native/region/layout.h.
 */
const OBJECT = { guard: 64, name: 192, parameters: 448 } as const;
const PROCESS = { bytes: 256, generation: 44, pid: 68 } as const;

/** The object's place in the region's file. */
function objectAt(bytes: Buffer, name: string): number {
  const at = bytes.indexOf(`${name}\0`) - OBJECT.name;
  if (at < 0) throw new Error(`no object ${name}`);
  return at;
}

/** What a guard's word is while the process is inside: the one that joined as the `index`th. */
function insideWord(bytes: Buffer, pid: number, index: number): number {
  for (let at = 0; at + PROCESS.bytes <= bytes.length; at += PROCESS.bytes) {
    if (bytes.readInt32LE(at + PROCESS.pid) !== pid) continue;
    return ((bytes.readUInt32LE(at + PROCESS.generation) & 0x3fff) << 16) | (index + 1);
  }
  throw new Error(`no process ${pid}`);
}

function write(namespace: string, at: number, words: readonly number[]): void {
  const fd = openSync(regionFile(namespace), 'r+');
  writeSync(fd, Uint32Array.from(words), 0, words.length * 4, at);
  closeSync(fd);
}

/** The object's guard says that the process is inside; `index`: how many joined before it. */
export function putInside(namespace: string, name: string, pid: number, index: number): void {
  const bytes = readFileSync(regionFile(namespace));
  write(namespace, objectAt(bytes, name) + OBJECT.guard, [insideWord(bytes, pid, index)]);
}

/** What the object's record says that it was made with. */
export function setParameters(namespace: string, name: string, parameters: readonly number[]) {
  const at = objectAt(readFileSync(regionFile(namespace)), name);
  write(namespace, at + OBJECT.parameters, parameters);
}
