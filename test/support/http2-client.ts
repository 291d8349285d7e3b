import { once } from 'node:events';
import type { IncomingHttpHeaders, RequestOptions } from 'node:http';
import { connect, constants, type ClientHttp2Session, type ClientHttp2Stream, type OutgoingHttpHeaders } from 'node:http2';
import type { Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import type { HttpAnswer } from './client.js';

const ports = new Set<number>();

/** The server on `port` speaks HTTP/2 alone: `send` and `open` do then. Returns how to forget it. */
export function speaksHttp2(port: number): () => void {
  ports.add(port);
  return () => void ports.delete(port);
}

export function isHttp2(port: number): boolean {
  return ports.has(port);
}

/** Headers that HTTP/2 has no place for. */
const HTTP1_ONLY = new Set(['host', 'connection', 'transfer-encoding', 'keep-alive']);

function begin(session: ClientHttp2Session, method: string, path: string, headers: OutgoingHttpHeaders): ClientHttp2Stream {
  const kept = Object.fromEntries(Object.entries(headers).filter(([name]) => !HTTP1_ONLY.has(name.toLowerCase())));
  const stream = session.request({ ':method': method, ':path': path, ...kept });
  stream.on('error', () => undefined);
  return stream;
}

/** One request on a session of its own. Rejects when the response does not end whole. */
export async function sendHttp2(port: number, { method = 'GET', path = '/', headers = {}, body }: RequestOptions & { body?: string | Buffer }): Promise<HttpAnswer> {
  const session = connect(`http://127.0.0.1:${port}`);
  session.on('error', () => undefined);
  try {
    const stream = begin(session, method, path!, headers as OutgoingHttpHeaders);
    stream.end(body);
    const [answer] = await once(stream, 'response') as [IncomingHttpHeaders & { ':status': number }];
    const chunks: Buffer[] = [];
    for await (const chunk of stream) chunks.push(chunk as Buffer);
    if (stream.rstCode !== constants.NGHTTP2_NO_ERROR) throw new Error(`the stream was reset with ${stream.rstCode}`);
    const bytes = Buffer.concat(chunks);
    return { status: answer[':status'], statusMessage: '', headers: answer, bytes, body: bytes.toString(), localPort: 0 };
  } finally {
    session.destroy();
  }
}

/**
 * A connection as `open` returns one: takes requests as HTTP/1.1 text, sends each as a stream, and shows status lines and bodies. A body
 * that is shorter than its content-length leaves the stream open.
 */
export async function openHttp2(port: number): Promise<Socket> {
  const session = connect(`http://127.0.0.1:${port}`);
  session.on('error', () => undefined);
  await once(session, 'connect');
  let text = '';
  const streams: ClientHttp2Stream[] = [];
  const shown = new PassThrough();
  const conversation = {
    write(piece: string): boolean {
      text += piece;
      for (let end = text.indexOf('\r\n\r\n'); end !== -1; end = text.indexOf('\r\n\r\n')) {
        const [line = '', ...lines] = text.slice(0, end).split('\r\n');
        const [method = '', path = ''] = line.split(' ');
        const headers = Object.fromEntries(lines.map((header) => [header.slice(0, header.indexOf(':')).toLowerCase(), header.slice(header.indexOf(':') + 2)]));
        const length = Number(headers['content-length'] ?? 0);
        const body = text.slice(end + 4, end + 4 + length);
        text = text.slice(end + 4 + body.length);
        const stream = begin(session, method, path, headers);
        streams.push(stream);
        stream.on('response', (answer) => shown.write(`HTTP/1.1 ${answer[':status']} OK\r\n\r\n`));
        stream.pipe(shown, { end: false });
        if (body.length < length) stream.write(body);
        else stream.end(body);
      }
      return true;
    },
    on: shown.on.bind(shown),
    once: shown.once.bind(shown),
    removeListener: shown.removeListener.bind(shown),
    pause: () => shown.pause(),
    resume: () => shown.resume(),
    destroy: () => session.destroy(),
    /** HTTP/2's own way to give up a request. */
    resetAndDestroy: () => streams.forEach((stream) => stream.close(constants.NGHTTP2_CANCEL)),
  };
  return conversation as unknown as Socket;
}
