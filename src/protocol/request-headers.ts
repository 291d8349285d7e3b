import { DynamoTracingError } from '../errors/index.js';
import { jsonText } from './json.js';
import { MAX_FIELD_SIZE } from './limits.js';

/** Headers of a request: names in lower case to values. */
export type RequestHeaders = Readonly<Record<string, string>>;

/** What goes, in this order, when a header block does not fit. Ids and traceparent always travel. */
const EXPENDABLE = ['tracestate', 'x-request-id'] as const;

const NONE: readonly string[] = Object.freeze([]);

/** A header block that fits its length field. */
export interface FittedHeaders {
  /** The headers that are left: the given object when nothing was dropped. */
  readonly headers: RequestHeaders;
  /** Names that were dropped, in the order they went; empty as a rule. The caller warns once about them. */
  readonly dropped: readonly string[];
  /** `headers` as JSON. */
  readonly json: string;
  /** Bytes of `json` in UTF-8. */
  readonly byteLength: number;
}

/**
 * Makes headers fit `limit` bytes of JSON (default 65535, the u16 length field): tracestate goes first, then x-request-id.
 * @throws ERR_FRAME_FIELD_TOO_LONG (`field` headers, `size`, `limit`) when they still do not fit,
 * ERR_MESSAGE_INVALID (`field`) for a value that is not a string: the worker would drop all headers for it.
 */
export function fitHeaders(headers: RequestHeaders, limit: number = MAX_FIELD_SIZE): FittedHeaders {
  checkStrings(headers);
  const json = jsonText(headers);
  const byteLength = Buffer.byteLength(json);
  if (byteLength <= limit) return { headers, dropped: NONE, json, byteLength };
  return shrink(headers, limit, byteLength);
}

function shrink(headers: RequestHeaders, limit: number, firstSize: number): FittedHeaders {
  const rest = Object.assign(Object.create(null), headers) as Record<string, string>;
  const dropped: string[] = [];
  let size = firstSize;
  for (const name of EXPENDABLE) {
    if (rest[name] === undefined) continue;
    delete rest[name];
    dropped.push(name);
    const json = jsonText(rest);
    size = Buffer.byteLength(json);
    if (size <= limit) return { headers: rest, dropped, json, byteLength: size };
  }
  throw new DynamoTracingError('ERR_FRAME_FIELD_TOO_LONG', `request headers take ${size} bytes (max: ${limit} bytes)`, { field: 'headers', size, limit });
}

function checkStrings(headers: RequestHeaders): void {
  for (const name in headers) {
    if (typeof headers[name] === 'string') continue;
    throw new DynamoTracingError('ERR_MESSAGE_INVALID', `request header ${name} is not a string`, { field: `headers.${name}` });
  }
}

/** Headers read from a frame: no prototype, so a name like `__proto__` or `constructor` is an entry like any other. */
export interface DecodedHeaders {
  readonly headers: RequestHeaders;
  /** The block was not a JSON object of strings. Like Dynamo, the request goes on without headers; the caller warns once. */
  readonly malformed: boolean;
}

/** Reads a header block; an empty one stands for no headers. Never throws. */
export function readHeaders(block: string | undefined): DecodedHeaders {
  if (block === '') return { headers: noHeaders(), malformed: false };
  const headers = block === undefined ? undefined : parse(block);
  return headers === undefined ? { headers: noHeaders(), malformed: true } : { headers, malformed: false };
}

function parse(block: string): RequestHeaders | undefined {
  let value: unknown;
  try {
    value = JSON.parse(block);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  // Cheaper than copying into a new object without prototype, which V8 would keep as a hash table.
  const headers = Object.setPrototypeOf(value, null) as Record<string, unknown>;
  for (const name in headers) if (typeof headers[name] !== 'string') return undefined;
  return headers as RequestHeaders;
}

function noHeaders(): RequestHeaders {
  return Object.create(null) as RequestHeaders;
}
