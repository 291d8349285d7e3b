import { describe, expect, test } from '@jest/globals';
import { encodeRequestFrame, encodeTwoPart, RequestFrameDecoder, TwoPartDecoder } from '../../src/protocol/index.js';
import { everySplit, join } from './support.js';

const request = join(encodeRequestFrame('a.b.c', { traceparent: 'x' }, [Buffer.from('payload')]).chunks);
const empty = join(encodeRequestFrame('', {}, []).chunks);
const twoPart = join(encodeTwoPart(Buffer.from('header'), Buffer.from('data')));

describe.each([
  ['request frames', () => new RequestFrameDecoder(64, { keepRaw: true }), [request, empty], Buffer.from('0001410002', 'hex'), Buffer.from('0041', 'hex')],
  ['two-part frames', () => new TwoPartDecoder(64, { keepRaw: true }), [twoPart, join(encodeTwoPart())], twoPart.subarray(0, 30), Buffer.alloc(24, 1)],
] as const)('a decoder of %s that keeps raw bytes', (_name, make, frames, unfinished, refused) => {
  test.each([['a frame that is not complete', unfinished], ['a frame that is refused, and what follows it in the same chunk', refused]])('gives every byte back, however they are cut: whole frames, then %s', (_what, last) => {
    for (const chunks of everySplit(join([...frames, last]))) {
      const decoder = make();
      const seen: Buffer[] = [];
      let passed: Buffer[] | undefined;
      for (const chunk of chunks) {
        if (passed !== undefined) {
          passed.push(Buffer.from(chunk));
          continue;
        }
        decoder.push(chunk);
        for (let frame = decoder.next(); frame !== undefined && passed === undefined; frame = decoder.next()) {
          if ('byteLength' in frame) seen.push(join(frame.raw!));
          else passed = [...decoder.rest()];
        }
      }
      expect(seen).toEqual(frames);
      expect(join(passed ?? decoder.rest())).toEqual(last);
    }
  });

  test('hands out views of what it was given, the last part as the frame has it', () => {
    const decoder = make();
    decoder.push(frames[0]);
    const frame = decoder.next()!;
    if (!('byteLength' in frame)) throw new Error('refused');
    for (const part of frame.raw!) expect(part.buffer).toBe(frames[0].buffer);
    expect(frame.raw!.at(-1)).toEqual('payload' in frame ? frame.payload : frame.data);
  });
});

test.each([
  ['request frames', () => new RequestFrameDecoder(64), request, Buffer.from('0041', 'hex')],
  ['two-part frames', () => new TwoPartDecoder(64), twoPart, Buffer.alloc(24, 1)],
] as const)('a decoder of %s says at each byte whether a frame has begun, and holds nothing once it has refused one', (_name, make, frame, refused) => {
  const decoder = make();
  const states = Array.from(frame, (byte) => {
    decoder.push(Uint8Array.of(byte));
    return [decoder.next() !== undefined, decoder.midFrame];
  });
  expect(states).toEqual([...Array<unknown>(frame.length - 1).fill([false, true]), [true, false]]);
  decoder.push(Buffer.concat([refused, frame]));
  expect(decoder.next()).toMatchObject({ kind: 'refused' });
  decoder.push(frame);
  expect([join(decoder.rest()).length, decoder.midFrame]).toEqual([0, false]);
});

test('a decoder that does not keep raw bytes gives none', () => {
  const decoder = new RequestFrameDecoder();
  decoder.push(request);
  expect(decoder.next()).toMatchObject({ kind: 'request', raw: undefined });
});
