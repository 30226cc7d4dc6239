// `npm run build:native`: builds build/Release/holdfast.node, only what is out of date.
import { buildAddon, REMEDY } from './node-gyp.mjs';

const failure = buildAddon({ variables: process.argv.slice(2) });
if (failure) {
  console.error(`The native addon could not be built: ${failure}.\n${REMEDY}`);
  process.exit(1);
}
