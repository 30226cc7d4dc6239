// `npm run test:native [-- --sanitize=address|thread|undefined] [-- <part of a test's name>]`:
// builds and runs the C++ tests.
import { parseArgs } from 'node:util';
import { cmakeBuild, missingForCmake } from './native-build.mjs';
import { run } from './run.mjs';

const { values, positionals } = parseArgs({
  options: { sanitize: { type: 'string', default: '' } },
  allowPositionals: true,
});
const missing = missingForCmake();
if (missing) {
  console.error(`The C++ tests need ${missing}.`);
  process.exit(1);
}
const folder = cmakeBuild({ sanitize: values.sanitize });
const filter = positionals.length > 0 ? ['-R', positionals.join('|')] : [];
run('ctest', ['--test-dir', folder, '--output-on-failure', '--no-tests=error', ...filter]);
