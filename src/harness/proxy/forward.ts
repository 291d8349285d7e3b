import { context, createContextKey } from '@opentelemetry/api';
import { request as httpRequest, type ClientRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { endToEnd, type RawHeaders } from './raw-headers.js';

/** What a proxy does on the way. */
export interface OnTheWay {
  /** The head of the answer has come; nothing of it goes on before `go` is called. */
  onAnswer(status: number, go: () => void): void;
  /** The connection to the target broke. */
  onError(code: string): void;
  /** Breaks the connection after so many bytes of the body of the answer. */
  readonly cutAfter: number | undefined;
}

/** OpenTelemetry's own key: instrumentation must not make spans of what the proxy sends, nor headers for them. */
const SUPPRESS_TRACING = createContextKey('OpenTelemetry SDK Context Key SUPPRESS_TRACING');

/** Sends a request on and its answer back, each as fast as its reader reads. Whichever side breaks off, the other one is broken off. */
export function forward(target: URL, headers: RawHeaders, req: IncomingMessage, res: ServerResponse, way: OnTheWay): void {
  const outgoing = context.with(context.active().setValue(SUPPRESS_TRACING, true), () => send(target, headers, req));
  outgoing.on('response', (answer) => way.onAnswer(answer.statusCode ?? 0, () => answerWith(answer, res, way.cutAfter)));
  outgoing.on('error', (error: NodeJS.ErrnoException) => {
    way.onError(error.code ?? error.name);
    // The answer may be through already, e.g. when the target does not read the whole request.
    if (!res.writableEnded) res.destroy();
  });
  outgoing.on('close', () => void req.unpipe(outgoing).resume());
  req.on('error', () => outgoing.destroy());
  res.on('error', () => outgoing.destroy());
  res.on('close', () => {
    if (!res.writableFinished) outgoing.destroy();
  });
  req.pipe(outgoing);
}

/**
 * A connection of its own for each request: one that was kept could be closed by the target at the wrong moment. The target is not told,
 * or it would break off clients that it answers early.
 */
function send({ protocol, hostname, port, host, pathname }: URL, headers: RawHeaders, req: IncomingMessage): ClientRequest {
  const secure = protocol === 'https:';
  return (secure ? httpsRequest : httpRequest)({
    hostname: hostname.replace(/^\[|\]$/g, ''), port: port === '' ? (secure ? 443 : 80) : port, method: req.method, path: pathname.replace(/\/$/, '') + (req.url ?? '/'),
    agent: false, headers: ['Host', host, 'Connection', 'keep-alive', ...headers],
  });
}

function answerWith(answer: IncomingMessage, res: ServerResponse, cutAfter: number | undefined): void {
  if (res.destroyed) return;
  res.sendDate = false;
  res.writeHead(answer.statusCode ?? 502, answer.statusMessage, endToEnd(answer.rawHeaders));
  res.flushHeaders();
  answer.on('error', () => res.destroy());
  answer.on('close', () => {
    if (!answer.complete) res.destroy();
  });
  if (cutAfter !== undefined) return sendUpTo(cutAfter, answer, res);
  answer.once('end', () => {
    const { rawTrailers } = answer;
    if (rawTrailers.length > 0) res.addTrailers(rawTrailers.flatMap((name, index) => (index % 2 === 0 ? [[name, rawTrailers[index + 1] ?? ''] as [string, string]] : [])));
  });
  answer.pipe(res);
}

function sendUpTo(limit: number, answer: IncomingMessage, res: ServerResponse): void {
  let left = limit;
  const cut = (): void => {
    answer.pause();
    // What was written before goes out first.
    res.socket?.destroySoon();
  };
  if (left === 0) return cut();
  answer.on('data', (chunk: Buffer) => {
    const part = chunk.subarray(0, left);
    left -= part.length;
    const room = res.write(part);
    if (left === 0) cut();
    else if (!room) {
      answer.pause();
      res.once('drain', () => answer.resume());
    }
  });
  answer.on('end', () => {
    if (left > 0) res.end();
  });
}
