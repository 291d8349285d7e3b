import { expect, test } from '@jest/globals';
import { Duplex } from 'node:stream';
import { encodeTwoPart, TwoPartDecoder } from '../../src/protocol/index.js';
import { FrameWriter } from '../../src/transport/writers.js';
import { thrown } from '../protocol/support.js';

const LIMIT = 1_000_000;

/** A socket that keeps what it is given, by write; and a writer for it. */
function recorded() {
  const writes: Buffer[][] = [];
  const socket = new Duplex({
    read() {},
    writev(chunks, done) {
      writes.push(chunks.map(({ chunk }) => chunk as Buffer));
      done();
    },
  });
  const frames = (): string[] => {
    const decoder = new TwoPartDecoder();
    for (const chunk of writes.flat()) decoder.push(chunk);
    const texts: string[] = [];
    for (let frame = decoder.next(); frame !== undefined; frame = decoder.next()) texts.push(frame.kind === 'refused' ? 'refused' : `${frame.header.toString()}${frame.data.toString()}`);
    return texts;
  };
  return { socket, writes, frames, writer: new FrameWriter(socket) };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('the small frames of a turn go to the socket as one piece', async () => {
  const { writer, writes, frames } = recorded();
  for (const text of ['a', 'é', 'c']) writer.writeData(text, LIMIT);
  expect(writes).toEqual([]);
  await turn();
  writer.writeData(Buffer.from('d'), LIMIT);
  await turn();
  expect(writes.map((pieces) => pieces.length)).toEqual([1, 1]);
  expect(frames()).toEqual(['a', 'é', 'c', 'd']);
});

test('order is kept between writers that take turns, small and large frames, and frames of another kind', async () => {
  const all = [recorded(), recorded(), recorded()];
  const large = 'x'.repeat(9000);
  const expected: string[] = [];
  for (let i = 0; i < 300; i += 1) {
    const text = i % 50 === 7 ? large : i % 50 === 9 ? 'y'.repeat(3000) : `${i}`;
    expected.push(text);
    for (const { writer } of all) {
      if (i % 50 === 8) writer.write(encodeTwoPart(Buffer.from(text)));
      else writer.writeData(text, LIMIT);
    }
    if (i % 70 === 0) await turn();
  }
  await turn();
  for (const { frames } of all) expect(frames()).toEqual(expected);
});

test('what is left is written before FIN, and nothing after the socket is destroyed', async () => {
  const ended = recorded();
  ended.writer.writeData('last', LIMIT);
  ended.writer.end();
  await turn();
  expect([ended.frames(), ended.socket.writableFinished]).toEqual([['last'], true]);
  const gone = recorded();
  gone.writer.writeData('lost', LIMIT);
  gone.socket.destroy();
  await turn();
  expect(gone.writes).toEqual([]);
});

test.each(['x'.repeat(100), Buffer.alloc(100), 'x'.repeat(9000)])('a frame over the limit is refused and leaves nothing behind', async (data) => {
  const { writer, frames } = recorded();
  writer.writeData('before', LIMIT);
  expect(thrown(() => writer.writeData(data, 50))).toMatchObject({ code: 'ERR_FRAME_TOO_LARGE', limit: 50 });
  writer.writeData('after', LIMIT);
  await turn();
  expect(frames()).toEqual(['before', 'after']);
});
