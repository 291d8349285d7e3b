import { readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import ts from 'typescript';

const ROOT = join(__dirname, '..', '..');

/** What a reader has beside the examples: code of their own, and packages that are not installed here. */
const READERS_OWN = `
declare const createApp: (workers: { worker: string }) => import('express').Express;
declare const body: object;
declare const AppModule: new () => object;
declare const dynamoTracing: typeof import('dynamo-tracing').dynamoTracing;
declare const workers: readonly string[];
declare const index: { find(tokens: readonly number[]): Promise<{ worker: string; overlap: number }> };
declare const tokens: readonly number[];
declare const error: Error;
declare const queue: (() => void)[];
declare const consumer: { on(event: 'message', listener: (message: { headers: Record<string, string> }) => void): void };
declare module 'undici' { export * from 'undici-types'; }
declare module 'http-proxy-middleware' {
  import type { ClientRequest, IncomingMessage, ServerResponse } from 'node:http';
  export function createProxyMiddleware(options: { target: string; on: { proxyReq: (proxyReq: ClientRequest, req: IncomingMessage, res: ServerResponse) => void } }): import('express').RequestHandler;
}`;

/** What a test file has without importing it. */
function globalsOf(code: string): string[] {
  return ['expect', 'test', 'describe', 'beforeAll', 'afterAll'].filter((name) => name === 'expect' || new RegExp(String.raw`(^|\s)${name}[.(\s]`).test(code));
}

/** Type errors of the TypeScript in documents, compiled as modules of this project: document, line and what is wrong with it. */
export function typeErrors(documents: readonly string[]): string[] {
  return compile(documents.flatMap((name) => [...readFileSync(join(ROOT, name), 'utf8').matchAll(/```ts\n([\s\S]*?)```/g)].map(([, code], i) => [`${name}-${i}.ts`, code!] as const)));
}

/** Type errors of modules, given by name and text, as if they stood in this project. */
export function compile(snippets: readonly (readonly [string, string])[]): string[] {
  const { config } = ts.readConfigFile(join(ROOT, 'tsconfig.json'), ts.sys.readFile.bind(ts.sys)) as { config: { compilerOptions: Record<string, unknown> } };
  const { options } = ts.convertCompilerOptionsFromJson({ ...config.compilerOptions, module: 'esnext', moduleResolution: 'bundler', isolatedModules: false }, ROOT);
  const files = new Map(snippets.map(([name, code]) => [join(ROOT, name), `export {};${code.includes('dynamo-tracing/jest') ? ` import { ${globalsOf(code).join(', ')} } from '@jest/globals';` : ''}\n${code}`]));
  files.set(join(ROOT, 'readers-own.d.ts'), READERS_OWN);
  const host = ts.createCompilerHost(options);
  const { readFile, fileExists } = host;
  host.readFile = (file) => files.get(file) ?? readFile(file);
  host.fileExists = (file) => files.has(file) || fileExists(file);
  host.getSourceFile = (file, version) => {
    const text = host.readFile(file);
    return text === undefined ? undefined : ts.createSourceFile(file, text, version);
  };
  const program = ts.createProgram([...files.keys()], options, host);
  // Of the examples alone: `npm run typecheck` checks the files that they import.
  const diagnostics = [...files.keys()].map((file) => program.getSourceFile(file)).flatMap((file) => [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)]);
  return [...program.getOptionsDiagnostics(), ...program.getGlobalDiagnostics(), ...diagnostics].map(({ file, start = 0, messageText }) => {
    const line = file?.text.slice(file.text.lastIndexOf('\n', start) + 1).split('\n', 1)[0]?.trim() ?? '';
    return `${file === undefined ? '' : relative(ROOT, file.fileName)}: ${line}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`;
  });
}
