import { defineConfig } from 'vitest/config';

export default defineConfig({
  root: import.meta.dirname,
  cacheDir: '../../../node_modules/.vite-runners',
  // A busy machine is no failure; who starts this has a watchdog.
  test: { include: ['*.spec.mjs'], maxWorkers: 1, testTimeout: 100_000, hookTimeout: 100_000 },
});
