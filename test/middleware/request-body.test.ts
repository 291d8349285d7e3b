import { once } from 'node:events';
import { createServer, IncomingMessage, type ServerResponse } from 'node:http';
import { Socket, type AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { beforeEach, describe, expect, jest, test } from '@jest/globals';
import { dynamoTracing } from 'dynamo-tracing';
import { readBody, RequestBody } from '../../src/middleware/request-body.js';
import { CHAT, open, received } from '../support/client.js';
import { RecordTap } from '../support/records.js';

const MIB_OF_JSON = `{"model":"m","pad":"`.padEnd(2 ** 20 - 2, 'x') + '"}';
const LONG = 'say \\"model\\": '.repeat(1000);

test.each<[string, unknown, unknown]>([
  ['a parsed object', { model: 'm', stream: true }, { model: 'm', stream: true }],
  ['a parsed object without a model', { stream: false }, { model: undefined, stream: false }],
  ['a model that is no text', { model: 7 }, { model: undefined, stream: undefined }],
  ['a long model name', { model: 'x'.repeat(300) }, { model: 'x'.repeat(256), stream: undefined }],
  ['an empty model and a stream flag of null', { model: '', stream: null }, { model: undefined, stream: undefined }],
  ['a stream flag of another kind', { stream: 1 }, { model: undefined, stream: false }],
  ['fields as @fastify/multipart shows them', { model: { value: 'm' }, stream: { value: 'true' } }, { model: 'm', stream: true }],
  ['JSON text after white space', ' \r\n\t{"model":"m"}', { model: 'm', stream: undefined }],
  ['JSON text without model and stream', '{"prompt":"model"}', undefined],
  ['JSON text', '{"messages":[{"model":"inner","content":"\\"stream\\":true"}],"model":"outer"}', { model: 'outer', stream: undefined }],
  ['JSON bytes', Buffer.from(`{"prompt":"${LONG}","stream":true,"model":"módel"}`), { model: 'módel', stream: true }],
  ['JSON bytes in a view of something larger', new Uint8Array(Buffer.from('xx{"model":"m"}yy')).subarray(2, -2), { model: 'm', stream: undefined }],
  ['text that is no JSON', 'model=m', undefined],
  ['text that ends in JSON', 'x {"model":"m"}', undefined],
  ['an empty object, as a body parser leaves it', {}, undefined],
  ['an array', [1], undefined],
  ['nothing', undefined, undefined],
  ['a mebibyte', MIB_OF_JSON, { model: 'm', stream: undefined }],
  ['more than a mebibyte of text', `${MIB_OF_JSON} `, undefined],
  ['more than a mebibyte of bytes', Buffer.from(`${MIB_OF_JSON} `), undefined],
])('%s', (_name, body, facts) => {
  expect(readBody(body)).toEqual(facts);
});

describe('what a request asks for', () => {
  const known = jest.fn();
  beforeEach(() => {
    known.mockReset();
  });

  const watched = (headers: Record<string, string> = {}, before?: unknown): { req: IncomingMessage & { body?: unknown }; body: RequestBody } => {
    const req: IncomingMessage & { body?: unknown } = new IncomingMessage(new Socket());
    Object.assign(req.headers, headers);
    if (before !== undefined) req.body = before;
    return { req, body: new RequestBody(req, known) };
  };

  test('is told once, by the body that is assigned first', () => {
    const { req, body } = watched();
    req.body = {};
    req.body = { model: 'first', stream: true };
    req.body = { model: 'second' };
    body.settle();
    expect(known.mock.calls).toEqual([[{ model: 'first', stream: true }]]);
    expect([req.body, body.isUnderstood]).toEqual([{ model: 'second' }, true]);
  });

  test('is in the body that a parser assigned before us, which stays where it was', () => {
    const given = { model: 'm' };
    const { req, body } = watched({}, given);
    expect(req.body).toBe(given);
    body.settle();
    expect(body.facts).toEqual({ model: 'm', stream: undefined });
  });

  test.each<[string, () => unknown]>([
    ['a Node stream', () => Readable.from(['x'])],
    ['a Web stream', () => new Response('x').body],
    ['getters that throw', () => Object.defineProperty({}, 'model', { enumerable: true, get: () => { throw new Error('planted'); } })],
    ['a proxy that throws', () => new Proxy({}, { get: () => { throw new Error('planted'); }, has: () => { throw new Error('planted'); }, ownKeys: () => { throw new Error('planted'); } })],
  ])('is not in %s: the bytes count', (_what, make) => {
    const { req, body } = watched();
    const given = make();
    req.body = given;
    expect(req.body).toBe(given);
    req.push(Buffer.from('{"model":"by'));
    req.push(Buffer.from('tes","stream":true}'));
    body.settle();
    expect(body.facts).toEqual({ model: 'bytes', stream: true });
    expect(body.isUnderstood).toBe(false); // the end has not come
  });

  test('is in a body that is filled field by field after it was assigned, as multer fills its own', () => {
    const { req, body } = watched({ 'content-type': 'multipart/form-data; boundary=b' });
    const fields = Object.create(null) as Record<string, string>;
    req.body = fields;
    fields['model'] = 'whisper';
    expect(known).not.toHaveBeenCalled();
    body.settle();
    expect(body.facts).toEqual({ model: 'whisper', stream: undefined });
  });

  test('is in the bytes of a form that nobody parses', () => {
    const { req, body } = watched({ 'content-type': 'multipart/form-data; boundary=b' });
    req.push(Buffer.from('--b\r\nContent-Disposition: form-data; name="model"\r\n\r\nwhis'));
    req.push(Buffer.from('per\r\n--b--\r\n'));
    req.push(null);
    body.settle();
    expect([body.facts, body.isUnderstood]).toEqual([{ model: 'whisper', stream: undefined }, true]);
  });

  test('is in the bytes of a mebibyte', () => {
    const { req, body } = watched();
    for (let at = 0; at < MIB_OF_JSON.length; at += 65_536) req.push(Buffer.from(MIB_OF_JSON.slice(at, at + 65_536)));
    body.settle();
    expect(body.facts).toEqual({ model: 'm', stream: undefined });
  });

  test('is not looked for in bytes after the first mebibyte, and all of them reach the handler', async () => {
    const { req, body } = watched();
    const sent = Buffer.from(`{"pad":"${'x'.repeat(2 ** 20)}","model":"m"}`);
    for (let at = 0; at < sent.length; at += 65_536) req.push(sent.subarray(at, at + 65_536));
    req.push(null);
    body.settle();
    expect(body.facts).toBeUndefined();
    const read: Buffer[] = [];
    for await (const piece of req) read.push(piece as Buffer);
    expect(Buffer.concat(read).equals(sent)).toBe(true);
  });

  test('is asked of the response when the body does not come as far as its fields', () => {
    const { req, body } = watched();
    req.push(Buffer.from('{"messages":["hel'));
    body.settle();
    req.push(Buffer.from('lo"],"model":"late"}'));
    body.settle();
    expect(known).not.toHaveBeenCalled();
  });
});

test('a body that nobody parses and that comes byte by byte is kept in few pieces, and its model is found', async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const tap = new RecordTap();
  const body = `{"pad":"${'x'.repeat(20_000)}","model":"m"}`;
  const pieces: WeakRef<Buffer>[] = [];
  let kept = Infinity;
  const read = async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
    req.on('data', (piece: Buffer) => pieces.push(new WeakRef(piece)));
    await once(req, 'end');
    // A turn later, because what a turn has looked at stays until its end.
    for (let round = 0; round < 10 && kept > 100; round += 1) {
      await new Promise(setImmediate);
      collect();
      kept = pieces.filter((piece) => piece.deref() !== undefined).length;
    }
    res.end('read');
  };
  const middleware = dynamoTracing({ logger: false });
  const server = createServer((req, res) => middleware(req, res, () => void read(req, res))).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const socket = await open((server.address() as AddressInfo).port);
  socket.write(`POST ${CHAT} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n${body.replace(/./g, '1\r\n$&\r\n')}0\r\n\r\n`);
  await received(socket, 'read');
  expect(pieces).toHaveLength(body.length);
  expect(kept).toBeLessThan(100);
  expect(await tap.next('request completed')).toMatchObject({ status: 'success', model: 'm' });
  tap.stop();
  socket.destroy();
  await once(server.close(), 'close');
});
