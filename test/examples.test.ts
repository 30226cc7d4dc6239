import { spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { adopt } from './support/child.js';

const folder = new URL('../examples/', import.meta.url);

/** Runs one example to its end: its lines. It must exit 0 and leave nothing in /dev/shm. */
async function run(example: string): Promise<string[]> {
  const file = fileURLToPath(new URL(example, folder));
  const started = spawn(process.execPath, [file], { stdio: ['ignore', 'pipe', 'pipe'] });
  const child = adopt(started, example);
  const exit = await child.exited;
  expect(exit, child.output).toEqual({ code: 0, signal: null });
  const left = readdirSync('/dev/shm').filter((name) => name.endsWith(`-${started.pid}`));
  expect(left).toEqual([]);
  return child.output.trimEnd().split('\n');
}

/** What the leading comment of each example promises that it prints. */
const promises: Record<string, (lines: string[]) => void> = {
  'unsafe-counter.mjs': (lines) => {
    const [, expected, counted, lost] =
      /^expected (\d+), counted (\d+): (\d+) increments lost$/.exec(lines[0] ?? '') ?? [];
    expect(lines).toHaveLength(1);
    expect(Number(lost)).toBeGreaterThan(0);
    expect(Number(counted) + Number(lost)).toBe(Number(expected));
  },

  'safe-counter.mjs': (lines) => {
    expect(lines).toEqual(['expected 1000, counted 1000: nothing lost']);
  },

  'file-counter.mjs': (lines) => {
    expect(lines.slice(0, -1).sort()).toEqual([
      'acquire   counted 30',
      'with      counted 30',
      'withSync  counted 30',
    ]);
    expect(lines.at(-1)).toBe('expected 90, counted 90');
  },

  'nut-pile.mjs': (lines) => {
    expect(lines.at(-1)).toBe('200 nuts, 4 squirrels: none left, none taken twice');
    const hoards = lines
      .slice(0, -1)
      .map((line) => Number(/^\w+ +has (\d+) nuts$/.exec(line)?.[1]));
    expect(hoards).toHaveLength(4);
    expect(hoards.reduce((sum, nuts) => sum + nuts, 0)).toBe(200);
  },

  'recursive-rlock.mjs': (lines) => {
    expect(lines).toEqual([
      'RLock, sync:   depth 1, 2, 3, then 0',
      'RLock, async:  outer, inner, then the other task',
      'Lock, sync:    ERR_HOLDFAST_DEADLOCK',
      '200 audits: the total was 1000 each time',
    ]);
  },

  'shared-log.mjs': (lines) => {
    expect(lines).toEqual(['4 writers, 100 entries each: 400 whole, 0 torn, 0 lost']);
  },

  'counter-service/main.mjs': (lines) => {
    expect(lines).toEqual([
      '4 processes, 1000 increments each: the counter stands at 4000',
      'each number from 1 to 4000 was given out once',
    ]);
  },

  'oven/main.mjs': (lines) => {
    expect(lines.at(-1)).toBe('6 dishes baked, one at a time');
    const steps = lines.slice(0, -1);
    expect(steps).toHaveLength(12);
    const dishes = steps.flatMap((line, i) => {
      const [, cook, verb, dish, way] = /^(\w+) (\w+) the (\w+) (\w+)$/.exec(line) ?? [];
      if (i % 2 === 0) {
        expect([verb, way]).toEqual(['puts', 'in']);
        return [];
      }
      expect(steps[i - 1]).toBe(`${cook} puts the ${dish} in`);
      expect([verb, way]).toEqual(['takes', 'out']);
      return [`${cook} ${dish}`];
    });
    expect(dishes.filter((dish) => dish.startsWith('Ada'))).toEqual([
      'Ada bread',
      'Ada cake',
      'Ada quiche',
    ]);
    expect(dishes.filter((dish) => dish.startsWith('Ben'))).toEqual([
      'Ben pizza',
      'Ben lasagne',
      'Ben crumble',
    ]);
  },

  'demo.mjs': (lines) => {
    const output = lines.join('\n');
    const killed = /^killed: +pid (\d+) by SIGKILL, holding the lock, .*increment 50$/m.exec(
      output,
    );
    const next = /^next owner: +pid (\d+), [\d.]+ ms after the kill, told abandoned: true$/m.exec(
      output,
    );
    expect(killed).not.toBeNull();
    expect(next).not.toBeNull();
    expect(next?.[1]).not.toBe(killed?.[1]);
    expect(output).toMatch(/^expected: +649 = 3 x 200 \+ 49$/m);
    expect(output).toMatch(/^counted: +649$/m);
    // Plain lines: a pipe is no terminal.
    expect(output).not.toContain('\u001b');
    expect(output.match(/told abandoned: true/g)).toHaveLength(2);
  },
};

describe('the example', () => {
  it.each(Object.entries(promises))('%s prints what its first lines promise', async (...row) => {
    const [example, check] = row;
    check(await run(example));
  });

  it('is in the table above, whichever it is', () => {
    const found = readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
      if (entry.isDirectory()) {
        const main = `${entry.name}/main.mjs`;
        return existsSync(new URL(main, folder)) ? [main] : [];
      }
      return entry.name.endsWith('.mjs') ? [entry.name] : [];
    });
    expect(found.sort()).toEqual(Object.keys(promises).sort());
  });
});
