export default {
  testMatch: ['<rootDir>/*.spec.mjs'],
  testEnvironment: 'node',
  transform: {},
};
