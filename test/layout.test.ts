/** The house's layout (design: imports go down): folders, ranks and doors, read from the sources by the TypeScript parser. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, sep } from 'node:path';
import ts from 'typescript';
import { describe, expect, it } from '@jest/globals';

const RANKS: Readonly<Record<string, number>> = {
  errors: 0,
  internal: 1,
  'trace-context': 2, protocol: 2,
  spans: 3, logging: 3,
  middleware: 4, outbound: 4, transport: 4, metrics: 4, otel: 4,
  harness: 5,
};
/** The files directly under src/: the package's entries. */
const ENTRIES = 6;
const MAX_LINES = 300;

const root = join(__dirname, '..', 'src');
const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts')).sort();

interface Source {
  /** Path under src/. */
  readonly name: string;
  readonly lines: number;
  /** What every static import and `export from` names, `import x = require()` and import types too. */
  readonly imports: readonly string[];
  readonly exportsAll: readonly string[];
  /** `import()` as an expression and `require()` of a file of ours. */
  readonly dynamic: readonly string[];
}

function parse(name: string, text: string): Source {
  const imports: string[] = [];
  const exportsAll: string[] = [];
  const dynamic: string[] = [];
  const visit = (node: ts.Node): void => {
    if ((ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) && node.moduleSpecifier !== undefined) {
      const target = (node.moduleSpecifier as ts.StringLiteral).text;
      imports.push(target);
      if (ts.isExportDeclaration(node) && (node.exportClause === undefined || ts.isNamespaceExport(node.exportClause))) exportsAll.push(target);
    } else if (ts.isExternalModuleReference(node)) {
      imports.push((node.expression as ts.StringLiteral).text);
    } else if (ts.isImportTypeNode(node)) {
      imports.push(((node.argument as ts.LiteralTypeNode).literal as ts.StringLiteral).text);
    } else if (ts.isCallExpression(node)) {
      const argument = node.arguments[0];
      const target = argument !== undefined && ts.isStringLiteralLike(argument) ? argument.text : '?';
      if (node.expression.kind === ts.SyntaxKind.ImportKeyword) dynamic.push(`import(${target})`);
      else if (node.expression.getText(tree) === 'require' && target.startsWith('.')) dynamic.push(`require(${target})`);
    }
    ts.forEachChild(node, visit);
  };
  const tree = ts.createSourceFile(name, text, ts.ScriptTarget.Latest, true);
  visit(tree);
  return { name, lines: text.replace(/\n$/, '').split('\n').length, imports, exportsAll, dynamic };
}

const folderOf = (name: string): string | undefined => (name.includes(sep) ? name.slice(0, name.indexOf(sep)) : undefined);
const rankOf = (folder: string | undefined): number | undefined => (folder === undefined ? ENTRIES : Object.hasOwn(RANKS, folder) ? RANKS[folder] : undefined);

/** What is wrong with one import of one file; undefined when it is allowed. */
function fault(from: string, target: string): string | undefined {
  if (!target.startsWith('.')) return /^dynamo-tracing(\/|$)/.test(target) ? 'imports its own package by name' : undefined;
  if (!target.endsWith('.js')) return 'does not end in .js';
  const to = normalize(join(dirname(from), target)).replace(/\.js$/, '.ts');
  if (to.startsWith('..')) return 'leaves src';
  const [own, other] = [folderOf(from), folderOf(to)];
  if (own === other) return undefined;
  const [ownRank, otherRank] = [rankOf(own), rankOf(other)];
  if (ownRank === undefined || otherRank === undefined) return 'has no rank';
  if (otherRank >= ownRank) return `goes from rank ${ownRank} to rank ${otherRank}`;
  return to === join(other ?? '', 'index.ts') ? undefined : 'does not go through the door, index.ts';
}

const sources = files.map((name) => parse(name, readFileSync(join(root, name), 'utf8')));

describe('the layout of src', () => {
  it('has only folders with a rank', () => {
    expect([...new Set(files.map(folderOf))].filter((folder) => rankOf(folder) === undefined)).toEqual([]);
  });

  it('has a door in every folder', () => {
    const folders = [...new Set(files.map(folderOf))].filter((folder) => folder !== undefined);
    expect(folders.filter((folder) => !files.includes(join(folder, 'index.ts')))).toEqual([]);
  });

  it('has imports that go down only, through the door, never between folders of one rank', () => {
    expect(sources.flatMap(({ name, imports }) => imports.flatMap((target) => {
      const wrong = fault(name, target);
      return wrong === undefined ? [] : [`${name}: '${target}' ${wrong}`];
    }))).toEqual([]);
  });

  it('has no export *', () => {
    expect(sources.flatMap(({ name, exportsAll }) => exportsAll.map((target) => `${name}: export * from '${target}'`))).toEqual([]);
  });

  it('has no dynamic import()', () => {
    expect(sources.flatMap(({ name, dynamic }) => dynamic.map((call) => `${name}: ${call}`))).toEqual([]);
  });

  it(`has no file of more than ${MAX_LINES} lines`, () => {
    expect(sources.filter(({ lines }) => lines > MAX_LINES).map(({ name, lines }) => `${name}: ${lines} lines`)).toEqual([]);
  });
});

describe('the layout test itself', () => {
  it('finds every form of import', () => {
    const { imports, exportsAll, dynamic } = parse('x.ts', `
      import a from './a.js'; import type { B } from './b.js'; import './c.js'; export { d } from './d.js'; export type { E } from './e.js';
      import f = require('./f.js'); type G = import('./g.js').G; export * from './h.js'; export * as i from './i.js';
      const j = () => import('./j.js'); const k = require('./k.js'); const l = require('pkg');
      // import './comment.js'
      const text = "import './text.js'"; export const own = 1;`);
    expect(imports).toEqual(['./a.js', './b.js', './c.js', './d.js', './e.js', './f.js', './g.js', './h.js', './i.js']);
    expect(exportsAll).toEqual(['./h.js', './i.js']);
    expect(dynamic).toEqual(['import(./j.js)', 'require(./k.js)']);
  });

  it.each<[string, string, string | undefined]>([
    ['spans/a.ts', './b.js', undefined],
    ['spans/deep/a.ts', '../b.js', undefined],
    ['spans/a.ts', '../internal/index.js', undefined],
    ['spans/deep/a.ts', '../../internal/index.js', undefined],
    ['index.ts', './harness/index.js', undefined],
    ['fastify.ts', './index.js', undefined],
    ['spans/a.ts', 'node:fs', undefined],
    ['spans/a.ts', '../internal/clock.js', 'does not go through the door, index.ts'],
    ['spans/a.ts', '../internal/deep/index.js', 'does not go through the door, index.ts'],
    ['index.ts', './harness/harness.js', 'does not go through the door, index.ts'],
    ['spans/a.ts', '../logging/index.js', 'goes from rank 3 to rank 3'],
    ['errors/a.ts', '../internal/index.js', 'goes from rank 0 to rank 1'],
    ['harness/a.ts', '../index.js', 'goes from rank 5 to rank 6'],
    ['spans/a.ts', '../nowhere/index.js', 'has no rank'],
    ['spans/a.ts', '../constructor/index.js', 'has no rank'],
    ['spans/a.ts', '../../test/x.js', 'leaves src'],
    ['spans/a.ts', '../internal/index', 'does not end in .js'],
    ['spans/a.ts', 'dynamo-tracing', 'imports its own package by name'],
  ])('in %s, an import of %s: %p', (from, target, wrong) => {
    expect(fault(normalize(from), target)).toBe(wrong);
  });
});
