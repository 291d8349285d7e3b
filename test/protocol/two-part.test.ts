import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { decodeTwoPart, encodeTwoPart, TwoPartDecoder, type FrameRefusal, type TwoPartFrame } from '../../src/protocol/index.js';
import { cut, everySplit, feed, hex, join, thrown, vectors } from './support.js';

const golden = vectors<{ name: string; header_text: string; data_text: string; frame_hex: string }[]>('two-part-frames');
const texts = (item: TwoPartFrame | FrameRefusal) => (item.kind === 'refused' ? item : [item.header.toString(), item.data.toString()]);

describe.each(golden)('golden frame: $name', ({ header_text, data_text, frame_hex }) => {
  test('is written byte for byte, in parts or in one', () => {
    const header = Buffer.from(header_text);
    const data = Buffer.from(data_text);
    expect(join(encodeTwoPart(header, data)).toString('hex')).toBe(frame_hex);
    const [whole, ...rest] = encodeTwoPart(header, data, { coalesceBelow: 4096 });
    expect([Buffer.from(whole!).toString('hex'), rest]).toEqual([frame_hex, []]);
  });

  test('is read however it is cut', () => {
    for (const chunks of everySplit(hex(frame_hex + frame_hex))) {
      expect(feed(new TwoPartDecoder(), chunks).map(texts)).toEqual([[header_text, data_text], [header_text, data_text]]);
    }
  });
});

test.each([['h', '', 'header-only'], ['', 'd', 'data-only'], ['h', 'd', 'header-and-data'], ['', '', 'empty']])('parts %j and %j are %s', (header, data, kind) => {
  const bytes = join(encodeTwoPart(Buffer.from(header), Buffer.from(data)));
  expect(decodeTwoPart(bytes)).toMatchObject({ kind, byteLength: bytes.length });
});

test('the checksum is written as 0 and ignored when read', () => {
  const bytes = join(encodeTwoPart(Buffer.from('h')));
  expect(bytes.readBigUInt64BE(16)).toBe(0n);
  bytes.fill(0xff, 16, 24);
  expect(decodeTwoPart(bytes).header.toString()).toBe('h');
});

test('parts are not copied, neither when written nor when read', () => {
  const header = Buffer.from('h');
  const data = new Uint8Array([1, 2]);
  expect(encodeTwoPart(header, data).slice(1)).toEqual([header, data]);
  expect(encodeTwoPart(header, data)[2]).toBe(data);
  const bytes = join(encodeTwoPart(header, data));
  expect(decodeTwoPart(bytes).data.buffer).toBe(bytes.buffer);
});

test('a frame is copied into one buffer only up to the size asked for', () => {
  expect(encodeTwoPart(Buffer.from('ab'), Buffer.from('cd'), { coalesceBelow: 28 })).toHaveLength(1);
  expect(encodeTwoPart(Buffer.from('ab'), Buffer.from('cd'), { coalesceBelow: 27 })).toHaveLength(3);
});

test.each([
  ['header of 2^64 - 1', 'ffffffffffffffff0000000000000000'],
  ['data of 2^64 - 1', '0000000000000000ffffffffffffffff'],
  ['4 GiB in all', '00000000800000000000000080000000'],
  ['2^32 + 1, whose low half is small', '00000001000000010000000000000000'],
])('%s is refused at once', (_, lengths) => {
  const decoder = new TwoPartDecoder();
  decoder.push(hex(`${lengths}0000000000000000`));
  const refused = decoder.next();
  expect(refused).toMatchObject({ kind: 'refused', limit: 33554432, error: { code: 'ERR_FRAME_TOO_LARGE' } });
  decoder.push(hex(golden[1]!.frame_hex));
  expect(decoder.next()).toBe(refused);
  expect(decoder.midFrame).toBe(false);
});

test('midFrame tells a begun frame from none, at each of its bytes', () => {
  const decoder = new TwoPartDecoder();
  const bytes = join(encodeTwoPart(Buffer.from('h'), Buffer.from('d')));
  const states = Array.from(bytes, (byte) => {
    decoder.push(Uint8Array.of(byte));
    return [decoder.next() !== undefined, decoder.midFrame];
  });
  expect(new TwoPartDecoder().midFrame).toBe(false);
  expect(states).toEqual([...Array<unknown>(25).fill([false, true]), [true, false]]);
});

test('the limit counts the whole frame, both ways', () => {
  const bytes = join(encodeTwoPart(Buffer.from('ab'), undefined, { maxSize: 26 }));
  expect(feed(new TwoPartDecoder(26), [bytes])[0]!.kind).toBe('header-only');
  expect(feed(new TwoPartDecoder(25), [bytes])).toMatchObject([{ kind: 'refused', size: 26, limit: 25 }]);
  expect(thrown(() => encodeTwoPart(Buffer.from('ab'), undefined, { maxSize: 25 }))).toMatchObject({ code: 'ERR_FRAME_TOO_LARGE', size: 26, limit: 25 });
});

test.each([
  ['nothing', (bytes: Buffer) => bytes.subarray(0, 0), 'cut short'],
  ['half a preamble', (bytes: Buffer) => bytes.subarray(0, 12), 'cut short'],
  ['all but a byte', (bytes: Buffer) => bytes.subarray(0, -1), 'cut short'],
  ['a byte too many', (bytes: Buffer) => Buffer.concat([bytes, hex('00')]), 'followed by more bytes'],
])('an envelope of %s is malformed', (_, change, reason) => {
  expect(thrown(() => decodeTwoPart(change(hex(golden[0]!.frame_hex))))).toMatchObject({ code: 'ERR_FRAME_MALFORMED', reason });
});

test('frames come back as they were written, however they are cut', () => {
  const part = fc.uint8Array({ maxLength: 3000 });
  fc.assert(fc.property(fc.array(fc.tuple(part, part), { maxLength: 5 }), fc.array(fc.nat(9000)), fc.nat(1000), (frames, cuts, coalesceBelow) => {
    const bytes = join(frames.flatMap(([header, data]) => encodeTwoPart(header, data, { coalesceBelow })));
    const read = feed(new TwoPartDecoder(), cut(bytes, cuts));
    expect(read.map((item) => item.kind !== 'refused' && join([item.header, Buffer.from('|'), item.data]).toString('hex'))).toEqual(
      frames.map(([header, data]) => join([header, Buffer.from('|'), data]).toString('hex')),
    );
  }));
});

test('any bytes do no harm', () => {
  fc.assert(fc.property(fc.array(fc.uint8Array({ maxLength: 60 })), fc.nat(3), (chunks, zeros) => {
    for (const item of feed(new TwoPartDecoder(200), [Buffer.alloc(zeros * 7), ...chunks])) if (item.kind !== 'refused') expect(item.byteLength).toBeLessThanOrEqual(200);
  }));
});
