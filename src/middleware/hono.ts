import type { IncomingMessage, ServerResponse } from 'node:http';
import { assignTrace } from './assign-trace.js';
import { enterRequest, type Steps } from './begin.js';
import { FetchExchange, noteRecorder, recorderOfRequest } from './fetch-exchange.js';
import { readTracing, type DynamoTracingOptions } from './options.js';
import { recorderOf } from './response-watch.js';
import { UNTRACED } from './untraced.js';

/** What is used of a Hono context, so that no version of Hono is asked for. */
export interface HonoContextLike {
  readonly env: unknown;
  readonly req: { readonly raw: Request; readonly routePath?: string };
  get res(): Response;
  set res(response: Response | undefined);
  readonly error?: unknown;
  set(key: 'trace', value: unknown): void;
}

/** A middleware of Hono. */
export type HonoMiddleware = (c: HonoContextLike, next: () => Promise<void>) => Promise<Response | undefined>;

/**
 * Hono middleware: the same ids, spans and records as on Express, on @hono/node-server and on any host that calls `app.fetch`. Put
 * it before all others; what comes after finds {@link RequestTrace} at `c.var.trace` and `c.req.raw.trace`.
 * @throws ERR_OPTION_INVALID at start-up for options that cannot be used
 */
export function dynamoTracingHono(options?: DynamoTracingOptions<Request>): HonoMiddleware {
  const tracing = readTracing('dynamoTracing', options as DynamoTracingOptions | undefined);
  return async (c, next) => {
    const { raw } = c.req;
    if (recorderOfRequest(raw) !== undefined) return next().then(() => undefined);
    const node = nodePairOf(c.env);
    const routeOf = (): string | undefined => honoRoute(c.req, (node?.outgoing ?? exchange?.res)?.statusCode);
    const exchange: FetchExchange | undefined = node === undefined ? FetchExchange.of(raw, routeOf) : undefined;
    const steps: Steps<Promise<Response | undefined>> = {
      keep: (trace) => {
        c.set('trace', trace);
        assignTrace(raw, trace);
        const recorder = node === undefined ? undefined : recorderOf(node.outgoing);
        if (recorder !== undefined) noteRecorder(raw, recorder);
      },
      next: async () => {
        try {
          await next();
        } catch (error) {
          recorderOfRequest(raw)?.failedWith(error); // what is no Error comes through all of Hono
          exchange?.threw(error);
          throw error;
        }
        if (c.error !== undefined) recorderOfRequest(raw)?.failedWith(c.error);
        if (exchange === undefined) return undefined;
        const answer = exchange.answered(c.res);
        c.res = undefined; // Hono would copy the headers of the one before
        c.res = answer;
        return undefined;
      },
      reject: async ({ status, body }) => {
        const response = new Response(body, { status, headers: { 'content-type': 'application/json' } });
        return await Promise.resolve(exchange?.answered(response) ?? response);
      },
    };
    if (exchange !== undefined) return enterRequest(tracing, exchange, steps);
    if (node === undefined) {
      steps.keep(UNTRACED);
      return steps.next();
    }
    return enterRequest(tracing, { req: node.incoming, res: node.outgoing, original: raw, url: node.incoming.url ?? '/', routeOf }, steps);
  };
}

/** Node's own request and response, which @hono/node-server hands on. */
export function nodePairOf(env: unknown): { readonly incoming: IncomingMessage; readonly outgoing: ServerResponse } | undefined {
  const { incoming, outgoing } = (env ?? {}) as { readonly incoming?: IncomingMessage; readonly outgoing?: ServerResponse };
  return typeof incoming?.push === 'function' && typeof outgoing?.writeHead === 'function' ? { incoming, outgoing } : undefined;
}

/** The route of the handler that has answered. Where none has, Hono names that of a middleware. */
function honoRoute({ routePath }: HonoContextLike['req'], status: number | undefined): string | undefined {
  return routePath?.includes('*') === true && status === 404 ? undefined : routePath;
}
