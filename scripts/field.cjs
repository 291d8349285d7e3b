'use strict';
// Packs the package, puts it beside the packages of test/field as npm would, and runs the apps there under this Node.
// Arguments are names of test files, to run only those: `npm run test:field -- proxies`.
const { execFileSync, spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');

const root = path.join(__dirname, '..');
const field = path.join(root, 'test', 'field');
const run = (command, args, cwd) => execFileSync(command, args, { cwd, stdio: ['ignore', 'pipe', 'inherit'], encoding: 'utf8' });

function installNeighbours() {
  const lock = fs.readFileSync(path.join(field, 'package-lock.json'));
  const installed = path.join(field, 'node_modules', '.installed-lock.json');
  if (fs.existsSync(installed) && fs.readFileSync(installed).equals(lock)) return;
  run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], field);
  fs.writeFileSync(installed, lock);
}

/** Into node_modules by hand: npm would write the tarball's checksum, another one at each run, into the lockfile. */
function installPackage() {
  const target = path.join(field, 'node_modules', 'dynamo-tracing');
  run('npm', ['run', 'build'], root);
  const [{ filename }] = JSON.parse(run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', field], root));
  const tarball = path.join(field, filename);
  fs.rmSync(target, { recursive: true, force: true });
  fs.mkdirSync(target);
  run('tar', ['-xzf', tarball, '-C', target, '--strip-components=1'], field);
  fs.rmSync(tarball);
}

installNeighbours();
installPackage();
const chosen = process.argv.slice(2);
const files = fs.readdirSync(field).filter((name) => name.endsWith('.test.mjs') && (chosen.length === 0 || chosen.some((part) => name.includes(part))));
const { status } = spawnSync(process.execPath, ['--test', '--test-concurrency=2', ...files], { cwd: field, stdio: 'inherit' });
process.exitCode = status ?? 1;
