import { DynamoTracingError, isDynamoTracingError } from '../../errors/index.js';
import { annotatedFromWire, decodeStreamItem, itemError, type Annotated, type DynamoError, type PayloadCodec } from '../../protocol/index.js';
import { rejectionOf, workerError } from '../engine/index.js';

/** What a data frame comes to. */
export type ReadItem =
  | { readonly kind: 'item'; readonly value: unknown }
  /** Nothing for the consumer: the final mark, or an item without data where bare data is wanted. */
  | { readonly kind: 'nothing' }
  /** The stream fails with it; where whole items are wanted it is yielded as `item` and the stream goes on. */
  | { readonly kind: 'error'; readonly error: DynamoTracingError; readonly item: Annotated };

const NOTHING: ReadItem = Object.freeze({ kind: 'nothing' });
const AFTER_FINAL = 'Response received after generation ended - this should never happen';
const EMPTY = 'Empty response received - this should never happen';

/** Reads the data frames of one response: items, errors, the final mark (facts 3.4, 3.5, 3.8). */
export class ItemReader {
  /** The worker said that its response is complete. */
  complete = false;

  constructor(
    private readonly codec: PayloadCodec,
    private readonly annotated: boolean,
    private readonly engineErrors: boolean,
  ) {}

  read(bytes: Uint8Array): ReadItem {
    if (this.complete) return broken(AFTER_FINAL);
    try {
      return this.#read(bytes);
    } catch (error) {
      return broken(error instanceof Error ? error.message : String(error), error);
    }
  }

  #read(bytes: Uint8Array): ReadItem {
    const { data, completeFinal } = decodeStreamItem(this.codec, bytes);
    if (completeFinal) this.complete = true;
    if (data === undefined) return completeFinal ? NOTHING : broken(EMPTY);
    if (!this.annotated && isPlain(data) && this.#rejection(data.data) === undefined) return { kind: 'item', value: data.data };
    return this.#readAnnotated(annotatedFromWire(data));
  }

  #readAnnotated(item: Annotated): ReadItem {
    const failure = itemError(item);
    if (failure !== undefined) return { kind: 'error', error: workerError(failure), item };
    const rejection = this.#rejection(item.data);
    if (rejection !== undefined) return { kind: 'error', error: workerError(rejection), item: { ...item, event: 'error', error: rejection } };
    if (this.annotated) return { kind: 'item', value: item };
    return item.data === undefined ? NOTHING : { kind: 'item', value: item.data };
  }

  /** What an engine's output says in place of a reason why it would not begin or go on. */
  #rejection(data: unknown): DynamoError | undefined {
    return this.engineErrors ? rejectionOf(data) : undefined;
  }
}

/** The usual item, data and nothing else that matters: read without taking it apart. */
function isPlain(wire: unknown): wire is { readonly data: unknown } {
  if (typeof wire !== 'object' || wire === null) return false;
  const { data, event, error } = wire as { data?: unknown; event?: unknown; error?: unknown };
  return data !== undefined && data !== null && (event === undefined || event === null) && (error === undefined || error === null);
}

function broken(message: string, cause?: unknown): ReadItem {
  const error = isDynamoTracingError(cause) ? cause : new DynamoTracingError('ERR_MESSAGE_INVALID', message, { cause });
  return { kind: 'error', error, item: { event: 'error', error: { errorType: 'unknown', message } } };
}
