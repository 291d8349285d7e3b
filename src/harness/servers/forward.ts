import { context } from '@opentelemetry/api';
import { once } from 'node:events';
import { request as httpRequest, type ClientRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { suppressTracing } from '../../trace-context/index.js';
import type { RequestHeaders } from '../../protocol/index.js';
import type { Fault } from '../link/index.js';
import { AUDITED_HEADERS } from '../trace/index.js';

/** What a proxy does on the way. */
export interface OnTheWay {
  /** The head of the answer has come; nothing of it goes on before `go` is called. */
  onAnswer(status: number, go: () => void): void;
  /** The connection to the target broke. */
  onError(code: string): void;
  /** Breaks the connection after so many bytes of the body of the answer. */
  readonly cutAfter: number | undefined;
}

/** Sends a request on and its answer back, each as fast as its reader reads. Whichever side breaks off, the other one is broken off. */
export function forward(target: URL, headers: RawHeaders, req: IncomingMessage, res: ServerResponse, way: OnTheWay): void {
  // Instrumentation must not make spans of what the proxy sends, nor headers for them.
  const outgoing = context.with(suppressTracing(context.active()), () => send(target, headers, req));
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
  if (cutAfter !== undefined) return void sendUpTo(cutAfter, answer, res).catch(() => res.destroy());
  answer.once('end', () => {
    const { rawTrailers } = answer;
    if (rawTrailers.length > 0) res.addTrailers(rawTrailers.flatMap((name, index) => (index % 2 === 0 ? [[name, rawTrailers[index + 1] ?? ''] as [string, string]] : [])));
  });
  answer.pipe(res);
}

async function sendUpTo(limit: number, answer: IncomingMessage, res: ServerResponse): Promise<void> {
  let left = limit;
  const chunks: Iterable<Buffer> | AsyncIterable<Buffer> = limit === 0 ? [] : answer.iterator({ destroyOnReturn: false });
  for await (const chunk of chunks) {
    const room = res.write(chunk.subarray(0, left));
    left = Math.max(left - chunk.length, 0);
    if (left === 0) break;
    if (!room) await once(res, 'drain');
  }
  // What was written before goes out first.
  if (left === 0) res.socket?.destroySoon();
  else res.end();
}

/** Headers as they stand on the wire: names and values in turn, repeated ones included. */
export type RawHeaders = readonly string[];

/** Headers of one connection: a proxy has connections of its own. */
const HOP_BY_HOP = ['connection', 'keep-alive', 'proxy-connection', 'te', 'upgrade'];

function pairsOf(raw: RawHeaders): [name: string, value: string][] {
  return raw.flatMap((name, index) => (index % 2 === 0 ? [[name, raw[index + 1] ?? '']] : []));
}

/** The headers without those of the connection and those named in `others`. */
export function endToEnd(raw: RawHeaders, ...others: readonly string[]): string[] {
  const pairs = pairsOf(raw);
  const named = pairs.filter(([name]) => name.toLowerCase() === 'connection').flatMap(([, value]) => value.toLowerCase().split(',').map((token) => token.trim()));
  const gone = new Set([...HOP_BY_HOP, ...named, ...others]);
  return pairs.filter(([name]) => !gone.has(name.toLowerCase())).flat();
}

/** All values of each header, by lower-case name. */
export function distinct(raw: RawHeaders): Record<string, string[]> {
  const found: Record<string, string[]> = {};
  for (const [name, value] of pairsOf(raw)) (found[name.toLowerCase()] ??= []).push(value);
  return found;
}

/** The headers with the changes of a fault: those that it does not touch stay as they are. Without the whole block there are no trace headers. */
export function changed(raw: RawHeaders, change: Extract<Fault, { kind: 'headers' }>['change']): string[] {
  const before: RequestHeaders = Object.fromEntries(Object.entries(distinct(raw)).map(([name, values]) => [name, values.join(', ')]));
  const after = change(before) ?? Object.fromEntries(Object.entries(before).filter(([name]) => !AUDITED_HEADERS.includes(name)));
  const wanted = new Map(Object.entries(after).map(([name, value]) => [name.toLowerCase(), value]));
  const kept = pairsOf(raw).filter(([name]) => wanted.get(name.toLowerCase()) === before[name.toLowerCase()]);
  return [...kept, ...[...wanted].filter(([name, value]) => before[name] !== value)].flat();
}
