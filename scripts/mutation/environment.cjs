'use strict';
const { appendFileSync } = require('node:fs');
const { TestEnvironment } = require('jest-environment-node');

/** With a mutant, tests after the first that fails are skipped. The first run, without one, notes which file each test is in. */
module.exports = class extends TestEnvironment {
  #file;
  #failed = false;

  constructor(config, context) {
    super(config, context);
    this.#file = context.testPath;
  }

  handleTestEvent(event) {
    const mutant = process.env.__STRYKER_ACTIVE_MUTANT__;
    if (event.name === 'test_done' && event.test.errors.length > 0 && mutant !== undefined) this.#failed = true;
    if (event.name !== 'test_start') return;
    if (this.#failed) event.test.mode = 'skip';
    if (mutant === undefined) appendFileSync(process.env.MUTATION_FILES, `${JSON.stringify([nameOf(event.test), this.#file])}\n`);
  }
};

/** The test's own name after those of the blocks that it is in; the outermost block is Jest's own. */
function nameOf({ name, parent }) {
  return parent?.parent === undefined ? name : `${nameOf(parent)} ${name}`;
}
