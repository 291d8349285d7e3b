import * as http from 'node:http';
import * as https from 'node:https';
import { ROOT_CONTEXT } from '@opentelemetry/api';
import { DynamoTracingError, errorFact } from '../../../errors/index.js';
import { isObject } from '../../../protocol/index.js';
import { runInContext, suppressTracing } from '../../../trace-context/index.js';
import { Deadline } from '../../deadline.js';
import type { EtcdAccess } from './settings.js';

/** A JSON object of etcd. Its 64-bit integers are texts of digits. */
export type Fields = Readonly<Record<string, unknown>>;

/** etcd answers with what it has, however much: a list of ten thousand instances is some 5 MB. */
const MAX_MESSAGE_SIZE = 64 * 2 ** 20;

/** Milliseconds of silence after which the system asks whether the member is still there: a watch may be silent for days. */
const KEEP_ALIVE_MS = 10_000;

/** One request to one member. */
export interface EtcdRequest {
  readonly endpoint: URL;
  /** Below `/v3/`. */
  readonly path: string;
  readonly body: unknown;
  readonly token: string | undefined;
  /** Work that nobody waits for: it keeps no process alive. */
  readonly background: boolean;
  readonly signal?: AbortSignal | undefined;
}

/**
 * HTTP to etcd's JSON gateway. By node:http and not by fetch: fetch takes no client certificate without a package, and its sockets
 * would keep the process alive for as long as something is watched.
 */
export class EtcdHttp {
  readonly #agents: Readonly<Record<string, http.Agent>>;

  constructor(private readonly access: EtcdAccess) {
    const options = { keepAlive: true, keepAliveMsecs: KEEP_ALIVE_MS };
    this.#agents = { 'http:': new http.Agent(options), 'https:': new https.Agent({ ...options, ...access.tls }) };
  }

  close(): void {
    for (const agent of Object.values(this.#agents)) agent.destroy();
  }

  /** The answer to a request. @throws ERR_DISCOVERY with `endpoint`; with `grpcCode` when etcd itself refuses */
  async call(request: EtcdRequest): Promise<Fields> {
    const deadline = new AbortController();
    const timer = new Deadline(this.access.requestTimeoutMs, () => deadline.abort());
    if (request.background) timer.unref();
    try {
      const response = await this.#send(request, deadline.signal);
      const answer = parse(await whole(response, request.endpoint), request.endpoint);
      if (response.statusCode !== 200) throw refusal(answer, request);
      return resultOf(answer, request);
    } catch (cause) {
      throw failure(deadline.signal.aborted ? `no answer within ${this.access.requestTimeoutMs} ms` : cause, request.endpoint);
    } finally {
      timer.clear();
    }
  }

  /** The messages of a stream. It ends without an error when etcd ends it or `signal` aborts. @throws as `call` */
  async * stream(request: EtcdRequest): AsyncGenerator<Fields> {
    const stop = new AbortController();
    const abort = (): void => stop.abort();
    const timer = new Deadline(this.access.requestTimeoutMs, abort).unref();
    request.signal?.addEventListener('abort', abort, { once: true });
    try {
      if (request.signal?.aborted === true) return;
      const response = await this.#send(request, stop.signal);
      timer.clear();
      if (response.statusCode !== 200) throw refusal(parse(await whole(response, request.endpoint), request.endpoint), request);
      for await (const line of lines(response, request.endpoint)) yield resultOf(parse(line, request.endpoint), request);
    } catch (cause) {
      if (request.signal?.aborted !== true) throw failure(stop.signal.aborted ? `no answer within ${this.access.requestTimeoutMs} ms` : cause, request.endpoint);
    } finally {
      timer.clear();
      request.signal?.removeEventListener('abort', abort);
      stop.abort();
    }
  }

  #send({ endpoint, path, body, token, background }: EtcdRequest, signal: AbortSignal): Promise<http.IncomingMessage> {
    const content = Buffer.from(JSON.stringify(body));
    // A member that has lost its cluster would keep a watch open in which nothing happens any more: with this it ends.
    const headers = { 'content-type': 'application/json', 'content-length': content.length, 'grpc-metadata-hasleader': 'true', ...(token === undefined ? {} : { authorization: token }) };
    const client = endpoint.protocol === 'https:' ? https : http;
    const url = new URL(`/v3/${path}`, endpoint.origin);
    return new Promise((resolve, reject) => {
      // These requests are nobody's: an instrumentation would put each keep-alive into the trace of whoever came first.
      runInContext(suppressTracing(ROOT_CONTEXT), () => {
        const sent = client.request(url, { method: 'POST', headers, agent: this.#agents[endpoint.protocol], signal }, resolve);
        if (background) sent.on('socket', (socket) => void socket.unref());
        sent.on('error', reject);
        sent.end(content);
      });
    });
  }
}

async function whole(response: http.IncomingMessage, endpoint: URL): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let size = 0;
  for await (const piece of response as AsyncIterable<Buffer>) {
    size += piece.length;
    if (size > MAX_MESSAGE_SIZE) throw tooLarge(endpoint);
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

async function * lines(response: http.IncomingMessage, endpoint: URL): AsyncGenerator<Buffer> {
  let pieces: Buffer[] = [];
  let size = 0;
  for await (const piece of response as AsyncIterable<Buffer>) {
    let rest = piece;
    for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10)) {
      yield Buffer.concat([...pieces, rest.subarray(0, end)]);
      pieces = [];
      size = 0;
      rest = rest.subarray(end + 1);
    }
    size += rest.length;
    if (size > MAX_MESSAGE_SIZE) throw tooLarge(endpoint);
    pieces.push(rest);
  }
  // The last word of a stream, an error as a rule, has no line end.
  if (size > 0) yield Buffer.concat(pieces);
}

function parse(bytes: Buffer, endpoint: URL): Fields {
  try {
    const value: unknown = JSON.parse(bytes.toString('utf8'));
    if (isObject(value)) return value;
  } catch {
    // What it says instead is nobody's business: it may be any server's page.
  }
  throw stranger(endpoint);
}

/** What a message holds: streams wrap theirs. Everything that etcd says has a header. */
function resultOf(message: Fields, request: EtcdRequest): Fields {
  if (isObject(message['error'])) throw refusal(message['error'], request);
  const result = message['result'] ?? message;
  if (!isObject(result) || !isObject(result['header'])) throw stranger(request.endpoint);
  return result;
}

/** What etcd says when it refuses. */
function refusal(answer: Fields, { endpoint, path }: EtcdRequest): DynamoTracingError {
  const { code, grpc_code: grpcCode = code, message } = answer;
  if (typeof grpcCode !== 'number' || typeof message !== 'string') return stranger(endpoint);
  return new DynamoTracingError('ERR_DISCOVERY', `etcd at ${endpoint.origin} refuses ${path}: ${message.slice(0, 200)}`, { endpoint: endpoint.origin, grpcCode });
}

function stranger(endpoint: URL): DynamoTracingError {
  return new DynamoTracingError('ERR_DISCOVERY', `${endpoint.origin} does not answer as etcd's JSON gateway does`, { endpoint: endpoint.origin });
}

function tooLarge(endpoint: URL): DynamoTracingError {
  return new DynamoTracingError('ERR_DISCOVERY', `an answer of ${endpoint.origin} is larger than ${MAX_MESSAGE_SIZE} bytes`, { endpoint: endpoint.origin });
}

function failure(cause: unknown, endpoint: URL): DynamoTracingError {
  if (errorFact(cause, 'code') === 'ERR_DISCOVERY') return cause as DynamoTracingError;
  const reason = typeof cause === 'string' ? cause : String(errorFact(cause, 'message') || errorFact(cause, 'code'));
  return new DynamoTracingError('ERR_DISCOVERY', `etcd at ${endpoint.origin} cannot be asked: ${reason}`, { endpoint: endpoint.origin, cause });
}
