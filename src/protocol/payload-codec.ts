import { DynamoTracingError } from '../errors/index.js';
import { decodeJson, encodeJson, jsonText } from './json.js';
import { decodeMsgpack } from './msgpack-decode.js';
import { encodeMsgpack } from './msgpack-encode.js';

/** Names of the payload codecs of the protocol. */
export type PayloadCodecName = 'json' | 'msgpack';

/**
 * How request bodies and response items are written. Both codecs keep u64 and i64 exact: BigInt where a number cannot hold
 * the integer, number otherwise. A key `__proto__` is a plain entry; undefined and functions are left out, toJSON is
 * honoured, lone surrogates become U+FFFD. Bytes (Uint8Array) need msgpack.
 */
export interface PayloadCodec {
  readonly name: PayloadCodecName;
  /**
   * Writes `value`.
   * @throws ERR_MESSAGE_INVALID for a value without a form on the wire: undefined, a cycle, a BigInt beyond u64 and i64;
   *   with what a getter or toJSON threw as `cause`.
   */
  encode(value: unknown): Uint8Array;
  /**
   * Reads one value that fills `bytes`. Binary values of msgpack are views of `bytes`.
   * @throws ERR_MESSAGE_INVALID with the reader's error as `cause`.
   */
  decode(bytes: Uint8Array): unknown;
  /** What `encode` writes, where that is text: it can then be written as UTF-8 where it is needed, without a copy between. */
  text?(value: unknown): string;
}

const json: PayloadCodec = Object.freeze({ name: 'json', encode: encodeJson, decode: decodeJson, text: jsonText });

const msgpack: PayloadCodec = Object.freeze({
  name: 'msgpack',
  encode(value: unknown): Uint8Array {
    try {
      return encodeMsgpack(value);
    } catch (cause) {
      throw invalid('the value cannot be written as msgpack', cause);
    }
  },
  decode(bytes: Uint8Array): unknown {
    try {
      return decodeMsgpack(bytes);
    } catch (cause) {
      throw invalid('the message is not msgpack', cause);
    }
  },
});

/** Whether `name` is a codec of the protocol. */
export function isPayloadCodecName(name: unknown): name is PayloadCodecName {
  return name === 'json' || name === 'msgpack';
}

/**
 * The codec of that name.
 * @throws ERR_CODEC_UNSUPPORTED for another name; `codec` holds it.
 */
export function payloadCodec(name: string): PayloadCodec {
  if (name === 'json') return json;
  if (name === 'msgpack') return msgpack;
  throw new DynamoTracingError('ERR_CODEC_UNSUPPORTED', `payload codec ${JSON.stringify(name)} is neither json nor msgpack`, { codec: name });
}

function invalid(message: string, cause: unknown): DynamoTracingError {
  return new DynamoTracingError('ERR_MESSAGE_INVALID', message, { cause });
}
