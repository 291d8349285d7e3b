'use strict';
// What comes with the package: nothing runs when it is installed, the tarball holds what it should and no more, the licences of all that it
// may be used with are known, and the bill of materials (CycloneDX, written to sbom.cdx.json) lists nothing else.
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');

const root = path.join(__dirname, '..');
const pkg = require('../package.json');
const npm = (...args) => JSON.parse(execFileSync('npm', args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'], maxBuffer: 1 << 28 }));
const problems = [];
const expect = (holds, problem) => void (holds || problems.push(problem));

const RUN_AT_INSTALL = ['preinstall', 'install', 'postinstall', 'preprepare', 'prepare', 'postprepare'];
for (const name of RUN_AT_INSTALL) expect(!(name in pkg.scripts), `scripts.${name} would run when the package is installed`);
for (const field of ['dependencies', 'optionalDependencies', 'bundleDependencies', 'bin', 'gypfile']) expect(pkg[field] === undefined, `package.json has ${field}`);

const [{ files, size }] = npm('pack', '--dry-run', '--json', '--ignore-scripts');
const names = new Set(files.map(({ path: name }) => name));
const ALLOWED = /^(package\.json|README\.md|LICENSE|CHANGELOG\.md|CONTRIBUTING\.md|SECURITY\.md|docs\/[\w-]+\.(md|svg)|examples\/[\w./-]+\.(ts|mts|json|yaml|md|Dockerfile)|src\/[\w/-]+\.ts|dist\/[\w/-]+(\.d)?\.(js|ts|mjs|mts)(\.map)?)$/;
for (const name of names) expect(ALLOWED.test(name), `${name} does not belong into the package`);
for (const name of names) if (name.startsWith('dist/')) expect(names.has(name.replace(/^dist\//, 'src/').replace(/(\.d)?\.(js|ts|mjs|mts)(\.map)?$/, '.ts')), `${name} has no source`);
const targets = (value) => (typeof value === 'string' ? [value] : Object.values(value).flatMap(targets));
for (const target of targets(pkg.exports)) expect(names.has(target.slice(2)), `${target} of exports is not in the package`);
for (const name of ['LICENSE', 'README.md', 'CHANGELOG.md', 'SECURITY.md']) expect(names.has(name), `${name} is not in the package`);
// A reader of the package, or of its page on npm, follows the links of its documents to files that came with it.
for (const name of names) {
  if (!name.endsWith('.md')) continue;
  for (const [, link] of fs.readFileSync(path.join(root, name), 'utf8').matchAll(/\]\(([^)\s#]+)(?:#[^)]*)?\)/g)) {
    const target = path.posix.join(path.posix.dirname(name), link);
    expect(/^[a-z]+:/.test(link) || names.has(target) || [...names].some((other) => other.startsWith(`${target}/`)), `${name} links to ${link}, which is not in the package`);
  }
}
expect(size < 1_500_000, `the package is ${size} bytes large`);

const LICENCES = new Set(['Apache-2.0', 'MIT', 'ISC', 'BSD-2-Clause', 'BSD-3-Clause']);
const OPTIONAL = ['@nats-io/transport-node', '@noble/hashes', '@opentelemetry/context-async-hooks', '@opentelemetry/sdk-node', '@opentelemetry/sdk-trace-base', 'prom-client'];
for (const name of [...Object.keys(pkg.peerDependencies), ...OPTIONAL]) {
  const { license, version } = JSON.parse(fs.readFileSync(path.join(root, 'node_modules', name, 'package.json'), 'utf8'));
  expect(LICENCES.has(license), `${name} has the licence ${license}`);
  console.log(`${name} ${version}: ${license}${OPTIONAL.includes(name) ? ', looked up when used' : ', peer'}`);
}

const sbom = npm('sbom', '--sbom-format', 'cyclonedx', '--omit', 'dev', '--package-lock-only');
for (const { name } of sbom.components) expect(name in pkg.peerDependencies, `the bill of materials lists ${name}`);
fs.writeFileSync(path.join(root, 'sbom.cdx.json'), JSON.stringify(sbom, null, 2));

try {
  const { metadata: { vulnerabilities } } = npm('audit', '--omit=dev', '--json');
  console.log(`npm audit --omit=dev: ${vulnerabilities.total} known vulnerabilities`);
} catch (error) {
  // It ends with an error both where it has found something and where the registry has no such service.
  const report = /^\s*\{/.test(error.stdout ?? '') ? JSON.parse(error.stdout) : {};
  if (report.metadata === undefined) console.log('npm audit --omit=dev: skipped, the registry does not answer it');
  else problems.push(`npm audit --omit=dev: ${report.metadata.vulnerabilities.total} known vulnerabilities`);
}

if (pkg.repository.url.includes('/OWNER/')) console.log('repository, homepage and bugs in package.json still name OWNER: set them before you publish');
for (const problem of problems) console.error(`check-supply: ${problem}`);
if (problems.length > 0) process.exit(1);
console.log(`supply: ok, ${names.size} files, ${size} bytes, ${sbom.components.length} components beside our own`);
