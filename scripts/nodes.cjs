'use strict';
// Runs the suite under each Node that the package supports and that does not run this script, or under those that the arguments name: `npm run test:nodes -- 24`.
// Every other argument goes on to jest.
const { spawnSync } = require('node:child_process');
const path = require('node:path');
const { setImmediate } = require('node:timers/promises');
const { SUPPORTED, isNode, withNode } = require('./node-versions.cjs');

const given = process.argv.slice(2);
const named = given.filter(isNode);
const nodes = named.length > 0 ? named : SUPPORTED.filter((node) => !process.version.startsWith(`v${node}.`));
const jest = ['node_modules/jest/bin/jest.js', ...given.filter((argument) => !isNode(argument))];

/** Returns what the last line about this Node says of it: its version and whether the suite passed. */
function test(node) {
  try {
    return withNode(node, (env, version) => {
      console.log(`\n=== Node ${version}: ${jest.join(' ')} ===`);
      return { version, passed: spawnSync('node', jest, { cwd: path.join(__dirname, '..'), env, stdio: 'inherit' }).status === 0 };
    });
  } catch (error) {
    console.error(error.message);
    return { version: `v${node}`, passed: false };
  }
}

async function main() {
  const results = [];
  process.on('SIGINT', () => process.exit(130));
  for (const node of nodes) {
    results.push(test(node));
    await setImmediate(); // A Ctrl-C has ended the child only; here it ends this process, whose folder is removed by now.
  }
  const failed = results.filter(({ passed }) => !passed).length;
  console.log();
  for (const { version, passed } of results) console.log(`Node ${version}: ${passed ? 'passed' : 'failed'}`);
  console.log(`${results.length - failed} passed, ${failed} failed`);
  process.exitCode = failed > 0 ? 1 : 0;
}

main();
