import type { IncomingMessage, ServerResponse } from 'node:http';
import { booleanOption, guarded, numberOption, readOptions, reportFault, type OptionsOf } from '../internal/index.js';
import { classifyThrown } from './error-answer.js';
import { errorBody, streamErrorEvent } from './error-body.js';
import { answerFastify, answerRaw, cutShort, endBegun, isGone, letGo, type ErrorText, type FastifyReplyLike } from './error-response.js';
import { DEFAULT_OVERLOAD_STATUS } from './error-type.js';
import { recorderOf } from './response-watch.js';

/** Options of the error handlers. */
export interface ErrorHandlerOptions {
  /** Status of an answer at capacity, 400 to 599. Default: 529, as Dynamo's DYN_HTTP_OVERLOAD_STATUS_CODE. */
  readonly overloadStatus?: number;
  /**
   * Answer the request. With false the error is recorded and classified only, and goes on to the app's own error handler: with
   * `next(error)` on Express, thrown again to the handler of the plugin around on Fastify. Default: true.
   */
  readonly answer?: boolean;
}

const ERROR_OPTIONS = { overloadStatus: numberOption(DEFAULT_OVERLOAD_STATUS, { min: 400, max: 599 }), answer: booleanOption(true) };
type ErrorSettings = OptionsOf<typeof ERROR_OPTIONS>;

/**
 * Classifies an error and tells the recorder of its request. A response that has ended went out whole, so its request has not
 * failed. An abort after the client has left is told by `request cancelled`; anything else is an error to look into.
 */
function recordError(error: unknown, res: ServerResponse, settings: ErrorSettings): ErrorText {
  const { status, type, message } = classifyThrown(error, settings);
  const recorder = guarded('dynamoTracingErrors', () => recorderOf(res), undefined);
  guarded('dynamoTracingErrors', () => {
    if (!res.writableEnded) recorder?.fail(type);
    if (type !== 'cancelled' || !isGone(res)) recorder?.failedWith(error);
  }, undefined);
  const shape = recorder?.routeClass.dialect ?? 'generic';
  const requestId = recorder?.ids.requestId;
  return { status, body: () => JSON.stringify(errorBody(shape, status, message, requestId)), event: () => streamErrorEvent(shape, status, message, requestId) };
}

/** Leaves no response open and never throws. A response that has ended, or whose client is gone, is left alone. */
function conclude(res: ServerResponse, text: ErrorText, answer: () => void): void {
  try {
    if (res.writableEnded || isGone(res)) return;
    guarded('dynamoTracingErrors', () => letGo(res), undefined); // serverless adapters have odd requests
    if (res.headersSent) endBegun(res, text);
    else answer();
  } catch (fault) {
    reportFault('dynamoTracingErrors', fault);
    guarded('dynamoTracingErrors', () => cutShort(res), undefined);
  }
}

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
