// Prints the C++ sources of the groups named as arguments, one a line, from native/sources.json:
// the one list that binding.gyp (through this script) and CMakeLists.txt both build from.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const groups = JSON.parse(readFileSync(join(root, 'native/sources.json'), 'utf8'));

for (const group of process.argv.slice(2)) {
  if (!(group in groups)) throw new Error(`native/sources.json has no group "${group}"`);
  for (const pattern of groups[group]) {
    // Patterns are "<folder>/*<extension>": all that CMake's file(GLOB) and this need to agree on.
    const folder = dirname(pattern);
    const files = readdirSync(join(root, folder)).filter((f) => extname(f) === extname(pattern));
    for (const file of files.sort()) console.log(`${folder}/${file}`);
  }
}
