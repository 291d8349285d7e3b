import { once } from 'node:events';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ReadableStream } from 'node:stream/web';
import { createGzip, gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { CHAT, chat, open, post, rawRequest, received, send } from '../support/client.js';
import { FRAMEWORKS, type TestAppOptions, type TestServer } from '../support/frameworks.js';
import { RecordTap } from '../support/records.js';

const event = (fields: Record<string, unknown>): string => `data: ${JSON.stringify({ id: 'chatcmpl-7', ...fields })}\n\n`;
const CHUNKS = 500;
const STREAM = Buffer.from([
  ...Array.from({ length: CHUNKS }, (_, i) => event({ choices: [{ index: 0, delta: { content: `é漢🙂 ${i}` } }] })),
  event({ choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] }),
  event({ choices: [], usage: { prompt_tokens: 11, completion_tokens: 500, prompt_tokens_details: { cached_tokens: 4 } } }),
  'data: [DONE]\n\n',
].join(''));
const SEEN = { status: 'success', request_type: 'stream', input_tokens: 11, output_tokens: 500, cached_tokens: 4, finish_reason: 'stop', response_id: 'chatcmpl-7' };

/** The bytes in pieces that end anywhere: inside characters, inside `data:`, inside line ends. */
function * cut(bytes: Buffer, seed: number): Generator<Buffer> {
  let state = seed;
  for (let at = 0; at < bytes.length;) {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    const size = 1 + (state % 400);
    yield bytes.subarray(at, at + size);
    at += size;
  }
}

describe.each(FRAMEWORKS)('what a response shows, on $name', ({ name, start }) => {
  let tap: RecordTap;
  let servers: TestServer[];
  beforeEach(() => {
    tap = new RecordTap();
    servers = [];
  });
  afterEach(async () => {
    await Promise.all(servers.map((server) => server.close()));
    tap.stop();
  });
  const serve = async (options: TestAppOptions): Promise<number> => {
    const server = await start({ ...options, tracing: { logger: false } });
    servers.push(server);
    return server.port;
  };

  test.each([1, 2, 3])('500 chunks cut at random places (seed %i) give the record of the uncut stream, byte for byte the same', async (seed) => {
    const port = await serve({ native: { [CHAT]: (answers) => answers.stream('text/event-stream', Readable.from(cut(STREAM, seed))) } });
    const answer = await post(port, CHAT, chat({ stream: true }));
    expect(answer.body).toBe(STREAM.toString());
    expect(await tap.next('request completed')).toMatchObject(SEEN);
  });

  test('tokens that all go out at once have no time between them: avg_itl_ms is 0', async () => {
    const port = await serve({ raw: { [CHAT]: (_req, res) => {
      res.setHeader('content-type', 'text/event-stream');
      res.end(STREAM);
    } } });
    await post(port, CHAT, chat({ stream: true }));
    expect(await tap.next('request completed')).toMatchObject({ ...SEEN, avg_itl_ms: 0 });
  });

  test('bytes proxied from a fetch are read on their way', async () => {
    const upstream = await FRAMEWORKS[0]!.start({ tracing: { logger: false }, native: { '/up': (answers) => answers.stream('text/event-stream', Readable.from(cut(STREAM, 9))) } });
    servers.push(upstream);
    const port = await serve({ raw: { [CHAT]: async (_req, res) => {
      const answer = await fetch(`${upstream.url}/up`);
      res.setHeader('content-type', 'text/event-stream');
      await pipeline(Readable.fromWeb(answer.body as ReadableStream<Uint8Array>), res);
    } } });
    expect((await post(port, CHAT, chat({ stream: true }))).body).toBe(STREAM.toString());
    expect(await tap.next('request completed')).toMatchObject(SEEN);
  });

  test('a handler that reads the request itself has its model and stream flag seen all the same', async () => {
    const port = await serve({ raw: { [CHAT]: async (req, res) => {
      for await (const chunk of req) expect(chunk).toBeInstanceOf(Buffer);
      res.end('{}');
    } } });
    // Express's body parser leaves this type alone; Fastify refuses it before any handler.
    const answer = await send(port, { method: 'POST', path: CHAT, body: chat({ stream: true }), headers: { 'content-type': 'application/x-json' } });
    const expected = !name.includes('Fastify') ? { status: 'success', model: 'm', request_type: 'stream' } : { status: 'error', error_type: 'validation' };
    expect(await tap.next('request completed')).toMatchObject(expected);
    expect(answer.status).toBe(name.includes('Fastify') ? 415 : 200);
  });

  test('a compressed stream is timed and not read, and its bytes are untouched', async () => {
    const port = await serve({ raw: { [CHAT]: async (_req, res) => {
      res.writeHead(200, { 'content-type': 'text/event-stream', 'content-encoding': 'gzip' });
      await pipeline(Readable.from(cut(STREAM, 5)), createGzip(), res);
    } } });
    const answer = await post(port, CHAT, chat({ stream: true }));
    expect(gunzipSync(answer.bytes).equals(STREAM)).toBe(true);
    const record = await tap.next('request completed');
    expect(record).toMatchObject({ status: 'success', request_type: 'stream', ttft_ms: expect.any(Number) });
    expect(record['input_tokens']).toBeUndefined();
  });

  test("write's return value and drain reach the handler", async () => {
    const results: boolean[] = [];
    const port = await serve({ raw: { [CHAT]: async (_req, res) => {
      res.writeHead(200, { 'content-type': 'text/event-stream' });
      for (let i = 0; i < 8; i += 1) {
        const room = res.write(Buffer.alloc(2 ** 20, 0x3a));
        results.push(room);
        if (!room) await once(res, 'drain');
      }
      res.end('\n\n');
    } } });
    const socket = await open(port);
    socket.write(rawRequest(CHAT, chat({ stream: true })));
    await received(socket, '200 OK');
    socket.pause();
    await tap.until(() => results.includes(false), 'a full socket', 5000).catch(() => undefined);
    socket.resume();
    expect(await tap.next('request completed')).toMatchObject({ status: 'success' });
    expect(results).toContain(false);
    expect(results).toHaveLength(8);
    socket.destroy();
  });

  test.each([
    ['/v1/completions', { id: 'cmpl-1', choices: [{ text: 'x', finish_reason: 'stop' }], usage: { prompt_tokens: 3, completion_tokens: 4 } }, { endpoint: 'completions', input_tokens: 3, output_tokens: 4, finish_reason: 'stop', response_id: 'cmpl-1' }],
    ['/v1/embeddings', { data: [{ embedding: [1] }], usage: { prompt_tokens: 5, total_tokens: 5 } }, { endpoint: 'embeddings', input_tokens: 5 }],
    ['/v1/responses', { id: 'resp_1', status: 'completed', output: [], usage: { input_tokens: 6, output_tokens: 7, input_tokens_details: { cached_tokens: 2 } } }, { endpoint: 'responses', input_tokens: 6, output_tokens: 7, cached_tokens: 2, response_id: 'resp_1' }],
    ['/v1/messages', { id: 'msg_1', content: [], stop_reason: 'end_turn', usage: { input_tokens: 8, output_tokens: 9, cache_read_input_tokens: 1 } }, { endpoint: 'anthropic_messages', input_tokens: 9, output_tokens: 9, cached_tokens: 1, finish_reason: 'end_turn', response_id: 'msg_1' }],
  ])('%s is read by its own dialect', async (path, body, fields) => {
    const port = await serve({ native: { [path]: (answers) => answers.json(200, body) } });
    expect(JSON.parse((await post(port, path)).body)).toEqual(body);
    expect(await tap.next('request completed')).toMatchObject({ status: 'success', ...fields });
  });

  test('with observeResponses: false only what the handler says is recorded', async () => {
    const server = await start({ tracing: { logger: false, observeResponses: false }, native: { [CHAT]: (answers) => answers.json(200, { id: 'x', usage: { prompt_tokens: 1, completion_tokens: 1 } }) } });
    servers.push(server);
    await post(server.port);
    const record = await tap.next('request completed');
    expect(record).toMatchObject({ status: 'success', model: 'm' });
    expect(record['output_tokens']).toBeUndefined();
  });
});
