// `npm run test:interop`: against real Dynamo processes from PyPI. docs/interop.md says what they are and what came of it.
const base = require('./jest.config.cjs');

/** @type {import('jest').Config} */
module.exports = {
  ...base,
  testMatch: ['<rootDir>/test/interop/**/*.test.ts'],
  testPathIgnorePatterns: ['/node_modules/'],
  globalSetup: '<rootDir>/test/interop/setup.ts',
  reporters: ['default', '<rootDir>/test/interop/reporter.cjs'],
  testTimeout: 30_000,
  // Most of the time is waiting for other processes.
  maxWorkers: 2,
};
