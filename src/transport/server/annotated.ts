import { annotatedToWire, DYNAMO_ERROR_NAMES, errorFromWire, type Annotated, type DynamoError } from '../../protocol/index.js';
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

/** What a handler yielded, in Annotated's wire form. */
export function itemToWire(item: unknown): unknown {
  if (typeof item !== 'object' || item === null || !(MARK in item) || (item as Record<string, unknown>)[MARK] !== true) return { data: item };
  const { data, id, event, comment, error } = item as AnnotatedItem;
  const failure = error === undefined || error === null ? undefined : readError(error);
  return annotatedToWire({ data, id, event: event ?? (failure && 'error'), comment, error: failure } as Annotated);
}

/** The item that tells the caller of a failure. */
export function errorItem(error: unknown): unknown {
  return annotatedToWire({ event: 'error', error: toDynamoError(error) });
}

function readError(error: unknown): DynamoError {
  if (error instanceof Error || typeof error !== 'object' || error === null) return toDynamoError(error);
  const { errorType } = error as { errorType?: unknown };
  return DYNAMO_ERROR_NAMES.some((name) => name === errorType) ? (error as DynamoError) : errorFromWire(error);
}
