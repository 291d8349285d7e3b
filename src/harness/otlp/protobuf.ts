import { DynamoTracingError } from '../../errors/index.js';

/** How a field of a protobuf message is read. */
export type FieldType = 'string' | 'id' | 'bytes' | 'varint' | 'bool' | 'int64' | 'fixed64' | 'fixed32' | 'double' | Schema;

/** Fields of a message by number: name in OTLP's JSON, type, whether it repeats. */
export type Schema = ReadonlyMap<number, { readonly name: string; readonly type: FieldType | (() => Schema); readonly repeated?: boolean }>;

const MAX_DEPTH = 64;

/**
 * Reads a protobuf message into what OTLP's JSON encoding of it would be: fields that the schema does not know are skipped.
 * @throws ERR_FRAME_MALFORMED
 */
export function readMessage(bytes: Uint8Array, schema: Schema, depth = 0): Record<string, unknown> {
  if (depth > MAX_DEPTH) throw malformed('nested too deep');
  const reader = new Reader(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  const message: Record<string, unknown> = {};
  while (!reader.done) {
    const key = Number(reader.varint());
    const field = schema.get(key >>> 3);
    const value = reader.value(key & 7);
    if (field === undefined) continue;
    const read = convert(value, typeof field.type === 'function' ? field.type() : field.type, depth);
    if (field.repeated === true) ((message[field.name] ??= []) as unknown[]).push(read);
    else message[field.name] = read;
  }
  return message;
}

function convert(value: bigint | Buffer, type: FieldType, depth: number): unknown {
  if (typeof value === 'bigint') {
    switch (type) {
      case 'bool': return value !== 0n;
      case 'int64': return BigInt.asIntN(64, value).toString();
      case 'fixed64': return value.toString();
      case 'double': return doubleOf(value);
      default: return Number(value);
    }
  }
  if (typeof type === 'object') return readMessage(value, type, depth + 1);
  return type === 'id' ? value.toString('hex') : type === 'bytes' ? value.toString('base64') : value.toString('utf8');
}

function doubleOf(bits: bigint): number {
  const buffer = Buffer.alloc(8);
  buffer.writeBigUInt64LE(bits);
  return buffer.readDoubleLE();
}

class Reader {
  #at = 0;

  constructor(private readonly bytes: Buffer) {}

  get done(): boolean {
    return this.#at >= this.bytes.length;
  }

  varint(): bigint {
    let result = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.bytes[this.#at++];
      if (byte === undefined) throw malformed('cut short');
      result |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return result;
    }
    throw malformed('a varint of more than ten bytes');
  }

  /** The value of a field by its wire type: a number as BigInt, anything with a length as bytes. */
  value(wireType: number): bigint | Buffer {
    switch (wireType) {
      case 0: return this.varint();
      case 1: return this.#take(8).readBigUInt64LE();
      case 2: return this.#take(Number(this.varint()));
      case 5: return BigInt(this.#take(4).readUInt32LE());
      default: throw malformed(`wire type ${wireType}`);
    }
  }

  #take(length: number): Buffer {
    if (length > this.bytes.length - this.#at) throw malformed('cut short');
    this.#at += length;
    return this.bytes.subarray(this.#at - length, this.#at);
  }
}

function malformed(reason: string): DynamoTracingError {
  return new DynamoTracingError('ERR_FRAME_MALFORMED', `the OTLP message is ${reason}`, { reason });
}
