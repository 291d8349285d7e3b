import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { dataFrameRoom, dataItemContent, encodeStreamItem, encodeTwoPart, payloadCodec, streamItemContent, writeDataFrame } from '../../src/protocol/index.js';
import { join, thrown } from './support.js';

const json = payloadCodec('json');
const msgpack = payloadCodec('msgpack');

function written(data: Uint8Array | string, start: number): Buffer {
  const target = Buffer.alloc(start + dataFrameRoom(data), 0xff);
  return target.subarray(start, writeDataFrame(target, start, data));
}

test('a data frame of text or bytes is what encodeTwoPart makes of its bytes, wherever it is written', () => {
  fc.assert(fc.property(fc.string({ unit: 'grapheme' }), fc.nat(40), (text, start) => {
    const expected = join(encodeTwoPart(undefined, Buffer.from(text)));
    expect(written(text, start)).toEqual(expected);
    expect(written(Buffer.from(text), start)).toEqual(expected);
  }));
});

test.each(['é', Buffer.from('é')])('the limit of a data frame holds for its bytes', (data) => {
  expect(writeDataFrame(Buffer.alloc(64), 0, data, 26)).toBe(26);
  expect(thrown(() => writeDataFrame(Buffer.alloc(64), 0, data, 25))).toMatchObject({ code: 'ERR_FRAME_TOO_LARGE', size: 26, limit: 25 });
});

describe.each([json, msgpack])('$name: the content of an item that is nothing but data', (codec) => {
  const values: unknown[] = [{ a: 1, b: ['x'] }, [], {}, 'text', 5, null, true, 2n ** 64n - 1n, { deep: { id: 2n ** 60n } }, undefined, { toJSON: () => undefined }, { toJSON: (key: string) => key }, new Date(0), { lone: '\ud800', escaped: '\\ud800' }, new Map()];

  test.each(values)('%p is written as the same bytes', (data) => {
    expect(Buffer.from(dataItemContent(codec, data) as string)).toEqual(Buffer.from(encodeStreamItem(codec, { data: { data }, completeFinal: false })));
  });

  test('what cannot be written is refused', () => {
    const cycle: Record<string, unknown> = {};
    cycle['self'] = cycle;
    for (const data of [cycle, { id: 2n ** 64n }]) expect(thrown(() => dataItemContent(codec, data))).toMatchObject({ code: 'ERR_MESSAGE_INVALID' });
  });
});

test('the content of a stream item is text for json and bytes for msgpack', () => {
  expect(streamItemContent(json, { completeFinal: true })).toBe('{"complete_final":true}');
  expect(streamItemContent(msgpack, { completeFinal: true })).toEqual(encodeStreamItem(msgpack, { completeFinal: true }));
});
