import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import ts from 'typescript';
import pkg from '../../package.json';
import { OPTION_NAMES } from '../../src/middleware/options.js';

const ROOT = join(__dirname, '..', '..');
const README = readFileSync(join(ROOT, 'README.md'), 'utf8');

/** What a reader's own code stands for in the snippets. */
const READERS_OWN = "declare const createApp: (workers: { worker: string }) => import('express').Express; declare const body: object;";

function snippets(markdown: string): string[] {
  return [...markdown.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, code]) => code!);
}

/** Type errors of the pages' snippets, compiled as modules of this project, all in one program: most of its time goes into reading what they import. */
function typeErrors(pages: readonly string[]): string[] {
  const { config } = ts.readConfigFile(join(ROOT, 'tsconfig.json'), ts.sys.readFile.bind(ts.sys)) as { config: { compilerOptions: Record<string, unknown> } };
  const { options } = ts.convertCompilerOptionsFromJson({ ...config.compilerOptions, module: 'esnext', moduleResolution: 'bundler', isolatedModules: false }, ROOT);
  const files = new Map(pages.flatMap((page) => snippets(readFileSync(join(ROOT, page), 'utf8')).map((code, i) => [join(ROOT, `${page.replaceAll('/', '-')}-${i}.ts`), moduleOf(code)])));
  const host = ts.createCompilerHost(options);
  const { readFile, fileExists } = host;
  host.readFile = (name) => files.get(name) ?? readFile(name);
  host.fileExists = (name) => files.has(name) || fileExists(name);
  host.getSourceFile = (name, version) => {
    const text = host.readFile(name);
    return text === undefined ? undefined : ts.createSourceFile(name, text, version);
  };
  const program = ts.createProgram([...files.keys()], options, host);
  // Of the snippets alone: `npm run typecheck` checks the files that they import.
  const diagnostics = [...files.keys()].map((name) => program.getSourceFile(name)).flatMap((file) => [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)]);
  return diagnostics.map(({ file, messageText }) => `${basename(file?.fileName ?? '')}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`);
}

function moduleOf(code: string): string {
  const fromJest = code.includes('dynamo-tracing/jest') ? `import { expect${code.includes("\ntest('") ? ', test' : ''} } from '@jest/globals';\n` : '';
  return `${READERS_OWN}\n${fromJest}${code}`;
}

describe('README.md', () => {
  test('its TypeScript and that of docs/harness.md compile against this package', () => {
    expect(typeErrors(['README.md', 'docs/harness.md'])).toEqual([]);
  }, 60_000);

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
