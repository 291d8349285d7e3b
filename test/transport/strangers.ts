/** Programs that are no workers, each on a port of this machine: the one that is given, or a free one. */
import { randomBytes } from 'node:crypto';
import { createServer as createHttpServer } from 'node:http';
import { createServer as createTlsServer } from 'node:tls';
import { encodeAck, encodePrologue, encodeTwoPart } from 'dynamo-tracing/transport';
import { makeCertificate } from '../support/certificate';
import { ACCEPT, dialHome, headerFrame, itemFrame, listen, PROLOGUE, rawWorker } from './support';

type Listening = ReturnType<typeof listen>;
export type Stranger = (port?: number) => Listening;

const TLS_ALERT = Buffer.from('15030100020246', 'hex');
const garbage = (): Buffer => Buffer.concat([Buffer.from([0x80]), randomBytes(255)]);
const answering = (bytes: () => string | Uint8Array): Stranger => (port) => listen((socket) => socket.on('data', () => socket.write(bytes())), port);
const homeWith = (...frames: Uint8Array[]): Stranger => (port) => rawWorker((_frame, socket, control) => {
  socket.write(ACCEPT);
  void dialHome(control).then((home) => home.write(Buffer.concat(frames)), () => undefined);
}, port);

const http: Stranger = (port) => {
  const server = createHttpServer((_request, response) => response.end());
  return listen((socket) => server.emit('connection', socket), port);
};
let certificate: ReturnType<typeof makeCertificate> | undefined;
const tls: Stranger = (port) => {
  const server = createTlsServer((certificate ??= makeCertificate())).on('tlsClientError', () => undefined);
  return listen((socket) => server.emit('connection', socket), port);
};

/** Each with the code of the error that its caller gets. */
export const STRANGERS: readonly (readonly [what: string, start: Stranger, code: string])[] = [
  ['an HTTP server', http, 'ERR_WORKER_PROTOCOL'],
  ['a program that answers with text', answering(() => '-ERR unknown command\r\n'), 'ERR_WORKER_PROTOCOL'],
  ['a program that greets with text', (port) => listen((socket) => socket.write('SSH-2.0-OpenSSH_9.6\r\n'), port), 'ERR_WORKER_PROTOCOL'],
  ['a program that answers with a TLS alert', answering(() => TLS_ALERT), 'ERR_WORKER_PROTOCOL'],
  ['a program that answers with random bytes', answering(garbage), 'ERR_WORKER_PROTOCOL'],
  ['a TLS server', tls, 'ERR_CONNECTION_CLOSED'],
  ['a program that closes', (port) => listen((socket) => socket.end(), port), 'ERR_CONNECTION_CLOSED'],
  ['a program that resets', (port) => listen((socket) => socket.once('data', () => socket.resetAndDestroy()), port), 'ERR_CONNECTION_CLOSED'],
  ['a program that announces four gigabytes', answering(() => Buffer.alloc(8, 0xff)), 'ERR_WORKER_PROTOCOL'],
  ['a program that says nothing', (port) => listen((socket) => socket.resume(), port), 'ERR_ACK_TIMEOUT'],
  ['a worker whose ack is over the limit', answering(() => encodeAck('x'.repeat(4000))), 'ERR_WORKER_PROTOCOL'],
  ['a worker that acknowledges what nobody sent', answering(() => Buffer.concat([encodeAck('Server unavailable: no'), ACCEPT])), 'ERR_WORKER_UNAVAILABLE'],
  ['a worker whose prologue is over the limit', homeWith(headerFrame(encodePrologue({ error: 'x'.repeat(4000) }))), 'ERR_WORKER_PROTOCOL'],
  ['a worker whose prologue is none', homeWith(itemFrame(1)), 'ERR_WORKER_PROTOCOL'],
  ['a worker whose prologue is not JSON', homeWith(headerFrame(Buffer.from('{'))), 'ERR_WORKER_PROTOCOL'],
  ['a worker whose first item is over the limit', homeWith(PROLOGUE, itemFrame('x'.repeat(4000))), 'ERR_WORKER_PROTOCOL'],
  ['a worker that sends a control frame of its own', homeWith(PROLOGUE, headerFrame(Buffer.from('"stop"'))), 'ERR_WORKER_PROTOCOL'],
  ['a worker whose sentinel has data', homeWith(PROLOGUE, Buffer.concat(encodeTwoPart(Buffer.from('"sentinel"'), Buffer.from('x')))), 'ERR_WORKER_PROTOCOL'],
];

/** Acknowledges and never calls home: what comes of it depends on whether a worker at that address has called home before. */
export const silentAfterAck: Stranger = (port) => rawWorker((_frame, socket) => void socket.write(ACCEPT), port);
