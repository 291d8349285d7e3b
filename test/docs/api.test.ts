import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, test } from '@jest/globals';
import ts from 'typescript';
import * as root from '../../src/index.js';
import * as fastify from '../../src/fastify.js';
import { doc, examples, table } from './table.js';
import { typeErrors } from './type-errors.js';

const FASTIFY = '\n## dynamo-tracing/fastify\n';

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
  const [ofRoot, ofFastify] = doc('api.md').split(FASTIFY) as [string, string];

  it('has a part for every value that each entry exports, and no other', () => {
    expect(names(ofRoot).sort()).toEqual(Object.keys(root).sort());
    expect(names(ofFastify).sort()).toEqual(Object.keys(fastify).sort());
  });

  it('has an example of every export, which uses it', () => {
    const shown = examples('api.md', 'ts');
    expect(shown.map(({ heading }) => heading)).toEqual([...names(ofRoot), ...names(ofFastify)]);
    for (const { heading, code } of shown) expect(code.split('\n').filter((line) => new RegExp(`\\b${heading}\\b`).test(line)).length).toBeGreaterThan(1);
  });

  it('has a row for every type that the entries export, in order, and no other', () => {
    expect(table('api.md', 'type', 'what it is').map(([name]) => name)).toEqual([...new Set([...typesOf('index.ts'), ...typesOf('fastify.ts')])].sort());
  });

  it('is linked from the README', () => {
    expect(doc('../README.md')).toContain('](docs/api.md)');
  });
});

test('the TypeScript of the documents compiles against this package', () => {
  const pages = readdirSync(join(__dirname, '..', '..', 'docs')).filter((name) => name.endsWith('.md')).map((name) => `docs/${name}`);
  expect(typeErrors(['README.md', 'SECURITY.md', ...pages])).toEqual([]);
}, 120_000);
