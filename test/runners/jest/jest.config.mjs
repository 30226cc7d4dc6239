export default {
  testMatch: ['<rootDir>/*.spec.mjs'],
  testEnvironment: 'node',
  transform: {},
  // With it Jest uses workers wherever there may be some, however fast its cache says that the files are.
  workerIdleMemoryLimit: '1GB',
  // A busy machine is no failure; who starts this has a watchdog.
  testTimeout: 100_000,
};
