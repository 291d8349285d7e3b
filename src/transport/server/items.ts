import { DYNAMO_ERROR_NAMES, errorFact, isDynamoTracingError, sentTypeOf, type DynamoErrorName } from '../../errors/index.js';
import { annotatedToWire, dataItemContent, errorFromWire, streamItemContent, type Annotated, type DynamoError, type PayloadCodec } from '../../protocol/index.js';

/** Marks an object as an envelope; Python workers use the same key. */
const MARK = '_dynamo_annotated';

/** An item for a handler to yield when it wants more than data in it; `error` may be any error. */
export interface AnnotatedItem<T = unknown> {
  readonly data?: T | undefined;
  readonly id?: string | undefined;
  readonly event?: string | undefined;
  readonly comment?: readonly string[] | undefined;
  readonly error?: unknown;
}

/**
 * Makes an item that is sent as the envelope itself instead of as its data.
 * @example yield annotated({ event: 'llm_metrics', comment: [JSON.stringify(metrics)] })
 */
export function annotated<T>(item: AnnotatedItem<T>): AnnotatedItem<T> {
  return Object.assign({ [MARK]: true }, item);
}

/** What a handler yielded, as content of a data frame. */
export function itemContent(codec: PayloadCodec, item: unknown): Uint8Array | string {
  return isMarked(item) ? streamItemContent(codec, { data: markedToWire(item), completeFinal: false }) : dataItemContent(codec, item);
}

/** The item that tells the caller of a failure, as content of a data frame. */
export function errorContent(codec: PayloadCodec, error: unknown): Uint8Array | string {
  return streamItemContent(codec, { data: annotatedToWire({ event: 'error', error: toDynamoError(error) }), completeFinal: false });
}

function isMarked(item: unknown): item is AnnotatedItem {
  return typeof item === 'object' && item !== null && MARK in item && item[MARK] === true;
}

function markedToWire({ data, id, event, comment, error }: AnnotatedItem): unknown {
  const failure = error === undefined || error === null ? undefined : readError(error);
  return annotatedToWire({ data, id, event: event ?? (failure && 'error'), comment, error: failure } as Annotated);
}

function readError(error: unknown): DynamoError {
  if (error instanceof Error || typeof error !== 'object' || error === null) return toDynamoError(error);
  const { errorType } = error as { errorType?: unknown };
  return DYNAMO_ERROR_NAMES.some((name) => name === errorType) ? (error as DynamoError) : errorFromWire(error);
}

/** Errors of Node and of the web platform, by code or name, as Dynamo maps Python's. */
const OF_SYSTEM: Readonly<Record<string, DynamoErrorName>> = {
  ECONNREFUSED: 'backend_cannot_connect',
  ENOTFOUND: 'backend_cannot_connect',
  EHOSTUNREACH: 'backend_cannot_connect',
  ECONNRESET: 'backend_disconnected',
  EPIPE: 'backend_disconnected',
  ETIMEDOUT: 'backend_connection_timeout',
  TimeoutError: 'backend_connection_timeout',
  AbortError: 'backend_cancelled',
};

/**
 * What a handler threw, as Dynamo's peers read it (facts 3.5). An error with an `errorType` of Dynamo keeps it; one with an
 * HTTP status goes as `{"message","code"}`, a 4xx as an invalid argument; anything else is `backend_unknown` with its name.
 */
export function toDynamoError(error: unknown): DynamoError {
  const message = textOf(error);
  const named = DYNAMO_ERROR_NAMES.find((name) => name === errorFact(error, 'errorType'));
  if (named !== undefined) return { errorType: named, message };
  const status = statusOf(error);
  if (status !== undefined) return { errorType: status >= 400 && status < 500 ? 'backend_invalid_argument' : 'backend_unknown', message: JSON.stringify({ message, code: status }) };
  const known = isDynamoTracingError(error) ? sentTypeOf(error.code) : systemType(error);
  if (known !== undefined) return { errorType: known, message };
  const name = error instanceof Error ? error.name : 'Error';
  return { errorType: 'backend_unknown', message: `${name}: ${message}` };
}

function systemType(error: unknown): DynamoErrorName | undefined {
  for (const fact of [errorFact(error, 'code'), errorFact(error, 'name')]) {
    if (typeof fact === 'string' && Object.hasOwn(OF_SYSTEM, fact)) return OF_SYSTEM[fact];
  }
  return undefined;
}

function statusOf(error: unknown): number | undefined {
  return [errorFact(error, 'status'), errorFact(error, 'statusCode'), errorFact(error, 'code')].find((fact): fact is number => typeof fact === 'number' && fact >= 100 && fact < 600);
}

function textOf(error: unknown): string {
  const message = errorFact(error, 'message');
  return typeof message === 'string' ? message : String(error);
}
