// The default logger writes what goes wrong only; tests hear every record through onRecord.
process.env.DYN_LOG ??= 'error';

/** @type {import('jest').Config} */
module.exports = {
  testEnvironment: 'node',
  // Most tests wait for sockets and processes: every core has a worker, not all but one.
  maxWorkers: '100%',
  // Milliseconds. Real processes and sockets are slow on a machine that does other work too; what waits for one thing names it sooner (test/support/until.ts).
  testTimeout: 30_000,
  testMatch: ['<rootDir>/test/**/*.test.ts', '<rootDir>/examples/**/*.test.ts'],
  testPathIgnorePatterns: ['/node_modules/', '<rootDir>/test/interop/', '<rootDir>/examples/(vitest|node-test)-', '\\.load\\.test\\.ts$'],
  // isolatedModules: ts-jest only transpiles here, `npm run typecheck` checks the types.
  transform: { '^.+\\.ts$': ['ts-jest', { tsconfig: 'tsconfig.json' }] },
  moduleNameMapper: {
    '^dynamo-tracing$': '<rootDir>/src/index.ts',
    '^dynamo-tracing/(fastify|koa|hono|transport|harness|jest|metrics|otel)$': '<rootDir>/src/$1.ts',
    '^(\\.{1,2}/.*)\\.js$': '$1',
  },
  coverageProvider: 'v8',
  collectCoverageFrom: ['src/**/*.ts'],
};
