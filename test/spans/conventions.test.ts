/** Names and values of our attributes against the constants that OpenTelemetry publishes, those in development included. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, test } from '@jest/globals';
import * as conventions from '@opentelemetry/semantic-conventions/incubating';
import { DEFAULT_ROUTES, DIALECTS, type RouteEntry } from '../../src/middleware/index.js';
import { genAiOf } from '../../src/middleware/routes.js';
import { SEMANTIC_NAMES, toAttributes } from '../../src/spans/index.js';
import { doc, table } from '../docs/table.js';

const CONSTANTS = conventions as unknown as Readonly<Record<string, unknown>>;
const SRC = join(__dirname, '..', '..', 'src');
const NAMESPACES = /^(?:error|gen_ai|http|messaging|network|server|url)\./;

/** Constants whose description says that another one has taken their place. That of gen_ai says that all have moved to a repository of their own. */
function deprecated(): Set<string> {
  const folder = join(require.resolve('@opentelemetry/semantic-conventions/incubating'), '..');
  const texts = readdirSync(folder).filter((name) => /attributes\.d\.cts$/i.test(name)).map((name) => readFileSync(join(folder, name), 'utf8'));
  return new Set(texts.flatMap((text) => [...text.matchAll(/\/\*\*(?:(?!\*\/)[^])*@deprecated (?!Moved to)(?:(?!\*\/)[^])*\*\/\s*declare const (\w+)/g)].map(([, name]) => name!)));
}

/** The published values of constants that begin so, deprecated ones left out. */
function values(prefix: string): string[] {
  const gone = deprecated();
  return Object.keys(CONSTANTS).filter((name) => name.startsWith(prefix) && !gone.has(name)).map((name) => String(CONSTANTS[name]));
}

const inference = [...DEFAULT_ROUTES, { kind: 'inference' as const, path: '/v1/mistyped' } as RouteEntry].filter(({ kind }) => kind === 'inference').map(({ dialect = 'generic', endpoint = 'unknown' }) => genAiOf({ dialect, endpoint }));

describe("OpenTelemetry's semantic conventions", () => {
  test('the published constants that are deprecated are told from the others', () => {
    expect(['ATTR_GEN_AI_SYSTEM', 'ATTR_GEN_AI_USAGE_PROMPT_TOKENS'].map((name) => deprecated().has(name))).toEqual([true, true]);
    expect(['ATTR_GEN_AI_PROVIDER_NAME', 'ATTR_HTTP_ROUTE'].map((name) => deprecated().has(name))).toEqual([false, false]);
  });

  test('every name of their namespaces in the sources and in docs/spans.md is a published one', () => {
    const published = new Set(values('ATTR_'));
    const sources = readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'));
    const written = sources.flatMap((name) => [...readFileSync(join(SRC, name), 'utf8').matchAll(/'([a-z_]+(?:\.[a-z_]+)+)'/g)].map(([, text]) => text!)).filter((name) => NAMESPACES.test(name));
    const shown = table('spans.md', 'attribute').flatMap(([name, , , semantic]) => [name!, semantic!]).filter((name) => NAMESPACES.test(name));
    expect(written.length).toBeGreaterThan(10);
    // What is read of the spans of older instrumentations, and Node's diagnostics channels.
    const others = ['http.method', 'http.server.request.start', 'http.client.request.created', 'http.client.request.start'];
    const known = new Set([...published, ...values('METRIC_'), ...others]);
    expect([...new Set([...written, ...shown, ...Object.values(SEMANTIC_NAMES)])].filter((name) => !known.has(name))).toEqual([]);
  });

  test('a provider is one that the conventions know', () => {
    expect([...new Set(Object.values(DIALECTS).map(({ provider }) => provider))].filter((provider) => !values('GEN_AI_PROVIDER_NAME_VALUE_').includes(provider))).toEqual([]);
  });

  test('an operation is one that the conventions know, or stands in docs/spans.md as one of our own, which they have no name for', () => {
    const known = new Set(values('GEN_AI_OPERATION_NAME_VALUE_'));
    const own = [...new Set(inference.map(({ operation }) => operation))].filter((operation) => !known.has(operation)).sort();
    const [, listed = ''] = /Operations of our own: ([^.]*)\./.exec(doc('spans.md').replaceAll('\n', ' ')) ?? [];
    expect([...listed.matchAll(/`(\w+)`/g)].map(([, name]) => name)).toEqual(own);
    expect(new Set(inference.map(({ operation }) => operation))).toEqual(new Set([...own, 'chat', 'text_completion', 'embeddings', 'generate_content']));
  });

  it.each([
    [{ method: 'GET' }, { 'http.request.method': 'GET' }],
    [{ method: 'QUERY' }, { 'http.request.method': 'QUERY' }],
    [{ method: 'PROPFIND' }, { 'http.request.method': '_OTHER', 'http.request.method_original': 'PROPFIND' }],
    [{ version: 'HTTP/1.0' }, { 'network.protocol.version': '1.0' }],
    [{ version: 'HTTP/2.0' }, { 'network.protocol.version': '2' }],
    [{ finish_reason: 'tool_calls' }, { 'gen_ai.response.finish_reasons': ['tool_calls'] }],
  ])('writes %j as they want it', (fields, expected) => {
    expect(toAttributes('semconv', fields)).toEqual(expected);
  });

  test('docs/spans.md says that prompts and answers are not captured', () => {
    expect(doc('spans.md')).toMatch(/## Content\n/);
  });
});
