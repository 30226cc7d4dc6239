import { cpSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** A second copy of the package as it was built, in `directory`: its main module. */
export function copyPackage(directory: string): string {
  for (const part of ['package.json', 'dist', 'build/Release/holdfast.node']) {
    mkdirSync(join(directory, part, '..'), { recursive: true });
    cpSync(join(ROOT, part), join(directory, part), { recursive: true });
  }
  return pathToFileURL(join(directory, 'dist/index.js')).href;
}
