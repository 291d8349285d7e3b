/** What an application's hooks are told, by every adapter. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { context, trace } from '@opentelemetry/api';
import { AlwaysOffSampler } from '@opentelemetry/sdk-trace-base';
import { currentTrace, type CompletedRequest, type DynamoTracingOptions, type SystemRequest } from 'dynamo-tracing';
import { startSdk, type Sdk } from '../spans/support.js';
import { chat, CHAT, open, post, rawRequest, send } from '../support/client.js';
import { FRAMEWORKS, type TestServer } from '../support/frameworks.js';
import { until } from '../support/until.js';

const UUID = '6b3f2a60-3f0e-4f0e-9d55-1c1a6f0f3b11';

interface Told {
  readonly name: string;
  readonly value: unknown;
  /** Inside which request, and inside which span, the hook ran. */
  readonly requestId: string | undefined;
  readonly spanId: string | undefined;
}

describe.each(FRAMEWORKS.map((framework) => [framework.name, framework] as const))('hooks under %s', (_name, framework) => {
  let server: TestServer;
  let sdk: Sdk | undefined;
  let told: Told[] = [];
  const hook = (name: string) => (value: unknown): void => void told.push({ name, value, requestId: currentTrace()?.requestId, spanId: trace.getSpan(context.active())?.spanContext().spanId });
  const tracing: DynamoTracingOptions = { logger: false, env: { DYN_LOG: 'debug' }, onReceived: hook('onReceived'), onCompleted: hook('onCompleted'), onSystemCompleted: hook('onSystemCompleted') };
  const start = async (): Promise<void> => {
    server = await framework.start({
      tracing,
      raw: { '/v1/completions': () => undefined, '/health': (_req, res) => res.end('ok'), '/page': (_req, res) => res.end('hello') },
      native: { [CHAT]: ({ json }, { trace: own }) => (own.set({ tenant: 'acme', beta: true }), json(200, { id: 'c', choices: [] })) },
    });
  };
  const ask = (): Promise<unknown> => post(server.port, CHAT, '{"model":"m"}', { 'request-id': UUID });
  const one = async (name: string): Promise<Omit<Told, 'value'> & { readonly value: CompletedRequest & SystemRequest }> => {
    await until(`${name} is called`, () => told.some((call) => call.name === name));
    return told.find((call) => call.name === name) as Omit<Told, 'value'> & { readonly value: CompletedRequest & SystemRequest };
  };

  beforeEach(async () => {
    told = [];
    await start();
  });
  afterEach(async () => {
    await server.close();
    sdk?.stop();
    sdk = undefined;
  });

  test('a completed request says span, operation, provider and the fields that the handler set', async () => {
    await ask();
    const { value } = await one('onCompleted');
    expect(value).toMatchObject({ requestId: UUID, spanId: expect.stringMatching(/^[0-9a-f]{16}$/), operation: 'chat', provider: 'openai', fields: { tenant: 'acme', beta: true } });
  });

  test('a system request is told once with its route, and as no inference request', async () => {
    await send(server.port, { path: '/health' });
    expect((await one('onSystemCompleted')).value).toMatchObject({ method: 'GET', route: '/health', httpStatus: 200, elapsedMs: expect.any(Number), traceId: expect.stringMatching(/^[0-9a-f]{32}$/), sampled: false });
    expect(told.map(({ name }) => name)).toEqual(['onSystemCompleted']);
  });

  test('a hook runs inside the request and inside its span', async () => {
    sdk = startSdk();
    await ask();
    const received = await one('onReceived');
    const completed = await one('onCompleted');
    for (const call of [received, completed]) expect(call).toMatchObject({ requestId: UUID, spanId: completed.value.spanId });
    await send(server.port, { path: '/page' });
    const system = await one('onSystemCompleted');
    expect(system).toMatchObject({ requestId: system.value.requestId, spanId: system.value.spanId });
  });

  test('a hook runs inside a request that its client has left', async () => {
    sdk = startSdk();
    const client = await open(server.port);
    client.write(rawRequest('/v1/completions', chat(), { 'request-id': UUID }));
    await one('onReceived');
    client.destroy();
    const { value, ...where } = await one('onCompleted');
    expect([value.status, where]).toEqual(['cancelled', { name: 'onCompleted', requestId: UUID, spanId: value.spanId }]);
  });

  test('a trace counts as sampled only when an SDK records it and its sampler has taken it', async () => {
    for (const [config, sampled] of [[undefined, false], [{}, true], [{ sampler: new AlwaysOffSampler() }, false]] as const) {
      sdk = config && startSdk(config);
      told = [];
      await ask();
      expect([config, (await one('onCompleted')).value.sampled]).toEqual([config, sampled]);
      sdk?.stop();
    }
  });
});
