import { once } from 'node:events';
import { createServer, ServerResponse, type IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { dynamoTracing } from 'dynamo-tracing';
import { CHAT, open, rawRequest } from '../support/client.js';
import { closeAfterEach, listening } from '../support/listening.js';
import { RecordTap } from '../support/records.js';

const SWITCH = 'HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\n\r\n';
const TEXT = Buffer.from([0x81, 4, 0x88, 2, 0x03, 0xf3]);
/** A close frame with this code, or without one. */
const close = (code?: number): Buffer => Buffer.from(code === undefined ? [0x88, 0] : [0x88, 2, code >> 8, code & 0xff]);
const SUCCESS = { status: 'success', level: 'info' };
const CANCELLED = { status: 'cancelled', error_type: 'cancelled' };
const INTERNAL = { status: 'error', error_type: 'internal' };

type Serve = (socket: Socket, req: IncomingMessage) => void;
/** Writes these pieces, each by itself, and ends. */
const writes = (...pieces: (string | Buffer)[]): Serve => (socket) => {
  for (const piece of pieces) socket.write(piece);
  socket.end();
};

/** Switches, and writes on when the client has ended its half, until the connection breaks. */
const goesOn: Serve = (socket) => {
  socket.removeAllListeners('end').once('end', () => {
    const beat = setInterval(() => socket.write('more'), 1);
    socket.once('close', () => clearInterval(beat));
  });
  socket.write(SWITCH);
};

describe('a connection that asks for another protocol', () => {
  let tap: RecordTap;
  closeAfterEach();
  beforeEach(() => {
    tap = new RecordTap();
  });
  afterEach(() => tap.stop());

  /** The server hands upgrades to the middleware as if they were requests; the client closes when the server has, or does what `leave` does. */
  const upgraded = async (protocol: string, serve: Serve, { before = () => undefined, leave }: { before?: (req: IncomingMessage) => void; leave?: (client: Socket) => void } = {}): Promise<{ sent: unknown[]; completed: Record<string, unknown> }> => {
    const middleware = dynamoTracing({ logger: false });
    const server = createServer().on('upgrade', (req: IncomingMessage, socket: Socket) => {
      const res = new ServerResponse(req);
      res.assignSocket(socket);
      socket.on('error', () => undefined).on('end', () => socket.end()).resume();
      before(req);
      middleware(req, res, () => serve(socket, req));
    });
    const client = await open(await listening(server.listen(0, '127.0.0.1')));
    client.write(rawRequest(CHAT, '', { upgrade: protocol, connection: 'upgrade' }));
    if (leave === undefined) client.resume();
    else client.once('data', () => leave(client));
    const completed = await tap.next('request completed');
    if (!client.destroyed) await once(client.resume(), 'close');
    expect(tap.of('request completed')).toHaveLength(1);
    return { sent: tap.of('http response sent').map(({ fields }) => fields['status']), completed };
  };

  test.each<[string, readonly (string | Buffer)[], Record<string, unknown>]>([
    ['1000', [close(1000)], SUCCESS],
    ['1001, because its page was left', [close(1001)], SUCCESS],
    ['no code', [close()], SUCCESS],
    ['1000 in a piece of its own', [close(1000).subarray(0, 2), close(1000).subarray(2)], SUCCESS],
    ['1000 in a piece of its own, before one of another kind', [close(1000).subarray(0, 2), close(1000).subarray(2), TEXT], SUCCESS],
    ['1000 behind frames of another kind, whatever they hold', [TEXT, TEXT, close(1000)], SUCCESS],
    ['1000, and 1011 after that', [close(1000), close(1011)], SUCCESS],
    ['1000 after a piece of text, which no frame is', ['\u0088\u0002\u0003\u00f3', close(1000)], SUCCESS],
    ['1011', [close(1011)], INTERNAL],
    ['1011 in a piece of its own', [close(1011).subarray(0, 2), close(1011).subarray(2)], INTERNAL],
    ['1011, and 1000 after that', [close(1011), close(1000)], INTERNAL],
    ['1256, whose last byte is that of another', [close(1256)], INTERNAL],
  ])('is recorded by the code with which the server closes a WebSocket: %s', async (_code, pieces, status) => {
    const { sent, completed } = await upgraded('websocket', writes(SWITCH, ...pieces));
    expect([sent, completed]).toEqual([[101], expect.objectContaining(status)]);
  });

  test.each<[string, Serve, ((client: Socket) => void) | undefined, Record<string, unknown>]>([
    ['the client ends it', (socket) => void socket.write(SWITCH), (client) => client.end(), CANCELLED],
    ['the client resets it', (socket) => void socket.write(SWITCH), (client) => client.resetAndDestroy(), CANCELLED],
    ['the server destroys it', (socket) => void socket.write(SWITCH, () => socket.destroy()), undefined, INTERNAL],
  ])('has not gone well as a WebSocket without a close frame: %s', async (_how, serve, leave, status) => {
    expect((await upgraded('WebSocket', serve, { leave: leave! })).completed).toMatchObject(status);
  });

  test.each<[string, Serve, ((client: Socket) => void) | undefined, Record<string, unknown>]>([
    ['the client ends it', (socket) => void socket.write(Buffer.from(SWITCH)), (client) => client.end(), SUCCESS],
    ['the client resets it', (socket) => void socket.write(SWITCH), (client) => client.resetAndDestroy(), CANCELLED],
    ['the server destroys it', (socket) => void socket.write(SWITCH, () => socket.destroy()), undefined, INTERNAL],
    ['the client ends its half of it and resets it then', goesOn, (client) => void client.end().once('data', () => client.resetAndDestroy()), CANCELLED],
    ['the server destroys it behind what would close a WebSocket', (socket) => void (socket.write(SWITCH), socket.write(close(1000), () => socket.destroy())), undefined, INTERNAL],
  ])('is recorded by how it ends where the protocol is none that is known: %s', async (_how, serve, leave, status) => {
    expect((await upgraded('other', serve, { leave: leave! })).completed).toMatchObject(status);
  });

  test.each<[string, string | Buffer, number, Record<string, unknown>]>([
    ['text', 'HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n', 400, { status: 'error', error_type: 'validation' }],
    ['bytes of HTTP/1.0', Buffer.from('HTTP/1.0 503 Busy\r\n\r\n'), 503, { status: 'error' }],
    ['a success of HTTP', 'HTTP/1.1 200 OK\r\n\r\n88', 200, SUCCESS],
  ])('is refused with the status that the server writes itself: %s', async (_what, head, code, status) => {
    const { sent, completed } = await upgraded('websocket', (socket) => void socket.end(head));
    expect([sent, completed]).toEqual([[code], expect.objectContaining(status)]);
  });

  test.each<[string, Serve, Record<string, unknown>]>([
    ['the server destroys it', (socket) => void socket.destroy(), INTERNAL],
    ['the server writes what is no head', (socket) => void socket.write('X HTTP/1.1 101\r\n\r\n', () => socket.destroy()), INTERNAL],
  ])('has no status and no success without an answer: %s', async (_how, serve, status) => {
    const { sent, completed } = await upgraded('websocket', serve);
    expect([sent, completed]).toEqual([[], expect.objectContaining(status)]);
  });

  test('has the status 101 where a library has switched it before the middleware is reached, as express-ws does', async () => {
    const { sent, completed } = await upgraded('websocket', (socket) => void socket.end(close(1000)), { before: (req) => Object.assign(req, { ws: {} }) });
    expect([sent, completed]).toEqual([[101], expect.objectContaining(SUCCESS)]);
  });

  test.each([{ ws: null }, { ws: 'a field of a body' }, {}])('has the status that is written where the request holds no WebSocket: %j', async (held) => {
    const { sent } = await upgraded('websocket', (socket) => void socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'), { before: (req) => Object.assign(req, held) });
    expect(sent).toEqual([400]);
  });
});
