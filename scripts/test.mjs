// `npm test`: builds what is out of date, then the C++ tests, then vitest, whose summary comes last.
// Arguments go to vitest; with arguments the C++ tests are left out: `npm test -- test/lock`.

import { missingForCmake } from './native-build.mjs';
import { buildAddon, REMEDY } from './node-gyp.mjs';
import { run, runTool } from './run.mjs';

const vitestArgs = process.argv.slice(2);

const failure = buildAddon();
if (failure) {
  console.error(`The native addon could not be built: ${failure}.\n${REMEDY}`);
  process.exit(1);
}
runTool('tsc', ['-p', 'tsconfig.json']);

if (vitestArgs.length === 0) {
  const missing = missingForCmake();
  if (missing) console.log(`\nC++ tests left out: ${missing} not found.\n`);
  else run(process.execPath, ['scripts/test-native.mjs']);
}
runTool('vitest', ['run', ...vitestArgs]);
