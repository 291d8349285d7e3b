import { connect, type NatsConnection } from '@nats-io/transport-node';
import { ROOT_CONTEXT, SpanKind, trace, TraceFlags } from '@opentelemetry/api';
import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RequestPlaneClient } from '../../../src/transport/client/client.js';
import { FileDiscovery } from '../../../src/transport/discovery/index.js';
import { NatsRequestPlaneClient, serveNats, type NatsEndpoint } from 'dynamo-tracing/transport';
import { Router } from 'dynamo-tracing/transport';
import { RequestPlaneServer } from '../../../src/transport/server/server.js';
import type { EndpointHandler, RequestContext } from '../../../src/transport/types.js';
import { setTraceScope, TextTraceState } from '../../../src/trace-context/index.js';
import { describeWithNats, startNatsServer, type NatsServer } from '../../support/nats-server.js';
import { until } from '../../support/until.js';
import { recordSpans } from '../router/spans.js';

const recorded = recordSpans();
const REQUEST_ID = '0f8fad5b-d9cd-469f-a165-70867728950e';
const NAME = 'dynamo.backend.generate';

describeWithNats('Dynamo\'s NATS request plane over a real nats-server', () => {
  let nats: NatsServer;
  let callerConnection: NatsConnection;
  let workerConnection: NatsConnection;
  let client: NatsRequestPlaneClient;
  const closing: (() => Promise<void>)[] = [];

  beforeAll(async () => {
    nats = await startNatsServer();
    [callerConnection, workerConnection] = await Promise.all([connect({ servers: nats.url }), connect({ servers: nats.url })]);
    client = new NatsRequestPlaneClient(callerConnection, { responseHost: '127.0.0.1', logger: false });
  });

  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close();
  });

  afterAll(async () => {
    await client.close();
    await Promise.all([callerConnection.close(), workerConnection.close()]);
    await nats.stop();
  });

  async function serve(handler: EndpointHandler, options: ConstructorParameters<typeof RequestPlaneServer>[0] = {}): Promise<NatsEndpoint> {
    const server = new RequestPlaneServer({ host: '127.0.0.1', logger: false, ...options });
    const endpoint = await serveNats(workerConnection, server, NAME, handler, { logger: false });
    closing.push(async () => {
      await endpoint.remove();
      await server.close({ graceMs: 0 });
    });
    return endpoint;
  }

  async function collect(items: AsyncIterable<unknown>): Promise<unknown[]> {
    const all: unknown[] = [];
    for await (const item of items) all.push(item);
    return all;
  }

  it.each(['json', 'msgpack'] as const)('brings a request to the handler and its items back, with %s, u64 exact', async (codec) => {
    const { subject, instanceId } = await serve(async function * (request) {
      yield request;
      yield { id: 2n ** 64n - 1n };
    });
    expect(subject).toBe(`dynamo_backend.generate-${instanceId.toString(16)}`);
    expect(await collect(client.generate(subject, { p: [1, 'ü'], n: 2n ** 60n }, { codec }))).toEqual([{ p: [1, 'ü'], n: 2n ** 60n }, { id: 2n ** 64n - 1n }]);
  });

  it('carries trace, ids, metadata and headers, and the worker\'s span is a child of the caller\'s', async () => {
    let seen: RequestContext | undefined;
    const { subject, instanceId } = await serve(async function * (_request, context) {
      seen = context;
      yield 1;
    });
    const parent = { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331', traceFlags: TraceFlags.SAMPLED, isRemote: true, traceState: new TextTraceState('a=1,b=2') };
    const context = setTraceScope(trace.setSpanContext(ROOT_CONTEXT, parent), { ...parent, tracestate: 'a=1,b=2', requestId: REQUEST_ID, xRequestId: 'order 42' });
    await collect(client.generate(subject, {}, { context, metadata: { k: 'v' }, headers: { 'x-mine': 'yes' } }));
    const [call] = recorded.spans('client_request');
    await until('the worker\'s span', () => recorded.spans('handle_payload').length === 1);
    const [worker] = recorded.spans('handle_payload');
    expect(seen).toMatchObject({ requestId: REQUEST_ID, xRequestId: 'order 42', instanceId, namespace: 'dynamo', component: 'backend', endpoint: 'generate' });
    expect({ ...seen!.metadata }).toEqual({ k: 'v' });
    expect(seen!.headers).toMatchObject({ 'x-mine': 'yes', tracestate: 'a=1,b=2', 'request-id': REQUEST_ID, 'x-request-id': 'order 42' });
    expect(seen!.headers).not.toHaveProperty('x-endpoint-path');
    expect(worker).toMatchObject({ span: { kind: SpanKind.SERVER } });
    expect(worker!.span.spanContext().traceId).toBe(parent.traceId);
    expect(worker!.span.parentSpanContext?.spanId).toBe(call!.span.spanContext().spanId);
    expect(worker!.span.spanContext().traceState?.serialize()).toBe('a=1,b=2');
  });

  it('a message without headers is served all the same', async () => {
    const { subject } = await serve(async function * () {
      yield 1;
    });
    const reply = await callerConnection.request(subject, new Uint8Array([1, 2, 3]), { timeout: 2000 });
    expect(reply.string()).toMatch(/^Server unavailable: invalid request: /);
  });

  it('a request over the worker\'s bounds is ERR_WORKER_OVERLOADED', async () => {
    let open = (): void => undefined;
    const gate = new Promise<void>((resolve) => (open = resolve));
    const { subject } = await serve(async function * () {
      yield 'begun';
      await gate;
    }, { workerPoolSize: 1, workQueueSize: 0 });
    const first = await client.openStream(subject, {});
    await first.next();
    await expect(client.openStream(subject, {})).rejects.toMatchObject({ code: 'ERR_WORKER_OVERLOADED' });
    open();
    expect(await first.next()).toMatchObject({ done: true });
  });

  it('a worker that drains refuses as unavailable, one that left is unavailable at once', async () => {
    const server = new RequestPlaneServer({ host: '127.0.0.1', logger: false });
    const endpoint = await serveNats(workerConnection, server, NAME, async function * () {
      yield 1;
    });
    await server.close();
    await expect(client.openStream(endpoint.subject, {})).rejects.toMatchObject({ code: 'ERR_WORKER_UNAVAILABLE', ack: expect.stringContaining('Server unavailable') });
    await Promise.all([endpoint.remove(), endpoint.remove()]);
    await workerConnection.flush();
    await expect(client.openStream(endpoint.subject, {})).rejects.toMatchObject({ code: 'ERR_WORKER_UNAVAILABLE', cause: expect.anything() });
  });

  it('leaving the loop reaches the handler', async () => {
    let aborted = false;
    const { subject } = await serve(async function * (_request, { signal }) {
      signal.addEventListener('abort', () => (aborted = true));
      for (let n = 0; !signal.aborted; n += 1) {
        yield n;
        await new Promise((resolve) => setImmediate(resolve));
      }
    });
    for await (const n of client.generate<number>(subject, {})) if (n === 2) break;
    await until('the handler hears of it', () => aborted);
  });

  it('the router reaches workers of both planes through discovery, each attempt a span', async () => {
    const root = mkdtempSync(join(tmpdir(), 'dynamo-kv-'));
    const discovery = new FileDiscovery({ root, logger: false });
    const overNats = await serve(async function * () {
      yield 'nats';
    });
    const tcpServer = new RequestPlaneServer({ host: '127.0.0.1', logger: false });
    await tcpServer.listen();
    const overTcp = tcpServer.endpoint(NAME, async function * () {
      yield 'tcp';
    });
    const tcpClient = new RequestPlaneClient({ responseHost: '127.0.0.1', logger: false });
    const router = new Router({ client: tcpClient, natsClient: client, discovery, endpoint: NAME, logger: false });
    closing.push(async () => {
      await router.close();
      await discovery.close();
      await tcpClient.close();
      await tcpServer.close({ graceMs: 0 });
      rmSync(root, { recursive: true });
    });
    const [namespace, component, endpoint] = ['dynamo', 'backend', 'generate'];
    await discovery.announce({ namespace, component, endpoint, instanceId: overNats.instanceId, transport: { nats_tcp: overNats.subject }, codec: 'msgpack' });
    await discovery.announce({ namespace, component, endpoint, instanceId: overTcp.instanceId, transport: { tcp: overTcp.address.replace('tcp://', '') } });
    const items = (await Promise.all([collect(router.generate({})), collect(router.generate({}))])).flat();
    expect(items.sort()).toEqual(['nats', 'tcp']);
    expect(recorded.spans().map(({ attributes }) => attributes['worker_id']).sort()).toEqual([overNats.instanceId.toString(), overTcp.instanceId.toString()].sort());
    await until('the workers\' spans', () => recorded.spans('handle_payload').length === 2);
    const attempts = new Set(recorded.spans().map(({ span }) => span.spanContext().spanId));
    for (const { span } of recorded.spans('handle_payload')) expect(attempts).toContain(span.parentSpanContext?.spanId);
    expect(recorded.spans().find(({ attributes }) => attributes['worker_id'] === overNats.instanceId.toString())?.attributes).toMatchObject({ 'messaging.destination.name': overNats.subject });
  });

  it('the router goes from a NATS worker that is gone to one that is there', async () => {
    const { subject } = await serve(async function * () {
      yield 'here';
    });
    const router = new Router({ natsClient: client, addresses: [{ nats_tcp: 'dynamo_backend.generate-dead' }, { nats_tcp: subject }], logger: false });
    expect(await collect(router.generate({}))).toEqual(['here']);
    expect(recorded.spans().map(({ attributes }) => [attributes['worker_id'], attributes['request.outcome'], attributes['migration.reason']])).toEqual([
      [String(0xdead), 'unavailable', undefined],
      [expect.any(String), 'success', 'worker_unavailable'],
    ]);
  });

  it('hundreds of requests at once each get their own answer', async () => {
    const { subject } = await serve(async function * (request) {
      yield request;
    });
    const answers = await Promise.all(Array.from({ length: 300 }, async (_, n) => (await collect(client.generate(subject, n, { requestTimeoutMs: 20_000 })))[0]));
    expect(answers).toEqual(Array.from({ length: 300 }, (_, n) => n));
  }, 20_000);
});
