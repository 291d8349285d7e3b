import { DynamoTracingError } from '../errors/index.js';

/** Dynamo's default limit on a whole frame in bytes (DYN_TCP_MAX_MESSAGE_SIZE): 32 MiB. */
export const DEFAULT_MAX_MESSAGE_SIZE = 33_554_432;

/** Most bytes an endpoint path or a header block can have: each has a two-byte length field. */
export const MAX_FIELD_SIZE = 0xffff;

/** Most bytes a request payload or an ack text can have: each has a four-byte length field. */
export const MAX_U32 = 0xffff_ffff;

/** Bytes of the three length fields of a request frame. */
export const LENGTH_FIELDS = 8;

/** Arrays and maps inside each other that msgpack may have; rmp-serde, on the other side, stops there too. */
export const MSGPACK_MAX_DEPTH = 1024;

/**
 * What a decoder gives for a frame over its limit, from the moment the lengths are known and before any of it is kept.
 * The decoder is dead afterwards: the rest of the stream cannot be trusted, so it drops what it is pushed and repeats this.
 */
export interface FrameRefusal {
  readonly kind: 'refused';
  /** Bytes the frame has at least, going by the lengths read so far. Not exact above 2^53. */
  readonly size: number;
  /** The limit in bytes. */
  readonly limit: number;
  /** ERR_FRAME_TOO_LARGE with the same `size` and `limit`. */
  readonly error: DynamoTracingError;
}

/** ERR_FRAME_TOO_LARGE in the wording of Dynamo. */
export function tooLarge(size: number, limit: number): DynamoTracingError {
  return new DynamoTracingError('ERR_FRAME_TOO_LARGE', tooLargeText(size, limit), { size, limit });
}

/** The wording Dynamo uses for a frame over the limit, sizes in bytes. */
export function tooLargeText(size: number, limit: number): string {
  return `message too large: ${size} bytes (max: ${limit} bytes)`;
}

export function refusal(size: number, limit: number): FrameRefusal {
  return { kind: 'refused', size, limit, error: tooLarge(size, limit) };
}
