import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, test } from '@jest/globals';
import ts from 'typescript';
import * as root from '../../src/index.js';
import * as fastify from '../../src/fastify.js';
import * as hono from '../../src/hono.js';
import * as koa from '../../src/koa.js';
import { doc, examples, table } from './table.js';
import { typeErrors } from './type-errors.js';

/** The entries that the document shows, by the heading of their part; the root's comes first, without one. */
const ENTRIES = { index: root, fastify, koa, hono };

/** The headings of a part of the document that name an export. */
function names(markdown: string): string[] {
  return [...markdown.matchAll(/^### (.*)$/gm)].map(([, name]) => name!);
}

/** Types that an entry exports, by its source. */
function typesOf(entry: string): string[] {
  const source = ts.createSourceFile(entry, readFileSync(join(__dirname, '..', '..', 'src', entry), 'utf8'), ts.ScriptTarget.Latest);
  const declarations = source.statements.filter(ts.isExportDeclaration);
  return declarations.flatMap(({ exportClause, isTypeOnly }) => (exportClause !== undefined && ts.isNamedExports(exportClause)
    ? exportClause.elements.filter((element) => isTypeOnly || element.isTypeOnly).map((element) => element.name.text)
    : []));
}

describe('docs/api.md', () => {
  const parts = doc('api.md').split(/^## dynamo-tracing\/.*$/m);

  it('has a part for every value that each entry exports, and no other', () => {
    expect([...doc('api.md').matchAll(/^## dynamo-tracing\/(.*)$/gm)].map(([, entry]) => entry)).toEqual(Object.keys(ENTRIES).slice(1));
    expect(parts.map((part) => names(part).sort())).toEqual(Object.values(ENTRIES).map((entry) => Object.keys(entry).sort()));
  });

  it('has an example of every export, which uses it', () => {
    const shown = examples('api.md', 'ts');
    expect(shown.map(({ heading }) => heading)).toEqual(parts.flatMap(names));
    for (const { heading, code } of shown) expect(code.split('\n').filter((line) => new RegExp(`\\b${heading}\\b`).test(line)).length).toBeGreaterThan(1);
  });

  it('has a row for every type that the entries export, in order, and no other', () => {
    expect(table('api.md', 'type', 'what it is').map(([name]) => name)).toEqual([...new Set(Object.keys(ENTRIES).flatMap((entry) => typesOf(`${entry}.ts`)))].sort());
  });

  it('is linked from the README', () => {
    expect(doc('../README.md')).toContain('](docs/api.md)');
  });
});

test('the TypeScript of the documents compiles against this package', () => {
  const pages = readdirSync(join(__dirname, '..', '..', 'docs')).filter((name) => name.endsWith('.md')).map((name) => `docs/${name}`);
  expect(typeErrors(['README.md', 'SECURITY.md', ...pages])).toEqual([]);
}, 120_000);
