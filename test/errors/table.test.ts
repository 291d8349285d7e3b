import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { ERROR_TABLE } from '../../src/errors/index.js';

const root = join(__dirname, '..', '..');

function documented(): Record<string, string> {
  const rows = readFileSync(join(root, 'docs/errors.md'), 'utf8').matchAll(/^\| `(ERR_\w+)` \| (.*) \|$/gm);
  return Object.fromEntries([...rows].map(([, code = '', text = '']) => [code, text]));
}

function source(): string {
  const folder = join(root, 'src');
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && name !== join('errors', 'table.ts'))
    .map((name) => readFileSync(join(folder, name), 'utf8')).join('\n');
}

describe('the table of error codes', () => {
  it.each(Object.entries(ERROR_TABLE))('%s has the form of a code and says when it occurs', (code, text) => {
    expect(code).toMatch(/^ERR_[A-Z_]+$/);
    expect(text).toMatch(/^[A-Z].*\.$/);
  });

  it('is the same table as docs/errors.md: codes, texts and order', () => {
    expect(Object.entries(documented())).toEqual(Object.entries(ERROR_TABLE));
  });

  it('holds no code that src never uses', () => {
    const text = source();
    const unused = Object.keys(ERROR_TABLE).filter((code) => !text.includes(`'${code}'`));
    expect(unused).toEqual([]);
  });

  it('holds every code that src mentions', () => {
    const mentioned = new Set([...source().matchAll(/\bERR_[A-Z\d_]+/g)].map(([code]) => code));
    const foreign = /^ERR_(HTTP2?|STREAM|INVALID|SOCKET|TLS|MODULE|USE)_/; // Node's own
    const unknown = [...mentioned].filter((code) => !Object.hasOwn(ERROR_TABLE, code) && !foreign.test(code));
    expect(unknown).toEqual([]);
  });
});
