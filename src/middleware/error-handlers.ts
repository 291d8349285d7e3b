import type { IncomingMessage, ServerResponse } from 'node:http';
import { readOptions } from '../internal/index.js';
import { answerFastify, answerRaw, answerWith, dropBodyHeaders, type FastifyReplyLike } from './error-response.js';
import { recorderOfRequest } from './fetch-exchange.js';
import { nodePairOf, type HonoContextLike } from './hono.js';
import type { KoaMiddleware } from './koa.js';
import { conclude, ERROR_OPTIONS, recordError, recordIn, type ErrorHandlerOptions } from './record-error.js';

/**
 * Express error handler, after all routes: answers in the shape of the route's API, never with a stack, an inner message or what an
 * upstream said, and puts the error into the records. docs/errors.md shows which error gets which status.
 * @throws ERR_OPTION_INVALID at start-up for options that cannot be used
 */
export function dynamoTracingErrors(options?: ErrorHandlerOptions): (error: unknown, req: IncomingMessage, res: ServerResponse, next: (error?: unknown) => void) => void {
  const settings = readOptions('dynamoTracingErrors', ERROR_OPTIONS, options);
  return (error, _req, res, next) => {
    const text = recordError(error, res, settings);
    if (settings.answer) conclude(res, text, () => answerRaw(res, text));
    else next(error);
  };
}

/**
 * The same for Fastify: `fastify.setErrorHandler(dynamoTracingErrors())`.
 * @throws ERR_OPTION_INVALID at start-up for options that cannot be used
 */
export function dynamoTracingFastifyErrors(options?: ErrorHandlerOptions): (error: unknown, request: unknown, reply: FastifyReplyLike) => void {
  const settings = readOptions('dynamoTracingErrors', ERROR_OPTIONS, options);
  return (error, _request, reply) => {
    const text = recordError(error, reply.raw, settings);
    if (settings.answer) conclude(reply.raw, text, () => answerFastify(reply, text));
    // Fastify would answer a text or null that is thrown here with status 200.
    else throw error instanceof Error ? error : new Error('The handler threw what is not an error', { cause: error });
  };
}

/**
 * The same for Koa, a middleware after `dynamoTracing()`: it answers what those after it throw. Koa answers the error of a streamed body.
 * @throws ERR_OPTION_INVALID at start-up for options that cannot be used
 */
export function dynamoTracingKoaErrors(options?: ErrorHandlerOptions): KoaMiddleware {
  const settings = readOptions('dynamoTracingErrors', ERROR_OPTIONS, options);
  return async (ctx, next) => {
    try {
      await next();
    } catch (error) {
      const text = recordError(error, ctx.res, settings);
      if (!settings.answer) throw error;
      ctx.respond = false;
      conclude(ctx.res, text, () => answerRaw(ctx.res, text));
    }
  };
}

/**
 * The same for Hono: `app.onError(dynamoTracingErrors())`.
 * @throws ERR_OPTION_INVALID at start-up for options that cannot be used
 */
export function dynamoTracingHonoErrors(options?: Omit<ErrorHandlerOptions, 'answer'>): (error: unknown, c: HonoContextLike) => Response {
  const settings = readOptions('dynamoTracingErrors', ERROR_OPTIONS, options);
  return (error, c) => {
    const outgoing = nodePairOf(c.env)?.outgoing;
    if (outgoing === undefined) return errorResponse(error, c.req.raw, settings);
    const text = recordError(error, outgoing, settings);
    if (!outgoing.headersSent) {
      dropBodyHeaders(outgoing); // the handler may have set some by itself
      return answerWith(text);
    }
    conclude(outgoing, text, () => undefined);
    // A copy, because node-server does not look at the headers of a response that was made in this process and never touched.
    return new Response(null, { headers: { 'x-hono-already-sent': 'true' } }).clone();
  };
}

/** The answer to an error as a `Response`. */
export function errorResponse(error: unknown, request: Request, settings: { readonly overloadStatus?: number } = {}): Response {
  const { overloadStatus = ERROR_OPTIONS.overloadStatus(undefined, '') } = settings;
  return answerWith(recordIn(recorderOfRequest(request), error, { overloadStatus }, { hasEnded: false, isLeft: (request as Partial<Request>).signal?.aborted === true }));
}

/** What is used of NestJS's `ArgumentsHost`. */
interface NestHostLike {
  getType(): string;
  switchToHttp(): { getResponse(): unknown };
}

/**
 * The same for NestJS, an exception filter for both of its platforms: `app.useGlobalFilters(dynamoTracingNestErrors())`.
 * @throws ERR_OPTION_INVALID at start-up for options that cannot be used
 */
export function dynamoTracingNestErrors(options?: Omit<ErrorHandlerOptions, 'answer'>): { catch(exception: unknown, host: NestHostLike): void } {
  const settings = readOptions('dynamoTracingErrors', ERROR_OPTIONS, options);
  return {
    catch(exception, host) {
      if (host.getType() !== 'http') throw exception;
      const response = host.switchToHttp().getResponse() as ServerResponse | FastifyReplyLike;
      const res = 'raw' in response ? response.raw : response;
      const text = recordError(exception, res, settings);
      conclude(res, text, () => ('raw' in response ? answerFastify(response, text) : answerRaw(res, text)));
    },
  };
}
