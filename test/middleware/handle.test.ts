import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { context, ROOT_CONTEXT, trace } from '@opentelemetry/api';
import { currentTrace, dynamoTracing, type RequestTrace } from 'dynamo-tracing';
import { CHAT, post } from '../support/client.js';
import { closeAfterEach, listening } from '../support/listening.js';
import { RecordTap } from '../support/records.js';
import { startSdk, type Sdk } from '../spans/support.js';

type Traced = IncomingMessage & { trace: RequestTrace };

describe('the handle of a request', () => {
  let tap: RecordTap;
  let sdk: Sdk;
  closeAfterEach();
  beforeEach(() => {
    tap = new RecordTap();
    sdk = startSdk();
  });
  afterEach(() => {
    tap.stop();
    sdk.stop();
  });

  function serve(handler: (req: Traced, res: ServerResponse) => unknown, options: Parameters<typeof dynamoTracing>[0] = {}): Promise<number> {
    const middleware = dynamoTracing({ logger: false, ...options });
    const server: Server = createServer((req, res) => middleware(req, res, () => void handler(req as Traced, res))).listen(0, '127.0.0.1');
    return listening(server);
  }

  test('handlers reach no more than what RequestTrace says: nothing of them ends or completes a request', async () => {
    let handle: object | undefined;
    const port = await serve((req, res) => {
      handle = req.trace;
      res.end('{}');
    });
    await post(port);
    const names = Object.getOwnPropertyNames(Object.getPrototypeOf(handle)).filter((name) => name !== 'constructor').sort();
    expect(names).toEqual(['bind', 'context', 'echo', 'fail', 'headers', 'log', 'metadata', 'model', 'run', 'set', 'signal', 'spanId', 'traceId', 'usage', 'workers']);
  });

  test('headers() and context name the innermost live span inside the request, and its own from anywhere else', async () => {
    const seen: string[] = [];
    let handle!: RequestTrace;
    const port = await serve((req, res) => {
      handle = req.trace;
      trace.getTracer('test').startActiveSpan('inner', (span) => {
        seen.push(req.trace.headers().traceparent!.slice(36, 52), req.trace.context.spanId, span.spanContext().spanId);
        span.end();
      });
      res.end('{}');
    });
    await post(port);
    await tap.next('request completed');
    expect(new Set(seen).size).toBe(1);
    expect(handle.headers().traceparent!.slice(36, 52)).toBe(handle.spanId);
    expect(handle.context.spanId).toBe(handle.spanId);
  });

  test("run and bind are inside the request wherever they are called, whatever context is active, with this and arguments kept", async () => {
    let handle!: RequestTrace;
    const port = await serve((req, res) => {
      handle = req.trace;
      res.end('{}');
    });
    await post(port);
    await tap.next('request completed');
    expect(currentTrace()).toBeUndefined();
    const inside = handle.run(() => [currentTrace(), trace.getSpanContext(context.active())?.spanId]);
    expect(inside).toEqual([handle, handle.spanId]);
    const bound = handle.bind(function (this: unknown, ...args: unknown[]) {
      return [this, args, currentTrace() === handle];
    });
    expect(context.with(ROOT_CONTEXT, () => bound.call('this', 1, 2))).toEqual(['this', [1, 2], true]);
  });

  test('a request that is ignored has a handle that records nothing and never throws', async () => {
    let handle!: RequestTrace;
    const port = await serve((req, res) => {
      handle = req.trace;
      handle.set({ tenant: 'acme' });
      handle.usage({ outputTokens: 1 });
      handle.model('m');
      handle.workers({ decode: 1n });
      handle.fail('internal');
      handle.echo(false);
      handle.log.debug('heard by nobody');
      res.end(JSON.stringify([handle.requestId, handle.traceId, handle.signal.aborted, handle.headers(), handle.run(() => 1), handle.bind((n: number) => n)(2), { ...handle.metadata }]));
    }, { ignore: [CHAT] });
    const answer = await post(port);
    expect(JSON.parse(answer.body)).toEqual(['', '', false, {}, 1, 2, {}]);
    expect(answer.headers).not.toHaveProperty('request-id');
    expect(tap.of('request completed')).toEqual([]);
  });

  test("echo(false) leaves the handler's own ids and takes ours off", async () => {
    const port = await serve((req, res) => {
      req.trace.echo(false);
      res.setHeader('x-request-id', 'mine').end('{}');
    });
    const { headers } = await post(port);
    expect([headers['request-id'], headers['x-request-id']]).toEqual([undefined, 'mine']);
  });

  const broken = { get inputTokens(): number { throw new Error('planted'); }, get decode(): string { throw new Error('planted'); }, outputTokens: 3, prefill: 'p' };
  const any = (value: unknown): never => value as never;
  test.each<[string, (trace: RequestTrace) => void, Record<string, unknown>]>([
    ['BigInt counts', (told) => told.usage(any({ inputTokens: 5n, outputTokens: 7n })), { inputTokens: 5, outputTokens: 7 }],
    ['counts that are none', (told) => told.usage(any({ inputTokens: Number.NaN, outputTokens: -1, cachedTokens: '3' })), { inputTokens: 1, outputTokens: 2, cachedTokens: undefined }],
    ['a count beside one that is none', (told) => told.usage(any({ inputTokens: {}, outputTokens: 9 })), { inputTokens: 1, outputTokens: 9 }],
    ['a count that cannot be read beside another', (told) => told.usage(broken), { inputTokens: 1, outputTokens: 3 }],
    ['no usage at all', (told) => told.usage(any(null)), { inputTokens: 1, outputTokens: 2 }],
    ['workers by BigInt, text and number', (told) => [{ prefill: 2n ** 64n - 1n }, { decode: 'd' }, { decode: any(7) }].forEach((ids) => told.workers(ids)), { workers: { prefill: '18446744073709551615', decode: '7' } }],
    ['workers that are none', (told) => told.workers(any({ prefill: Object.create(null), decode: 2 ** 60 })), { workers: { prefill: undefined, decode: undefined } }],
    ['a worker that cannot be read beside another', (told) => told.workers(broken), { workers: { prefill: 'p', decode: undefined } }],
    ['a model that is none', (told) => told.model(any(Symbol('m'))), { model: 'unknown_model' }],
    ['a model and then one that is none', (told) => [told.model('served'), told.model(any({}))], { model: 'served' }],
    ['a failure that is none', (told) => told.fail(any(Object.create(null)), any(7n)), { status: 'error', errorType: 'internal' }],
    ['a failure with a long detail', (told) => told.fail('overload', 'x'.repeat(5000)), { status: 'error', errorType: 'overload' }],
  ])('%s, as a handler tells them, cost no record', async (_what, tell, expected) => {
    const completed: unknown[] = [];
    const port = await serve((req, res) => {
      tell(req.trace);
      res.writeHead(200, { 'content-type': 'application/json' }).end('{"usage":{"prompt_tokens":1,"completion_tokens":2}}');
    }, { onCompleted: (ended) => void completed.push(ended) });
    await post(port);
    await tap.next('request completed');
    expect(completed).toMatchObject([expected]);
  });
});
