import type { IncomingMessage, ServerResponse } from 'node:http';
import { isPromise } from 'node:util/types';
import { assignTrace } from './assign-trace.js';
import { enterRequest, rejectRaw } from './begin.js';
import { dynamoTracingErrors } from './error-handlers.js';
import { readHandlerOptions, routeGetter, type TraceHandlerOptions } from './handler-options.js';
import type { RequestTrace } from './request-trace.js';
import { recorderOf } from './response-watch.js';

/** A request of `node:http` inside `traceRequests`. */
export type TracedRequest = IncomingMessage & {
  /** Set by `traceRequests()`. */
  readonly trace: RequestTrace;
};

/**
 * A handler of `node:http` (https and http2 too) with request id, trace context, spans and records for every request:
 * `createServer(traceRequests(handler))`. The handler finds {@link RequestTrace} at `req.trace`. What it throws, at once or later, is
 * recorded and thrown on, unless `answerErrors` is set.
 * @throws ERR_OPTION_INVALID at start-up for options that cannot be used
 */
export function traceRequests<T>(handler: (req: TracedRequest, res: ServerResponse) => T, options?: TraceHandlerOptions<IncomingMessage>): (req: IncomingMessage, res: ServerResponse) => T | undefined {
  const { tracing, route, answerErrors } = readHandlerOptions('traceRequests', options);
  const answer = answerErrors ? dynamoTracingErrors() : undefined;
  const failed = (error: unknown, req: IncomingMessage, res: ServerResponse): undefined => {
    if (answer === undefined) {
      recorderOf(res)?.failedWith(error);
      throw error;
    }
    answer(error, req, res, () => undefined);
    return undefined;
  };
  return (req, res) => enterRequest<T | undefined>(tracing, { req, res, url: req.url ?? '/', routeOf: routeGetter(route, req) }, {
    keep: (trace) => assignTrace(req, trace),
    next: () => {
      try {
        const result = handler(req as TracedRequest, res);
        return isPromise(result) ? (result.then(undefined, (error: unknown) => failed(error, req, res)) as T) : result;
      } catch (error) {
        return failed(error, req, res);
      }
    },
    reject: (rejection) => {
      rejectRaw(res, rejection);
      return undefined;
    },
  });
}
