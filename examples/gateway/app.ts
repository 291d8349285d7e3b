import express, { type Express, type NextFunction, type Request, type RequestHandler, type Response } from 'express';
import { dynamoTracing, dynamoTracingErrors, type DynamoTracingOptions } from 'dynamo-tracing';
import { APIS, messages, type Body } from './apis/index.js';
import type { Backend } from './backend.js';
import { countTokens } from './engine.js';
import { HttpError } from './errors.js';
import { serve } from './serve.js';
import { proxyTo } from './proxy.js';

const BODY_LIMIT = '45mb';
const COUNT_TOKENS = '/v1/messages/count_tokens';

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
  if (metrics !== undefined) app.get('/metrics', metrics);

  const read = [requireJson, express.json({ limit: BODY_LIMIT }), requireObject];
  if (upstream !== undefined) {
    const proxy = proxyTo(upstream);
    app.get(['/v1/models', '/v1/models/*id'], proxy);
    for (const path of [...APIS.map((api) => api.path), COUNT_TOKENS]) app.post(path, read, proxy);
  } else {
    const known = requireModel(model);
    const description = { id: model, object: 'model', created: 0, owned_by: 'dynamo-tracing' };
    app.get('/v1/models', (_req, res) => void res.json({ object: 'list', data: [description] }));
    app.get('/v1/models/*id', (req: Request<{ id: string[] }>, res, next) => (req.params.id.join('/') === model ? void res.json(description) : next(new HttpError(404, 'Model not found'))));
    for (const api of APIS) app.post(api.path, read, known, backend === undefined ? noWorkers : serve(api, backend));
    app.post(COUNT_TOKENS, read, known, countInput);
  }
  app.use((req, _res, next) => next(new HttpError(404, `Route not found: ${req.method} ${req.path}`)));
  app.use(dynamoTracingErrors());
  return app;
}

function requireJson(req: Request, _res: Response, next: NextFunction): void {
  next(req.is('application/json') === false ? new HttpError(415, 'Expected request with Content-Type application/json') : undefined);
}

function requireObject(req: Request, _res: Response, next: NextFunction): void {
  const body: unknown = req.body;
  next(typeof body !== 'object' || body === null || Array.isArray(body) ? new HttpError(400, 'Validation: the body must be a JSON object') : undefined);
}

/** The one model that is served; an upstream knows its own. */
function requireModel(model: string): RequestHandler {
  return (req, _res, next) => next((req.body as { model?: unknown }).model === model ? undefined : new HttpError(404, 'Model not found'));
}

function countInput(req: Request, res: Response): void {
  res.json({ input_tokens: countTokens(messages.prompt(req.body as Body).prompt) });
}

const noWorkers: RequestHandler = (_req, _res, next) => next(new HttpError(503, 'Service temporarily unavailable'));
