import type { IncomingMessage, ServerResponse } from 'node:http';
import { assignTrace } from './assign-trace.js';
import { enterRequest, rejectRaw } from './begin.js';
import { observeUnhandled } from './express-errors.js';
import { expressRoute, type RoutedRequest } from './express-route.js';
import { originForm, readTracing, type DynamoTracingOptions } from './options.js';
import type { RequestTrace } from './request-trace.js';
import { isSwitched } from './upgrade.js';

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

/**
 * Express middleware (4 and 5): request id, trace context, spans and records for every request after it. Put it
 * before the body parser; handlers find {@link RequestTrace} at `req.trace`.
 * @throws ERR_OPTION_INVALID at start-up for options that cannot be used
 */
export function dynamoTracing(options?: DynamoTracingOptions): ExpressMiddleware {
  const tracing = readTracing('dynamoTracing', options);
  return function dynamoTracingMiddleware(req: RoutedRequest, res, next) {
    enterRequest(tracing, {
      req,
      res,
      url: plainUrl(req, req.originalUrl ?? req.url ?? '/'),
      mountedUrl: plainUrl(req, req.url ?? '/'),
      routeOf: () => {
        const route = expressRoute(req);
        return route === undefined ? undefined : plainUrl(req, route);
      },
    }, {
      keep: (trace) => {
        assignTrace(req, trace);
        observeUnhandled(req.app);
      },
      next,
      reject: (rejection) => rejectRaw(res, rejection),
    });
  };
}

const EXPRESS_WS = /\/\.websocket(?=\?|$)/;

/** express-ws routes a WebSocket by a path with a suffix of its own, which the client has not sent. */
function plainUrl(req: IncomingMessage, url: string): string {
  if (!isSwitched(req)) return url;
  const plain = originForm(url).replace(EXPRESS_WS, '');
  return plain.startsWith('/') ? plain : `/${plain}`;
}
