import type { FieldType, Schema } from './protobuf.js';

type Fields = Readonly<Record<number, readonly [name: string, type: FieldType | (() => Schema), repeated?: 'repeated']>>;

function schema(fields: Fields): Schema {
  return new Map(Object.entries(fields).map(([number, [name, type, repeated]]) => [Number(number), { name, type, repeated: repeated === 'repeated' }]));
}

// opentelemetry-proto: common.proto, resource.proto, trace.proto, logs.proto. What is not read is left out.
const ANY_VALUE: Schema = schema({
  1: ['stringValue', 'string'], 2: ['boolValue', 'bool'], 3: ['intValue', 'int64'], 4: ['doubleValue', 'double'],
  5: ['arrayValue', () => ARRAY], 6: ['kvlistValue', () => KEY_VALUES], 7: ['bytesValue', 'bytes'],
});
const KEY_VALUE: Schema = schema({ 1: ['key', 'string'], 2: ['value', ANY_VALUE] });
const ARRAY: Schema = schema({ 1: ['values', ANY_VALUE, 'repeated'] });
const KEY_VALUES: Schema = schema({ 1: ['values', KEY_VALUE, 'repeated'] });
const RESOURCE: Schema = schema({ 1: ['attributes', KEY_VALUE, 'repeated'] });
const SCOPE: Schema = schema({ 1: ['name', 'string'] });
const EVENT: Schema = schema({ 1: ['timeUnixNano', 'fixed64'], 2: ['name', 'string'], 3: ['attributes', KEY_VALUE, 'repeated'] });
const LINK: Schema = schema({ 1: ['traceId', 'id'], 2: ['spanId', 'id'], 4: ['attributes', KEY_VALUE, 'repeated'] });
const STATUS: Schema = schema({ 2: ['message', 'string'], 3: ['code', 'varint'] });
const SPAN: Schema = schema({
  1: ['traceId', 'id'], 2: ['spanId', 'id'], 3: ['traceState', 'string'], 4: ['parentSpanId', 'id'], 5: ['name', 'string'], 6: ['kind', 'varint'],
  7: ['startTimeUnixNano', 'fixed64'], 8: ['endTimeUnixNano', 'fixed64'], 9: ['attributes', KEY_VALUE, 'repeated'], 11: ['events', EVENT, 'repeated'],
  13: ['links', LINK, 'repeated'], 15: ['status', STATUS], 16: ['flags', 'fixed32'],
});
const LOG_RECORD: Schema = schema({ 3: ['severityText', 'string'], 5: ['body', ANY_VALUE], 6: ['attributes', KEY_VALUE, 'repeated'], 9: ['traceId', 'id'], 10: ['spanId', 'id'] });

/** ExportTraceServiceRequest. */
export const TRACES: Schema = schema({ 1: ['resourceSpans', schema({ 1: ['resource', RESOURCE], 2: ['scopeSpans', schema({ 1: ['scope', SCOPE], 2: ['spans', SPAN, 'repeated'] }), 'repeated'] }), 'repeated'] });
/** ExportLogsServiceRequest. */
export const LOGS: Schema = schema({ 1: ['resourceLogs', schema({ 1: ['resource', RESOURCE], 2: ['scopeLogs', schema({ 1: ['scope', SCOPE], 2: ['logRecords', LOG_RECORD, 'repeated'] }), 'repeated'] }), 'repeated'] });
