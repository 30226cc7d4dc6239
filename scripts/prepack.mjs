// npm's `prepack`: a clean dist/, and this machine's addon in prebuilds/.
import { copyFileSync, existsSync, mkdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { buildAddon, REMEDY, root } from './node-gyp.mjs';
import { run, runTool } from './run.mjs';

// `npm pack` may be the first thing that is run in a clone. What npm told this script's
// environment about its own command is not for the inner one.
if (!existsSync(join(root, 'node_modules/.bin/tsc'))) {
  run('npm', ['ci', '--ignore-scripts', '--dry-run=false'], { stdio: ['ignore', 2, 2] });
}

rmSync(join(root, 'dist'), { recursive: true, force: true });
runTool('tsc', ['-p', 'tsconfig.json'], { stdio: ['ignore', 2, 2] });

// stdout belongs to `npm pack`, which prints the tarball's name (or its --json) there.
const failure = buildAddon({ variables: ['holdfast_portable=1'], stdio: ['ignore', 2, 2] });
if (failure) {
  console.error(`holdfast: the native addon could not be built: ${failure}.\n${REMEDY}`);
  process.exit(1);
}
const { platformTag } = await import(pathToFileURL(join(root, 'dist/native.js')).href);
const prebuilt = join(root, 'prebuilds', platformTag(), 'holdfast.node');
mkdirSync(dirname(prebuilt), { recursive: true });
copyFileSync(join(root, 'build/Release/holdfast.node'), prebuilt);
