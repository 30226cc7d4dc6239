// The native developer's build: CMakeLists.txt through cmake-js, in build-cmake/<variant>.
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { onPath, root } from './node-gyp.mjs';
import { runTool } from './run.mjs';

/** What is missing for it, in words, or null. */
export function missingForCmake() {
  const missing = [];
  if (!onPath('cmake')) missing.push('cmake');
  if (!process.env.CXX && !onPath('g++') && !onPath('c++')) missing.push('a C++ compiler');
  return missing.length > 0 ? missing.join(' and ') : null;
}

/** Builds what is out of date (of all, or of one target), or only configures. Returns the build's folder. */
export function cmakeBuild({ sanitize = '', configureOnly = false, target = '' } = {}) {
  const folder = join('build-cmake', sanitize || 'dev');
  runTool('cmake-js', [
    configureOnly ? 'configure' : 'build',
    `--out=${folder}`,
    '--config=RelWithDebInfo',
    `--parallel=${availableParallelism()}`,
    '--log-level=error',
    `--CDHOLDFAST_SANITIZE=${sanitize}`,
    ...(target ? [`--target=${target}`] : []),
  ]);
  return join(root, folder);
}
