import { describe, expect, it } from '@jest/globals';
import { DynamoTracingError, ERROR_TABLE, type ErrorCode } from '../../../src/errors/index.js';
import { DYNAMO_ERROR_NAMES, errorNameToWire } from '../../../src/protocol/index.js';
import { classifyFailure, ERROR_TYPE_OF_CODE, ERROR_TYPES } from '../../../src/transport/router/index.js';

describe('the outcome of an attempt', () => {
  // Facts 14.1, and what Dynamo's migration takes for migratable.
  it.each([
    ['unknown', 'error', false],
    ['invalid_argument', 'rejected', false],
    ['cannot_connect', 'connection_failed', true],
    ['disconnected', 'worker_disconnected', true],
    ['connection_timeout', 'timeout', true],
    ['response_timeout', 'timeout', true],
    ['cancelled', 'cancelled', false],
    ['deadline_exceeded', 'cancelled', false],
    ['resource_exhausted', 'rejected', false],
    ['unavailable', 'unavailable', false],
    ['worker_overloaded', 'rejected', true],
    ['worker_unavailable', 'unavailable', true],
    ['backend_unknown', 'error', false],
    ['backend_invalid_argument', 'rejected', false],
    ['backend_cannot_connect', 'connection_failed', false],
    ['backend_disconnected', 'worker_disconnected', false],
    ['backend_connection_timeout', 'timeout', false],
    ['backend_response_timeout', 'timeout', false],
    ['backend_cancelled', 'cancelled', false],
    ['engine_shutdown', 'worker_disconnected', true],
    ['stream_incomplete', 'worker_disconnected', true],
  ] as const)('of error type %s is %s (another worker: %s)', (errorType, outcome, migratable) => {
    expect(ERROR_TYPES[errorType]).toEqual({ outcome, migratable });
    const error = new DynamoTracingError('ERR_WORKER_ERROR', 'x', { errorType });
    expect(classifyFailure(error)).toMatchObject({ errorType, outcome, migratable });
  });

  it('is known for every error type of the protocol', () => {
    expect(Object.keys(ERROR_TYPES).sort()).toEqual([...DYNAMO_ERROR_NAMES].sort());
  });

  it.each(DYNAMO_ERROR_NAMES.filter((name) => name !== 'worker_unavailable' && name !== 'deadline_exceeded'))('is known for %s as it stands on the wire', (name) => {
    const error = new DynamoTracingError('ERR_GENERATE_FAILED', 'x', { errorType: errorNameToWire(name) });
    expect(classifyFailure(error).errorType).toBe(name);
  });

  it.each([
    ['ERR_CONNECT_FAILED', 'cannot_connect', 'connection_failed', true, true],
    ['ERR_ADDRESS_INVALID', 'cannot_connect', 'connection_failed', true, true],
    ['ERR_CONNECT_TIMEOUT', 'connection_timeout', 'timeout', true, true],
    ['ERR_ACK_TIMEOUT', 'connection_timeout', 'timeout', true, true],
    ['ERR_PROLOGUE_TIMEOUT', 'response_timeout', 'timeout', true, true],
    ['ERR_RESPONSE_TIMEOUT', 'response_timeout', 'timeout', true, true],
    ['ERR_CONNECTION_CLOSED', 'disconnected', 'worker_disconnected', true, true],
    ['ERR_STREAM_INCOMPLETE', 'disconnected', 'worker_disconnected', true, true],
    ['ERR_GENERATE_FAILED', 'cannot_connect', 'connection_failed', true, false],
    ['ERR_WORKER_ERROR', 'unknown', 'error', false, false],
    ['ERR_WORKER_OVERLOADED', 'worker_overloaded', 'rejected', true, false],
    ['ERR_WORKER_UNAVAILABLE', 'worker_unavailable', 'unavailable', true, true],
    ['ERR_UNKNOWN_ENDPOINT', 'worker_unavailable', 'unavailable', true, true],
    ['ERR_REQUEST_REJECTED', 'invalid_argument', 'rejected', false, false],
    ['ERR_FRAME_TOO_LARGE', 'invalid_argument', 'rejected', false, false],
    ['ERR_FRAME_FIELD_TOO_LONG', 'invalid_argument', 'rejected', false, false],
    ['ERR_CODEC_UNSUPPORTED', 'invalid_argument', 'rejected', false, false],
    ['ERR_OPTION_INVALID', 'invalid_argument', 'rejected', false, false],
    ['ERR_TOO_MANY_IN_FLIGHT', 'resource_exhausted', 'rejected', false, false],
    ['ERR_NO_WORKERS', 'unavailable', 'unavailable', false, false],
    ['ERR_DISCOVERY', 'unavailable', 'unavailable', false, false],
    ['ERR_CANCELLED', 'cancelled', 'cancelled', false, false],
    ['ERR_CLIENT_CLOSED', 'cancelled', 'cancelled', false, false],
    ['ERR_MESSAGE_INVALID', 'unknown', 'error', false, false],
    ['ERR_FRAME_MALFORMED', 'unknown', 'error', false, false],
  ] as const)('of %s is %s, %s (another worker: %s, this one left alone: %s)', (code, errorType, outcome, migratable, inhibits) => {
    expect(classifyFailure(new DynamoTracingError(code, 'x'))).toEqual({ errorType, outcome, migratable, inhibits });
  });

  it('is error for every other code', () => {
    const others = (Object.keys(ERROR_TABLE) as ErrorCode[]).filter((code) => !(code in ERROR_TYPE_OF_CODE));
    expect(others.map((code) => classifyFailure(new DynamoTracingError(code, 'x')).outcome)).toEqual(others.map(() => 'error'));
  });

  it.each([undefined, null, 'text', new Error('foreign'), { code: 'ERR_CONNECT_FAILED' }, Object.assign(new Error('x'), { name: 'DynamoTracingError', code: 'ERR_OF_TOMORROW' })])('of %p, which is none of ours, is error', (error) => {
    expect(classifyFailure(error)).toEqual({ errorType: 'unknown', outcome: 'error', migratable: false, inhibits: false });
  });

  it('knows our errors from another copy of the package', () => {
    const copy = Object.assign(new Error('x'), { name: 'DynamoTracingError', code: 'ERR_CONNECT_FAILED' });
    expect(classifyFailure(copy).outcome).toBe('connection_failed');
  });
});
