import type { IncomingMessage, ServerResponse } from 'node:http';
import { guarded } from '../internal/index.js';
import { beginRequest, rejectionOf } from './begin.js';
import { readTracing, type DynamoTracingOptions } from './options.js';
import type { RequestTrace } from './request-trace.js';

/** An Express middleware, typed on node:http so that no version of Express is asked for. */
export type ExpressMiddleware = (req: IncomingMessage, res: ServerResponse, next: (error?: unknown) => void) => void;

declare global {
  // eslint-disable-next-line @typescript-eslint/no-namespace -- how Express's own types are extended
  namespace Express {
    interface Request {
      /** Set by `dynamoTracing()`. */
      trace: RequestTrace;
    }
  }
}

type ExpressRequest = IncomingMessage & { originalUrl?: string; trace?: RequestTrace };

/**
 * Express middleware (4 and 5): request id, trace context, spans and lifecycle records for every request after it. Put it
 * before the body parser; handlers find {@link RequestTrace} at `req.trace`.
 * @throws ERR_OPTION_INVALID at start-up for options that cannot be used
 */
export function dynamoTracing(options?: DynamoTracingOptions): ExpressMiddleware {
  const tracing = readTracing('dynamoTracing', options);
  return function dynamoTracingMiddleware(req: ExpressRequest, res, next) {
    const lifecycle = guarded('dynamoTracing', () => beginRequest(tracing, req, res, req.originalUrl ?? req.url ?? '/'), undefined);
    if (lifecycle === undefined) {
      next();
      return;
    }
    req.trace = lifecycle;
    const rejection = rejectionOf(tracing, lifecycle);
    if (rejection === undefined) {
      lifecycle.run(next);
      return;
    }
    res.statusCode = rejection.status;
    res.setHeader('content-type', 'application/json');
    res.end(rejection.body);
  };
}
