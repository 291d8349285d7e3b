import { request, type IncomingHttpHeaders, type IncomingMessage, type RequestOptions } from 'node:http';
import { connect, type Socket } from 'node:net';
import { once } from 'node:events';

export interface HttpAnswer {
  readonly status: number;
  readonly statusMessage: string;
  /** The client's end of the connection. */
  readonly localPort: number | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** One request over node:http, which keeps header case and repeats as given. */
export async function send(port: number, options: RequestOptions & { body?: string | Buffer } = {}): Promise<HttpAnswer> {
  const { body, ...rest } = options;
  const req = request({ host: '127.0.0.1', port, agent: false, ...rest });
  req.end(body);
  const [res] = await once(req, 'response') as [IncomingMessage];
  const { localPort } = res.socket;
  const chunks: Buffer[] = [];
  for await (const chunk of res) chunks.push(chunk as Buffer);
  return { status: res.statusCode!, statusMessage: res.statusMessage!, localPort, headers: res.headers, body: Buffer.concat(chunks).toString() };
}

/** A chat request as JSON. */
export function chat(extra: Record<string, unknown> = {}): string {
  return JSON.stringify({ model: 'm', messages: [{ role: 'user', content: 'hi' }], ...extra });
}

export const CHAT = '/v1/chat/completions';

export function post(port: number, path = CHAT, body = chat(), headers: Record<string, string | string[]> = {}): Promise<HttpAnswer> {
  return send(port, { method: 'POST', path, body, headers: { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(body)), ...headers } });
}

/** The bytes of an HTTP/1.1 request, for clients that misbehave. */
export function rawRequest(path: string, body: string, headers: Record<string, string> = {}): string {
  const lines = Object.entries({ host: 'x', 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(body)), ...headers }).map(([name, value]) => `${name}: ${value}`);
  return `POST ${path} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n${body}`;
}

/** A socket to the server that the test cuts when it likes. */
export async function open(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  return socket;
}

/** Waits until the socket has received `text`. */
export async function received(socket: Socket, text: string): Promise<string> {
  let seen = '';
  while (!seen.includes(text)) {
    const [chunk] = await once(socket, 'data') as [Buffer];
    seen += chunk.toString();
  }
  return seen;
}
