import { expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import request from 'supertest';
import ts from 'typescript';
import { startHarness } from 'dynamo-tracing/harness';
import { RequestPlaneClient } from 'dynamo-tracing/transport';
import 'dynamo-tracing/jest';
import { BODY, CHAT, gateway, TRACEPARENT } from './support/app';
import { runInJest } from './support/child-jest';

const GUIDE = readFileSync(join(__dirname, '..', '..', 'docs', 'harness.md'), 'utf8');
const blocks = [...GUIDE.matchAll(/## ([^\n]+)\n|```ts\n([^]*?)```/g)].reduce<{ heading: string; code: string }[]>((found, [, heading, code]) => {
  if (heading !== undefined) found.push({ heading, code: '' });
  else found.push({ heading: found.at(-1)?.heading ?? '', code: code! });
  return found;
}, []).filter(({ code }) => code !== '');

const PACKAGE: Record<string, () => unknown> = {
  'dynamo-tracing/harness': () => jest.requireActual('dynamo-tracing/harness'),
  'dynamo-tracing/jest': () => ({}),
};
declare const jest: { requireActual(name: string): unknown };

const [first, ...rest] = blocks;
// test/interop runs that one, against real Dynamos.
const others = rest.filter(({ heading }) => heading !== 'Test your Dynamo set-up from jest');

test('docs/harness.md, A first test: a whole test file, which runs as it is pasted', async () => {
  const { code, output } = await runInJest(first!.code);
  expect(output).toContain('✓ one trace from the client to the worker');
  expect(code).toBe(0);
}, 180_000);

test.each(others)('docs/harness.md, $heading: the code runs', async ({ code }) => {
  const client = new RequestPlaneClient({ responseHost: '127.0.0.1', logger: false });
  const createApp = ({ worker }: { worker: string }) => gateway(client, worker);
  const harness = await startHarness();
  try {
    const worker = await harness.worker('dynamo.backend.generate');
    const res = await request(gateway(harness.client(), worker.address)).post(CHAT).set('traceparent', TRACEPARENT).send(BODY);
    const js = ts.transpileModule(code, { compilerOptions: { module: ts.ModuleKind.CommonJS, target: ts.ScriptTarget.ES2022, esModuleInterop: true } }).outputText;
    const find = (name: string): unknown => PACKAGE[name]?.() ?? createRequire(__filename)(name);
    const names = { require: find, exports: {}, createApp, body: BODY, expect, harness, worker, res, console: { log: () => undefined } };
    // eslint-disable-next-line @typescript-eslint/no-implied-eval -- the code is the guide's own
    const run = new Function(...Object.keys(names), `return (async () => {${js}\n})();`) as (...values: unknown[]) => Promise<void>;
    await run(...Object.values(names));
  } finally {
    await client.close();
    await harness.close();
  }
});

test('no block of code in docs/harness.md is passed over', () => expect(blocks).toHaveLength(GUIDE.split('```ts').length - 1));
