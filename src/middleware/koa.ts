import type { IncomingMessage, ServerResponse } from 'node:http';
import { errorFact } from '../errors/index.js';
import { guarded } from '../internal/index.js';
import { assignTrace } from './assign-trace.js';
import { enterRequest, rejectRaw } from './begin.js';
import { readTracing, type DynamoTracingOptions } from './options.js';
import type { RequestTrace } from './request-trace.js';
import { recorderOf } from './response-watch.js';

/** What is used of a Koa context, so that no version of Koa is asked for. */
export interface KoaContextLike {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly originalUrl: string;
  readonly url: string;
  readonly app?: unknown;
  respond?: boolean | undefined;
}

/** A middleware of Koa. */
export type KoaMiddleware = (ctx: KoaContextLike, next: () => Promise<unknown>) => Promise<void>;

/**
 * Koa middleware: the same ids, spans and records as on Express. Put it before all others; what comes after finds
 * {@link RequestTrace} at `ctx.trace` and `ctx.req.trace`. The route is that of @koa/router.
 * @throws ERR_OPTION_INVALID at start-up for options that cannot be used
 */
export function dynamoTracingKoa(options?: DynamoTracingOptions): KoaMiddleware {
  const tracing = readTracing('dynamoTracing', options);
  return (ctx, next) => {
    const { req, res, originalUrl: url, url: mountedUrl } = ctx;
    return enterRequest(tracing, { req, res, url, mountedUrl, routeOf: () => routeOf(ctx) }, {
      keep: (trace: RequestTrace) => {
        assignTrace(ctx, trace);
        assignTrace(req, trace);
        observeErrors(ctx.app);
      },
      next: async () => {
        try {
          await next();
        } catch (error) {
          recorderOf(res)?.failedWith(error); // a middleware before us may answer it
          throw error;
        }
      },
      reject: async (rejection) => {
        ctx.respond = false;
        await Promise.resolve(rejectRaw(res, rejection));
      },
    });
  };
}

/** What @koa/router leaves; a regular expression is no name. */
function routeOf(ctx: object): string | undefined {
  const { _matchedRoute: route } = ctx as { readonly _matchedRoute?: unknown };
  return typeof route === 'string' ? route : undefined;
}

interface Application {
  on(name: 'error', listener: (error: unknown, ctx: unknown) => void): unknown;
}

const observed = new WeakSet<object>();

/** Errors of streamed bodies reach nobody but the application's listeners. Ours comes with the first request: Koa has added its own by then. */
function observeErrors(app: unknown): void {
  if (typeof app !== 'object' || app === null || observed.has(app)) return;
  observed.add(app);
  guarded('app.on', () => (app as Application).on('error', (error, ctx) => {
    guarded('request failed', () => {
      const { res } = ctx as KoaContextLike;
      if (!isLost(error)) recorderOf(res)?.failedWith(error);
    }, undefined);
  }), undefined);
}

/** Koa tells of connections that were lost, too: theirs is the error of a system call, or that a stream was closed too early. */
function isLost(error: unknown): boolean {
  return typeof errorFact(error, 'syscall') === 'string' || errorFact(error, 'code') === 'ERR_STREAM_PREMATURE_CLOSE';
}
