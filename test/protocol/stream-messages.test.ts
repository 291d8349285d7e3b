import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { DYNAMO_ERROR_NAMES, errorNameFromWire, errorNameToWire } from '../../src/errors/index.js';
import {
  annotatedFromWire, annotatedToWire, decodeHandshake, decodePrologue, decodeStreamControl, decodeStreamItem, decodeTwoPart, encodeHandshake,
  encodePrologue, encodeStreamControl, encodeStreamItem, errorFromWire, errorToWire, itemError, payloadCodec, type DynamoError,
} from '../../src/protocol/index.js';
import { hex, thrown, vectors } from './support.js';

const frames = new Map(vectors<{ name: string; frame_hex: string }[]>('two-part-frames').map(({ name, frame_hex }) => [name, decodeTwoPart(hex(frame_hex))]));
const header = (name: string): Buffer => frames.get(name)!.header;
const data = (name: string): Buffer => frames.get(name)!.data;
const bytes = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));
const json = payloadCodec('json');
const codecs = [json, payloadCodec('msgpack')];
const invalid = (field?: string) => ({ code: 'ERR_MESSAGE_INVALID', ...(field === undefined ? {} : { field }) });

describe('handshake', () => {
  test('the golden one is written and read', () => {
    expect(encodeHandshake({ subject: 's1', streamType: 'response' })).toEqual(header('handshake'));
    expect(decodeHandshake(header('handshake'))).toEqual({ subject: 's1', streamType: 'response' });
  });
  test.each<[unknown, string]>([[[], 'handshake'], [{ stream_type: 'request' }, 'subject'], [{ subject: 's', stream_type: 'x' }, 'stream_type']])('%j is refused', (value, field) =>
    expect(thrown(() => decodeHandshake(bytes(value)))).toMatchObject(invalid(field)));
});

describe('prologue', () => {
  test('the golden ones are written and read', () => {
    expect(encodePrologue()).toEqual(header('prologue, fine'));
    expect(decodePrologue(header('prologue, fine'))).toEqual({});
    const error = 'Generate Error: no engine';
    expect(encodePrologue({ error })).toEqual(header('prologue, error'));
    expect(decodePrologue(header('prologue, error'))).toEqual({ error });
  });
  test('a typed error comes back, and speaks as text to old peers', () => {
    const typedError: DynamoError = { errorType: 'engine_shutdown', message: 'down' };
    expect(decodePrologue(encodePrologue({ typedError }))).toEqual({ error: 'down', typedError });
    expect(decodePrologue(encodePrologue({ error: 'text', typedError }))).toEqual({ error: 'text', typedError });
    expect(decodePrologue(bytes({ typed_error: 7 }))).toEqual({ error: '', typedError: { errorType: 'unknown', message: '' } });
  });
  test.each<[unknown, string]>([['x', 'prologue'], [{ error: 5 }, 'error']])('%j is refused', (value, field) => expect(thrown(() => decodePrologue(bytes(value)))).toMatchObject(invalid(field)));
});

describe('control frames', () => {
  test.each(['sentinel', 'stop', 'kill'] as const)('%s is written and read', (control) => {
    expect(encodeStreamControl(control)).toEqual(header(control));
    expect(decodeStreamControl(header(control))).toBe(control);
  });
  test.each(['Stop', '', null, {}, ['kill']])('%j is refused', (value) => expect(thrown(() => decodeStreamControl(bytes(value)))).toMatchObject(invalid()));
});

describe('stream items', () => {
  test('the golden ones are written and read', () => {
    expect(encodeStreamItem(json, { data: { data: { x: 1 } }, completeFinal: false })).toEqual(data('data'));
    expect(encodeStreamItem(json, { completeFinal: true })).toEqual(data('final'));
    expect(decodeStreamItem(json, data('data'))).toEqual({ data: { data: { x: 1 } }, completeFinal: false });
    expect(decodeStreamItem(json, data('final'))).toEqual({ completeFinal: true });
    const gone = { event: 'error', error: { errorType: 'disconnected', message: 'gone' } } as const;
    expect(encodeStreamItem(json, { data: annotatedToWire(gone), completeFinal: false })).toEqual(data('error item'));
    expect(annotatedFromWire(decodeStreamItem(json, data('error item')).data)).toEqual(gone);
  });
  test.each(codecs)('$name: a full item comes back with u64 ids', (codec) => {
    const item = { data: { worker: 18446744073709551615n }, id: 'i', event: 'llm_metrics', comment: ['{}'], error: { errorType: 'backend_cancelled', message: 'm' } } as const;
    const back = decodeStreamItem(codec, codec.encode({ data: annotatedToWire(item), complete_final: false }));
    expect(annotatedFromWire(back.data)).toEqual(item);
  });
  test('null is absent', () => {
    expect(decodeStreamItem(json, bytes({ data: null, complete_final: false }))).toEqual({ completeFinal: false });
    expect(annotatedFromWire({ data: null, id: null, event: null, comment: null, error: null })).toEqual({});
    expect(annotatedToWire({ data: undefined })).toEqual({});
  });
  test('falsy data is data', () => expect(annotatedFromWire({ data: 0 })).toEqual({ data: 0 }));
  test.each<[unknown, string]>([[1, 'stream item'], [{ data: 1 }, 'complete_final'], [{ complete_final: 'true' }, 'complete_final']])('wrapper %j is refused', (value, field) =>
    expect(thrown(() => decodeStreamItem(json, bytes(value)))).toMatchObject(invalid(field)));
  test.each<[unknown, string]>([['x', 'item'], [{ id: 1 }, 'id'], [{ event: [] }, 'event'], [{ comment: 'x' }, 'comment'], [{ comment: [1] }, 'comment']])('item %j is refused', (value, field) =>
    expect(thrown(() => annotatedFromWire(value))).toMatchObject(invalid(field)));
  test('a failure is its error, or the comments of a bare error event', () => {
    const error: DynamoError = { errorType: 'cancelled', message: 'c' };
    expect(itemError({ error })).toBe(error);
    expect(itemError({ event: 'error', comment: ['a', 'b'] })).toEqual({ errorType: 'unknown', message: 'a, b' });
    expect(itemError({ event: 'error' })).toEqual({ errorType: 'unknown', message: 'unknown error' });
    expect(itemError({ event: 'other', comment: ['a'] })).toBeUndefined();
  });
});

describe('error types', () => {
  const OLD = ['Unknown', 'InvalidArgument', 'CannotConnect', 'Disconnected', 'ConnectionTimeout', 'ResponseTimeout', 'Cancelled', 'ResourceExhausted', 'WorkerOverloaded', 'Unavailable'];
  const OLD_BACKEND = ['Unknown', 'InvalidArgument', 'CannotConnect', 'Disconnected', 'ConnectionTimeout', 'ResponseTimeout', 'Cancelled', 'EngineShutdown', 'StreamIncomplete'];

  test.each([...OLD, ...OLD_BACKEND.map((Backend) => ({ Backend }))])('%j comes back as it was', (type) => expect(errorNameToWire(errorNameFromWire(type))).toEqual(type));

  test.each(DYNAMO_ERROR_NAMES)('%s is written as a name that old peers know', (name) => {
    const type = errorNameToWire(name);
    expect(typeof type === 'string' ? OLD : OLD_BACKEND).toContain(typeof type === 'string' ? type : type.Backend);
  });

  test.each<[unknown, string]>([
    ['Disconnected', 'disconnected'],
    [{ Backend: 'EngineShutdown' }, 'engine_shutdown'],
    [{ Backend: 'StreamIncomplete' }, 'stream_incomplete'],
    [{ Backend: 'Cancelled' }, 'backend_cancelled'],
    ['WorkerUnavailable', 'worker_unavailable'],
    ['DeadlineExceeded', 'deadline_exceeded'],
    ['Brand New', 'unknown'],
    ['EngineShutdown', 'unknown'],
    ['Backend:Cancelled', 'unknown'],
    ['toString', 'unknown'],
    [{ Backend: 'BrandNew' }, 'backend_unknown'],
    [{ Frontend: 'Cancelled' }, 'unknown'],
    [null, 'unknown'],
    [7, 'unknown'],
  ])('%j is read as %s', (type, name) => expect(errorNameFromWire(type)).toBe(name));

  test('only the fields that old peers know are written', () => {
    const error: DynamoError = { errorType: 'disconnected', message: 'm', class: 'c', reason: 'r', diagnostic: 1, public: {}, causedBy: { errorType: 'unknown', message: 'why' } };
    expect(errorToWire(error)).toEqual({ error_type: 'Disconnected', message: 'm', caused_by: { error_type: 'Unknown', message: 'why' } });
  });

  test('fields of newer peers are read, wrong ones are left out', () => {
    const wire = { error_type: 'Unavailable', message: 'm', class: 'Internal', reason: 'capacity.x', diagnostic: { a: 1 }, public: { type: 'message' }, extra: 1 };
    expect(errorFromWire(wire)).toEqual({ errorType: 'unavailable', message: 'm', class: 'Internal', reason: 'capacity.x', diagnostic: { a: 1 }, public: { type: 'message' } });
    expect(errorFromWire({ message: 5, class: 5, caused_by: 'x' })).toEqual({ errorType: 'unknown', message: '' });
    expect(errorFromWire('text')).toEqual({ errorType: 'unknown', message: 'text' });
  });

  test('causes end after sixteen', () => {
    let wire: unknown = { error_type: 'Unknown', message: 'root' };
    for (let depth = 0; depth < 5000; depth += 1) wire = { error_type: 'Unknown', message: String(depth), caused_by: wire };
    let depth = 0;
    for (let error: DynamoError = errorFromWire(wire); error.causedBy !== undefined; error = error.causedBy) depth += 1;
    expect(depth).toBe(16);
  });

  test('reading an error never throws', () => fc.assert(fc.property(fc.anything(), (value) => void errorFromWire(value))));
});
