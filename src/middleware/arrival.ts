import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Span } from '@opentelemetry/api';
import { bindEmitters } from './bound-emitter.js';
import { watchEnding } from './ending.js';
import type { RequestRecorder } from './recorder.js';
import { watchResponse } from './response-watch.js';

/** What is read of a request: Node's own has it, and what stands for a Fetch `Request`. */
export interface InboundRequest extends Pick<IncomingMessage, 'headers' | 'rawHeaders' | 'push'> {
  readonly method?: string | undefined;
  /** Undefined where the host does not tell. */
  readonly httpVersion?: string;
  readonly socket?: object | null;
  /** `http` or `https`, and host with port, where they do not stand in the headers. */
  readonly scheme?: string;
  readonly authority?: string;
}

/** What is read of a response and changed on it, before its head goes out. */
export interface OutboundResponse {
  readonly statusCode: number;
  readonly headersSent: boolean;
  readonly socket?: { readonly destroyed: boolean } | null;
  readonly stream?: { readonly destroyed: boolean };
  getHeader(name: string): string | number | readonly string[] | undefined;
  setHeader(name: string, value: string): unknown;
  removeHeader(name: string): void;
}

/** The contract of a framework's adapter, first half: what it tells of a request that arrives. */
export type Arrival = NodeArrival | OtherArrival;

/** Of a framework that hands on Node's own request and response: they are watched here. */
export interface NodeArrival extends Told {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly watch?: undefined;
}

/** Of a server that has others. */
export interface OtherArrival extends Told {
  readonly req: InboundRequest;
  readonly res: OutboundResponse;
  /** Tells the recorder of head, chunks and end of the response. */
  readonly watch: (recorder: RequestRecorder) => void;
}

interface Told {
  /** What the application's own functions (`ignore`, `classify`, `trustIncoming`) are given. Default: `req`. */
  readonly original?: unknown;
  /** The request target as the client sent it, and as the router sees it that the middleware is mounted on (default: the same). */
  readonly url: string;
  readonly mountedUrl?: string;
  /** The route that the framework matched, once it has. */
  readonly routeOf: () => string | undefined;
  /** Whether the application logs its requests by itself, with lines that say `request completed` too. Default: whether pino-http does. */
  readonly hasRequestLogger?: () => boolean;
  /** The span of the framework's own instrumentation, which may end before the response has. */
  readonly frameworkSpan?: Span | undefined;
}

/** Watches Node's own request and response, whatever framework hands them on. */
export function watchNode(recorder: RequestRecorder, { req, res }: NodeArrival): void {
  watchEnding(req, res, recorder);
  watchResponse(recorder, res);
  bindEmitters(recorder.handle, recorder.context, req, res);
}

/** pino-http keeps its loggers on the request. */
export function hasPinoHttp(req: object): boolean {
  return Array.isArray((req as { readonly allLogs?: unknown }).allLogs);
}
