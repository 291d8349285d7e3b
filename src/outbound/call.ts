import { trace, type Context } from '@opentelemetry/api';
import { errorFields } from '../logging/index.js';
import { defaultSpanSettings, knownMethod, methodAttributes, SPANS, startSpan, type SpanFields, type TracedSpan } from '../spans/index.js';
import {
  activeContext, currentTraceContext, extractTrace, getTraceScope, remoteSpanContext, runInContext, suppressTracing, traceHeaders, writeTraceHeaders, type Carrier, type CarrierReader,
} from '../trace-context/index.js';

/** How a call ended. Without an error it is complete, or its body was cancelled or left unread. */
export interface CallEnding {
  readonly error?: unknown;
  /** The caller gave up: no failure of the call. */
  readonly aborted?: boolean;
  /** Milliseconds of `performance.now()`. Default: now. */
  readonly at?: number;
}

const DEFAULT_PORTS: Readonly<Record<string, number>> = { 'http:': 80, 'https:': 443 };

/** One outgoing HTTP call: its CLIENT span, the context it is made in, the headers that leave. */
export class ClientCall {
  readonly #span: TracedSpan;
  readonly #inside: Context;

  private constructor(method: string, url: URL, given: CarrierReader) {
    const parent = parentFor(given);
    // A method that nobody knows could be anything and names no span.
    this.#span = startSpan(SPANS.httpClient, { settings: defaultSpanSettings(), parent, name: knownMethod(method), fields: fieldsOf(method, url, parent) });
    // Suppressed: an instrumentation of fetch or http would make a second span and add a second traceparent.
    this.#inside = suppressTracing(this.#span.context);
  }

  /** Begins a call and writes its headers into `headers`. Undefined for what does not go over HTTP. */
  static begin(method: string, url: URL, headers: Carrier): ClientCall | undefined {
    if (DEFAULT_PORTS[url.protocol] === undefined) return undefined;
    const call = new ClientCall(method, url, headers);
    writeTraceHeaders(headers, traceHeaders(call.#span.context));
    return call;
  }

  run<T>(fn: () => T): T {
    return runInContext(this.#inside, fn);
  }

  responded(status: number): void {
    this.#span.set({ 'http.response.status_code': status });
    if (status >= 400) this.#span.fail(String(status), '');
  }

  /** Ends the span. The first call counts. */
  end({ error, aborted = false, at }: CallEnding = {}): void {
    if (error !== undefined && !aborted) this.#span.fail(errorType(error), '');
    this.#span.end(at);
  }
}

/** The current context; outside any trace, one that continues the trace that the caller's own headers name. */
function parentFor(given: CarrierReader): Context {
  const active = activeContext();
  const extracted = currentTraceContext(active) === undefined ? extractTrace(given) : undefined;
  return extracted === undefined ? active : trace.setSpanContext(active, remoteSpanContext(extracted));
}

function fieldsOf(method: string, url: URL, parent: Context): SpanFields {
  const scope = getTraceScope(parent);
  return {
    ...methodAttributes(method),
    'server.address': url.hostname.replace(/^\[|\]$/g, ''),
    'server.port': url.port === '' ? DEFAULT_PORTS[url.protocol] : Number(url.port),
    'url.full': `${url.origin}${url.pathname}`,
    request_id: scope?.requestId,
    x_request_id: scope?.xRequestId,
  };
}

/** A code where there is one (that of a failed fetch is its cause's), else the name. Never the message. */
function errorType(error: unknown): string {
  const { error_code: code, error_name: name } = errorFields(error);
  return typeof code === 'string' ? code : String(name); // the codes of DOMExceptions are numbers that nobody knows
}
