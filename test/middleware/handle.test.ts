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
});
