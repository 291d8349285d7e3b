// `npm run test:load`: many requests, many calls, memory, processes that exit, a real etcd. Kept apart because they take longer than all the others.
const base = require('./jest.config.cjs');

/** @type {import('jest').Config} */
module.exports = { ...base, testMatch: ['<rootDir>/test/**/*.load.test.ts'], testPathIgnorePatterns: ['/node_modules/'] };
