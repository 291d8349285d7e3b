import type { IncomingMessage, ServerResponse } from 'node:http';
import { guarded } from '../internal/index.js';
import { DIALECTS } from './dialects/index.js';
import { errorBody } from './error-body.js';
import { RequestLifecycle } from './lifecycle.js';
import { pathOf, type Tracing } from './options.js';
import type { RouteClass } from './routes.js';
import { lifecycleOf, watchResponse } from './watch-response.js';

/**
 * Begins the lifecycle of a request, for any framework: class, ids, span, echo headers, watch on the response. Undefined when
 * the request is to be left alone: ignored, or traced already because the middleware is mounted twice.
 */
export function beginRequest(tracing: Tracing, req: IncomingMessage, res: ServerResponse, url: string): RequestLifecycle | undefined {
  if (lifecycleOf(res) !== undefined || guarded('ignore', () => tracing.ignores?.(req) ?? false, false)) return undefined;
  const lifecycle = new RequestLifecycle(tracing, req, routeClassOf(tracing, req, url), url);
  if (tracing.echoRequestId) res.setHeader('request-id', lifecycle.requestId);
  if (tracing.echoXRequestId) res.setHeader('x-request-id', lifecycle.xRequestId ?? lifecycle.requestId);
  watchResponse(lifecycle, req, res);
  return lifecycle;
}

function routeClassOf(tracing: Tracing, req: IncomingMessage, url: string): RouteClass {
  const found = tracing.routes.find(req.method ?? 'GET', pathOf(url));
  if (tracing.classify === undefined) return found;
  const override = guarded('classify', () => tracing.classify?.(req), undefined);
  return override === undefined ? found : { ...found, ...override };
}

/** What answers a request whose ids are refused. */
export interface Rejection {
  readonly status: 400;
  readonly body: string;
}

/** The refusal of a request with an invalid id, when the options ask for one. */
export function rejectionOf(tracing: Tracing, lifecycle: RequestLifecycle): Rejection | undefined {
  const [first] = lifecycle.identity.invalid;
  if (!tracing.rejectInvalidIds || first === undefined) return undefined;
  lifecycle.fail('validation');
  const { api } = DIALECTS[lifecycle.routeClass.dialect];
  return { status: 400, body: JSON.stringify(errorBody(api, 400, `Validation: header ${first.header} must be a valid UUID`, lifecycle.requestId)) };
}
