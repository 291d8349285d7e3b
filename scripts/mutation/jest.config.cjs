// Jest as scripts/mutation/run.mjs runs it: the tests of one folder, transpiled only, each mutant with the test files that reach it.
const base = require('../../jest.config.cjs');

const tests = JSON.parse(process.env.MUTATION_TESTS ?? '["test/**"]');

/** @type {import('jest').Config} */
module.exports = {
  ...base,
  rootDir: '../..',
  roots: ['<rootDir>/src', '<rootDir>/test'],
  testMatch: tests.map((pattern) => (pattern.startsWith('!') ? `!<rootDir>/${pattern.slice(1)}` : `<rootDir>/${pattern}`)),
  maxWorkers: 1,
  transform: { '^.+\\.ts$': '<rootDir>/scripts/mutation/transpile.cjs' },
  setupFilesAfterEnv: ['<rootDir>/scripts/mutation/setup.cjs'],
  testEnvironment: require.resolve('./environment.cjs'),
  runner: '<rootDir>/scripts/mutation/runner.cjs',
};
