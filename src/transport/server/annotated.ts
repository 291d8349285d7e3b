import { annotatedToWire, dataItemContent, DYNAMO_ERROR_NAMES, errorFromWire, streamItemContent, type Annotated, type DynamoError, type PayloadCodec } from '../../protocol/index.js';
import { toDynamoError } from './worker-error.js';

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
