'use strict';
const { spawnSync } = require('node:child_process');
const { cpSync, existsSync, rmSync } = require('node:fs');
const path = require('node:path');

const ROOT = path.join(__dirname, '..', '..');
const STAGED = path.join(__dirname, '..', 'node_modules', 'dynamo-tracing');

/**
 * Puts the built package where `require('dynamo-tracing')` finds it, as an installed copy: not a link, so that it shares
 * `@opentelemetry/api` with the SDK beside it, and a build that somebody starts meanwhile changes nothing.
 * `from` is a directory with a dist/ and a package.json; default: the repository, built first.
 */
function stage(from) {
  if (from === undefined) {
    const built = spawnSync('npm', ['run', 'build'], { cwd: ROOT, stdio: ['ignore', 'ignore', 'inherit'] });
    if (built.status !== 0 && !existsSync(path.join(ROOT, 'dist', 'index.js'))) throw new Error('`npm run build` failed and left nothing to measure');
    if (built.status !== 0) process.stderr.write('bench: `npm run build` reports errors; measuring what it built\n');
  }
  const source = from ?? ROOT;
  rmSync(STAGED, { recursive: true, force: true });
  for (const part of ['dist', 'package.json']) cpSync(path.join(source, part), path.join(STAGED, part), { recursive: true });
}

module.exports = { ROOT, STAGED, stage };
