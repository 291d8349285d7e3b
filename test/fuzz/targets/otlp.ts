import { recordsOf, spansOf } from '../../../src/harness/otlp/convert.js';
import { LOGS, readMessage, TRACES } from '../../../src/harness/otlp/protobuf.js';
import { decodeJson } from '../../../src/protocol/index.js';
import { mutateBytes, mutatedJson, mutateList } from '../mutate.js';
import type { Random } from '../random.js';
import type { Target } from '../target.js';

/** A protobuf field: its number, and a varint, eight bytes, or what has a length. */
type Field = readonly [number: number, value: bigint | Uint8Array | string | readonly Field[], fixed?: 'fixed64'];

function encoded(fields: readonly Field[], random: Random): Buffer {
  return Buffer.concat(fields.map(([number, value, fixed]) => {
    if (fixed !== undefined) return Buffer.concat([varint(BigInt(number << 3) | 1n), eight(value as bigint)]);
    if (typeof value === 'bigint') return Buffer.concat([varint(BigInt(number << 3)), varint(value)]);
    const bytes = typeof value === 'string' ? Buffer.from(value) : value instanceof Uint8Array ? value : encoded(random.once(12) ? mutateList(random, value) : value, random);
    return Buffer.concat([varint(BigInt(number << 3) | 2n), varint(BigInt(bytes.length + (random.once(60) ? random.pick([-1, 1, 200]) : 0))), bytes]);
  }));
}

function varint(value: bigint): Buffer {
  const bytes: number[] = [];
  let left = BigInt.asUintN(64, value);
  for (; left > 0x7fn; left >>= 7n) bytes.push(Number(left & 0x7fn) | 0x80);
  return Buffer.from([...bytes, Number(left)]);
}

function eight(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(value);
  return bytes;
}

const text = (key: string, value: string): Field => [9, [[1, key], [2, [[1, value]]]]];
const deep = (levels: number): Field => (levels === 0 ? [3, 5n] : [5, [[1, [deep(levels - 1)]]]]);
const RESOURCE: Field = [1, [[1, [[1, 'service.name'], [2, [[1, 'gateway']]]]]]];
const TRACE: readonly Field[] = [[1, [RESOURCE, [2, [[1, [[1, 'tracer']]], [2, [
  [1, Buffer.alloc(16, 7)], [2, Buffer.alloc(8, 5)], [4, Buffer.alloc(8, 3)], [3, 'a=b'], [5, 'http-request'], [6, 2n], [7, 1_777_312_801_000_000_000n, 'fixed64'], [8, 1_777_312_802_000_000_000n, 'fixed64'],
  text('dynamo.x', 'v'), [9, [[1, 'n'], [2, [[3, 2n ** 63n]]]]], [9, [[1, 'deep'], [2, [deep(10)]]]], [11, [[1, 5n, 'fixed64'], [2, 'event']]], [13, [[1, Buffer.alloc(16, 9)], [2, Buffer.alloc(8, 9)]]], [15, [[2, 'm'], [3, 2n]]],
]]]]]]];
const LOG: readonly Field[] = [[1, [RESOURCE, [2, [[2, [[3, 'INFO'], [5, [[1, 'message']]], [6, [[1, 'target'], [2, [[1, 't']]]]], [9, Buffer.alloc(16, 7)], [10, Buffer.alloc(8, 5)]]]]]]]];

const JSON_TRACE = { resourceSpans: [{ resource: { attributes: [{ key: 'service.name', value: { stringValue: 'g' } }] }, scopeSpans: [{ scope: { name: 't' }, spans: [{
  traceId: 'AB'.repeat(16), spanId: 'cd'.repeat(8), parentSpanId: '', name: 'n', kind: 'SPAN_KIND_SERVER', startTimeUnixNano: '1777312801000000000', endTimeUnixNano: 1_777_312_802, flags: 0x300,
  attributes: [{ key: 'a', value: { intValue: '18446744073709551615' } }, { key: 'b', value: { arrayValue: { values: [{ doubleValue: 1.5 }, { kvlistValue: { values: [{ key: 'c' }] } }] } } }],
  events: [{ name: 'e', timeUnixNano: '1', attributes: [] }], links: [{ traceId: '1', spanId: '2' }], status: { code: 'STATUS_CODE_ERROR', message: 'm' },
}] }] }] };
const JSON_LOG = { resourceLogs: [{ resource: {}, scopeLogs: [{ logRecords: [{ severityText: 'WARN', body: { stringValue: 'x' }, attributes: [{ key: 'target', value: { stringValue: 't' } }], traceId: 'AB', spanId: 'CD' }] }] }] };

const READERS = { trace: (value: unknown) => spansOf(value as never), log: (value: unknown) => recordsOf(value as never) };

const protobuf = (kind: keyof typeof READERS, seed: readonly Field[]): Target => ({
  throws: ['ERR_FRAME_MALFORMED', 'ERR_MESSAGE_INVALID'],
  make: (random) => {
    const bytes = encoded(seed, random);
    return random.once(2) ? mutateBytes(random, bytes, ['\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01', '\x0a', '\x12\xff\xff\xff\xff\x0f', '\x2a\x02\x0a\x00', '\x0b', '\x08']) : bytes;
  },
  read: (pieces) => READERS[kind](readMessage(Buffer.concat(pieces), kind === 'trace' ? TRACES : LOGS)),
});

const otlpJson = (kind: keyof typeof READERS, seed: object): Target => ({
  throws: ['ERR_MESSAGE_INVALID'],
  make: (random) => mutatedJson(random, seed),
  read: (pieces) => READERS[kind](decodeJson(Buffer.concat(pieces))),
});

export const otlpTraces = protobuf('trace', TRACE);
export const otlpLogs = protobuf('log', LOG);
export const otlpJsonTraces = otlpJson('trace', JSON_TRACE);
export const otlpJsonLogs = otlpJson('log', JSON_LOG);
