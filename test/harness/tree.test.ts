import { describe, expect, it } from '@jest/globals';
import { assertCompletedOnce, HarnessTrace, type CapturedRecord, type FinishedSpan } from 'dynamo-tracing/harness';
import 'dynamo-tracing/jest';
import { said } from './support/said';

let count = 0;
function span(name: string, parent?: FinishedSpan | string, more: Partial<FinishedSpan> = {}): FinishedSpan {
  count += 1;
  return {
    name, traceId: 't', spanId: `s${count}`, parentSpanId: typeof parent === 'string' ? parent : parent?.spanId, parentIsRemote: undefined, kind: 'internal', status: 'unset', statusMessage: undefined,
    attributes: {}, events: [], links: [], startMs: count, durationMs: 1, tracestate: undefined, tracer: '', service: undefined, ...more,
  };
}
function traceOf(...spans: FinishedSpan[]): HarnessTrace {
  return new HarnessTrace({ traceId: 't', requestId: 'r', callerSpanId: undefined, spans, records: [], strays: [], requestIdsOnHops: [] });
}

const root = span('http-request', undefined, { kind: 'server', attributes: { method: 'POST', 'http.response.status_code': 200 } });
const route = span('router.route_request', root, { attributes: { 'request.outcome': 'success' } });
const handle = span('handle_payload', route, { status: 'error' });
const second = span('router.route_request', root, { attributes: { 'request.outcome': 'error, "odd"' } });
const trace = traceOf(handle, second, route, root);

describe('toMatchTree', () => {
  it.each([
    ['names', 'http-request\n  router.route_request\n    handle_payload\n  router.route_request'],
    ['an indentation of its own', '\n      http-request\n        router.route_request\n              handle_payload\n        router.route_request\n'],
    ['wildcards', 'http-*\n  *.route_*\n    *\n  router*'],
    ['any further spans', 'http-request\n  ...'],
    ['any further spans before one', 'http-request\n  ...\n  router.route_request {request.outcome=error*}'],
    ['any further spans that are none', '...\nhttp-request\n  router.route_request\n    handle_payload\n    ...\n  ...\n  router.route_request\n...'],
    ['attributes', 'http-request {method=P*T, http.response.status_code=200}\n  router.route_request {request.outcome=success}\n    handle_payload\n  router.route_request {request.outcome="error, \\"odd\\""}'],
    ['facts of the span', 'http-request {@kind=server, @status=unset}\n  router.route_request\n    handle_payload {@status=error}\n  ...'],
    ['remarks', '# all of it\nhttp-request  # the gateway\n  ...'],
  ])('takes %s', (_what, pattern) => expect(trace).toMatchTree(pattern));

  it('takes what tree() prints, with and without attributes', () => {
    expect(trace.tree()).toBe('http-request\n  router.route_request\n    handle_payload {@status=error}\n  router.route_request');
    expect(trace).toMatchTree(trace.tree());
    expect(trace).toMatchTree(trace.tree({ attributes: true, times: true }));
    expect(trace.tree({ attributes: ['request.*'] })).toContain('router.route_request {request.outcome="error, \\"odd\\""}');
  });

  it.each([
    ['a missing child', 'http-request\n  router.route_request\n    handle_payload\n      engine\n  ...', 'line 4 differs: "engine" is expected under "handle_payload", which has no span left'],
    ['a span too many', 'http-request\n  router.route_request\n    handle_payload', 'line 4 differs: "router.route_request" under "http-request" is in the trace and not in the pattern'],
    ['another name', 'http-request\n  client_request\n  ...', 'line 2 differs: "client_request" is expected under "http-request", the span there is "router.route_request"'],
    ['another attribute', 'http-request {method=GET}\n  ...', 'line 1 differs: "http-request" has method="POST", expected GET'],
    ['an absent attribute', 'http-request {model=*}\n  ...', 'line 1 differs: "http-request" has no model, expected *'],
    ['a second root', 'http-request\n  ...\nhttp-request', 'line 3 differs: "http-request" is expected under the trace, which has no span left'],
  ])('says which line differs: %s', (_what, pattern, reason) => expect(said(() => expect(trace).toMatchTree(pattern))).toContain(reason));

  it('refuses a pattern that cannot be read', () => {
    expect(() => expect(trace).toMatchTree('http-request {method=POST')).toThrow('tree pattern, line 1 must be a span name with attributes in { }');
    expect(() => expect(trace).toMatchTree('http-request {method}')).toThrow('key=value pairs');
    expect(() => expect({}).toMatchTree('x')).toThrow('a trace: await harness.trace(response)');
  });

  it('can be turned around', () => {
    expect(trace).not.toMatchTree('other');
    expect(() => expect(trace).not.toMatchTree('http-request\n  ...')).toThrow('expected otherwise than: the shape of a trace');
  });
});

describe('toBeConnectedTrace', () => {
  it('finds several roots, orphans, and ids used twice', () => {
    const orphan = span('lost', 'ffffffffffffffff');
    const twin = span('twin', root, { spanId: route.spanId });
    const message = said(() => expect(traceOf(root, route, twin, orphan)).toBeConnectedTrace());
    expect(message).toContain('2 roots instead of one: http-request, lost');
    expect(message).toContain('orphan: the parent ffffffffffffffff of lost is not a span of this trace');
    expect(message).toContain(`span id ${route.spanId} is used 2 times: router.route_request, twin`);
    expect(message).toContain('lost  # its parent ffffffffffffffff is not in this trace');
    expect(said(() => expect(traceOf()).toBeConnectedTrace())).toContain('no span of trace t was recorded');
  });

  it('survives spans that are their own ancestors', () => {
    const own = span('own', undefined, { spanId: 'x', parentSpanId: 'x' });
    expect(traceOf(own).tree()).toBe('own');
    expect(traceOf(span('a', 'b1', { spanId: 'a1' }), span('b', 'a1', { spanId: 'b1' })).tree()).toBe('a\n  b');
  });
});

describe('toHaveSpanAttributes', () => {
  it('takes values, texts, patterns, tests and asymmetric matchers', () => {
    expect(trace).toHaveSpanAttributes('http-*', { method: 'POST', 'http.response.status_code': '200' });
    expect(trace).toHaveSpanAttributes('http-request', { method: /^P/, 'http.response.status_code': (value: unknown) => value === 200, model: undefined });
    expect(trace).toHaveSpanAttributes('http-request', { method: expect.any(String) });
  });

  it('says what differs in the span that comes closest', () => {
    expect(said(() => expect(trace).toHaveSpanAttributes('router.*', { 'request.outcome': 'timeout' }))).toContain('request.outcome: expected "timeout", seen "success"');
    expect(said(() => expect(trace).toHaveSpanAttributes('nothing', {}))).toContain('there is no span of this name');
  });
});

describe('toLeakNoText', () => {
  it.each([
    ['as it is', 'say "secret" to me'],
    ['as JSON', JSON.stringify({ prompt: 'say "secret" to me' })],
    ['URL-encoded', `?q=${encodeURIComponent('say "secret" to me')}`],
    ['in base64', Buffer.from('say "secret" to me').toString('base64')],
  ])('finds a text %s', (_how, value) => {
    expect(said(() => expect(traceOf(span('x', undefined, { attributes: { nested: [{ deep: value }] as never } }))).toLeakNoText('say "secret" to me'))).toContain('span x.attributes.nested.0.deep');
  });

  it('looks into records, events and errors too', () => {
    const record = { level: 'info', target: '', message: 'm', fields: { err: new Error('the secret') }, traceId: 't', spanId: undefined, requestId: undefined };
    expect(said(() => expect({ spans: [span('x', undefined, { events: [{ name: 'the secret', timeMs: 0, attributes: {} }] })], records: [record] }).toLeakNoText('the secret'))).toMatch(/span x\.events\.0\.name[^]*record "m"\.fields\.err\.message/);
    expect(trace).toLeakNoText('the secret');
  });
});

describe('several services', () => {
  const edge = span('http-request', undefined, { service: 'edge' });
  const inner = span('http-request', edge, { service: 'inner gateway', kind: 'server' });

  it('are told apart in tree(), and toMatchTree takes what it prints', () => {
    const both = traceOf(edge, inner);
    expect(both.tree()).toBe('http-request {@service=edge}\n  http-request {@service="inner gateway"}');
    expect(both).toMatchTree(both.tree({ attributes: true }));
    expect(said(() => expect(both).toMatchTree('http-request {@service=inner*}\n  ...'))).toMatch(/has @service="edge", expected inner\*[^]*http-request \{@service=edge\}/);
  });

  it('one service is shown when it is asked for, as other facts are', () => {
    expect(traceOf(edge).tree()).toBe('http-request');
    expect(traceOf(inner).tree({ attributes: ['@service', '@k*'] })).toBe('http-request {@service="inner gateway", @kind=server}');
  });

  const record = (service: string | undefined, spanId: string, fields: Record<string, unknown> = {}): CapturedRecord => ({ level: 'info', target: '', message: 'request completed', fields: { status: 'success', ...fields }, traceId: 't', spanId, requestId: 'r', service });
  const recorded = (...records: CapturedRecord[]): HarnessTrace => new HarnessTrace({ traceId: 't', requestId: 'r', callerSpanId: undefined, spans: [edge, inner], records, strays: [], requestIdsOnHops: [] });

  it('complete once each', () => {
    const good = recorded(record('edge', 'a'), record('inner gateway', 'b', { model: 'm' }), record('worker', 'c', { span_name: 'handle_payload' }));
    expect(good).toHaveCompletedOnce({ status: 'success' });
    assertCompletedOnce(good, { model: 'm' }, { service: 'inner gateway' });
    expect(said(() => assertCompletedOnce(good, { model: 'm' }))).toContain('model: expected "m", seen (absent) of service edge');
    expect(said(() => assertCompletedOnce(good, {}, { service: 'other' }))).toContain('there is none of service other');
    const twice = recorded(record('edge', 'a'), record('edge', 'b'), record('inner gateway', 'c'));
    expect(said(() => expect(twice).toHaveCompletedOnce())).toContain('there are 2 of service edge');
    assertCompletedOnce(twice, {}, { service: 'inner gateway' });
  });

  it('may write the same record to standard error and export it', () => {
    expect(recorded(record(undefined, 'a'), record('edge', 'a'))).toHaveCompletedOnce();
    expect(said(() => expect(recorded(record('edge', 'a'), record('edge', 'a'))).toHaveCompletedOnce())).toContain('span a of service edge has 2 of them');
  });
});

describe('the ids of a batch', () => {
  const withIds = (...ids: string[]): HarnessTrace => new HarnessTrace({ traceId: 't', requestId: 'r', callerSpanId: undefined, spans: [root], records: [], strays: [], requestIdsOnHops: ids.map((id) => ({ id, who: 'gateway → worker' })) });

  it('<id>-0 and <id>-1 are parts of the request <id>, as Dynamo names them', () => {
    expect(withIds('r-0', 'r-1')).toBeConnectedTrace();
    expect(said(() => expect(withIds('r-0', 'q-0')).toBeConnectedTrace())).toContain('2 request ids in one trace: r (the response); q-0 (gateway → worker)');
    for (const other of ['r-', 'r-x', 'r0', 'r-0-1']) expect(said(() => expect(withIds(other)).toBeConnectedTrace())).toContain('2 request ids');
  });
});
