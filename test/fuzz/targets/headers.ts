import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { errorFields } from '../../../src/logging/index.js';
import { TargetFilter } from '../../../src/internal/index.js';
import { readMetadata } from '../../../src/middleware/metadata.js';
import { upstreamStatus } from '../../../src/middleware/upstream-error.js';
import { carrierOf, extractTrace, formatTraceparent, isRequestId, parseTraceparent, parseTracestate, resolveRequestIds } from '../../../src/trace-context/index.js';
import { mutateBytes, mutatedJson, mutateList } from '../mutate.js';
import type { Target } from '../target.js';

const values = (name: string): string[] => (JSON.parse(readFileSync(join(__dirname, '..', '..', 'vectors', `${name}.json`), 'utf8')) as { value: string }[]).map(({ value }) => value);
const text = (pieces: readonly Buffer[]): string => Buffer.concat(pieces).toString('latin1');

const TRACEPARENTS = values('traceparent').filter((value) => value !== '');

export const traceparent: Target = {
  make: (random) => mutateBytes(random, Buffer.from(random.pick(TRACEPARENTS)), ['-', '00', 'ff', 'FF', ' ', '\t', ',', '0'.repeat(32)]),
  read: (pieces) => {
    const parsed = parseTraceparent(text(pieces));
    if (parsed === undefined) return undefined;
    const written = formatTraceparent(parsed);
    if (!/^00-[0-9a-f]{32}-[0-9a-f]{16}-0[0-3]$/.test(written) || formatTraceparent(parseTraceparent(written) ?? parsed) !== written) throw new Error(`it is written as ${written}`);
    return parsed;
  },
};

const MEMBERS = ['vendor=opaque', 'rojo=00f067aa0ba902b7', 'a@b=1', 'k*-_/=v w', ' x=y ', `${'k'.repeat(256)}=${'v'.repeat(256)}`, '', '1a=!'];

export const tracestate: Target = {
  make: (random) => mutateBytes(random, Buffer.from(Array.from({ length: random.once(8) ? 34 : 1 + random.below(4) }, () => random.pick(MEMBERS)).join(',')), [',', '=', ' ', '\t', '@', 'A', '\x7f', '\n']),
  read: (pieces) => {
    const given = text(pieces);
    const parsed = parseTracestate(given);
    if (parsed === undefined) return undefined;
    const members = parsed.split(',');
    if (members.length > 32 || parsed.length > 8192 || !/^[\x20-\x7e]+$/.test(parsed) || parseTracestate(parsed) !== parsed) throw new Error(`it is read as ${parsed}`);
    return [parsed, extractTrace(carrierOf({ traceparent: TRACEPARENTS[0] ?? '', tracestate: given.split('\n') }))];
  },
};

const IDS = values('request-ids').filter((value) => value !== '');
const ID_HEADERS = ['request-id', 'x-dynamo-request-id', 'x-request-id'];

/** A line is a value of a header; the fourth is another one of the first. */
export const requestIds: Target = {
  make: (random) => mutateBytes(random, Buffer.from(Array.from({ length: 1 + random.below(5) }, () => random.pick(IDS)).join('\n')), ['-', '{', '}', 'urn:uuid:', '\n', ' ', ', ']),
  read: (pieces) => {
    const lines = text(pieces).split('\n');
    const ids = resolveRequestIds((name) => {
      const given = lines.filter((_, index) => ID_HEADERS[index % ID_HEADERS.length] === name);
      return given.length > 1 ? given : given[0];
    });
    if (!isRequestId(ids.requestId) || ids.requestId.length > 45) throw new Error(`${ids.requestId} is no request id`);
    if (ids.xRequestId !== undefined && (ids.xRequestId.length > 256 || !/^[\x20-\x7e]+$/.test(ids.xRequestId))) throw new Error(`${ids.xRequestId} is echoed`);
    return { ...ids, requestId: lines.includes(ids.requestId) ? ids.requestId : 'new' };
  },
};

const DIRECTIVES = ['info', 'off', 'request_span=debug', 'a::b=trace', 'a.b/c=warn', 'warn ', 'dynamo_runtime::http', 'x=y=z', 'hyper=nonsense', ''];

export const dynLog: Target = {
  make: (random) => mutateBytes(random, Buffer.from(mutateList(random, Array.from({ length: 1 + random.below(5) }, () => random.pick(DIRECTIVES))).join(',')), [',', '=', ' ', '::', 'trace', 'off']),
  read: (pieces) => {
    const filter = new TargetFilter(text(pieces));
    const heard = ['request_span', 'a', 'a::b', 'a::b::c', 'a.b/c', 'ab', ''].map((target) => [filter.enabled(target, 'trace'), filter.enabled(target, 'error')]);
    if (heard.some(([low, high]) => low === true && high === false)) throw new Error('a lower level is enabled and a higher one is not');
    return [heard, filter.rejected];
  },
};

export const metadata: Target = {
  throws: ['ERR_METADATA_TOO_LARGE'],
  make: (random) => mutatedJson(random, Object.fromEntries(Array.from({ length: random.once(6) ? 66 : 3 }, (_, index) => [`x-dynamo-meta-${index}`, random.pick(['v', ' bearer x', 'Bearer ', '__proto__'])]))),
  read: (pieces) => {
    const found = readMetadata(carrierOf(new Map(headersOf(Buffer.concat(pieces)))));
    const bytes = Object.entries(found).flat().reduce((sum, part) => sum + Buffer.byteLength(part), 0);
    if (Object.keys(found).length > 64 || bytes > 64 * 1024) throw new Error(`${bytes} bytes are taken`);
    return found;
  },
};

function headersOf(bytes: Buffer): [string, string][] {
  const value = parsed(bytes);
  return typeof value === 'object' && value !== null ? Object.entries(value).map(([name, inner]) => [name, typeof inner === 'string' ? inner : JSON.stringify(inner)]) : [];
}

function parsed(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8')) as unknown;
  } catch {
    return undefined;
  }
}

const FRAMES = '\n    at run (/app/a.js:1:2)\n    at async Promise.all (index 0)\n    at <anonymous>';
const ERRORS = [
  { name: 'TypeError', message: 'a secret\n    at b (c:1:1)', stack: `TypeError: a secret\n    at b (c:1:1)${FRAMES}`, code: 'E_A' },
  { name: 'APIError', status: 429, headers: { a: 'b' }, error: { type: 'rate_limit_error' }, message: '{"error":{}}', stack: `APIError: 429${FRAMES}` },
  { code: 'UND_ERR_RESPONSE', statusCode: 500, response: { status: 502, headers: {} }, cause: { code: 7 }, message: 'got status: {"error":', stack: FRAMES },
];

/** Errors of any shape: what a log line says of them, and whether they tell of an upstream. */
export const errors: Target = {
  repeats: [' at a:1:1', ':1', ' ', '\\n    at a (b:1:1)', 'got status: '],
  make: (random) => mutatedJson(random, random.pick(ERRORS)),
  read: (pieces) => {
    const error = parsed(Buffer.concat(pieces));
    const fields = errorFields(error);
    if (JSON.stringify(fields).length > 64 * 1024) throw new Error('the fields have no bound');
    return [fields, upstreamStatus(error)];
  },
};
