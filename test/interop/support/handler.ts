import { annotated, type EndpointHandler, type RequestContext } from 'dynamo-tracing/transport';
import type { Line } from './python.js';

/** How a request wants to be served: the keys of worker.py, as far as they are used here. */
export interface Asked {
  readonly n?: number;
  readonly value?: unknown;
  readonly size?: number;
  readonly delayMs?: number;
  readonly items?: readonly unknown[];
  readonly failAfter?: number | 'start' | 'prologue';
  readonly hang?: boolean;
  readonly report?: boolean;
  readonly annotated?: boolean;
}

/** Our counterpart of worker.py: `say` hears what happens to each request. */
export function makeHandler(say: (line: Line) => void): EndpointHandler {
  return (request, context) => {
    const asked = request as Asked;
    if (asked.failAfter === 'prologue') throw new Error('asked to fail');
    return stream(asked, context, say);
  };
}

async function * stream(asked: Asked, context: RequestContext, say: (line: Line) => void): AsyncGenerator {
  const id = context.requestId;
  let ended = 'left';
  say({ event: 'request', id, report: reportOf(context) });
  try {
    yield * items(asked, context);
    ended = 'completed';
  } catch (error) {
    ended = 'failed';
    throw error;
  } finally {
    say({ event: context.stopped ? 'cancelled' : ended, id, signal: context.killed ? 'kill' : 'stop' });
  }
}

async function * items(asked: Asked, context: RequestContext): AsyncGenerator {
  const { n = 3, size, delayMs, failAfter, hang } = asked;
  if (failAfter === 'start') throw failure();
  if (asked.report === true) yield reportOf(context);
  const value = size === undefined ? (asked.value ?? null) : 'x'.repeat(size);
  const all = asked.items ?? Array.from({ length: n }, (_, i) => ({ i, value }));
  for (const [i, item] of all.entries()) {
    if (failAfter === i) throw failure();
    if (delayMs !== undefined) await new Promise((resolve) => setTimeout(resolve, delayMs));
    if (context.stopped) return;
    yield asked.annotated === true ? annotated({ data: item, id: `i${i}`, event: 'note', comment: ['seen'] }) : item;
  }
  if (failAfter === all.length) throw failure();
  if (hang === true && !context.signal.aborted) await new Promise((resolve) => context.signal.addEventListener('abort', resolve));
}

/** An error that Dynamo knows as an invalid argument. */
function failure(): Error {
  return Object.assign(new Error('asked to fail'), { errorType: 'backend_invalid_argument' });
}

/** The keys of worker.py's report, and the headers as they came. */
function reportOf(context: RequestContext): Readonly<Record<string, unknown>> {
  const { traceId, spanId, parentId } = context.trace;
  return { id: context.requestId, traceId, spanId, parentSpanId: parentId, xRequestId: context.xRequestId, traceHeaders: context.traceHeaders(), metadata: { ...context.metadata }, headers: { ...context.headers } };
}
