import type { ServerResponse } from 'node:http';
import { ROOT_CONTEXT, SpanKind, type Context } from '@opentelemetry/api';
import { decided, guarded, reportFault } from '../internal/index.js';
import { RECORD_TARGETS } from '../logging/index.js';
import { adoptSpan, SPANS, startSpan, type SpanFields, type TracedSpan } from '../spans/index.js';
import { activeContext, offerContextManager, runInRequest } from '../trace-context/index.js';
import { hasPinoHttp, watchNode, type Arrival, type InboundRequest } from './arrival.js';
import { errorBody } from './error-body.js';
import { identify, warnAboutIds, type Identity } from './identity.js';
import { isLate } from './late-requests.js';
import { originForm, pathOf, type Tracing } from './options.js';
import { RequestRecorder } from './recorder.js';
import type { RequestTrace } from './request-trace.js';
import { recorderOf } from './response-watch.js';
import { genAiOf, reclassified, type RouteClass } from './routes.js';
import { serverFields } from './server-address.js';
import { holdOpen } from './server-span.js';
import { UNTRACED } from './untraced.js';

/** The contract of a framework's adapter, second half: what it does with a request. `T` is what its middleware returns. */
export interface Steps<T> {
  /** Puts the handle where handlers of this framework look for it. */
  keep(trace: RequestTrace): void;
  /** Runs what comes after the middleware. */
  next(): T;
  /** Answers in the place of what comes after. */
  reject(rejection: Rejection): T;
}

/** Takes a request through the middleware, on any framework. A request that is left alone goes on as if there were none. */
export function enterRequest<T>(tracing: Tracing, arrival: Arrival, steps: Steps<T>): T {
  const recorder = beginRequest(tracing, arrival);
  if (recorder === undefined) {
    if (recorderOf(arrival.res) === undefined) steps.keep(UNTRACED);
    return steps.next();
  }
  steps.keep(recorder.handle);
  const rejection = rejectionOf(tracing, recorder, arrival.res);
  return rejection === undefined ? runInRequest(recorder.handle, recorder.context, () => steps.next()) : steps.reject(rejection);
}

const MAX_URI_LENGTH = 2048;
const NO_MANAGER = 'the OpenTelemetry SDK has no context manager: one of dynamo-tracing has been registered, so that spans of a request are one trace';

/**
 * Begins the record of a request, for any framework: class, ids, span, echo headers, watch on the response. Undefined when the
 * request is to be left alone: ignored, or recorded already because the middleware is mounted twice, or because beginning failed.
 */
function beginRequest(tracing: Tracing, arrival: Arrival): RequestRecorder | undefined {
  try {
    return begin(tracing, arrival, activeContext());
  } catch (error) {
    reportFault('dynamoTracing', error);
    // Something in the current context cannot be used: the request is recorded without it.
    return guarded('dynamoTracing', () => begin(tracing, { ...arrival, frameworkSpan: undefined }, ROOT_CONTEXT), undefined);
  }
}

function begin(tracing: Tracing, arrival: Arrival, active: Context): RequestRecorder | undefined {
  const { req, res, frameworkSpan } = arrival;
  const { original = req } = arrival;
  if (recorderOf(res) !== undefined || decided<unknown>('ignore', () => tracing.ignore?.(original as never), false) === true) return undefined;
  const routeClass = routeClassOf(tracing, arrival);
  const identity = identify(tracing, req, frameworkSpan, active, original);
  const logFields = { method: req.method ?? 'GET', uri: uriOf(tracing, arrival).slice(0, MAX_URI_LENGTH) };
  const isAdopted = identity.serverSpan !== undefined && tracing.serverSpan === 'adopt';
  const span = spanOf(tracing, arrival, identity, routeClass, logFields, isAdopted);
  if (span.recording && offerContextManager()) tracing.logger.emit('debug', RECORD_TARGETS.request, NO_MANAGER, {}, { context: span.context });
  const release = isAdopted ? holdOpen(identity.serverSpan, frameworkSpan, arrival.watch !== undefined) : undefined;
  try {
    const hasRequestLogger = arrival.hasRequestLogger ?? (() => hasPinoHttp(req));
    const recorder = new RequestRecorder(tracing, { ...arrival, hasRequestLogger, routeClass, identity, span, logFields, release });
    if (arrival.watch === undefined) watchNode(recorder, arrival);
    else arrival.watch(recorder);
    warnAboutIds(tracing.logger, identity.ids, span.context);
    return recorder;
  } catch (error) {
    span.end();
    release?.();
    throw error;
  }
}

function uriOf({ includeQuery }: Tracing, { url }: Arrival): string {
  return includeQuery ? originForm(url) : pathOf(url);
}

function spanOf(tracing: Tracing, arrival: Arrival, identity: Identity, routeClass: RouteClass, logFields: Record<string, unknown>, isAdopted: boolean): TracedSpan {
  const { req } = arrival;
  const { ids, parent, links, isInside, serverSpan } = identity;
  const definition = routeClass.kind === 'inference' ? SPANS.inferenceRequest : SPANS.systemRequest;
  const start = {
    settings: tracing.spans,
    parent,
    fields: {
      method: req.method ?? 'GET', uri: uriOf(tracing, arrival), version: req.httpVersion === undefined ? undefined : `HTTP/${req.httpVersion}`,
      request_id: ids.requestId, x_request_id: ids.xRequestId, 'dynamo.span.target': definition.target, ...conventionalFields(tracing, req, routeClass, isAdopted),
    },
    identity: ids,
    logFields,
    kind: isInside ? SpanKind.INTERNAL : undefined,
    links,
    dropRandomFlag: tracing.randomFlag === 'drop',
  };
  return isAdopted && serverSpan !== undefined ? adoptSpan(serverSpan, definition, start) : startSpan(definition, start);
}

/** By the semantic conventions alone: Dynamo has no names for these. A span of somebody else's has its server's address already. */
function conventionalFields({ attributes, provider: given }: Tracing, req: InboundRequest, routeClass: RouteClass, isAdopted: boolean): SpanFields {
  if (attributes === 'dynamo') return {};
  const server = isAdopted ? {} : serverFields(req);
  if (routeClass.kind !== 'inference') return server;
  const { operation, provider } = genAiOf(routeClass);
  return { ...server, 'gen_ai.operation.name': operation, 'gen_ai.provider.name': given ?? provider };
}

function routeClassOf(tracing: Tracing, { req, original = req, url, mountedUrl = url }: Arrival): RouteClass {
  const found = tracing.routes.find(req.method ?? 'GET', pathOf(mountedUrl), pathOf(url));
  if (tracing.classify === undefined) return found;
  const given = decided('classify', () => tracing.classify?.(original as never), undefined);
  return guarded('classify', () => reclassified(found, given), found);
}

/** What answers a request in the place of its handler. */
export interface Rejection {
  readonly status: 400 | 503;
  readonly body: string;
}

/** The refusal of a request that comes while its server closes, and of one with an invalid id, when the options ask for that. */
function rejectionOf(tracing: Tracing, recorder: RequestRecorder, res: object): Rejection | undefined {
  if (isLate(res)) return { status: 503, body: JSON.stringify(errorBody(recorder.routeClass.dialect, 503, 'the server is shutting down', recorder.ids.requestId)) };
  const [first] = recorder.ids.invalid;
  if (tracing.onInvalidRequestId !== 'reject' || first === undefined) return undefined;
  recorder.fail('validation');
  return { status: 400, body: JSON.stringify(errorBody(recorder.routeClass.dialect, 400, `Validation: header ${first.header} must be a valid UUID`, recorder.ids.requestId)) };
}

/** Answers on Node's own response. */
export function rejectRaw(res: ServerResponse, { status, body }: Rejection): void {
  res.statusCode = status;
  res.setHeader('content-type', 'application/json');
  res.end(body);
}
