/**
 * The cases of the W3C Trace Context validation suite (github.com/w3c/trace-context, test/, level 2, strict), as a table of
 * our own. Like there, a service gets a request over HTTP and makes requests of its own to a collector, which judges the
 * headers that arrive. The service here does what every server of this package does: extract, make a span, inject.
 */
import { createServer, request as httpRequest, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ROOT_CONTEXT, trace, type Context } from '@opentelemetry/api';
import { BasicTracerProvider } from '@opentelemetry/sdk-trace-base';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { carrierOf, extractTrace, getTraceScope, injectTrace, newSpanId, newTraceId, remoteSpanContext, setTraceScope, type ExtractedTrace, type TraceScope } from '../../src/trace-context/index.js';

type Line = readonly [name: string, value: string];

const T = '12345678901234567890123456789012';
const P = '1234567890123456';
const GOOD: Line = ['traceparent', `00-${T}-${P}-00`];

// ---- the service -----------------------------------------------------------------------------------------------------

interface Service {
  /** The context of the server's span. */
  serve(inbound: ExtractedTrace | undefined): Context;
  /** The context of the span of one outgoing request. */
  call(server: Context): Context;
}

function childScope(parent: ExtractedTrace | TraceScope | undefined): TraceScope {
  return { traceId: parent?.traceId ?? newTraceId(), spanId: newSpanId(), traceFlags: parent?.traceFlags ?? 0, parentId: parent?.spanId, tracestate: parent?.tracestate };
}

const withoutSdk: Service = {
  serve: (inbound) => setTraceScope(ROOT_CONTEXT, childScope(inbound)),
  call: (server) => setTraceScope(server, childScope(getTraceScope(server))),
};

function withSdk(): Service {
  const tracer = new BasicTracerProvider().getTracer('service');
  return {
    serve: (inbound) => {
      const parent = inbound === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, remoteSpanContext(inbound));
      const span = tracer.startSpan('http-request', {}, parent);
      const { traceId, spanId, traceFlags } = span.spanContext();
      const scope = { traceId, spanId, traceFlags: inbound?.traceFlags ?? traceFlags, tracestate: inbound?.tracestate };
      return setTraceScope(trace.setSpan(ROOT_CONTEXT, span), scope);
    },
    call: (server) => trace.setSpan(server, tracer.startSpan('client_request', {}, server)),
  };
}

// ---- the wire --------------------------------------------------------------------------------------------------------

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

async function close(server: Server): Promise<void> {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
}

/** Sends these header lines as they are: case, blanks and repetitions kept. */
function send(port: number, path: string, lines: readonly Line[]): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const headers = [...lines.flat(), 'host', `127.0.0.1:${port}`, 'connection', 'close'];
    httpRequest({ host: '127.0.0.1', port, path, agent: false, headers }, (response) => {
      response.resume().on('end', () => resolve(response.statusCode)).on('error', reject);
    }).on('error', reject).end();
  });
}

const rawLines = (message: IncomingMessage): Line[] => message.rawHeaders.flatMap((name, i) => (i % 2 === 0 ? [[name, message.rawHeaders[i + 1] ?? '']] as Line[] : []));

// ---- the collector's judgement ---------------------------------------------------------------------------------------

interface Seen {
  traceId: string;
  spanId: string;
  flags: number;
  /** Member by member, in order. */
  state: string[];
}

/** Reads the outgoing headers strictly: exactly one traceparent of version 00, tracestate members by the level-2 grammar. */
function judge(lines: readonly Line[]): Seen {
  const values = (wanted: string): string[] => lines.filter(([name]) => name.toLowerCase() === wanted).map(([, value]) => value);
  const parents = values('traceparent');
  expect(parents).toEqual([expect.stringMatching(/^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/)]);
  const [, traceId = '', spanId = '', flags = ''] = parents[0]!.split('-');
  const state = values('tracestate').flatMap((value) => value.split(/[ \t]*,[ \t]*/)).filter((member) => member !== '');
  for (const member of state) expect(member).toMatch(/^[a-z0-9][a-z0-9_\-*/@]{0,255}=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]$/);
  return { traceId, spanId, flags: parseInt(flags, 16), state };
}

// ---- the cases -------------------------------------------------------------------------------------------------------

interface Case {
  readonly title: string;
  readonly send: readonly Line[];
  /** The trace goes on, or a new one begins. */
  readonly trace: 'goes on' | 'is new';
  /** The tracestate members that arrive; default: none. */
  readonly state?: readonly string[];
  /** How many requests the service makes; default 1. */
  readonly calls?: number;
  /** A flag bit that must arrive. */
  readonly flag?: number;
}

const goesOn = (title: string, ...lines: Line[]): Case => ({ title, send: lines, trace: 'goes on' });
const isNew = (title: string, ...lines: Line[]): Case => ({ title, send: lines, trace: 'is new' });
const parent = (value: string): Line => ['traceparent', value];
const state = (title: string, members: readonly string[], ...values: string[]): Case => ({
  title: `tracestate: ${title}`, send: [GOOD, ...values.map((value): Line => ['tracestate', value])], trace: 'goes on', state: members,
});
const numbered = (from: number, to: number): string[] => Array.from({ length: to - from + 1 }, (_, i) => `bar${String(from + i).padStart(2, '0')}=${String(from + i).padStart(2, '0')}`);

const KEY = 'abcdefghijklmnopqrstuvwxyz0123456789_-*/';
const VALUE = Array.from({ length: 0x7f - 0x20 }, (_, i) => String.fromCharCode(0x20 + i)).filter((c) => c !== ',' && c !== '=').join('');

const cases: readonly Case[] = [
  isNew('neither header'),
  goesOn('traceparent without tracestate', parent(`00-${T}-${P}-01`)),
  isNew('two traceparent headers', parent(`00-${T.slice(0, -1)}1-${P}-01`), parent(`00-${T}-${P}-01`)),
  isNew('two traceparent headers with the same value', parent(`00-${T}-${P}-01`), parent(`00-${T}-${P}-01`)),
  isNew('two traceparent headers of a later version', parent(`cc-${T}-${P}-01-x`), parent(`cc-${T}-${P}-01-x`)),
  isNew('header name trace-parent', ['trace-parent', `00-${T}-${P}-01`]),
  isNew('header name trace.parent', ['trace.parent', `00-${T}-${P}-01`]),
  ...['TraceParent', 'TrAcEpArEnT', 'TRACEPARENT'].map((name) => goesOn(`header name ${name}`, [name, `00-${T}-${P}-01`])),
  isNew('version 00 with a character after it', parent(`00-${T}-${P}-01.`)),
  isNew('version 00 with more fields', parent(`00-${T}-${P}-01-what-the-future-will-be-like`)),
  goesOn('version cc', parent(`cc-${T}-${P}-01`)),
  goesOn('version cc with more fields', parent(`cc-${T}-${P}-01-what-the-future-will-be-like`)),
  isNew('version cc with more after a dot', parent(`cc-${T}-${P}-01.what-the-future-will-be-like`)),
  isNew('version ff', parent(`ff-${T}-${P}-01`)),
  isNew('version with an illegal first character', parent(`.0-${T}-${P}-01`)),
  isNew('version with an illegal second character', parent(`0.-${T}-${P}-01`)),
  isNew('version of three digits', parent(`000-${T}-${P}-01`)),
  isNew('version of four digits', parent(`0000-${T}-${P}-01`)),
  isNew('version of one digit', parent(`0-${T}-${P}-01`)),
  isNew('trace id all zero', parent(`00-${'0'.repeat(32)}-${P}-01`)),
  isNew('trace id with an illegal first character', parent(`00-.${T.slice(1)}-${P}-01`)),
  isNew('trace id with an illegal last character', parent(`00-${T.slice(0, -1)}.-${P}-01`)),
  isNew('trace id of 33 digits', parent(`00-${T}3-${P}-01`)),
  isNew('trace id of 31 digits', parent(`00-${T.slice(0, -1)}-${P}-01`)),
  isNew('parent id all zero', parent(`00-${T}-${'0'.repeat(16)}-01`)),
  isNew('parent id with an illegal first character', parent(`00-${T}-.${P.slice(1)}-01`)),
  isNew('parent id with an illegal last character', parent(`00-${T}-${P.slice(0, -1)}.-01`)),
  isNew('parent id of 17 digits', parent(`00-${T}-${P}7-01`)),
  isNew('parent id of 15 digits', parent(`00-${T}-${P.slice(0, -1)}-01`)),
  isNew('flags with an illegal first character', parent(`00-${T}-${P}-.0`)),
  isNew('flags with an illegal second character', parent(`00-${T}-${P}-0.`)),
  isNew('flags of three digits', parent(`00-${T}-${P}-001`)),
  isNew('flags of one digit', parent(`00-${T}-${P}-1`)),
  ...([[' ', ''], ['\t', ''], ['', ' '], ['', '\t'], ['\t ', ' \t']] as const).map(([before, after]) => goesOn(`blanks ${JSON.stringify([before, after])} around traceparent`, parent(`${before}00-${T}-${P}-01${after}`))),

  isNew('tracestate without traceparent: one member', ['tracestate', 'foo=1']),
  isNew('tracestate without traceparent: two members', ['tracestate', 'foo=1,bar=2']),
  state('goes on with traceparent', ['foo=1', 'bar=2'], 'foo=1,bar=2'),
  ...['trace-state', 'trace.state'].map((name) => goesOn(`header name ${name} is no tracestate`, GOOD, [name, 'foo=1'])),
  ...['TraceState', 'TrAcEsTaTe', 'TRACESTATE'].map((name): Case => ({ title: `header name ${name}`, send: [GOOD, [name, 'foo=1']], trace: 'goes on', state: ['foo=1'] })),
  state('empty', [], ''),
  state('an empty header after another', ['foo=1'], 'foo=1', ''),
  state('an empty header before another', ['foo=1'], '', 'foo=1'),
  state('several headers are one list in their order', ['foo=1', 'bar=2', 'rojo=1', 'congo=2', 'baz=3'], 'foo=1,bar=2', 'rojo=1,congo=2', 'baz=3'),
  state('a key twice with one value', ['foo=1', 'foo=1'], 'foo=1,foo=1'),
  state('a key twice with two values', ['foo=1', 'foo=2'], 'foo=1,foo=2'),
  state('a key twice in two headers with one value', ['foo=1', 'foo=1'], 'foo=1', 'foo=1'),
  state('a key twice in two headers with two values', ['foo=1', 'foo=2'], 'foo=1', 'foo=2'),
  state('every character of a key and of a value', [`${KEY}=${VALUE}`], `${KEY}=${VALUE}`),
  state('every character of a key with an at sign', [`${KEY}@a-z0-9_-*/=${VALUE}`], `${KEY}@a-z0-9_-*/=${VALUE}`),
  state('blanks around commas', ['foo=1', 'bar=2', 'baz=3'], 'foo=1 \t , \t bar=2, \t baz=3'),
  state('more blanks around commas', ['foo=1', 'bar=2', 'baz=3'], 'foo=1\t \t,\t \tbar=2,\t \tbaz=3'),
  ...[' foo=1', '\tfoo=1', 'foo=1 ', 'foo=1\t', '\t foo=1 \t'].map((value) => state(`blanks around the value ${JSON.stringify(value)}`, ['foo=1'], value)),
  ...['foo =1', 'FOO=1', 'foo.bar=1'].map((value) => state(`the illegal key of ${value} drops it`, [], value)),
  ...['foo@=1,bar=2', 'foo@@bar=1,bar=2', 'foo@bar@baz=1,bar=2'].map((value) => state(`at signs in ${value}`, value.split(','), value)),
  state('a key that begins with an at sign drops it', [], '@foo=1,bar=2'),
  state('32 members in four headers', numbered(1, 32), ...[[1, 10], [11, 20], [21, 30], [31, 32]].map(([from = 0, to = 0]) => numbered(from, to).join(','))),
  state('33 members drop it', [], ...[[1, 10], [11, 20], [21, 30], [31, 33]].map(([from = 0, to = 0]) => numbered(from, to).join(','))),
  ...['z'.repeat(256), `${'t'.repeat(241)}@${'v'.repeat(14)}`, `${'t'.repeat(242)}@v`, `t@${'v'.repeat(15)}`].map((key) => state(`a key of ${key.length} characters beginning ${key.slice(0, 2)}`, ['foo=1', `${key}=1`], 'foo=1', `${key}=1`)),
  state('a key of 257 characters drops it', [], 'foo=1', `${'z'.repeat(257)}=1`),
  state('an equals sign in a value drops it', [], 'foo=bar=baz'),
  state('an empty value drops it', [], 'foo=,bar=3'),

  { ...goesOn('three calls in a trace', parent(`00-${T}-${P}-01`)), calls: 3 },
  { ...isNew('three calls without a trace'), calls: 3 },
  { ...isNew('three calls after an illegal traceparent', parent(`00-${'0'.repeat(32)}-${P}-01`)), calls: 3 },

  { ...goesOn('level 2: the random flag is kept', parent(`00-${T}-${P}-02`)), flag: 2 },
  { ...goesOn('level 2: the random flag is kept beside the sampled one', parent(`00-${T}-${P}-03`)), flag: 3 },
];

describe.each<[string, () => Service]>([['without an SDK', () => withoutSdk], ['with sdk-trace-base', withSdk]])('W3C Trace Context over HTTP, %s', (_kind, make) => {
  let collector: Server;
  let service: Server;
  let servicePort: number;
  let collected: Line[][];

  beforeAll(async () => {
    collector = createServer((req, res) => {
      collected.push(rawLines(req));
      res.end();
    });
    const collectorPort = await listen(collector);
    const behaviour = make();
    service = createServer((req, res) => {
      const server = behaviour.serve(extractTrace(carrierOf(req.headers)));
      void Promise.all(Array.from({ length: Number(req.url?.slice(1)) }, () => {
        const headers: Record<string, string> = {};
        injectTrace(carrierOf(headers), behaviour.call(server));
        return send(collectorPort, '/', Object.entries(headers));
      })).then(() => res.end(), () => res.writeHead(500).end());
    });
    servicePort = await listen(service);
  });
  afterAll(() => Promise.all([close(service), close(collector)]));

  it.each(cases)('$title: the trace $trace', async ({ send: lines, trace: wanted, state: members = [], calls = 1, flag = 0 }) => {
    collected = [];
    expect(await send(servicePort, `/${calls}`, lines)).toBe(200);
    const seen = collected.map(judge);
    expect(seen).toHaveLength(calls);
    expect(new Set(seen.map(({ traceId }) => traceId)).size).toBe(1);
    expect(new Set([P, ...seen.map(({ spanId }) => spanId)]).size).toBe(calls + 1);
    for (const { traceId, state: arrived, flags } of seen) {
      if (wanted === 'goes on') expect(traceId).toBe(T);
      else expect(lines.map(([, value]) => value).join()).not.toContain(traceId);
      expect(arrived).toEqual(members);
      expect(flags & flag).toBe(flag);
    }
  });
});
