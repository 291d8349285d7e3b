import { toUSVString } from 'node:util';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { encodeRequestFrame, fitHeaders, RequestFrameDecoder, tooLargeAck, type FrameRefusal, type RequestFrame } from '../../src/protocol/index.js';
import { cut, everySplit, feed, hex, join, thrown, vectors } from './support.js';

interface Valid { name: string; endpoint_path: string; headers: Record<string, string>; payload_hex: string; frame_hex: string }
interface Malformed { name: string; frame_hex: string; expect: string }
const { valid, malformed } = vectors<{ valid: Valid[]; malformed: Malformed[] }>('request-frames');

const decode = (chunks: readonly Uint8Array[], limit?: number) => feed(new RequestFrameDecoder(limit), chunks);
const frame = (item: RequestFrame | FrameRefusal | undefined): RequestFrame => {
  if (item?.kind !== 'request') throw new Error(`a request was expected, not ${String(item?.kind)}`);
  return item;
};
const MIB = Buffer.alloc(2 ** 20);
const bad = (name: string): Buffer => hex(malformed.find((vector) => vector.name === name)!.frame_hex);
const plain = (item: RequestFrame) => ({ path: item.endpointPath, headers: { ...item.headers }, payload: item.payload.toString('hex') });

describe.each(valid)('golden frame: $name', (vector) => {
  const bytes = hex(vector.frame_hex);
  const expected = { path: vector.endpoint_path, headers: vector.headers, payload: vector.payload_hex };

  test('is read', () => {
    const [item, ...rest] = decode([bytes]);
    expect(plain(frame(item))).toEqual(expected);
    expect(frame(item).byteLength).toBe(bytes.length);
    expect(rest).toEqual([]);
  });

  test('is written byte for byte', () => {
    const encoded = encodeRequestFrame(vector.endpoint_path, vector.headers, [hex(vector.payload_hex)]);
    expect(join(encoded.chunks).toString('hex')).toBe(vector.frame_hex);
    expect(encoded.byteLength).toBe(bytes.length);
    expect(encoded.droppedHeaders).toEqual([]);
  });

  test('is read the same however it is cut', () => {
    for (const chunks of everySplit(Buffer.concat([bytes, bytes]))) {
      expect(decode(chunks).map((item) => plain(frame(item)))).toEqual([expected, expected]);
    }
  });
});

describe('malformed frames', () => {
  test('a path that is not UTF-8 is reported and the next frame is read', () => {
    const items = decode([Buffer.concat([bad('invalid UTF-8 in the path'), hex(valid[3]!.frame_hex)])]);
    expect(items.map((item) => frame(item).endpointPath)).toEqual([undefined, 'x']);
  });

  test.each(['headers are not JSON', 'headers are a JSON array', 'a header value is a number'])('%s: no headers, marked malformed', (name) => {
    const item = frame(decode([bad(name)])[0]);
    expect(Object.keys(item.headers)).toEqual([]);
    expect([item.endpointPath, item.headersMalformed]).toEqual(['a/b', true]);
  });

  test.each(['null', '"x"', '1', '{"a":null}', '{"a":{}}', '{"a":"\xff"}', ' ', '{"a":"x"}}'])('header block %j is malformed', (block) => {
    const bytes = Buffer.concat([hex('0003612f62'), Buffer.from([0, block.length]), Buffer.from(block, 'latin1'), hex('00000000')]);
    expect(frame(decode([bytes])[0]).headersMalformed).toBe(true);
  });

  test('an empty header block is no headers, and not malformed', () => {
    const item = frame(decode([hex('0001780000' + '00000000')])[0]);
    expect([Object.keys(item.headers), item.headersMalformed]).toEqual([[], false]);
  });

  test('__proto__ and constructor are header names like any other', () => {
    const { headers } = frame(decode([bad('__proto__ as a header name')])[0]);
    expect(Object.getPrototypeOf(headers)).toBeNull();
    expect(headers['__proto__']).toBe('x');
    expect(headers['constructor']).toBe('y');
    expect(({} as Record<string, unknown>)['x']).toBeUndefined();
    expect(encodeRequestFrame('a/b', headers, []).byteLength).toBe(bad('__proto__ as a header name').length);
  });

  test('4 GiB declared is refused at once and the decoder is dead afterwards', () => {
    const decoder = new RequestFrameDecoder();
    decoder.push(bad('payload length 4 GiB - 1 declared'));
    const refused = decoder.next() as FrameRefusal;
    expect(refused).toMatchObject({ kind: 'refused', size: 4294967308, limit: 33554432, error: { code: 'ERR_FRAME_TOO_LARGE', size: 4294967308, limit: 33554432 } });
    expect(tooLargeAck(refused.size, refused.limit)).toBe('Read error: message too large: 4294967308 bytes (max: 33554432 bytes)');
    decoder.push(hex(valid[0]!.frame_hex));
    expect(decoder.next()).toBe(refused);
    expect(decoder.midFrame).toBe(false);
  });

  test('a frame cut inside the header block is waited for', () => {
    const decoder = new RequestFrameDecoder();
    expect(decoder.midFrame).toBe(false);
    decoder.push(bad('cut inside the header block'));
    expect(decoder.next()).toBeUndefined();
    expect(decoder.midFrame).toBe(true);
  });

  test.each([['path', '0100', 264], ['headers', '00017801ff', 520]])('the limit is checked as soon as the %s length is there', (_, start, size) => {
    expect(decode([hex(start)], 100)).toMatchObject([{ kind: 'refused', size, limit: 100 }]);
  });

  test('a frame of exactly the limit is read, one byte more is refused', () => {
    const bytes = hex(valid[3]!.frame_hex);
    expect(decode([bytes], bytes.length)).toHaveLength(1);
    expect(decode([bytes], bytes.length)[0]!.kind).toBe('request');
    expect(decode([bytes], bytes.length - 1)).toMatchObject([{ kind: 'refused', size: bytes.length }]);
  });
});

describe('copies', () => {
  test('payload parts are written as they were given, and not copied', () => {
    const parts = [Buffer.from('ab'), Buffer.alloc(0), new Uint8Array([1, 2, 3])];
    const { chunks } = encodeRequestFrame('x', { a: 'b' }, parts);
    expect(chunks[1]).toBe(parts[0]);
    expect(chunks[2]).toBe(parts[2]);
    expect(chunks).toHaveLength(3);
  });

  test('the payload of a frame inside one chunk is a view of it', () => {
    const bytes = hex(valid[1]!.frame_hex);
    const { payload } = frame(decode([bytes])[0]);
    expect(payload.buffer).toBe(bytes.buffer);
    expect(payload.byteOffset).toBe(bytes.byteOffset + bytes.length - 16);
  });
});

describe('limits when writing', () => {
  test('a path over 65535 bytes is refused, counted in bytes', () => {
    expect(thrown(() => encodeRequestFrame('é'.repeat(32768), {}, []))).toMatchObject({ code: 'ERR_FRAME_FIELD_TOO_LONG', field: 'endpoint_path', size: 65536, limit: 65535 });
    expect(encodeRequestFrame('é'.repeat(32767), {}, []).byteLength).toBe(65534 + 10);
  });

  test('a frame over the limit is refused, one of exactly the limit is written', () => {
    expect(encodeRequestFrame('x', { a: 'b' }, [Buffer.alloc(82)], 100).byteLength).toBe(100);
    expect(thrown(() => encodeRequestFrame('x', { a: 'b' }, [Buffer.alloc(83)], 100))).toMatchObject({ code: 'ERR_FRAME_TOO_LARGE', size: 101, limit: 100 });
    expect(thrown(() => encodeRequestFrame('x', {}, [Buffer.alloc(33554432)]))).toMatchObject({ code: 'ERR_FRAME_TOO_LARGE' });
  });

  test('a payload of 4 GiB is refused whatever the limit, because its length field has four bytes; one byte less is written', () => {
    const parts = Array.from({ length: 4096 }, () => MIB);
    expect(thrown(() => encodeRequestFrame('x', {}, parts, Infinity))).toMatchObject({ code: 'ERR_FRAME_TOO_LARGE', size: 2 ** 32, limit: 2 ** 32 - 1 });
    const { chunks, byteLength } = encodeRequestFrame('x', {}, [MIB.subarray(1), ...parts.slice(1)], Infinity);
    expect([Buffer.from(chunks[0]!).readUInt32BE(chunks[0]!.length - 4), byteLength]).toEqual([2 ** 32 - 1, 2 ** 32 - 1 + chunks[0]!.length]);
  });

  test('a header value that is not a string is refused: the worker would drop all headers for it', () => {
    const headers = { a: 'b', n: 1 } as unknown as Record<string, string>;
    expect(thrown(() => encodeRequestFrame('x', headers, []))).toMatchObject({ code: 'ERR_MESSAGE_INVALID', field: 'headers.n' });
  });

  test('lone surrogates become U+FFFD in path and headers', () => {
    const item = frame(decode(encodeRequestFrame('a\ud800', { 'k\udc00': 'v\\ud800\ud800' }, []).chunks)[0]);
    expect(plain(item)).toEqual({ path: 'a\ufffd', headers: { 'k\ufffd': 'v\\ud800\ufffd' }, payload: '' });
  });
});

describe('fitHeaders', () => {
  const ids = { 'request-id': 'r1', traceparent: 't' };
  const big = 'x'.repeat(70_000);

  test.each([
    ['fits', {}, []],
    ['tracestate is too long', { tracestate: big, 'x-request-id': 'a' }, ['tracestate']],
    ['both are too long', { tracestate: big, 'x-request-id': big }, ['tracestate', 'x-request-id']],
    ['x-request-id is too long: tracestate goes first all the same', { 'x-request-id': big, tracestate: 'a' }, ['tracestate', 'x-request-id']],
    ['there is no tracestate', { 'x-request-id': big }, ['x-request-id']],
  ])('%s', (_, extra, dropped) => {
    const headers = { ...extra, ...ids };
    const fitted = fitHeaders(headers);
    expect(fitted.dropped).toEqual(dropped);
    expect(fitted.headers).toMatchObject(ids);
    expect(fitted.byteLength).toBe(Buffer.byteLength(JSON.stringify(fitted.headers)));
    expect(encodeRequestFrame('x', headers, []).droppedHeaders).toEqual(dropped);
  });

  test('headers that cannot shrink enough are refused', () => {
    expect(thrown(() => fitHeaders({ ...ids, other: big, tracestate: 'a' }))).toMatchObject({ code: 'ERR_FRAME_FIELD_TOO_LONG', field: 'headers', limit: 65535 });
  });

  test('a limit of its own can be given, and the given object stays as it was', () => {
    const headers = { ...ids, tracestate: 'abc' };
    expect(fitHeaders(headers, 40).dropped).toEqual(['tracestate']);
    expect(headers.tracestate).toBe('abc');
  });
});

describe('properties', () => {
  const text = fc.string({ unit: 'grapheme', maxLength: 60 });
  const headers = fc.dictionary(fc.oneof(text, fc.constantFrom('__proto__', 'toJSON', 'constructor')), fc.oneof(text, fc.string({ unit: 'binary' })), { noNullPrototype: false });
  const request = fc.record({ path: text, headers, payload: fc.uint8Array({ maxLength: 300 }) });
  const bytesOf = (value: { path: string; headers: Record<string, string>; payload: Uint8Array }) =>
    join(encodeRequestFrame(value.path, value.headers, [value.payload]).chunks);

  test('frames come back as they were written, however they are cut', () => {
    fc.assert(fc.property(fc.array(request, { minLength: 1, maxLength: 4 }), fc.array(fc.nat(5000), { maxLength: 40 }), (requests, cuts) => {
      const items = decode(cut(join(requests.map(bytesOf)), cuts)).map(frame);
      expect(items.map((item) => [item.endpointPath, Object.entries(item.headers).sort(), Buffer.from(item.payload).toString('hex')])).toEqual(
        requests.map((value) => [value.path, Object.entries(value.headers).map(([k, v]) => [toUSVString(k), toUSVString(v)]).sort(), Buffer.from(value.payload).toString('hex')]),
      );
    }));
  });

  test('changed bytes never crash or hang the decoder, and it holds no more than its limit', () => {
    fc.assert(fc.property(request, fc.array(fc.tuple(fc.nat(2000), fc.nat(255)), { maxLength: 8 }), fc.array(fc.nat(2000)), (value, changes, cuts) => {
      const bytes = bytesOf(value);
      for (const [at, byte] of changes) bytes[at % bytes.length] = byte;
      for (const item of decode(cut(bytes, cuts), 4096)) if (item.kind === 'request') expect(item.byteLength).toBeLessThanOrEqual(4096);
    }), { numRuns: 500 });
  });

  test('any bytes at all never crash the decoder', () => {
    fc.assert(fc.property(fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 20 }), (chunks) => void decode(chunks, 1000)), { numRuns: 500 });
  });
});
