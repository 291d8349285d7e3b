import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { EchoedIds } from '../../src/middleware/echoed-ids.js';
import { CHAT, open, post, rawRequest, received } from '../support/client.js';
import { FRAMEWORKS, type RawHandler, type TestServer } from '../support/frameworks.js';
import { RecordTap } from '../support/records.js';

const OURS = '0f4ac56e-5bd1-4657-bf8b-39cdcde9036b';
const SENT = { 'request-id': OURS, 'x-request-id': 'order-42' };
const THEIRS = { 'request-id': 'theirs', 'x-request-id': 'their-x' };
type Head = (res: ServerResponse) => unknown;

const pairs = (headers: Record<string, string>): never => Object.entries(headers) as never;
const flat = (headers: Record<string, string>): never => Object.entries(headers).flat() as never;
const upper = { 'Request-ID': 'theirs', 'X-REQUEST-ID': 'their-x' };

describe.each(FRAMEWORKS)('the ids on the response, on $name', ({ name, start }) => {
  let tap: RecordTap;
  let server: TestServer | undefined;
  beforeEach(() => {
    tap = new RecordTap();
  });
  afterEach(async () => {
    await server?.close();
    server = undefined;
    tap.stop();
  });

  const answered = async (handler: RawHandler): Promise<{ ids: unknown; other: unknown; upstream: unknown }> => {
    server = await start({ tracing: { logger: false }, raw: { [CHAT]: handler } });
    const { headers } = await post(server.port, CHAT, undefined, SENT);
    const { upstream_request_id: upstream } = await tap.next('request completed');
    return { ids: { 'request-id': headers['request-id'], 'x-request-id': headers['x-request-id'] }, other: headers['x-other'], upstream };
  };

  test.each<[string, Head]>([
    ['a record', (res) => res.writeHead(200, { ...THEIRS, 'x-other': 'o' })],
    ['a record with upper-case names', (res) => res.writeHead(200, { ...upper, 'x-other': 'o' })],
    ['a record after a status message', (res) => (name.includes('HTTP/2') ? res.writeHead(200, { ...THEIRS, 'x-other': 'o' }) : res.writeHead(200, 'Fine', { ...THEIRS, 'x-other': 'o' }))],
    ['names and values in turn', (res) => res.writeHead(200, flat({ ...THEIRS, 'x-other': 'o' }))],
    ['names and values in turn, upper case', (res) => res.writeHead(200, flat({ 'x-other': 'o', ...upper }))],
    ['pairs', (res) => res.writeHead(200, pairs({ ...THEIRS, 'x-other': 'o' }))],
    ['setHeader', (res) => [...Object.entries(THEIRS), ['x-other', 'o']].forEach(([header, value]) => res.setHeader(header!, value!))],
    ['setHeader with several values', (res) => [...Object.entries(THEIRS), ['x-other', 'o']].forEach(([header, value]) => res.setHeader(header!, header === 'x-other' ? value! : [value!, 'more']))],
  ])("stay ours where %s gives an upstream's, and its id is recorded", async (_form, head) => {
    expect(await answered((_req, res) => {
      head(res);
      res.end('{}');
    })).toEqual({ ids: SENT, other: 'o', upstream: 'theirs' });
  });

  test('that a handler gives itself and that are equal to ours are no upstream id', async () => {
    expect(await answered((_req, res) => void res.writeHead(200, SENT).end('{}'))).toEqual({ ids: SENT, other: undefined, upstream: undefined });
  });

  test.each<[string, Head]>([
    ['setHeader', (res) => Object.entries(THEIRS).forEach(([header, value]) => res.setHeader(header, value))],
    ['writeHead', (res) => res.writeHead(200, THEIRS)],
  ])("are the handler's own after echo(false) and %s", async (_form, head) => {
    expect(await answered((_req, res, trace) => {
      trace.echo(false);
      head(res);
      res.end('{}');
    })).toEqual({ ids: THEIRS, other: undefined, upstream: 'theirs' });
  });

  test('are taken off by echo(false) where the handler has none, and put back by echo(true)', async () => {
    expect((await answered((_req, res, trace) => {
      trace.echo(false);
      res.end('{}');
    })).ids).toEqual({ 'request-id': undefined, 'x-request-id': undefined });
    await server?.close();
    tap.entries.length = 0;
    expect((await answered((_req, res, trace) => {
      trace.echo(false);
      trace.echo(true);
      res.end('{}');
    })).ids).toEqual(SENT);
  });

  test('are what they were when echo(false) comes after the head', async () => {
    const faults: unknown[] = [];
    expect((await answered((_req, res, trace) => {
      res.writeHead(200);
      try {
        trace.echo(false);
        trace.echo(true);
      } catch (error) {
        faults.push(error);
      }
      res.end('{}');
    })).ids).toEqual(SENT);
    expect(faults).toEqual([]);
  });

  test('stand on a response whose head is written by end() alone', async () => {
    server = await start({ tracing: { logger: false }, raw: { [CHAT]: (_req, res) => {
      res.setHeader('request-id', 'theirs');
      res.statusCode = 204;
      res.end();
    } } });
    expect((await post(server.port, CHAT, undefined, SENT)).headers['request-id']).toBe(OURS);
  });

  test('are on each answer of a kept connection', async () => {
    server = await start({ tracing: { logger: false }, raw: { [CHAT]: (_req, res, trace) => void res.end(`<${trace.xRequestId}>`) } });
    const socket = await open(server.port);
    for (const id of ['a', 'b']) {
      socket.write(rawRequest(CHAT, '{}', { 'x-request-id': id }));
      expect(await received(socket, `<${id}>`)).toContain(name.includes('HTTP/2') ? '200' : `x-request-id: ${id}`);
    }
    socket.destroy();
  });
});

test("an upstream's id is kept up to 256 characters, and the first counts", () => {
  const echo = new EchoedIds({ requestId: OURS, xRequestId: undefined, invalid: [], droppedXRequestId: false, deprecatedHeader: false }, { echoRequestId: true, echoXRequestId: true });
  echo.takeFrom({ 'x-request-id': ['a'.repeat(300)] });
  echo.takeFrom({ 'request-id': 'second' });
  expect(echo.upstream).toBe('a'.repeat(256));
});

test('a head that has been sent is left alone', () => {
  const res = new ServerResponse(new IncomingMessage(new Socket()));
  res.writeHead(200);
  const echo = new EchoedIds({ requestId: OURS, xRequestId: undefined, invalid: [], droppedXRequestId: false, deprecatedHeader: false }, { echoRequestId: true, echoXRequestId: true });
  for (const ours of [true, false, true]) echo.enforce(ours, res);
  echo.set(res);
  expect([res.headersSent, res.hasHeader('request-id')]).toEqual([true, false]);
});

test('headers without ids are handed on as the very object that was given', () => {
  const echo = new EchoedIds({ requestId: OURS, xRequestId: undefined, invalid: [], droppedXRequestId: false, deprecatedHeader: false }, { echoRequestId: true, echoXRequestId: true });
  const given = { 'content-type': 'text/plain' };
  expect(echo.takeFrom(given)).toBe(given);
});
