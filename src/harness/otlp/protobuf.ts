import { DynamoTracingError } from '../../errors/index.js';

/** How a field of a protobuf message is read. */
type FieldType = 'string' | 'id' | 'bytes' | 'varint' | 'bool' | 'int64' | 'fixed64' | 'fixed32' | 'double' | Schema;

/** Fields of a message by number: name in OTLP's JSON, type, whether it repeats. */
export interface Schema {
  readonly [field: number]: readonly [name: string, type: FieldType | (() => Schema), repeated?: 'repeated'];
}

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
    const field = schema[key >>> 3];
    const value = reader.value(key & 7);
    if (field === undefined) continue;
    const [name, type, repeated] = field;
    const read = convert(value, typeof type === 'function' ? type() : type, depth);
    if (repeated !== undefined) ((message[name] ??= []) as unknown[]).push(read);
    else message[name] = read;
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

// opentelemetry-proto: common.proto, resource.proto, trace.proto, logs.proto. What is not read is left out.
const ANY_VALUE: Schema = {
  1: ['stringValue', 'string'], 2: ['boolValue', 'bool'], 3: ['intValue', 'int64'], 4: ['doubleValue', 'double'],
  5: ['arrayValue', () => ARRAY], 6: ['kvlistValue', () => KEY_VALUES], 7: ['bytesValue', 'bytes'],
};
const KEY_VALUE: Schema = { 1: ['key', 'string'], 2: ['value', ANY_VALUE] };
const ARRAY: Schema = { 1: ['values', ANY_VALUE, 'repeated'] };
const KEY_VALUES: Schema = { 1: ['values', KEY_VALUE, 'repeated'] };
const RESOURCE: Schema = { 1: ['attributes', KEY_VALUE, 'repeated'] };
const SCOPE: Schema = { 1: ['name', 'string'] };
const EVENT: Schema = { 1: ['timeUnixNano', 'fixed64'], 2: ['name', 'string'], 3: ['attributes', KEY_VALUE, 'repeated'] };
const LINK: Schema = { 1: ['traceId', 'id'], 2: ['spanId', 'id'], 4: ['attributes', KEY_VALUE, 'repeated'] };
const STATUS: Schema = { 2: ['message', 'string'], 3: ['code', 'varint'] };
const SPAN: Schema = {
  1: ['traceId', 'id'], 2: ['spanId', 'id'], 3: ['traceState', 'string'], 4: ['parentSpanId', 'id'], 5: ['name', 'string'], 6: ['kind', 'varint'],
  7: ['startTimeUnixNano', 'fixed64'], 8: ['endTimeUnixNano', 'fixed64'], 9: ['attributes', KEY_VALUE, 'repeated'], 11: ['events', EVENT, 'repeated'],
  13: ['links', LINK, 'repeated'], 15: ['status', STATUS], 16: ['flags', 'fixed32'],
};
const LOG_RECORD: Schema = { 3: ['severityText', 'string'], 5: ['body', ANY_VALUE], 6: ['attributes', KEY_VALUE, 'repeated'], 9: ['traceId', 'id'], 10: ['spanId', 'id'] };

/** ExportTraceServiceRequest. */
export const TRACES: Schema = { 1: ['resourceSpans', { 1: ['resource', RESOURCE], 2: ['scopeSpans', { 1: ['scope', SCOPE], 2: ['spans', SPAN, 'repeated'] }, 'repeated'] }, 'repeated'] };
/** ExportLogsServiceRequest. */
export const LOGS: Schema = { 1: ['resourceLogs', { 1: ['resource', RESOURCE], 2: ['scopeLogs', { 1: ['scope', SCOPE], 2: ['logRecords', LOG_RECORD, 'repeated'] }, 'repeated'] }, 'repeated'] };
