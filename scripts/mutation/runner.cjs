'use strict';
const { existsSync, readFileSync } = require('node:fs');
const TestRunner = require('jest-runner').default;

/**
 * Runs the files one after the other. Stryker names the tests that reach a mutant and Jest would load every file to find them: files that
 * hold none of them are left out, and those whose tests are the fastest come first. The first file that fails is the last one: the mutant is killed.
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
    if (!existsSync(process.env.MUTATION_FILES)) return tests; // the first run
    const wanted = new RegExp(testNamePattern ?? '', 'i');
    const costs = new Map();
    for (const line of readFileSync(process.env.MUTATION_FILES, 'utf8').trim().split('\n')) {
      const [name, file, ms] = JSON.parse(line);
      if (wanted.test(name)) costs.set(file, (costs.get(file) ?? 0) + ms);
    }
    return tests.filter(({ path }) => costs.has(path)).sort((a, b) => costs.get(a.path) - costs.get(b.path));
  }
};
