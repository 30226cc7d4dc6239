import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts', 'lib/**/*.test.ts'],
    // Processes, not threads: tests fork, kill, and look at what a process's end leaves behind.
    pool: 'forks',
    maxWorkers: 2,
    // No retries: a flake in a lock library is a race to be found.
    retry: 0,
    // Each test has a watchdog of its own; this one only ends what escaped it.
    testTimeout: 400_000,
    hookTimeout: 120_000,
    teardownTimeout: 30_000,
    reporters: ['default'],
  },
});
