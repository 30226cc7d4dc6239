import { Agent } from './agent.js';
import { spawnFixture } from './child.js';

/** Processes under control of the test that meet at events, conditions and barriers: see fixtures/meet.mjs. */
export function meeters(count: number): Promise<Agent[]> {
  return Promise.all(
    Array.from({ length: count }, async () => {
      const child = spawnFixture('meet.mjs');
      return new Agent(child, await child.next('ready'));
    }),
  );
}

/** The `i`-th waits sync or async: both kinds in every test. */
export function verbFor(base: string, i: number): string {
  return i % 2 === 0 ? base : `${base}Sync`;
}
