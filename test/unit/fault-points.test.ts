import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const native = fileURLToPath(new URL('../../native/', import.meta.url));

/** The C++ sources under `native/`, of the tests or of the core. */
function sources(ofTests: boolean): string[] {
  return readdirSync(native, { recursive: true, encoding: 'utf8' })
    .filter((file) => /\.(cc|h)$/.test(file) && (dirname(file) === 'test') === ofTests)
    .map((file) => readFileSync(join(native, file), 'utf8'));
}

function strings(texts: string[], pattern: RegExp): Set<string> {
  return new Set(texts.flatMap((text) => [...text.matchAll(pattern)].map(([, name]) => `${name}`)));
}

it('every place of the core where a death is simulated is named by a test', () => {
  const points = strings(sources(false), /HOLDFAST_POINT\(\s*"([^"]*)"/g);
  const named = strings(sources(true), /"([^"\n]*)"/g);
  expect(points.size).toBeGreaterThan(50);
  expect([...points].filter((point) => !named.has(point))).toEqual([]);
});
