import { describe, expect, test } from '@jest/globals';
import { decodeControlMessage, decodeTwoPart, encodeControlMessage, MAX_CONTROL_MESSAGE_SIZE, type ControlMessage } from '../../src/protocol/index.js';
import { hex, thrown, vectors } from './support.js';

const golden = vectors<{ header_text: string; frame_hex: string }[]>('two-part-frames')[0]!;
const home = { host: '127.0.0.1', port: 9, subject: 's1', context: 'r1', streamType: 'response' } as const;
const message: ControlMessage = { id: 'r1', requestType: 'single_in', responseType: 'many_out', payloadCodec: 'json', connectionInfo: home, metadata: {} };
const bidirectional: ControlMessage = { ...message, requestType: 'many_in', requestStreamConnectionInfo: { ...home, subject: 's2', streamType: 'request' } };

type Wire = Record<string, unknown>;
const wire = JSON.parse(golden.header_text) as Wire;
const info = (change: Wire, transport = 'tcp_server'): Wire => ({
  transport,
  info: JSON.stringify({ address: '127.0.0.1:9', subject: 's1', context: 'r1', stream_type: 'response', ...change }),
});
const read = (value: unknown): ControlMessage => decodeControlMessage(Buffer.from(JSON.stringify(value)));

describe('control message', () => {
  test('the golden envelope is written byte for byte and read', () => {
    expect(encodeControlMessage(message).toString()).toBe(golden.header_text);
    const read = decodeControlMessage(decodeTwoPart(hex(golden.frame_hex)).header);
    expect({ ...read, metadata: { ...read.metadata } }).toEqual(message);
  });

  test('every field comes back, a u64 time exactly', () => {
    const full: ControlMessage = { ...bidirectional, payloadCodec: 'msgpack', responseType: 'single_out', frontendSendTsNs: 1777312801000000001n, metadata: { a: 'b', é: '"' } };
    const back = decodeControlMessage(encodeControlMessage(full));
    expect({ ...back, metadata: { ...back.metadata } }).toEqual(full);
    expect(encodeControlMessage(full).toString()).toContain('"frontend_send_ts_ns":1777312801000000001');
  });

  test('unknown fields are ignored, null is absent, a missing codec is json', () => {
    const back = read({ ...wire, payload_codec: null, metadata: null, frontend_send_ts_ns: null, request_stream_connection_info: null, future: [1] });
    expect({ ...back, metadata: { ...back.metadata } }).toEqual(message);
    expect(read({ ...wire, frontend_send_ts_ns: 5 }).frontendSendTsNs).toBe(5n);
  });

  test('metadata has no prototype', () => {
    const back = decodeControlMessage(Buffer.from(JSON.stringify({ ...wire, metadata: 0 }).replace('"metadata":0', '"metadata":{"__proto__":"x"}')));
    expect(Object.getPrototypeOf(back.metadata)).toBeNull();
    expect(Object.entries(back.metadata)).toEqual([['__proto__', 'x']]);
  });

  test.each([
    ['[::1]:80', '::1'],
    ['::1:80', '::1'],
    ['2001:db8::7:80', '2001:db8::7'],
    ['10.1.2.3:80', '10.1.2.3'],
  ])('address %s is host %s', (address, host) => expect(read({ ...wire, connection_info: info({ address }) }).connectionInfo).toMatchObject({ host, port: 80 }));

  test('IPv6 is written without brackets, as Dynamo has it', () => {
    expect(encodeControlMessage({ ...message, connectionInfo: { ...home, host: '::1' } }).toString()).toContain(String.raw`\"address\":\"::1:9\"`);
  });

  test.each<[string, unknown, string]>([
    ['an array', [], 'control message'],
    ['null', null, 'control message'],
    ['no id', { ...wire, id: undefined }, 'id'],
    ['a number as id', { ...wire, id: 1 }, 'id'],
    ['another request type', { ...wire, request_type: 'two_in' }, 'request_type'],
    ['another response type', { ...wire, response_type: null }, 'response_type'],
    ['another codec', { ...wire, payload_codec: 'cbor' }, 'payload_codec'],
    ['no connection info', { ...wire, connection_info: undefined }, 'connection_info'],
    ['text as connection info', { ...wire, connection_info: 'x' }, 'connection_info'],
    ['another transport', { ...wire, connection_info: info({}, 'quic') }, 'connection_info.transport'],
    ['an object as info', { ...wire, connection_info: { transport: 'tcp_server', info: {} } }, 'connection_info.info'],
    ['info that is no JSON', { ...wire, connection_info: { transport: 'tcp_server', info: '{' } }, 'connection_info.info'],
    ['info that is no object', { ...wire, connection_info: { transport: 'tcp_server', info: '[]' } }, 'connection_info.info'],
    ['no info', { ...wire, connection_info: { transport: 'tcp_server' } }, 'connection_info.info'],
    ['no address', { ...wire, connection_info: info({ address: null }) }, 'connection_info.info.address'],
    ['no context', { ...wire, connection_info: info({ context: null }) }, 'connection_info.info.context'],
    ['a name as address', { ...wire, connection_info: info({ address: 'localhost:9' }) }, 'connection_info.info.address'],
    ['no port', { ...wire, connection_info: info({ address: '127.0.0.1' }) }, 'connection_info.info.address'],
    ['port 0', { ...wire, connection_info: info({ address: '127.0.0.1:0' }) }, 'connection_info.info.address'],
    ['IPv4 in brackets', { ...wire, connection_info: info({ address: '[127.0.0.1]:9' }) }, 'connection_info.info.address'],
    ['IPv6 with one bracket', { ...wire, connection_info: info({ address: '[::1x:9' }) }, 'connection_info.info.address'],
    ['IPv6 with the other bracket', { ...wire, connection_info: info({ address: 'x::1]:9' }) }, 'connection_info.info.address'],
    ['no subject', { ...wire, connection_info: info({ subject: null }) }, 'connection_info.info.subject'],
    ['the other stream type', { ...wire, connection_info: info({ stream_type: 'request' }) }, 'connection_info.info.stream_type'],
    ['the context of another request', { ...wire, connection_info: info({ context: 'r2' }) }, 'connection_info.info.context'],
    ['a number in metadata', { ...wire, metadata: { a: 1 } }, 'metadata.a'],
    ['an array as metadata', { ...wire, metadata: [] }, 'metadata'],
    ['a negative time', { ...wire, frontend_send_ts_ns: -1 }, 'frontend_send_ts_ns'],
    ['a broken time', { ...wire, frontend_send_ts_ns: 1.5 }, 'frontend_send_ts_ns'],
    ['a time as text', { ...wire, frontend_send_ts_ns: '1' }, 'frontend_send_ts_ns'],
    ['many_in without its stream', { ...wire, request_type: 'many_in' }, 'request_stream_connection_info'],
    ['a response stream for inputs', { ...wire, request_stream_connection_info: info({}) }, 'request_stream_connection_info.info.stream_type'],
  ])('%s is refused with its field, which the message names before what is wrong with it', (_, value, field) => {
    expect(thrown(() => read(value))).toMatchObject({ code: 'ERR_MESSAGE_INVALID', field, message: expect.stringMatching(`^${field} (is|differs) .`) });
  });

  test.each<[string, Partial<ControlMessage>, string]>([
    ['a name as host', { connectionInfo: { ...home, host: 'localhost' } }, 'connection_info.info.address'],
    ['another context', { connectionInfo: { ...home, context: 'r2' } }, 'connection_info.info.context'],
    ['many_in without its stream', { requestType: 'many_in' }, 'request_stream_connection_info'],
    ['a number in metadata', { metadata: { a: 1 as unknown as string } }, 'metadata.a'],
    ['a negative time', { frontendSendTsNs: -1n }, 'frontend_send_ts_ns'],
  ])('what a worker would refuse is not written: %s', (_, change, field) => {
    expect(thrown(() => encodeControlMessage({ ...message, ...change }))).toMatchObject({ code: 'ERR_MESSAGE_INVALID', field });
  });

  test('128 KiB are written, a byte more is not, and the error says both', () => {
    const room = MAX_CONTROL_MESSAGE_SIZE - encodeControlMessage({ ...message, metadata: { a: 'x' } }).length;
    expect(encodeControlMessage({ ...message, metadata: { a: 'x'.repeat(room + 1) } })).toHaveLength(MAX_CONTROL_MESSAGE_SIZE);
    expect(thrown(() => encodeControlMessage({ ...message, metadata: { a: 'x'.repeat(room + 2) } }))).toMatchObject({ code: 'ERR_MESSAGE_INVALID', field: 'control message', size: MAX_CONTROL_MESSAGE_SIZE + 1, limit: MAX_CONTROL_MESSAGE_SIZE });
  });
});
