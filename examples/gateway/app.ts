import express, { type Express, type NextFunction, type Request, type RequestHandler, type Response } from 'express';
import { dynamoTracing, dynamoTracingErrors, type DynamoTracingOptions } from 'dynamo-tracing';
import { APIS } from './apis/index.js';
import type { Backend } from './backend.js';
import { HttpError } from './errors.js';
import { serve } from './serve.js';
import { proxyTo } from './proxy.js';

const BODY_LIMIT = '45mb';

export interface AppSettings {
  readonly model: string;
  /** Generates tokens: workers, in this process or elsewhere. */
  readonly backend?: Backend;
  /** An OpenAI-compatible server to proxy to instead. */
  readonly upstream?: { readonly url: string; readonly usage: boolean };
  readonly tracing?: DynamoTracingOptions;
  /** Serves /metrics. */
  readonly metrics?: RequestHandler;
}

/** The gateway: OpenAI's and Anthropic's APIs over workers or an upstream. */
export function createApp({ model, backend, upstream, tracing, metrics }: AppSettings): Express {
  const app = express();
  app.disable('x-powered-by');
  // Dynamo's frontend takes a traceparent with the random flag for none.
  app.use(dynamoTracing(upstream === undefined ? tracing : { randomFlag: 'drop', ...tracing }));

  app.get('/health', (_req, res) => void res.json({ status: 'healthy' }));
  app.get('/live', (_req, res) => void res.json({ status: 'live' }));
  app.get('/v1/models', (_req, res) => void res.json({ object: 'list', data: [{ id: model, object: 'model', created: 0, owned_by: 'dynamo-tracing' }] }));
  if (metrics !== undefined) app.get('/metrics', metrics);

  for (const api of APIS) {
    const answer: RequestHandler = upstream !== undefined ? proxyTo(upstream) : backend !== undefined ? serve(api, backend) : noWorkers;
    app.post(api.path, requireJson, express.json({ limit: BODY_LIMIT }), requireModel(model, upstream !== undefined), answer);
  }
  app.use((req, _res, next) => next(new HttpError(404, `Route not found: ${req.method} ${req.path}`)));
  app.use(dynamoTracingErrors());
  return app;
}

function requireJson(req: Request, _res: Response, next: NextFunction): void {
  next(req.is('application/json') === false ? new HttpError(415, 'Expected request with Content-Type application/json') : undefined);
}

/** The one model that is served; an upstream knows its own. */
function requireModel(model: string, any: boolean): RequestHandler {
  return (req, _res, next) => {
    const body: unknown = req.body;
    if (typeof body !== 'object' || body === null || Array.isArray(body)) return next(new HttpError(400, 'Validation: the body must be a JSON object'));
    if (any || (body as { model?: unknown }).model === model) return next();
    next(new HttpError(404, 'Model not found'));
  };
}

const noWorkers: RequestHandler = (_req, _res, next) => next(new HttpError(503, 'Service temporarily unavailable'));
