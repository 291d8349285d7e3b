import { booleanOption, decided, decisionOption } from '../internal/index.js';
import { readTracing, type DynamoTracingOptions, type Tracing } from './options.js';

/** Options of `traceRequests()` and `traceFetchHandler()`: those of `dynamoTracing()`, whose functions are given an `R`, and two of their own. */
export interface TraceHandlerOptions<R> extends DynamoTracingOptions<R> {
  /** `http.route` of what the handler serves, or of a request: no framework tells it here. Default: the path as it stands in the route table. */
  readonly route?: string | ((request: R) => string | undefined);
  /** Answer what the handler throws, as `dynamoTracingErrors()` does. Default: false, it is recorded and thrown on. */
  readonly answerErrors?: boolean;
}

export interface HandlerSettings<R> {
  readonly tracing: Tracing;
  readonly route: TraceHandlerOptions<R>['route'];
  readonly answerErrors: boolean;
}

const routeOption = decisionOption('a text, or ');

/** @throws ERR_OPTION_INVALID */
export function readHandlerOptions<R>(owner: string, { route, answerErrors, ...rest }: TraceHandlerOptions<R> = {}): HandlerSettings<R> {
  if (typeof route !== 'string') routeOption(route, `${owner}.route`);
  return { tracing: readTracing(owner, rest as DynamoTracingOptions), route, answerErrors: booleanOption(false)(answerErrors, `${owner}.answerErrors`) };
}

/** The route of a request, asked for when the head is written. */
export function routeGetter<R>(route: TraceHandlerOptions<R>['route'], request: R): () => string | undefined {
  return () => {
    const found: unknown = typeof route === 'function' ? decided('route', () => route(request), undefined) : route;
    return typeof found === 'string' ? found : undefined;
  };
}
