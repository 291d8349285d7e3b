import { assignTrace } from './assign-trace.js';
import { enterRequest } from './begin.js';
import { errorResponse } from './error-handlers.js';
import { FetchExchange, recorderOfRequest } from './fetch-exchange.js';
import { readHandlerOptions, routeGetter, type TraceHandlerOptions } from './handler-options.js';
import type { RequestTrace } from './request-trace.js';
import { UNTRACED } from './untraced.js';

/** A Fetch `Request` inside `traceFetchHandler`. */
export type TracedFetchRequest<R extends Request = Request> = R & {
  /** Set by `traceFetchHandler()`. */
  readonly trace: RequestTrace;
};

/**
 * A handler that answers a `Request` with a `Response` (a Next.js route handler, `app.fetch` of Hono, `Bun.serve`), with request id,
 * trace context, span and records for every request. All further arguments are passed on. The handler finds {@link RequestTrace} at
 * `request.trace` and by `currentTrace()`. The response is a new one with the request's ids; its body is watched to its end, and a
 * consumer that cancels it has left. What the handler throws is recorded and thrown on, unless `answerErrors` is set.
 * @throws ERR_OPTION_INVALID at start-up for options that cannot be used
 */
export function traceFetchHandler<R extends Request, A extends unknown[], T extends Response | undefined = Response>(
  handler: (request: TracedFetchRequest<R>, ...args: A) => T | Promise<T>,
  options?: TraceHandlerOptions<R>,
): (request: R, ...args: A) => Promise<T> {
  const { tracing, route, answerErrors } = readHandlerOptions('traceFetchHandler', options);
  return async function tracedFetchHandler(this: unknown, request, ...args) {
    const next = async (): Promise<T> => handler.call(this, request as TracedFetchRequest<R>, ...args);
    if (recorderOfRequest(request) !== undefined) return next(); // a handler that is wrapped twice
    const exchange = FetchExchange.of(request, routeGetter(route, request));
    if (exchange === undefined) {
      assignTrace(request, UNTRACED);
      return next();
    }
    return enterRequest(tracing, exchange, {
      keep: (trace) => assignTrace(request, trace),
      next: async () => {
        try {
          return exchange.answered(await next() as Response) as T;
        } catch (error) {
          if (answerErrors) return exchange.answered(errorResponse(error, request)) as T;
          exchange.threw(error);
          throw error;
        }
      },
      reject: async ({ status, body }) => {
        return await Promise.resolve(exchange.answered(new Response(body, { status, headers: { 'content-type': 'application/json' } })) as T);
      },
    });
  };
}
