import { DynamoTracingError } from '../errors/index.js';
import { DEFAULT_MAX_MESSAGE_SIZE, LENGTH_FIELDS, MAX_FIELD_SIZE, MAX_U32, tooLarge } from './limits.js';
import { plainHeadersSize, writePlainHeaders } from './plain-headers.js';
import { fitHeaders, type RequestHeaders } from './request-headers.js';

/** Where the headers are in a frame with an empty path. */
const HEADERS_AT = 4;
/** What `droppedHeaders` is as a rule. */
const NONE: readonly string[] = Object.freeze([]);

/** A request frame ready to be written. */
export interface EncodedRequestFrame {
  /** Buffers to write in this order: one of our own, then the payload parts as they were given, not copied. */
  readonly chunks: readonly Uint8Array[];
  /** Bytes of the whole frame. */
  readonly byteLength: number;
  /** Headers that were dropped to fit the length field, see fitHeaders; empty as a rule. */
  readonly droppedHeaders: readonly string[];
}

/**
 * Writes a request frame: u16 path length, path, u16 header length, headers as JSON, u32 payload length, payload.
 * @param maxMessageSize Limit on the whole frame in bytes, default 33554432 (32 MiB).
 * @throws ERR_FRAME_FIELD_TOO_LONG when path or headers are over 65535 bytes (headers: after tracestate and x-request-id
 * were dropped), ERR_FRAME_TOO_LARGE when the frame is over the limit, ERR_MESSAGE_INVALID for a header that is no string.
 */
export function encodeRequestFrame(
  endpointPath: string,
  headers: RequestHeaders,
  payloadParts: readonly Uint8Array[],
  maxMessageSize: number = DEFAULT_MAX_MESSAGE_SIZE,
): EncodedRequestFrame {
  const pathSize = Buffer.byteLength(endpointPath);
  if (pathSize > MAX_FIELD_SIZE) throw pathTooLong(pathSize);
  let payloadSize = 0;
  for (const part of payloadParts) payloadSize += part.length;
  if (payloadSize > MAX_U32) throw tooLarge(payloadSize, MAX_U32);
  const fixed = LENGTH_FIELDS + pathSize + payloadSize;
  const plainSize = plainHeadersSize(headers);
  if (plainSize > 0 && plainSize <= MAX_FIELD_SIZE && fixed + plainSize <= maxMessageSize) {
    const head = startHead(endpointPath, pathSize, plainSize, payloadSize);
    if (writePlainHeaders(head, HEADERS_AT + pathSize, headers)) return frameOf(head, payloadParts, fixed + plainSize, NONE);
  }
  const fitted = fitHeaders(headers);
  const byteLength = fixed + fitted.byteLength;
  if (byteLength > maxMessageSize) throw tooLarge(byteLength, maxMessageSize);
  const head = startHead(endpointPath, pathSize, fitted.byteLength, payloadSize);
  head.write(fitted.json, HEADERS_AT + pathSize, 'utf8');
  return frameOf(head, payloadParts, byteLength, fitted.dropped);
}

/** A head with its length fields and path; the headers are still to be written. */
function startHead(endpointPath: string, pathSize: number, headersSize: number, payloadSize: number): Buffer {
  const head = Buffer.allocUnsafe(LENGTH_FIELDS + pathSize + headersSize);
  head.writeUInt16BE(pathSize, 0);
  head.write(endpointPath, 2, 'utf8');
  head.writeUInt16BE(headersSize, 2 + pathSize);
  head.writeUInt32BE(payloadSize, HEADERS_AT + pathSize + headersSize);
  return head;
}

function frameOf(head: Buffer, payloadParts: readonly Uint8Array[], byteLength: number, droppedHeaders: readonly string[]): EncodedRequestFrame {
  const chunks: Uint8Array[] = [head];
  for (const part of payloadParts) if (part.length > 0) chunks.push(part);
  return { chunks, byteLength, droppedHeaders };
}

function pathTooLong(size: number): DynamoTracingError {
  return new DynamoTracingError('ERR_FRAME_FIELD_TOO_LONG', `endpoint path takes ${size} bytes (max: ${MAX_FIELD_SIZE} bytes)`, {
    field: 'endpoint_path',
    size,
    limit: MAX_FIELD_SIZE,
  });
}
