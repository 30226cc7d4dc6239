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

/** How much was eaten together, by lines that say "Argos ate 20". */
function eatenBy(lines: string[], eaters: number): number {
  const meals = lines.map((line) => Number(/^\w+ +ate (\d+)$/.exec(line)?.[1]));
  expect(meals).toHaveLength(eaters);
  return meals.reduce((sum, meal) => sum + meal, 0);
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

  'semaphore-section.mjs': (lines) => {
    expect(lines).toEqual(['5 processes, 20 visits: never more than 2 inside at once']);
  },

  'downloads/main.mjs': (lines) => {
    expect(lines).toEqual(['4 processes, 20 downloads: never more than 3 at once']);
  },

  'starting-signal.mjs': (lines) => {
    expect(lines).toEqual([
      'before the signal, a wait of 20 ms: false',
      'the signal: Ann, Bob and Cid go',
      'too late to wait, and goes too: Dot',
    ]);
  },

  'producer-consumers/main.mjs': (lines) => {
    expect(lines).toEqual([
      "100 numbers through 4 places: each came to one consumer, each consumer's in order",
    ]);
  },

  'bakery.mjs': (lines) => {
    expect(lines).toEqual(['24 loaves baked, 24 sold to 4 customers, 0 left']);
  },

  'deadlock.mjs': (lines) => {
    expect(lines).toEqual([
      'Ann has the pen, and got no paper in 200 ms',
      'Bob has the paper, and got no pen in 200 ms',
      '0 letters written: a deadlock, and only the time-out ended it',
    ]);
  },

  'deadlock-order.mjs': (lines) => {
    expect(lines).toEqual(['2 writers, 100 letters each: 200 letters written']);
  },

  'deadlock-retry.mjs': (lines) => {
    expect(lines).toEqual([
      '2 writers, 20 letters each: 40 letters written, after giving up at least once',
    ]);
  },

  'deadlock-with-all.mjs': (lines) => {
    expect(lines).toEqual(['2 writers, 100 letters each: 200 letters written']);
  },

  'database/main.mjs': (lines) => {
    expect(lines).toEqual([
      '4 readers were in at once',
      '200 reads beside 40 updates: no half-written file, no wrong sum, no update lost',
    ]);
  },

  'bank-transfer.mjs': (lines) => {
    expect(lines).toEqual([
      'without a lock: 400 at first, 340 at the end: 60 lost',
      'with a lock:    400 at first, 400 at the end: nothing lost',
    ]);
  },

  'tickets.mjs': (lines) => {
    expect(lines.at(-1)).toBe('3 seats, 4 buyers: 3 sold, none twice, 1 buyer came too late');
    const fates = lines.slice(0, -1).map((line) => line.replace(/^\w+ /, ''));
    expect(fates.sort()).toEqual(['came too late', 'has seat 1', 'has seat 2', 'has seat 3']);
  },

  'dogs-at-a-bowl.mjs': (lines) => {
    expect(lines.at(-1)).toBe('60 bites in the bowl, 60 eaten by 3 dogs, 0 left');
    expect(eatenBy(lines.slice(0, -1), 3)).toBe(60);
  },

  'birds-and-seeds.mjs': (lines) => {
    expect(lines.at(-1)).toBe('90 seeds in 3 heaps, 90 eaten by 4 birds; left: 0, 0, 0');
    expect(eatenBy(lines.slice(0, -1), 4)).toBe(90);
  },

  'lock-free-counter.mjs': (lines) => {
    expect(lines).toEqual(['4 processes, 10000 steps each: 4 times round, and back at 0']);
  },

  'stock/main.mjs': (lines) => {
    expect(lines.at(-1)).toBe('90 orders, 50 pots: 50 sold, 40 refused, nothing oversold');
    const stock = lines.slice(0, -1).map((line) => {
      const [, product, sold, left] = /^(\w+): (\d+) sold, (\d+) left$/.exec(line) ?? [];
      return [product, Number(sold) + Number(left)];
    });
    expect(stock).toEqual([
      ['cup', 100],
      ['pot', 50],
      ['tea', 100],
    ]);
    expect(lines).toContain('pot: 50 sold, 0 left');
  },

  'printing.mjs': (lines) => {
    expect(lines.at(-1)).toBe('3 processes, 12 verses: printed one at a time');
    const verses = [];
    for (let i = 0; i < lines.length - 1; i += 3) {
      const verse = lines[i]?.replace(/, line 1$/, '');
      expect(lines.slice(i, i + 3)).toEqual([1, 2, 3].map((line) => `${verse}, line ${line}`));
      verses.push(verse);
    }
    const poets = ['Ann', 'Bob', 'Cid'];
    expect(verses.sort()).toEqual(
      poets.flatMap((poet) => [1, 2, 3, 4].map((verse) => `${poet}, verse ${verse}`)),
    );
  },

  'lockstep.mjs': (lines) => {
    expect(lines).toEqual([
      ...[1, 2, 3, 4].map((round) => `round ${round}: 3 done`),
      '3 parties, 4 rounds in lockstep; the indexes of each round: 0, 1, 2',
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
