// npm's `install` script: in an installed package, builds the addon only where no shipped one loads;
// in a git clone, builds what is out of date.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { buildAddon, REMEDY, root } from './node-gyp.mjs';

if (process.platform !== 'linux') {
  console.error(
    `holdfast runs on Linux (x64, arm64) only, not on ${process.platform}: ` +
      'its locks rest on futexes and robust mutexes.',
  );
  process.exit(1);
}

const isClone = existsSync(join(root, 'lib/native.ts'));
if (isClone || !addonLoads()) {
  const failure = buildAddon();
  if (failure) {
    console.error(`holdfast: the native addon could not be built: ${failure}.\n${REMEDY}`);
    process.exit(1);
  }
}

/** Asks the loader itself, in a child process: a broken addon may take its process down. */
function addonLoads() {
  const loader = join(root, 'dist/native.js');
  return spawnSync(process.execPath, [loader], { stdio: 'ignore' }).status === 0;
}
