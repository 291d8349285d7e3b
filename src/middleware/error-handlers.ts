import type { IncomingMessage, ServerResponse } from 'node:http';
import { numberOption, readOptions } from '../internal/index.js';
import { classifyThrown, type ErrorAnswer } from './error-answer.js';
import { DEFAULT_OVERLOAD_STATUS } from './error-type.js';
import { DIALECTS, type Api } from './dialects/index.js';
import { errorBody, streamErrorEvent } from './error-body.js';
import { recorderOf } from './response-watch.js';

/** Options of the error handlers. */
export interface ErrorHandlerOptions {
  /** Status of an answer at capacity. Default: 529, as Dynamo's DYN_HTTP_OVERLOAD_STATUS_CODE. */
  readonly overloadStatus?: number;
}

const readErrorOptions = (options: ErrorHandlerOptions | undefined): { readonly overloadStatus: number } =>
  readOptions('dynamoTracingErrors', { overloadStatus: numberOption(DEFAULT_OVERLOAD_STATUS, { min: 400, max: 999 }) }, options);

/** An error as it goes out: classified, its record told, its body in the dialect of the route. */
interface Answer extends ErrorAnswer {
  readonly api: Api;
  readonly requestId: string | undefined;
}

function answerTo(error: unknown, res: ServerResponse, options: { readonly overloadStatus: number }): Answer {
  const lifecycle = recorderOf(res);
  const answer = classifyThrown(error, options);
  lifecycle?.fail(answer.type);
  return { ...answer, api: lifecycle === undefined ? 'openai' : DIALECTS[lifecycle.routeClass.dialect].api, requestId: lifecycle?.ids.requestId };
}

function bodyOf({ api, status, message, requestId }: Answer): string {
  return JSON.stringify(errorBody(api, status, message, requestId));
}

/**
 * After the head has gone out an event stream ends with an error event; any other response can only be cut short, which tells
 * the client that it is not whole.
 */
function endBegunResponse(res: ServerResponse, { api, status, message, requestId }: Answer): void {
  const isEventStream = String(res.getHeader('content-type')).startsWith('text/event-stream');
  if (isEventStream && !res.writableEnded && !res.destroyed) res.end(streamErrorEvent(api, status, message, requestId));
  else res.destroy();
}

/**
 * Express error handler, after all routes: answers in the shape of the route's API, never with a stack or an inner message, and
 * puts the right error type into the records.
 * @throws ERR_OPTION_INVALID at start-up for options that cannot be used
 */
export function dynamoTracingErrors(options?: ErrorHandlerOptions): (error: unknown, req: IncomingMessage, res: ServerResponse, next: (error?: unknown) => void) => void {
  const settings = readErrorOptions(options);
  return (error, _req, res, _next) => {
    const answer = answerTo(error, res, settings);
    if (res.headersSent) {
      endBegunResponse(res, answer);
      return;
    }
    res.statusCode = answer.status;
    res.setHeader('content-type', 'application/json');
    res.end(bodyOf(answer));
  };
}

interface FastifyReplyLike {
  readonly raw: ServerResponse;
  code(status: number): FastifyReplyLike;
  type(contentType: string): FastifyReplyLike;
  send(payload: string): unknown;
}

/**
 * The same for Fastify: `fastify.setErrorHandler(dynamoTracingErrors())`.
 * @throws ERR_OPTION_INVALID at start-up for options that cannot be used
 */
export function dynamoTracingFastifyErrors(options?: ErrorHandlerOptions): (error: unknown, request: unknown, reply: FastifyReplyLike) => void {
  const settings = readErrorOptions(options);
  return (error, _request, reply) => {
    const answer = answerTo(error, reply.raw, settings);
    if (reply.raw.headersSent) endBegunResponse(reply.raw, answer);
    else reply.code(answer.status).type('application/json').send(bodyOf(answer));
  };
}
