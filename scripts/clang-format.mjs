// Checks the layout of native/ against .clang-format, or with --write brings it about.
import { filesBelow, runTool } from './run.mjs';

const check = ['--dry-run', '--Werror', '--fno-color-diagnostics'];
const mode = process.argv.includes('--write') ? ['-i'] : check;
runTool('clang-format', [...mode, '--style=file', ...filesBelow('native', ['.cc', '.h'])]);
