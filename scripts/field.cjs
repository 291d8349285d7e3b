'use strict';
// Packs the package, puts it beside the packages of test/field as npm would, and runs the apps there under this Node.
// `--opentelemetry 3` takes the packages of test/field/opentelemetry-3 instead; other arguments are names of test files, to run only those:
// `npm run test:field -- --opentelemetry 3 proxies`.
const { execFileSync, spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { parseArgs } = require('node:util');

const root = path.join(__dirname, '..');
const apps = path.join(root, 'test', 'field');
/** Test files that do not run beside OpenTelemetry 3.x: packages of vendors bring 2.x; the two others choose their packages themselves, and both lines among them. */
const NOT_WITH_3 = ['vendors.test.mjs', 'first-run.test.mjs', 'telemetry.test.mjs'];
const { values: { opentelemetry }, positionals: chosen } = parseArgs({ allowPositionals: true, options: { opentelemetry: { type: 'string', default: '2' } } });
/** Where the packages are: the apps run beside them. */
const field = opentelemetry === '2' ? apps : path.join(apps, `opentelemetry-${opentelemetry}`);
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

/** Packages are looked up from the file that asks for them, so the tests and the apps are copied beside other packages. */
function copyApps() {
  const names = ['apps', 'support', 'telemetry', ...fs.readdirSync(apps).filter((name) => name.endsWith('.test.mjs'))].filter((name) => !NOT_WITH_3.includes(name));
  for (const name of NOT_WITH_3) fs.rmSync(path.join(field, name), { force: true });
  for (const name of names) fs.cpSync(path.join(apps, name), path.join(field, name), { recursive: true });
}

installNeighbours();
installPackage();
if (field !== apps) copyApps();
const files = fs.readdirSync(field).filter((name) => name.endsWith('.test.mjs') && (chosen.length === 0 || chosen.some((part) => name.includes(part))));
const { status } = spawnSync(process.execPath, ['--test', '--test-concurrency=2', '--test-reporter=spec', ...files], { cwd: field, stdio: 'inherit' });
process.exitCode = status ?? 1;
