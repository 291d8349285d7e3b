import { validateHeaderValue, type ServerResponse } from 'node:http';

/** The answer to an error, as it goes out. */
export interface ErrorText {
  readonly status: number;
  /** JSON, while the head has not gone out. */
  body(): string;
  /** The last events of a stream that has begun. */
  event(): string;
}

/** What is used of a Fastify reply, so that Fastify 4 and 5 both fit and neither is asked for. */
export interface FastifyReplyLike {
  readonly raw: ServerResponse;
  code(status: number): FastifyReplyLike;
  type(contentType: string): FastifyReplyLike;
  header(name: string, value: string): FastifyReplyLike;
  getHeaders(): object;
  removeHeader(name: string): unknown;
  serializer(serialize: (payload: string) => string): unknown;
  send(payload: string): unknown;
}

/**
 * Headers that the failed handler set for the body that it meant to send; with another body they are wrong, and a wrong length breaks
 * the connection for the next answer too. `cache-control` becomes `no-store`. What is not about the body stays: `vary` (CORS
 * depends on it), `set-cookie`, `retry-after`, the request's ids.
 */
export const BODY_HEADERS = [
  'content-length', 'transfer-encoding', 'trailer', 'content-encoding', 'content-range', 'accept-ranges', 'content-disposition', 'content-language', 'content-location',
  'content-md5', 'content-digest', 'repr-digest', 'digest', 'etag', 'last-modified', 'expires', 'age',
] as const;

/** Answers in place of the failed handler on Node's own response, before its head has gone out. */
export function answerRaw(res: ServerResponse, text: ErrorText): void {
  const body = text.body();
  dropBodyHeaders(res);
  res.statusCode = text.status;
  res.setHeader('content-type', 'application/json');
  res.setHeader('content-length', Buffer.byteLength(body));
  res.setHeader('cache-control', 'no-store');
  if (res.req.method === 'HEAD') res.end();
  else res.end(body);
}

/** The same as a `Response`. */
export function answerWith(text: ErrorText): Response {
  const body = text.body();
  return new Response(body, { status: text.status, headers: { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(body)), 'cache-control': 'no-store' } });
}

/** The same through a Fastify reply: its hooks run, and it sets the length. */
export function answerFastify(reply: FastifyReplyLike, text: ErrorText): void {
  dropBodyHeaders(reply.raw);
  for (const name of BODY_HEADERS) reply.removeHeader(name);
  // Node refuses the whole head for one header that cannot be sent: it may be why the handler failed.
  for (const [name, value] of Object.entries(reply.getHeaders())) if (!canBeSent(name, value)) reply.removeHeader(name);
  reply.serializer((payload) => payload); // One that the handler chose would take our JSON for a value of its own.
  reply.code(text.status).header('cache-control', 'no-store').type('application/json').send(text.body());
}

/** Takes off what the failed handler set for the body that it meant to send. */
export function dropBodyHeaders(res: ServerResponse): void {
  for (const name of BODY_HEADERS) if (res.hasHeader(name)) res.removeHeader(name);
  if (streamOf(res) === undefined) res.statusMessage = ''; // Node's own for the status. HTTP/2 has none and warns.
}

function canBeSent(name: string, value: unknown): boolean {
  try {
    for (const one of Array.isArray(value) ? value : [value]) validateHeaderValue(name, one as string);
    return true;
  } catch {
    return false;
  }
}

/**
 * After the head has gone out an event stream ends with an error event; any other response can only be cut short, which tells the
 * client that it is not whole. So is a stream of a declared length: what is written over it would be read as the next answer.
 */
export function endBegun(res: ServerResponse, text: ErrorText): void {
  const canGoOn = sentHeader(res, 'content-type')?.startsWith('text/event-stream') === true && sentHeader(res, 'content-length') === undefined;
  if (!canGoOn) cutShort(res);
  else if (res.req.method === 'HEAD') res.end();
  else res.end(text.event());
}

/** A header of a head that has gone out. Given to `writeHead` alone, it stands nowhere but in the text that Node keeps of the head. */
function sentHeader(res: ServerResponse, name: string): string | undefined {
  const value = res.getHeader(name);
  if (value !== undefined) return String(value).toLowerCase();
  const head = (res as unknown as { readonly _header?: unknown })._header;
  return typeof head === 'string' ? new RegExp(`^${name}: *(.*)$`, 'im').exec(head)?.[1]?.toLowerCase() : undefined;
}

interface Http2StreamLike {
  readonly destroyed: boolean;
  close(code: number): void;
}

const HTTP2_INTERNAL_ERROR = 2;

/** Ends a response so that its client sees that it is not whole. On HTTP/2 a stream that is only destroyed looks complete. */
export function cutShort(res: ServerResponse): void {
  const stream = streamOf(res);
  if (stream === undefined) res.destroy();
  else stream.close(HTTP2_INTERNAL_ERROR);
}

function streamOf(res: ServerResponse): Http2StreamLike | undefined {
  const { stream } = res as { readonly stream?: Partial<Http2StreamLike> };
  return typeof stream?.close === 'function' ? (stream as Http2StreamLike) : undefined;
}

/**
 * What the failed handler may still do no longer matters. A request body that it has half read is read on, or it would block the
 * next request of the connection; a late write, of a heartbeat timer for example, would end the process with an unheard error.
 */
export function letGo(res: ServerResponse): void {
  res.on('error', () => undefined);
  res.req.unpipe();
  res.req.resume();
}

/** The connection is gone: nobody reads an answer. */
export function isGone(res: ServerResponse): boolean {
  const stream = streamOf(res);
  return stream === undefined ? res.destroyed || res.socket?.destroyed === true : stream.destroyed;
}
