// What the developer's scripts share: running a program, and finding the project's files.
import { spawn, spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { root } from './node-gyp.mjs';

/** Runs a program. Returns where it succeeds, else ends this process with its exit code. */
export function run(command, args = [], options = {}) {
  const { status, signal, error } = spawnSync(command, args, {
    cwd: root,
    stdio: 'inherit',
    ...options,
  });
  if (error) throw error;
  if (status !== 0) {
    // Whoever ended by itself has said why.
    if (signal) console.error(`${[command, ...args].join(' ')}: ended by ${signal}`);
    process.exit(status ?? 1);
  }
}

/** Runs a program that a dev dependency brought, on this very Node.js. */
export function runTool(name, args = [], options = {}) {
  run(process.execPath, [join(root, 'node_modules/.bin', name), ...args], options);
}

/** Runs a program and collects what it prints. Resolves to `{ status, output }`. */
export function capture(command, args) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => {
        output += text;
      });
    }
    child.on('error', reject);
    child.on('close', (status) => resolve({ status, output }));
  });
}

/** The files below `folder` with one of the extensions, relative to the project's root, sorted. */
export function filesBelow(folder, extensions) {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && extensions.some((e) => entry.name.endsWith(e)))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .sort();
}
