import { connectionInfoFromWire, connectionInfoToWire, type TcpStreamConnectionInfo } from './connection-info.js';
import { choiceField, invalidField, jsonObject, objectOf, own, stringField, type Fields } from './fields.js';
import { encodeJson } from './json.js';
import { isU64 } from './wire-integer.js';
import type { PayloadCodecName } from './payload-codec.js';

/** Most bytes a control message may have: Dynamo's frontend refuses larger ones. 128 KiB. */
export const MAX_CONTROL_MESSAGE_SIZE = 131_072;

/** What a request is: the header part of its envelope. */
export interface ControlMessage {
  /** The request id, known to Dynamo as the engine context id. Any string. */
  readonly id: string;
  /** `many_in`: the worker dials a second socket for a stream of inputs. */
  readonly requestType: 'single_in' | 'many_in';
  readonly responseType: 'single_out' | 'many_out';
  /** Codec of the body and of every response item. */
  readonly payloadCodec: PayloadCodecName;
  /** Where the worker dials home with its response. Its `context` is `id`. */
  readonly connectionInfo: TcpStreamConnectionInfo;
  /** Has no prototype when read. Empty is not written. */
  readonly metadata: Readonly<Record<string, string>>;
  /** Nanoseconds since 1970; current frontends send it as header x-frontend-send-ts-ns instead. */
  readonly frontendSendTsNs?: bigint;
  /** Where the worker dials for its inputs: present for `many_in`. Its `context` is `id`. */
  readonly requestStreamConnectionInfo?: TcpStreamConnectionInfo;
}

/**
 * Writes a control message and checks it as a worker would: a worker that dislikes one leaves its caller without an answer.
 * @throws ERR_MESSAGE_INVALID with `field`; for more than 128 KiB also `size` and `limit`.
 */
export function encodeControlMessage(message: ControlMessage): Buffer {
  const wire: Record<string, unknown> = {
    id: message.id,
    request_type: message.requestType,
    response_type: message.responseType,
    payload_codec: message.payloadCodec,
    connection_info: connectionInfoToWire(message.connectionInfo),
  };
  if (Object.keys(message.metadata).length > 0) wire['metadata'] = message.metadata;
  if (message.frontendSendTsNs !== undefined) wire['frontend_send_ts_ns'] = message.frontendSendTsNs;
  const inputs = message.requestStreamConnectionInfo;
  if (inputs !== undefined) wire['request_stream_connection_info'] = connectionInfoToWire(inputs);
  readControlMessage(wire);
  const bytes = encodeJson(wire);
  const [size, limit] = [bytes.length, MAX_CONTROL_MESSAGE_SIZE];
  if (size > limit) throw invalidField('control message', `has ${size} bytes (max: ${limit})`, { size, limit });
  return bytes;
}

/**
 * Reads and checks a control message. Unknown fields are ignored, a missing codec is json.
 * @throws ERR_MESSAGE_INVALID with `field`, e.g. `connection_info.transport`.
 */
export function decodeControlMessage(bytes: Uint8Array): ControlMessage {
  return readControlMessage(jsonObject(bytes, 'control message'));
}

function readControlMessage(wire: Fields): ControlMessage {
  const id = stringField(wire, 'id');
  const requestType = choiceField(wire, 'request_type', ['single_in', 'many_in']);
  const timestamp = readTimestamp(own(wire, 'frontend_send_ts_ns'));
  const inputs = own(wire, 'request_stream_connection_info');
  if (inputs === undefined && requestType === 'many_in') throw invalidField('request_stream_connection_info', 'is missing, request_type is many_in');
  return {
    id,
    requestType,
    responseType: choiceField(wire, 'response_type', ['single_out', 'many_out']),
    payloadCodec: own(wire, 'payload_codec') === undefined ? 'json' : choiceField(wire, 'payload_codec', ['json', 'msgpack']),
    connectionInfo: ofRequest(connectionInfoFromWire(own(wire, 'connection_info'), 'connection_info', 'response'), id, 'connection_info'),
    metadata: readMetadata(own(wire, 'metadata')),
    ...(timestamp === undefined ? {} : { frontendSendTsNs: timestamp }),
    ...(inputs === undefined ? {} : { requestStreamConnectionInfo: readInputs(inputs, id) }),
  };
}

function readInputs(value: unknown, id: string): TcpStreamConnectionInfo {
  const field = 'request_stream_connection_info';
  return ofRequest(connectionInfoFromWire(value, field, 'request'), id, field);
}

/** A worker refuses connection info that belongs to another request. */
function ofRequest(info: TcpStreamConnectionInfo, id: string, field: string): TcpStreamConnectionInfo {
  if (info.context !== id) throw invalidField(`${field}.info.context`, 'differs from id');
  return info;
}

function readMetadata(value: unknown): Readonly<Record<string, string>> {
  const metadata = Object.create(null) as Record<string, string>;
  if (value === undefined) return metadata;
  const fields = objectOf(value, 'metadata');
  for (const key of Object.keys(fields)) metadata[key] = stringField(fields, key, 'metadata.');
  return metadata;
}

function readTimestamp(value: unknown): bigint | undefined {
  if (value === undefined) return undefined;
  const nanoseconds = typeof value === 'number' && Number.isSafeInteger(value) ? BigInt(value) : value;
  if (!isU64(nanoseconds)) throw invalidField('frontend_send_ts_ns', 'is not a u64');
  return nanoseconds;
}
