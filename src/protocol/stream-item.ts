import { errorFromWire, errorToWire, type DynamoError } from './dynamo-error.js';
import { invalidField, objectOf, own, type Fields } from './fields.js';
import type { PayloadCodec } from './payload-codec.js';

/** What a data frame of a response stream carries (Dynamo's NetworkStreamWrapper). */
export interface StreamItem {
  /** One item: an {@link Annotated} in its wire form for Python and LLM endpoints. Absent as a rule when complete. */
  readonly data?: unknown;
  /** The response is complete: no more items follow. */
  readonly completeFinal: boolean;
}

/**
 * Writes a stream item: the data of a data-only frame.
 * @throws ERR_MESSAGE_INVALID when the codec cannot write `data`.
 */
export function encodeStreamItem(codec: PayloadCodec, item: StreamItem): Uint8Array {
  return codec.encode(streamItemToWire(item));
}

/** The same, as text where the codec writes text. */
export function streamItemContent(codec: PayloadCodec, item: StreamItem): Uint8Array | string {
  return codec.text === undefined ? encodeStreamItem(codec, item) : codec.text(streamItemToWire(item));
}

/**
 * What {@link streamItemContent} gives for an item that is nothing but data. Its wrappers are written around the text of an
 * object: two more objects would make JSON.stringify a quarter slower.
 */
export function dataItemContent(codec: PayloadCodec, data: unknown): Uint8Array | string {
  const isObject = typeof data === 'object' && data !== null && !('toJSON' in data);
  if (codec.text === undefined || !isObject) return streamItemContent(codec, { data: { data }, completeFinal: false });
  return `{"data":{"data":${codec.text(data)}},"complete_final":false}`;
}

function streamItemToWire({ data, completeFinal }: StreamItem): Fields {
  return data === undefined ? { complete_final: completeFinal } : { data, complete_final: completeFinal };
}

/**
 * Reads a stream item; null data is absent data.
 * @throws ERR_MESSAGE_INVALID, with `field` when the bytes could be read.
 */
export function decodeStreamItem(codec: PayloadCodec, bytes: Uint8Array): StreamItem {
  const wire = objectOf(codec.decode(bytes), 'stream item');
  const completeFinal = own(wire, 'complete_final');
  if (typeof completeFinal !== 'boolean') throw invalidField('complete_final', 'is not a boolean');
  const data = own(wire, 'data');
  return data === undefined ? { completeFinal } : { data, completeFinal };
}

/** An item with what belongs to it. Every part is absent when it is not there. */
export interface Annotated {
  readonly data?: unknown;
  readonly id?: string;
  /** `error` for a failure, else the name of an annotation, e.g. `llm_metrics`. */
  readonly event?: string;
  readonly comment?: readonly string[];
  readonly error?: DynamoError;
}

/** The wire form of an item, to be given as `data` of a {@link StreamItem}. */
export function annotatedToWire(item: Annotated): Readonly<Record<string, unknown>> {
  const { error, ...rest } = item;
  const wire: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(rest)) if (value !== undefined) wire[key] = value;
  if (error !== undefined) wire['error'] = errorToWire(error);
  return wire;
}

/**
 * Reads an item; null stands for absent, an error of any shape is read.
 * @throws ERR_MESSAGE_INVALID with `field`.
 */
export function annotatedFromWire(value: unknown): Annotated {
  const wire = objectOf(value, 'item');
  const data = own(wire, 'data');
  const error = own(wire, 'error');
  const comment = own(wire, 'comment');
  if (comment !== undefined && !isStrings(comment)) throw invalidField('comment', 'is not an array of strings');
  return {
    ...(data === undefined ? {} : { data }),
    ...optionalText(wire, 'id'),
    ...optionalText(wire, 'event'),
    ...(comment === undefined ? {} : { comment }),
    ...(error === undefined ? {} : { error: errorFromWire(error) }),
  };
}

/** The failure an item stands for, if it does: its error, or for a bare event `error` its comments. */
export function itemError(item: Annotated): DynamoError | undefined {
  if (item.error !== undefined) return item.error;
  if (item.event !== 'error') return undefined;
  return { errorType: 'unknown', message: item.comment?.join(', ') ?? 'unknown error' };
}

function optionalText(fields: Readonly<Record<string, unknown>>, name: 'id' | 'event'): { id?: string; event?: string } {
  const value = own(fields, name);
  if (value === undefined) return {};
  if (typeof value !== 'string') throw invalidField(name, 'is not a string');
  return { [name]: value };
}

function isStrings(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}
