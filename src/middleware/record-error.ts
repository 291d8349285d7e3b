import type { ServerResponse } from 'node:http';
import { booleanOption, guarded, numberOption, reportFault, type OptionsOf } from '../internal/index.js';
import { classifyThrown } from './error-answer.js';
import { errorBody, streamErrorEvent } from './error-body.js';
import { cutShort, endBegun, isGone, letGo, type ErrorText } from './error-response.js';
import { DEFAULT_OVERLOAD_STATUS } from './error-type.js';
import type { RequestRecorder } from './recorder.js';
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

export const ERROR_OPTIONS = { overloadStatus: numberOption(DEFAULT_OVERLOAD_STATUS, { min: 400, max: 599 }), answer: booleanOption(true) };
export type ErrorSettings = OptionsOf<typeof ERROR_OPTIONS>;

/**
 * Classifies an error and tells the recorder of its request. A response that has ended went out whole, so its request has not
 * failed. An abort after the client has left is told by `request cancelled`; anything else is an error to look into.
 */
export function recordError(error: unknown, res: ServerResponse, settings: ErrorSettings): ErrorText {
  const recorder = guarded('dynamoTracingErrors', () => recorderOf(res), undefined);
  return recordIn(recorder, error, settings, { hasEnded: res.writableEnded, isLeft: guarded('dynamoTracingErrors', () => isGone(res), false) });
}

/** The same where there is no response of Node's. */
export function recordIn(recorder: RequestRecorder | undefined, error: unknown, settings: Pick<ErrorSettings, 'overloadStatus'>, { hasEnded, isLeft }: { hasEnded: boolean; isLeft: boolean }): ErrorText {
  const { status, type, message } = classifyThrown(error, settings);
  guarded('dynamoTracingErrors', () => {
    if (!hasEnded) recorder?.fail(type);
    if (type !== 'cancelled' || !isLeft) recorder?.failedWith(error);
  }, undefined);
  const shape = recorder?.routeClass.dialect ?? 'generic';
  const requestId = recorder?.ids.requestId;
  return { status, body: () => JSON.stringify(errorBody(shape, status, message, requestId)), event: () => streamErrorEvent(shape, status, message, requestId) };
}

/** Leaves no response open and never throws. A response that has ended, or whose client is gone, is left alone. */
export function conclude(res: ServerResponse, text: ErrorText, answer: () => void): void {
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
