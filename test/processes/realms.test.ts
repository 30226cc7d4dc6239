import { expect, it } from 'vitest';
import { spawnFixture } from '../support/child.js';
import { ownNamespace } from '../support/namespace.js';

ownNamespace('realms');

const execArgv = ['--experimental-vm-modules', '--no-warnings'];

interface Context {
  readonly released: Record<string, boolean>;
  readonly odd: boolean;
}

it('in a vm context, with no Symbol.dispose on Node.js 20, every `with` ends what it began', async () => {
  const child = spawnFixture('context.mjs', { execArgv });
  const { released, odd } = await child.next<Context & { type: string }>('done');
  expect(Object.entries(released).filter(([, isOver]) => !isOver)).toEqual([]);
  expect(Object.keys(released)).toHaveLength(16);
  expect(odd).toBe(false);
  expect(await child.exited).toEqual({ code: 0, signal: null });
});
