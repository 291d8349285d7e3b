'use strict';
const { appendFileSync } = require('node:fs');
const { TestEnvironment } = require('jest-environment-node');

/** With a mutant, tests after the first that fails are skipped. The first run, without one, notes the file and the milliseconds of each test. */
module.exports = class extends TestEnvironment {
  #file;
  #failed = false;

  constructor(config, context) {
    super(config, context);
    this.#file = context.testPath;
  }

  handleTestEvent({ name, test }) {
    const mutant = process.env.__STRYKER_ACTIVE_MUTANT__;
    if (name === 'test_start' && this.#failed) test.mode = 'skip';
    if (name !== 'test_done') return;
    if (mutant === undefined) appendFileSync(process.env.MUTATION_FILES, `${JSON.stringify([nameOf(test), this.#file, test.duration ?? 0])}\n`);
    else this.#failed ||= test.errors.length > 0;
  }
};

/** The test's own name after those of the blocks that it is in; the outermost block is Jest's own. */
function nameOf({ name, parent }) {
  return parent?.parent === undefined ? name : `${nameOf(parent)} ${name}`;
}
