export default {
  testMatch: ['<rootDir>/*.spec.mjs'],
  testEnvironment: 'node',
  transform: {},
  // A busy machine is no failure; who starts this has a watchdog.
  testTimeout: 100_000,
};
