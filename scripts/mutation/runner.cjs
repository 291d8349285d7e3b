'use strict';
const { existsSync, readFileSync } = require('node:fs');
const TestRunner = require('jest-runner').default;

/**
 * Runs the files one after the other. Stryker names the tests that reach a mutant and Jest would load every file to find them: files that
 * hold none of them are left out. The first file that fails is the last one: the mutant is killed.
 */
module.exports = class extends TestRunner {
  async runTests(tests, watcher, options) {
    let failed = false;
    this.on('test-file-success', ([, result]) => { failed ||= result.numFailingTests > 0 || result.testExecError !== undefined; });
    this.on('test-file-failure', () => { failed = true; });
    for (const test of this.#reaching(tests)) {
      await super.runTests([test], watcher, options);
      if (failed && process.env.__STRYKER_ACTIVE_MUTANT__ !== undefined) return;
    }
  }

  #reaching(tests) {
    const { testNamePattern } = this._globalConfig;
    if (!testNamePattern || !existsSync(process.env.MUTATION_FILES)) return tests;
    const wanted = new RegExp(testNamePattern, 'i');
    const known = readFileSync(process.env.MUTATION_FILES, 'utf8').trim().split('\n').map((line) => JSON.parse(line));
    const files = new Set(known.filter(([name]) => wanted.test(name)).map(([, file]) => file));
    return tests.filter(({ path }) => files.has(path));
  }
};
