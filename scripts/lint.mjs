// `npm run lint`: everything is checked, then it fails if anything did.
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, relative } from 'node:path';
import { cmakeBuild, missingForCmake } from './native-build.mjs';
import { onPath, root } from './node-gyp.mjs';
import { capture } from './run.mjs';

const failed = [];
const bin = (name) => join(root, 'node_modules/.bin', name);

await step('biome', process.execPath, [bin('biome'), 'check', '--error-on-warnings', '.']);
await step('tsc', process.execPath, [bin('tsc'), '-p', 'tsconfig.check.json']);
await step('clang-format', process.execPath, ['scripts/clang-format.mjs']);
await clangTidy();

if (failed.length > 0) {
  console.error(`lint failed: ${failed.join(', ')}`);
  process.exit(1);
}

async function step(name, command, args) {
  const { status, output } = await capture(command, args);
  report(name, status === 0, output);
}

function report(name, ok, output) {
  if (!ok) {
    failed.push(name);
    process.stdout.write(output);
  }
  console.log(`${ok ? 'ok    ' : 'FAILED'} ${name}`);
}

/** clang-tidy on every file that is shipped, a few at a time. The tests are compiled with -Werror. */
async function clangTidy() {
  const missing = onPath('clang-tidy') ? missingForCmake() : 'clang-tidy';
  if (missing) {
    console.log(`left out: clang-tidy (${missing} not found)`);
    return;
  }
  const folder = cmakeBuild({ configureOnly: true });
  const commands = JSON.parse(readFileSync(join(folder, 'compile_commands.json'), 'utf8'));
  const shipped = ({ file }) => !/\/native\/(test|bench)\//.test(file);
  const files = [...new Set(commands.filter(shipped).map(({ file }) => file))].sort();
  const worker = async () => {
    for (let file = files.pop(); file; file = files.pop()) {
      const { status, output } = await capture('clang-tidy', ['--quiet', '-p', folder, file]);
      report(`clang-tidy ${relative(root, file)}`, status === 0, output);
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, worker));
}
