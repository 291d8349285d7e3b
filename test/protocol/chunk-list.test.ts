import { describe, expect, test } from '@jest/globals';
import { ChunkList } from '../../src/protocol/chunk-list.js';

const list = (...chunks: string[]): ChunkList => {
  const bytes = new ChunkList();
  for (const chunk of chunks) bytes.push(Buffer.from(chunk, 'latin1'));
  return bytes;
};

describe('ChunkList', () => {
  test('takes views inside a chunk and copies across chunks', () => {
    const chunk = Buffer.from('abcdef');
    const bytes = new ChunkList();
    bytes.push(chunk);
    bytes.push(Buffer.from('ghi'));
    expect(bytes.take(2).buffer).toBe(chunk.buffer);
    expect(bytes.take(5).toString()).toBe('cdefg');
    expect(bytes.take(2).toString()).toBe('hi');
    expect(bytes.length).toBe(0);
  });

  test('numbers and text cross boundaries', () => {
    expect(list('\x01', '\x02').takeUint16()).toBe(0x0102);
    expect(list('\x01\x02', '\x03', '\x04').takeUint32()).toBe(0x01020304);
    expect(list('\0\0\0\x01\0', '\0\0\x02').takeUint64()).toBe(4294967298);
    expect(list('\xc3', '\xa9').takeText(2)).toBe('é');
    expect(list('\xc3', '(').takeText(2)).toBeUndefined();
  });

  test('a guess is used only when it is right, and ASCII', () => {
    expect(list('abc').takeText(3, 'abc')).toBe('abc');
    expect(list('abd').takeText(3, 'abc')).toBe('abd');
    expect(list('\xe9').takeText(1, 'é')).toBeUndefined();
  });

  test('a replacement character that was sent is text, not an error', () => {
    const bytes = new ChunkList();
    bytes.push(Buffer.from('a\ufffdb'));
    expect(bytes.takeText(5)).toBe('a\ufffdb');
  });

  test('asking for more than is there throws', () => {
    expect(() => list('ab').take(3)).toThrow(RangeError);
    expect(() => list().takeUint16()).toThrow(RangeError);
  });

  test('a stream that trickles in is gathered, views taken before stay as they were', () => {
    const bytes = new ChunkList();
    const sent = Buffer.from(Array.from({ length: 30_000 }, (_, index) => index % 251));
    const seen: Buffer[] = [];
    for (let at = 0; at < sent.length; at += 1) {
      bytes.push(sent.subarray(at, at + 1));
      if (at % 7000 === 6999) seen.push(bytes.take(6999));
    }
    seen.push(bytes.take(bytes.length));
    expect(Buffer.concat(seen).equals(sent)).toBe(true);
  });

  test('small chunks of any size come back as they were sent, many blocks of them too', () => {
    const bytes = new ChunkList();
    const sent = Buffer.from(Array.from({ length: 60_000 }, (_, index) => index % 251));
    for (let at = 0, size = 1; at < sent.length; at += size, size = (size * 7) % 1021) bytes.push(sent.subarray(at, at + size));
    const seen: Buffer[] = [];
    while (bytes.length > 0) seen.push(bytes.take(Math.min(bytes.length, 1 + ((seen.length * 531) % 3001))));
    expect(Buffer.concat(seen).equals(sent)).toBe(true);
  });

  test('the first 16 small chunks in a row stay as they came, those after them share blocks of 8 KiB until a large one comes', () => {
    const bytes = new ChunkList();
    const chunks = Array.from({ length: 40 }, () => new Uint8Array(10));
    for (const chunk of [...chunks, new Uint8Array(1024), new Uint8Array(10)]) bytes.push(chunk);
    const sizes = [...chunks, undefined].map((chunk) => bytes.take(chunk?.length ?? 1024).buffer.byteLength);
    expect(sizes).toEqual([...Array<number>(16).fill(10), ...Array<number>(24).fill(8192), 1024]);
    expect(bytes.take(10).buffer.byteLength).toBe(10);
  });

  test('what was cleared is gone, and the list goes on as a new one', () => {
    const bytes = list('abc', 'de');
    bytes.take(1);
    bytes.clear();
    expect(bytes.length).toBe(0);
    bytes.push(Buffer.from('fg'));
    expect(bytes.take(2).toString()).toBe('fg');
  });
});
