import { Server } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { flushOtel, invalidOption, numberOption, optionalOption, readOptions, within } from '../internal/index.js';
import { flushLines } from '../logging/index.js';
import { markLate } from './late-requests.js';
import { isSession, openResponses, openSessions } from './open-responses.js';

/** Options of `closeGracefully`. */
export interface CloseOptions {
  /** Milliseconds that requests in flight have to end. Default: 10,000. */
  readonly deadlineMs?: number | undefined;
  /** Cuts what is open as soon as it is aborted, as the deadline does. A worker's requests have the deadline alone. */
  readonly signal?: AbortSignal | undefined;
}

/** What became of the requests that were in flight. */
export interface CloseResult {
  /** Those that ended by themselves. */
  readonly completed: number;
  /** Those that were cut. */
  readonly cut: number;
}

/** What is used of a `RequestPlaneServer`. */
export interface ClosableWorker {
  readonly payloads: { readonly inFlight: number };
  /** Ends what is served, and kills what is left after `graceMs` milliseconds. */
  close(options: { readonly graceMs: number }): Promise<void>;
}

type HttpServer = Server & { closeIdleConnections?(): void; closeAllConnections?(): void };
type Settings = ReturnType<typeof readCloseOptions>;

const DEFAULT_DEADLINE_MS = 10_000;
const MAX_TIMER_MS = 2 ** 31 - 1;
/** Connections that have become idle are looked for so often. */
const LOOK_MS = 25;
/** What does not close within this after it was cut is not a connection that can be known of. */
const CUT_MS = 1000;
/** An exporter that does not answer by then does not keep the process. */
const FLUSH_MS = 5000;

const closing = new WeakMap<object, Promise<CloseResult>>();

const readCloseOptions = (options: unknown) => readOptions('closeGracefully', {
  deadlineMs: numberOption(DEFAULT_DEADLINE_MS, { max: MAX_TIMER_MS }),
  signal: optionalOption<AbortSignal>('an AbortSignal', (value) => value instanceof AbortSignal),
}, options);

/**
 * Closes a server: of `node:http`, `node:https` or `node:http2`, `app.server` of Fastify, what `app.listen` of Express returns, or a
 * worker. No connection is accepted any more, `dynamoTracing()` answers late requests with 503, idle connections are closed, and requests in
 * flight have `deadlineMs` to end; then they are cut. Spans, log records, metrics and lines are written out before it resolves, within five seconds.
 * A server that is closed already resolves at once; a second call gets the result of the first.
 * @throws ERR_OPTION_INVALID
 */
export async function closeGracefully(server: Server | ClosableWorker, options?: CloseOptions): Promise<CloseResult> {
  const settings = readCloseOptions(options);
  if (typeof (server as Partial<Server> | null)?.close !== 'function') throw invalidOption('closeGracefully.server', 'a server', server);
  const running = closing.get(server);
  if (running !== undefined) return running;
  const closed = closeAndFlush(server, settings).finally(() => closing.delete(server));
  closing.set(server, closed);
  return closed;
}

async function closeAndFlush(server: Server | ClosableWorker, settings: Settings): Promise<CloseResult> {
  const result = await (server instanceof Server ? closeHttp(server, settings) : closeWorker(server, settings));
  await flushOtel(FLUSH_MS);
  flushLines();
  return result;
}

async function closeHttp(server: HttpServer, settings: Settings): Promise<CloseResult> {
  const inFlight = openResponses(server);
  const accept = markLate(server);
  // Not the method of node:http: that one takes the connection of an answer that a slow client is still reading for idle, and cuts it.
  const closed = new Promise<void>((resolve) => void Server.prototype.close.call(server, () => resolve()));
  // Of several on one connection the last one ends it.
  for (const { res } of new Map(inFlight.map((response) => [response.carrier, response])).values()) if (!res.headersSent) res.shouldKeepAlive = false;
  closeIdle(server);
  const looking = setInterval(() => closeIdle(server), LOOK_MS);
  const isInTime = await within(settings.deadlineMs, closed, settings.signal);
  clearInterval(looking);
  if (isInTime) await turn(); // the responses of the last connection tell that they are closed
  const left = openResponses(server);
  cutAll(server);
  if (!isInTime) await within(CUT_MS, closed);
  accept();
  server.close(() => undefined); // node:http ends its own timers there
  const cut = new Set(left);
  return { completed: inFlight.filter((response) => !cut.has(response)).length, cut: left.length };
}

function closeIdle(server: HttpServer): void {
  for (const session of openSessions(server)) session.close(); // its streams go on
  const isBeingRead = openResponses(server).some(({ res }) => res.writableEnded && !res.writableFinished);
  if (!isBeingRead) server.closeIdleConnections?.();
}

function cutAll(server: HttpServer): void {
  for (const response of openResponses(server)) {
    const { carrier } = response;
    response.cut();
    if (carrier !== undefined && !isSession(carrier)) carrier.destroy(); // an upgraded one is not among the server's own
  }
  for (const session of openSessions(server)) session.destroy();
  server.closeAllConnections?.();
}

async function closeWorker(server: ClosableWorker, { deadlineMs }: Settings): Promise<CloseResult> {
  const before = server.payloads.inFlight;
  let cut = 0;
  const late = setTimeout(() => (cut = server.payloads.inFlight), deadlineMs);
  await server.close({ graceMs: deadlineMs }).finally(() => clearTimeout(late));
  return { completed: before - cut, cut };
}
