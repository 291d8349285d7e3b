import { ROOT_CONTEXT, trace } from '@opentelemetry/api';
import type { ReadableSpan } from '@opentelemetry/sdk-trace-base';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { tracedFetch } from 'dynamo-tracing';
import { runInContext, setTraceScope } from '../../src/trace-context/index.js';
import { startSdk, type Sdk } from '../spans/support.js';
import { until } from '../support/until.js';
import { scope, startUpstream, type Upstream } from './support.js';

const events: Record<string, string[]> = {
  '/v1/chat/completions': ['data: {"id":"c","choices":[{"index":0,"delta":{"content":"hel"}}]}\n\n', 'data: {"id":"c","choices":[{"index":0,"delta":{"content":"lo"}}]}\n\n', 'data: [DONE]\n\n'],
  '/v1/messages': ['hel', 'lo'].map((text) => `event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"${text}"}}\n\n`),
};
const messages = [{ role: 'user' as const, content: 'hi' }];

describe('the official clients with fetch: tracedFetch', () => {
  let upstream: Upstream;
  let sdk: Sdk;
  let failures = 0;
  beforeAll(async () => {
    upstream = await startUpstream((req, res) => {
      if (failures-- > 0) return void res.writeHead(503).end();
      res.setHeader('content-type', 'text/event-stream');
      for (const event of events[req.url!]!) res.write(event);
      res.end();
    });
  });
  afterAll(() => upstream.close());
  beforeEach(() => {
    sdk = startSdk();
    failures = 0;
    upstream.arrived.splice(0);
  });
  afterEach(() => sdk.stop());

  const openai = async (): Promise<string> => {
    const client = new OpenAI({ apiKey: 'none', baseURL: `${upstream.url}/v1`, fetch: tracedFetch });
    let text = '';
    for await (const chunk of await client.chat.completions.create({ model: 'm', messages, stream: true })) text += chunk.choices[0]?.delta.content ?? '';
    return text;
  };
  const anthropic = async (): Promise<string> => {
    const client = new Anthropic({ apiKey: 'none', baseURL: upstream.url, fetch: tracedFetch });
    let text = '';
    for await (const event of await client.messages.create({ model: 'm', max_tokens: 9, messages, stream: true })) {
      if (event.type === 'content_block_delta' && event.delta.type === 'text_delta') text += event.delta.text;
    }
    return text;
  };

  /** Runs a call in a request with a live server span; the spans of our calls, of which the upstream must have been told. */
  const inServerSpan = async (call: () => Promise<string>): Promise<ReadableSpan[]> => {
    const parent = setTraceScope(ROOT_CONTEXT, scope);
    const server = trace.getTracer('app').startSpan('server', {}, parent);
    expect(await runInContext(trace.setSpan(parent, server), call)).toBe('hello');
    const ours = (): ReadableSpan[] => sdk.ended().filter(({ instrumentationScope }) => instrumentationScope.name === 'dynamo-tracing');
    await until('a span for each request', () => ours().length === upstream.arrived.length);
    expect(upstream.arrived.map((request) => request.lines('traceparent'))).toEqual(ours().map((span) => [`00-${server.spanContext().traceId}-${span.spanContext().spanId}-01`]));
    for (const { headers } of upstream.arrived) expect(headers).toMatchObject({ 'request-id': scope.requestId, 'x-request-id': 'mine' });
    return ours();
  };

  // The Anthropic client makes a span of its own where an SDK is registered, and writes a traceparent: ours is its child.
  it.each([['OpenAI', openai], ['Anthropic', anthropic]])('%s: a stream comes whole, and the call is one span that the upstream is told of, once', async (_name, call) => {
    expect(await inServerSpan(call)).toMatchObject([{ name: 'POST', attributes: { 'http.response.status_code': 200 } }]);
  });

  it('OpenAI: a call that the client tries again is a span for each try', async () => {
    failures = 1;
    expect((await inServerSpan(openai)).map(({ attributes }) => attributes['http.response.status_code'])).toEqual([503, 200]);
  });
});
