import { afterEach, describe, expect, it } from '@jest/globals';
import { context, trace } from '@opentelemetry/api';
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base';
import { once } from 'node:events';
import { createServer } from 'node:net';
import request from 'supertest';
import { faults, mockEngine, startHarness, type Harness } from 'dynamo-tracing/harness';
import 'dynamo-tracing/jest';
import { BODY, CHAT, gateway } from './support/app';
import { said } from './support/said';
import { until } from '../support/until.js';

const open: Harness[] = [];
async function start(...args: Parameters<typeof startHarness>): Promise<Harness> {
  const harness = await startHarness(...args);
  open.push(harness);
  return harness;
}
async function failure(promise: Promise<unknown>): Promise<Error & { code: string; missing: string[]; leaks: string[] }> {
  return promise.then(() => { throw new Error('it did not fail'); }, (error: unknown) => error as Error & { code: string; missing: string[]; leaks: string[] });
}

afterEach(async () => {
  for (const harness of open.splice(0)) await harness.close().catch(() => undefined);
  trace.disable();
  context.disable();
});

describe('startHarness', () => {
  it('refuses options it does not know, with their path', async () => {
    await expect(startHarness({ transport: 'udp' } as never)).rejects.toMatchObject({ code: 'ERR_OPTION_INVALID', path: 'startHarness.transport' });
    await expect(startHarness({ tcp: true } as never)).rejects.toMatchObject({ code: 'ERR_OPTION_INVALID', path: 'startHarness.tcp' });
  });

  it('takes back the tracer provider and context manager that it registered', async () => {
    const harness = await start();
    expect(trace.getTracer('t').startSpan('x').isRecording()).toBe(true);
    await harness.close();
    expect(trace.getTracer('t').startSpan('x').isRecording()).toBe(false);
  });

  it('keeps hearing a tracer that the app has fetched once', async () => {
    const tracer = trace.getTracer('module-level');
    for (let round = 0; round < 3; round += 1) {
      const harness = await start();
      const span = tracer.startSpan('mine');
      span.end();
      expect((await harness.trace(span.spanContext().traceId)).tree()).toBe('mine');
      await harness.close();
    }
  });

  it('records beside a provider of the application, whose exporter gets every span', async () => {
    const exporter = new InMemorySpanExporter();
    const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
    trace.setGlobalTracerProvider(provider);
    const before = trace.getTracer('early');
    before.startSpan('warm').end();
    const harness = await start();
    const span = before.startSpan('both');
    span.end();
    expect((await harness.trace(span.spanContext().traceId)).tree()).toBe('both');
    expect(exporter.getFinishedSpans().map(({ name }) => name)).toEqual(['warm', 'both']);
    await harness.close();
    before.startSpan('after').end();
    expect(exporter.getFinishedSpans()).toHaveLength(3);
  });

  it('records beside a provider of another kind by standing in front of it', async () => {
    const inner = new BasicTracerProvider();
    const provider = { getTracer: (name: string) => inner.getTracer(name) };
    trace.setGlobalTracerProvider(provider);
    const harness = await start();
    const traceId = trace.getTracer('other').startActiveSpan('outer', (outer) => {
      trace.getTracer('other').startSpan('inner').end();
      outer.end();
      outer.end();
      return outer.spanContext().traceId;
    });
    expect((await harness.trace(traceId)).tree()).toBe('outer\n  inner');
    await harness.close();
    expect((trace.getTracerProvider() as unknown as { getDelegate(): unknown }).getDelegate()).toBe(provider);
  });
});

describe('trace()', () => {
  it('says what was still missing: open spans, a worker that is busy, records', async () => {
    const harness = await start({ transport: 'memory', timeoutMs: 50 });
    const worker = await harness.worker('dynamo.backend.generate', mockEngine({ tokens: 3, firstTokenMs: 10_000 }));
    const items = harness.client().generate(worker.address, {}, { requestId: '0192f3c1-0000-7000-8000-000000000001' });
    const first = items.next().catch(() => undefined);
    await until('the script runs', () => worker.running.length > 0);
    const error = await failure(harness.trace('0192f3c1-0000-7000-8000-000000000001'));
    expect(error.code).toBe('ERR_TRACE_TIMEOUT');
    expect(error.missing.join('\n')).toMatch(/the end of span client_request[^]*the end of span handle_payload[^]*the end of request 0192f3c1[^ ]* in worker dynamo\.backend\.generate[^]*the record "request completed" of handle_payload/);
    expect(error.message).toContain('was not complete within 50 ms');
    await items.return?.();
    await first;
  });

  it('says so when nothing names the trace, and when it is not sampled', async () => {
    const harness = await start({ timeoutMs: 20 });
    expect((await failure(harness.trace('nobody'))).missing).toEqual(['anything that names the trace: no header of the response, span, record or hop of this request does']);
    const worker = await harness.worker('dynamo.backend.generate');
    const res = await request(gateway(harness.client(), worker.address)).post(CHAT).set('traceparent', '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00').send(BODY);
    expect((await failure(harness.trace(res))).missing.join()).toContain('flags 00');
  });

  it('waits for spans and records that are asked for, by events', async () => {
    const harness = await start();
    const span = trace.getTracer('t').startSpan('first');
    span.end();
    await expect(harness.trace(span.spanContext().traceId, { spans: ['late'], timeoutMs: 10 })).rejects.toMatchObject({ missing: ['a span late'] });
    const waited = harness.trace(span.spanContext().traceId, { spans: ['late'] });
    trace.getTracer('t').startSpan('late', {}, trace.setSpan(context.active(), span)).end();
    expect((await waited).tree()).toBe('first\n  late');
    await expect(harness.trace(span.spanContext().traceId, { records: ['never'], timeoutMs: 10 })).rejects.toMatchObject({ missing: ['a record "never"'] });
  });

  it('finds a request by response, request id, x-request-id, trace id and traceparent', async () => {
    const harness = await start({ transport: 'memory' });
    const worker = await harness.worker('dynamo.backend.generate');
    const app = gateway(harness.client(), worker.address);
    const traceparent = '00-11112222333344445555666677778888-00f067aa0ba902b7-01';
    const res = await request(app).post(CHAT).set('x-request-id', 'order-43').set('traceparent', traceparent).send(BODY);
    const ids = await Promise.all([res, String(res.headers['request-id']), 'order-43', traceparent.slice(3, 35), traceparent].map((subject) => harness.trace(subject)));
    for (const found of ids) {
      expect(found.traceId).toBe(traceparent.slice(3, 35));
      expect(found.requestId).toBe(res.headers['request-id']);
      expect(found.spans).toHaveLength(3);
      expect(found).toHaveCompletedOnce({ status: 'success' });
    }
    expect(await harness.trace(ids[0]!)).toMatchTree(ids[0]!.tree());
  });

  it('refuses what is no request', async () => {
    const harness = await start();
    await expect(harness.trace(42 as never)).rejects.toMatchObject({ code: 'ERR_OPTION_INVALID' });
    await expect(harness.trace({} as never)).rejects.toMatchObject({ code: 'ERR_OPTION_INVALID' });
  });
});

describe('close()', () => {
  it('makes every later use fail', async () => {
    const harness = await start();
    await harness.close();
    await harness.close();
    await expect(harness.worker('a.b.c')).rejects.toMatchObject({ code: 'ERR_HARNESS_CLOSED' });
    await expect(harness.trace('x')).rejects.toMatchObject({ code: 'ERR_HARNESS_CLOSED' });
    await expect(harness.fetch('http://127.0.0.1:1')).rejects.toMatchObject({ code: 'ERR_HARNESS_CLOSED' });
    expect(() => harness.client()).toThrow('the harness is closed');
  });

  it('names a script that does not watch its signal', async () => {
    const harness = await start({ transport: 'memory', closeTimeoutMs: 30 });
    let release: (() => void) | undefined;
    const worker = await harness.worker('dynamo.backend.generate', async function * () {
      yield 1;
      await new Promise<void>((resolve) => (release = resolve));
    });
    const items = harness.client().generate(worker.address, {}, { requestId: 'r-1' });
    await items.next();
    const error = await failure(harness.close());
    expect(error.code).toBe('ERR_HARNESS_LEAK');
    expect(error.leaks).toEqual(['worker dynamo.backend.generate: its script still runs request r-1 (1 items): does it watch context.signal?']);
    release?.();
  });

  it('names what was given to it and does not close', async () => {
    const harness = await start({ closeTimeoutMs: 20 });
    harness.own('my queue', { close: () => new Promise(() => undefined) });
    harness.own('my pool', { close: () => { throw new Error('busy'); } });
    expect((await failure(harness.close())).leaks).toEqual(['my pool: close() failed: busy', 'my queue: did not close within 20 ms']);
  });

  it('names sockets, servers and timers of the process when asked to', async () => {
    const harness = await start({ leaks: 'process' });
    const timer = setTimeout(() => undefined, 60_000);
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { leaks } = await failure(harness.close());
    clearTimeout(timer);
    server.close();
    expect(leaks.some((leak) => /^timer opened at .*harness\.test\.ts/.test(leak))).toBe(true);
    expect(leaks.some((leak) => /^server opened at .*harness\.test\.ts/.test(leak))).toBe(true);
    expect(leaks).toHaveLength(2);
  });

  it('reads the stack of no handle but of those that are left', async () => {
    const harness = await start({ leaks: 'process' });
    const timers = Array.from({ length: 50 }, () => setTimeout(() => undefined, 60_000));
    const { prepareStackTrace } = Error;
    let read = 0;
    Error.prepareStackTrace = (error) => {
      read += 1;
      return String(error);
    };
    try {
      for (const timer of [...timers.splice(1), ...Array.from({ length: 50 }, () => setTimeout(() => undefined, 60_000))]) clearTimeout(timer);
      expect(read).toBe(0);
      expect((await failure(harness.close())).leaks).toHaveLength(1);
      expect(read).toBeLessThan(10);
    } finally {
      Error.prepareStackTrace = prepareStackTrace;
      clearTimeout(timers[0]);
    }
  });

  it('leaves no fault timer behind', async () => {
    const harness = await start({ transport: 'memory', leaks: 'process' });
    const worker = await harness.worker('dynamo.backend.generate', mockEngine(), { faults: [faults.delay(60_000)] });
    const call = failure(harness.client().generate(worker.address, {}).next());
    await until('the fault holds the request', () => worker.requests.length === 1);
    await harness.close();
    expect((await call).code).toBe('ERR_CLIENT_CLOSED');
  });
});

describe('several harnesses in one process', () => {
  it('do not see each other\'s spans and records', async () => {
    const [a, b] = await Promise.all([start({ transport: 'memory' }), start()]);
    const one = async (harness: Harness): Promise<void> => {
      const worker = await harness.worker('dynamo.backend.generate');
      const app = gateway(harness.client(), worker.address);
      const responses = await Promise.all([1, 2, 3].map(() => request(app).post(CHAT).send(BODY)));
      const traces = await Promise.all(responses.map((res) => harness.trace(res)));
      expect(harness.spans).toHaveLength(9);
      expect(new Set(harness.spans.map(({ traceId }) => traceId))).toEqual(new Set(traces.map(({ traceId }) => traceId)));
      expect(harness.records.filter(({ message }) => message === 'request completed')).toHaveLength(6);
      expect(harness).toHavePropagated();
      expect(harness).toLeakNoText('hi there');
    };
    await Promise.all([one(a), one(b)]);
  });

});

it('a prefill and a decode worker', async () => {
  const harness = await start({ transport: 'memory' });
  const { prefill, decode } = await harness.pair({ engine: { tokens: ['a', 'b'] } });
  const client = harness.client();
  const all = async (address: string, body: unknown): Promise<unknown[]> => {
    const items = [];
    for await (const item of client.generate(address, body)) items.push(item);
    return items;
  };
  const [left] = await all(prefill.address, { prompt: 'one two' });
  expect(left).toEqual({ worker_id: prefill.instanceId.toString(), input_tokens: 2 });
  expect(await all(decode.address, { prefill: left })).toEqual([{ token: 'a' }, { token: 'b' }, { finish_reason: 'stop', input_tokens: 2, output_tokens: 2 }]);
});

it('a failing tree shows expected, seen and the first line that differs', async () => {
  const harness = await start({ transport: 'memory' });
  const worker = await harness.worker('dynamo.backend.generate');
  const res = await request(gateway(harness.client(), worker.address)).post(CHAT).send(BODY);
  const found = await harness.trace(res);
  expect(said(() => expect(found).toMatchTree('http-request {method=POST}\n  kv_find_best_match\n  router.*'))).toBe(`expected the shape of a trace: line 2 differs: "kv_find_best_match" is expected under "http-request", the span there is "router.route_request"

Expected: 
    http-request {method=POST}
  >   kv_find_best_match
      router.*

Seen:     
  http-request {method=POST}
    router.route_request
      handle_payload

Trace ${found.traceId}`);
});
