// Runs node-gyp to build the addon. Plain Node.js, no dependencies: it runs at `npm install`.
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = dirname(dirname(fileURLToPath(import.meta.url)));

export const REMEDY =
  'Install python3, make and g++ (Debian, Ubuntu: `apt-get install python3 make g++`; Alpine: ' +
  '`apk add python3 make g++ linux-headers`), then run `npm rebuild holdfast`.';

/**
 * Builds build/Release/holdfast.node, only what is out of date. `variables` are gyp's,
 * such as `holdfast_portable=1`. Returns what went wrong, or null.
 */
export function buildAddon({ variables = [], stdio = 'inherit' } = {}) {
  const missing = missingTools();
  if (missing.length > 0) return `${missing.join(', ')} not found`;
  const [command, ...prefix] = nodeGyp();
  const args = ['configure', 'build', '--loglevel=warn', '--jobs=max', ...nodeDir()];
  const env = {
    ...process.env,
    GYP_DEFINES: [process.env.GYP_DEFINES ?? '', ...variables].join(' ').trim(),
    MAKEFLAGS: '--no-print-directory',
  };
  const options = { cwd: root, stdio, env };
  const { status, signal, error } = spawnSync(command, [...prefix, ...args], options);
  if (error?.code === 'ENOENT') return 'node-gyp not found (it comes with npm)';
  if (error) return error.message;
  return status === 0 ? null : `node-gyp ended with ${signal ?? `exit code ${status}`}`;
}

/** Whether a program is on the PATH. */
export function onPath(program) {
  return (process.env.PATH ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

function missingTools() {
  const python = process.env.npm_config_python ?? process.env.PYTHON;
  const tools = [
    ['python3', python || onPath('python3') || onPath('python')],
    ['make', process.env.MAKE || onPath('make')],
    ['a C++ compiler (g++)', process.env.CXX || onPath('g++') || onPath('c++')],
  ];
  return tools.filter(([, found]) => !found).map(([name]) => name);
}

function nodeGyp() {
  // npm names its own copy to the scripts it runs; outside of npm, the one beside this node.
  const besideNode = '../lib/node_modules/npm/node_modules/node-gyp/bin/node-gyp.js';
  const candidates = [process.env.npm_config_node_gyp, join(dirname(process.execPath), besideNode)];
  const script = candidates.find((path) => path && existsSync(path));
  return script ? [process.execPath, script] : ['node-gyp'];
}

/** Node.js installations bring their headers: with these, node-gyp has nothing to download. */
function nodeDir() {
  if (process.env.npm_config_nodedir) return [];
  const prefix = dirname(dirname(process.execPath));
  try {
    const header = readFileSync(join(prefix, 'include/node/node_version.h'), 'utf8');
    const version = ['MAJOR', 'MINOR', 'PATCH'].map(
      (part) => new RegExp(`#define NODE_${part}_VERSION (\\d+)`).exec(header)?.[1],
    );
    return version.join('.') === process.versions.node ? [`--nodedir=${prefix}`] : [];
  } catch {
    return [];
  }
}
