import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import pkg from '../../package.json';
import { OPTION_NAMES } from '../../src/middleware/options.js';
import { typeErrors } from './type-errors.js';

const ROOT = join(__dirname, '..', '..');
const README = readFileSync(join(ROOT, 'README.md'), 'utf8');

describe('README.md', () => {
  test('every option of dynamoTracing() has a row', () => {
    const table = README.slice(README.indexOf('### Options'), README.indexOf('`req.trace` has'));
    const rows = [...table.matchAll(/^\| ((?:`\w+`(?:, )?)+) \|/gm)].flatMap(([, names]) => [...names!.matchAll(/\w+/g)].map(([name]) => name));
    expect(rows.sort()).toEqual([...OPTION_NAMES].sort());
  });

  test('every entry of the package has a row, and every command exists', () => {
    const entries = Object.keys(pkg.exports).filter((entry) => entry !== './package.json').map((entry) => entry.replace(/^\./, 'dynamo-tracing'));
    expect([...README.matchAll(/^\| `(dynamo-tracing[\w/-]*)` \|/gm)].map(([, name]) => name).sort()).toEqual(entries.sort());
    const scripts = new Set([...README.matchAll(/npm (?:run )?(demo|start|test(?!:)|worker|bench|lint|typecheck|test:interop)\b/g)].map(([, name]) => name!));
    expect([...scripts].filter((name) => !(name in pkg.scripts))).toEqual([]);
  });

  test('every file it links to exists', () => {
    for (const [, path] of README.matchAll(/\]\(([\w./-]+\.md)\)/g)) expect(readFileSync(join(ROOT, path!), 'utf8').length).toBeGreaterThan(0);
  });
});
