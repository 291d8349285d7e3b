// The contract suites on the built package, with a real OpenTelemetry SDK registered: what `npm run test:matrix` runs under each Node.
// OPENTELEMETRY is the SDK's major version, 2 (the default, from this package's own node_modules) or 3.
const base = require('./jest.config.cjs');

const packages = process.env.OPENTELEMETRY === '3' ? '<rootDir>/test/field/opentelemetry-3/node_modules' : '<rootDir>/node_modules';

/** @type {import('jest').Config} */
module.exports = {
  ...base,
  // Those that say the same of every framework. The others of the folder register an SDK of their own, or count what one costs.
  testMatch: ['callouts', 'endings', 'error-handlers', 'every-framework', 'watching'].map((name) => `<rootDir>/test/contracts/${name}.test.ts`),
  testPathIgnorePatterns: [],
  setupFiles: ['<rootDir>/test/support/register-sdk.cjs'],
  moduleNameMapper: {
    '^dynamo-tracing$': '<rootDir>/dist/index.js',
    '^dynamo-tracing/(.*)$': '<rootDir>/dist/$1.js',
    '^@opentelemetry/([^/]+)$': `${packages}/@opentelemetry/$1`,
    '^(\\.{1,2}/(?!.*/dist/).*)\\.js$': ['$1', '$1.js'],
  },
};
