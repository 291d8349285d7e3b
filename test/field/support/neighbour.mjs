import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import { before, describe, it } from 'node:test';
import answers from './answers.cjs';
import { startApp } from './app.mjs';
import { startDatadogAgent } from './datadog-agent.mjs';
import { startUpstream } from './upstream.mjs';

const CALL_MS = 10_000;
const SERVER = 1;
const { MODEL } = answers;

/** A chat request as a client sends it. */
export const chat = ({ stream = false, path = '/v1/chat/completions', headers = {}, ...expected } = {}) => ({
  async send(url, ids, asked = { model: MODEL, stream, messages: [{ role: 'user', content: 'a secret prompt' }] }) {
    const body = asked instanceof FormData ? asked : JSON.stringify(asked);
    const type = asked instanceof FormData ? {} : { 'content-type': 'application/json' };
    const response = await fetch(url + path, { method: 'POST', headers: { ...type, ...ids, ...headers }, body, signal: AbortSignal.timeout(CALL_MS) });
    return { status: response.status, headers: response.headers, text: await response.text() };
  },
  text: stream ? answers.chatEvents().join('') : JSON.stringify(answers.chatAnswer()),
  ...expected,
});

// The second is its name beside a request logger that says `request completed` itself.
const COMPLETED = /^(inference )?request completed$/;
const NOISE_OF_OURS = /Error|DynamoTracingWarning|^ +at /m;
// With all instrumentations, pipeline() of a Web stream puts eleven close listeners on a response: Node warns of them without us, too.
const NOISE = new RegExp(`${NOISE_OF_OURS.source}|MaxListenersExceededWarning`, 'm');

/** What every call must leave; a call names only what differs. */
const EXPECTED = {
  status: 200,
  record: { status: 'success', model: MODEL, input_tokens: '7', output_tokens: '16' },
  /** The call reaches the upstream. */
  outbound: true,
  /** False for a call whose spans are not looked at. */
  judged: true,
};

/**
 * Runs an app beside one neighbour as a process of its own, sends it the calls, ends it, and asserts what must be true in every app: no crash, the
 * answer unchanged, one completion record with the right tokens, the ids echoed, one trace, one traceparent on the wire.
 * @param options.app file in apps/
 * @param options.telemetry file in telemetry/; without it there is no OpenTelemetry SDK
 * @param options.calls what is sent, one after another; default: a chat answered whole and a chat answered as a stream
 * @param options.upstream whether the calls go on to the upstream server; default true
 * @param options.upstreamIds the upstream's own ids come back to us, as through a proxy that copies all headers
 * @param options.echo false: the handler has said that the ids of its answer are its own
 * @param options.agent Datadog's agent is needed
 * @param options.server the span that is the request's: 'adopted' (default), 'ours', 'own' (a child of the server span) or 'theirs' (out of OpenTelemetry's sight)
 * @param options.route the request's `http.route`
 * @param options.work the handler opens a span called `work`; default: with telemetry
 * @param options.trusted whether inbound ids and trace context are believed; default true
 * @param more further tests; they get a function that returns the visit
 */
export function neighbour(title, options, more) {
  describe(title, () => {
    let visit;
    before(async () => {
      visit = await visitOf(options);
    }, { timeout: 120_000 });
    const each = (check) => () => visit.calls.forEach((call, i) => {
      try {
        check(call);
      } catch (error) {
        error.message = `call ${i + 1}: ${error.message}`;
        throw error;
      }
    });

    it('nothing crashes and nothing is printed beside the records', () => {
      assert.equal(visit.app.crash, undefined, `${visit.app.crash}:\n${visit.app.noise}`);
      assert.doesNotMatch(visit.app.noise, options.telemetry === undefined ? NOISE : NOISE_OF_OURS);
    });
    it('the client gets the answer that the app gave', each((call) => {
      if (call.error !== undefined) throw new Error(`${call.error.message} (${call.error.cause?.message})`, { cause: call.error });
      assert.equal(call.answer.status, call.expected.status, call.answer.text);
      if (call.expected.text !== undefined) assert.equal(call.answer.text, call.expected.text);
    }));
    it('one `request completed` for each request, with the model and the tokens', each((call) => {
      assert.equal(call.completed.length, 1, `${call.completed.length} records`);
      // A logger of the user's gets numbers.
      const seen = Object.entries(pick(call.completed[0], Object.keys(call.expected.record))).map(([name, value]) => [name, value?.toString()]);
      assert.deepEqual(Object.fromEntries(seen), call.expected.record);
    }));
    it(options.echo === false ? "the upstream's ids reach the client" : 'the ids are echoed', each((call) => {
      const echoed = [call.answer?.headers.get('request-id'), call.answer?.headers.get('x-request-id')];
      const ours = [call.requestId, call.trusted ? call.ids['x-request-id'] : call.requestId];
      assert.deepEqual(echoed, options.echo === false ? [call.hop?.id, call.hop?.id] : ours);
    }));
    it('records, spans and the next hop are in one trace', each((call) => {
      assert.deepEqual([...new Set(call.traceIds)], [call.traceId]);
    }));
    if (options.upstream !== false) upstreamTests(options, each);
    if (options.telemetry !== undefined && options.server !== 'theirs') spanTests(options, each);
    more?.(() => visit);
  });
}

function upstreamTests({ upstreamIds = false, server }, each) {
  const eachOutbound = (check) => each((call) => {
    if (call.expected.outbound) check(call);
  });
  it('one traceparent is on the wire, and it names neither the caller nor a span that does not exist', eachOutbound((call) => {
    const sent = call.hop?.values('traceparent') ?? [];
    assert.equal(sent.length, 1, `traceparent: ${sent.join(' and ') || 'none'}`);
    const named = sent[0].slice(36, 52);
    assert.notEqual(named, call.callerSpan, "the caller's own span");
    if (server !== 'theirs' && call.spans.length > 0) assert.ok(call.spans.some(({ spanId }) => spanId === named), `no span ${named} in\n${tree(call.spans)}`);
  }));
  it('the request ids reach the next hop, once', eachOutbound((call) => {
    assert.deepEqual([call.hop?.values('request-id'), call.hop?.values('x-request-id')], [[call.requestId], call.trusted ? [call.ids['x-request-id']] : []]);
  }));
  if (upstreamIds) {
    it("the upstream's own id is kept in the record", eachOutbound((call) => assert.equal(call.completed[0]?.upstream_request_id, call.hop.id)));
  }
}

function spanTests({ server = 'adopted', work = true, upstream = true, route = '/v1/chat/completions' }, each) {
  it(TITLES[server], each((call) => {
    if (!call.expected.judged) return;
    const servers = call.spans.filter(({ kind }) => kind === SERVER);
    assert.equal(servers.length, 1, `${servers.length} SERVER spans in\n${tree(call.spans)}`);
    assert.equal(servers[0].parentId, call.trusted ? call.callerSpan : undefined, 'the parent of the SERVER span');
    assert.equal(call.ours.length, 1, `${call.ours.length} spans carry our attributes in\n${tree(call.spans)}`);
    assert.equal(call.ours[0].attributes['dynamo.span.target'], 'request_span');
    if (server === 'own') {
      assert.deepEqual([call.ours[0].kind, call.ours[0].parentId], [0, servers[0].spanId], tree(call.spans));
      return;
    }
    assert.equal(call.ours[0], servers[0], `our attributes are on another span:\n${tree(call.spans)}`);
    assert.equal(call.spans.filter(({ scope }) => scope === 'dynamo-tracing' && server === 'adopted').filter(({ name }) => name === 'http-request').length, 0, tree(call.spans));
  }));
  it('the tokens, the route and the status are on that span', each((call) => {
    if (!call.expected.judged) return;
    const [span] = call.ours;
    assert.deepEqual(pick(span?.attributes ?? {}, ['input_tokens', 'output_tokens', 'http.route', 'http.response.status_code']),
      { input_tokens: 7, output_tokens: 16, 'http.route': route, 'http.response.status_code': 200 });
  }));
  if (!work) return;
  it("the handler's span is inside it, and req.trace names its trace", each((call) => {
    if (!call.expected.judged) return;
    const found = call.spans.find(({ name }) => name === 'work');
    assert.ok(found !== undefined && isInside(found, call.ours[0], call.spans), `work is not inside:\n${tree(call.spans)}`);
    assert.equal(found.attributes['app.trace_id'], found.traceId);
  }));
  it('currentTrace() in the handler is the handle of the request', each((call) => {
    assert.equal(call.spans.find(({ name }) => name === 'work')?.attributes['app.current'], call.requestId);
  }));
  if (!upstream) return;
  it('the span of the outbound call is inside it', each((call) => {
    if (!call.expected.judged) return;
    const named = call.hop?.values('traceparent')[0]?.slice(36, 52);
    const found = call.spans.find(({ spanId }) => spanId === named);
    assert.ok(found !== undefined && isInside(found, call.ours[0], call.spans), `span ${named} is not inside:\n${tree(call.spans)}`);
  }));
}

const TITLES = {
  adopted: "the instrumentation's SERVER span is the request's span, the only one, and carries our attributes",
  ours: "our SERVER span is the request's span, the only one",
  own: "our span is an INTERNAL child of the instrumentation's SERVER span",
};

/** Starts the app, makes the calls one after another, ends the app: what was seen. */
export async function visitOf({ app: file, telemetry, env = {}, calls = [chat(), chat({ stream: true })], trusted = true, agent: withAgent = false }) {
  const upstream = await startUpstream();
  let app;
  const agent = withAgent ? await startDatadogAgent((span) => app?.took(span)) : undefined;
  try {
    app = await startApp(file, { telemetry, env: { UPSTREAM: upstream.url, ...(agent === undefined ? {} : { AGENT_URL: agent.url }), ...env } });
    const made = [];
    try {
      for (const call of calls) made.push(await sendTo(app, upstream, call, { trusted, traced: telemetry !== undefined }));
    } finally {
      await app.stop();
    }
    return { app, upstream, calls: made.map((call) => ({ ...call, ...tracesOf(app, call) })) };
  } finally {
    await agent?.close();
    await upstream.close();
  }
}

async function sendTo(app, upstream, call, { trusted, traced }) {
  const callerTrace = randomBytes(16).toString('hex');
  const callerSpan = randomBytes(8).toString('hex');
  const ids = { traceparent: `00-${callerTrace}-${callerSpan}-01`, 'request-id': randomUUID(), 'x-request-id': `order-${randomUUID()}` };
  const before = upstream.received.length;
  const made = { ids, callerTrace, callerSpan, trusted, expected: { ...EXPECTED, ...call } };
  try {
    made.answer = await call.send(app.url, ids);
  } catch (error) {
    made.error = error;
  }
  made.requestId = trusted ? ids['request-id'] : made.answer?.headers.get('request-id');
  const ended = () => app.records.find((record) => COMPLETED.test(record.message) && record.request_id === made.requestId);
  await app.until(() => ended() !== undefined && (!traced || app.spans.some(({ kind, traceId }) => kind === SERVER && traceId === ended().trace_id)));
  made.hop = upstream.received[before];
  return made;
}

/** What the app has left of a call: its records and spans. */
function tracesOf(app, call) {
  const records = app.records.filter(({ request_id }) => request_id === call.requestId);
  const traceId = call.trusted ? call.callerTrace : records[0]?.trace_id;
  const ours = app.spans.filter(({ attributes }) => attributes.request_id === call.requestId && 'uri' in attributes);
  // By trace, and by request for those that have left it.
  const spans = app.spans.filter((span) => span.traceId === traceId || ours.includes(span) || span.attributes['app.request_id'] === call.requestId);
  const hop = call.hop?.values('traceparent').map((value) => value.slice(3, 35)) ?? [];
  return { records, completed: records.filter(({ message }) => COMPLETED.test(message)), traceId, ours, spans, traceIds: [...records.map(({ trace_id }) => trace_id), ...spans.map((span) => span.traceId), ...hop] };
}

function isInside(span, ancestor, spans) {
  for (let at = span; at !== undefined; at = spans.find(({ spanId }) => spanId === at.parentId)) if (at === ancestor) return true;
  return false;
}

/** The spans as an indented list, for failures. */
function tree(spans, parent) {
  const isRoot = (span) => !spans.some(({ spanId }) => spanId === span.parentId);
  const list = (of, depth) => spans.filter((span) => (of === undefined ? isRoot(span) : span.parentId === of.spanId))
    .flatMap((span) => [`${'  '.repeat(depth)}${span.name} (kind ${span.kind}, ${span.spanId}, by ${span.scope})`, ...list(span, depth + 1)]);
  return list(parent, 1).join('\n');
}

const pick = (from, keys) => Object.fromEntries(keys.map((key) => [key, from?.[key]]));
