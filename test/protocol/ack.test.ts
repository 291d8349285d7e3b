import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { AckDecoder, ACK_ACCEPTED, ACK_AT_CAPACITY, ACK_INVALID_PATH, ACK_POOL_CLOSED, classifyAck, encodeAck, tooLargeAck, unknownEndpointAck } from '../../src/protocol/index.js';
import { cut, everySplit, feed, hex, join, thrown, vectors } from './support.js';

const golden = vectors<{ name: string; text: string; frame_hex: string }[]>('acks');

describe.each(golden)('golden ack: $name', ({ text, frame_hex }) => {
  test('is written byte for byte', () => expect(encodeAck(text).toString('hex')).toBe(frame_hex));
  test('is read however it is cut', () => {
    for (const chunks of everySplit(Buffer.concat([hex(frame_hex), hex(frame_hex)]))) {
      expect(feed(new AckDecoder(), chunks).map((ack) => 'text' in ack && ack.text)).toEqual([text, text]);
    }
  });
});

test.each([
  [ACK_ACCEPTED, 'accepted'],
  [ACK_AT_CAPACITY, 'overloaded'],
  ['Server overloaded:', 'overloaded'],
  [ACK_POOL_CLOSED, 'unavailable'],
  ['Unknown endpoint: a/b', 'unknown-endpoint'],
  [unknownEndpointAck('a/b'), 'unknown-endpoint'],
  ['Server unavailable: draining', 'unavailable'],
  [ACK_INVALID_PATH, 'rejected'],
  [tooLargeAck(2, 1), 'rejected'],
  ['server overloaded: x', 'rejected'],
  [' ', 'rejected'],
])('ack %j is %s', (text, kind) => expect(classifyAck(text)).toEqual({ kind, text }));

test('unknown endpoints are acked in the newer wording', () => expect(unknownEndpointAck('2a/g')).toBe('Server unavailable: unknown endpoint 2a/g'));

test('an ack over the limit is refused when its length is there, and the decoder is dead afterwards', () => {
  const decoder = new AckDecoder();
  decoder.push(hex('ffffffff'));
  const refused = decoder.next();
  expect(refused).toMatchObject({ kind: 'refused', size: 4294967299, limit: 33554432 });
  decoder.push(hex('00000000'));
  expect(decoder.midFrame).toBe(false);
  expect(decoder.next()).toBe(refused);
});

test('the limit counts the length field too, both ways', () => {
  expect(feed(new AckDecoder(6), [encodeAck('ab')])).toMatchObject([{ kind: 'rejected', text: 'ab' }]);
  expect(feed(new AckDecoder(5), [encodeAck('ab')])).toMatchObject([{ kind: 'refused', size: 6, limit: 5 }]);
  expect(encodeAck('ab', 6)).toHaveLength(6);
  expect(thrown(() => encodeAck('ab', 5))).toMatchObject({ code: 'ERR_FRAME_TOO_LARGE', size: 6, limit: 5 });
});

test('of a long ack the first 1024 bytes are kept', () => {
  expect(feed(new AckDecoder(), [encodeAck('a'.repeat(3000))])).toEqual([{ kind: 'rejected', text: 'a'.repeat(1024) }]);
});

test('midFrame tells a begun ack from none', () => {
  const decoder = new AckDecoder();
  const states = [decoder.midFrame];
  for (const byte of encodeAck('a')) {
    decoder.push(Uint8Array.of(byte));
    const done = decoder.next() !== undefined;
    states.push(decoder.midFrame, done);
  }
  expect(states).toEqual([false, true, false, true, false, true, false, true, false, false, true]);
});

test('acks come back as they were written, however they are cut; any other bytes do no harm', () => {
  fc.assert(fc.property(fc.array(fc.string({ unit: 'grapheme' })), fc.array(fc.nat(1000)), (texts, cuts) => {
    const read = feed(new AckDecoder(), cut(join(texts.map((text) => encodeAck(text))), cuts));
    expect(read).toEqual(texts.map((text) => classifyAck(text)));
  }));
  fc.assert(fc.property(fc.array(fc.uint8Array()), (chunks) => void feed(new AckDecoder(500), chunks)));
});
