import { describe, expect, it } from '@jest/globals';
import {
  DYNAMO_ERROR_NAMES, DynamoTracingError, ERROR_TABLE, errorNameFromWire, errorNameToWire, FAILURE_CODES, FAILURE_TYPES, failureOf, sentTypeOf, STATUS_OF_FAILURE, type DynamoErrorName, type ErrorCode,
} from '../../src/errors/index.js';

const CODES = Object.keys(FAILURE_CODES) as (keyof typeof FAILURE_CODES)[];
const sent = (errorType: unknown, code: ErrorCode = 'ERR_WORKER_ERROR') => failureOf(new DynamoTracingError(code, 'x', { errorType }));

describe('the table of failures', () => {
  it('writes only types that the oldest peers know (facts 3.5)', () => {
    const known = ['Unknown', 'InvalidArgument', 'CannotConnect', 'Disconnected', 'ConnectionTimeout', 'ResponseTimeout', 'Cancelled', 'ResourceExhausted', 'WorkerOverloaded', 'Unavailable'];
    const backend = ['Unknown', 'InvalidArgument', 'CannotConnect', 'Disconnected', 'ConnectionTimeout', 'ResponseTimeout', 'Cancelled', 'EngineShutdown', 'StreamIncomplete'];
    const allowed = [...known, ...backend.map((name) => ({ Backend: name }))];
    for (const name of DYNAMO_ERROR_NAMES) expect(allowed).toContainEqual(errorNameToWire(name));
    for (const wire of allowed) expect(errorNameToWire(errorNameFromWire(wire))).toEqual(wire);
  });

  it('leaves a worker alone only for what another worker may do better', () => {
    for (const row of Object.values(FAILURE_TYPES)) expect(row).not.toMatchObject({ migratable: false, inhibits: true });
    for (const code of CODES) expect(failureOf(new DynamoTracingError(code, 'x'))).not.toMatchObject({ migratable: false, inhibits: true });
  });

  it('migrates what a backend reports in no case but a shutdown and a stream that broke off, as Dynamo does', () => {
    const backend = DYNAMO_ERROR_NAMES.filter((name) => typeof FAILURE_TYPES[name].wire === 'object');
    expect(backend.filter((name) => FAILURE_TYPES[name].migratable)).toEqual(['engine_shutdown', 'stream_incomplete']);
  });

  it('never migrates what the request, its caller or this side is to blame for', () => {
    const own = /rejected|cancelled/;
    for (const name of DYNAMO_ERROR_NAMES.filter((type) => own.test(FAILURE_TYPES[type].outcome) && type !== 'worker_overloaded')) expect(FAILURE_TYPES[name].migratable).toBe(false);
    for (const code of ['ERR_LISTEN_FAILED', 'ERR_NO_WORKERS', 'ERR_DISCOVERY', 'ERR_CLIENT_CLOSED', 'ERR_TOO_MANY_IN_FLIGHT'] as const) expect(failureOf(new DynamoTracingError(code, 'x'))).toMatchObject({ migratable: false, inhibits: false });
  });

  it('has the status that belongs to what is recorded', () => {
    for (const code of CODES) {
      const { recorded, status } = failureOf(new DynamoTracingError(code, 'x'));
      expect(status).toBe(STATUS_OF_FAILURE[recorded]);
    }
  });

  it('has codes of the package only, and what is not in it is an internal error', () => {
    const all = Object.keys(ERROR_TABLE) as ErrorCode[];
    expect(all).toEqual(expect.arrayContaining(CODES));
    for (const code of all.filter((name) => !Object.hasOwn(FAILURE_CODES, name))) {
      expect(failureOf(new DynamoTracingError(code, 'x'))).toMatchObject({ errorType: 'unknown', outcome: 'error', status: 500, migratable: false });
      expect(sentTypeOf(code)).toBeUndefined();
    }
  });

  it('lets through handlers no error as if it were this worker\'s own connection: what is sent is a Backend type or says who is busy', () => {
    const types = CODES.map(sentTypeOf).filter((type) => type !== undefined);
    expect(types.filter((type) => typeof FAILURE_TYPES[type].wire !== 'object')).toEqual(['worker_overloaded']);
  });
});

describe('an error that a worker sent', () => {
  it.each(DYNAMO_ERROR_NAMES)('as %s goes by that type, whichever way it is written', (name) => {
    expect(sent(name)).toMatchObject({ errorType: name, ...pick(name) });
    expect(errorNameToWire(sent(errorNameToWire(name), 'ERR_GENERATE_FAILED').errorType)).toEqual(errorNameToWire(name));
  });

  it('before its stream leaves the worker in its place: the request may be at fault', () => {
    expect(sent('cannot_connect', 'ERR_GENERATE_FAILED')).toMatchObject({ migratable: true, inhibits: false });
    expect(sent(undefined, 'ERR_GENERATE_FAILED')).toMatchObject({ errorType: 'cannot_connect', migratable: true, inhibits: false });
  });

  it('before its stream, because the worker shuts down, does not', () => {
    expect(sent('engine_shutdown', 'ERR_GENERATE_FAILED')).toMatchObject({ migratable: true, inhibits: true });
  });

  it('of a type that nobody knows is unknown', () => {
    expect(sent('of_tomorrow')).toMatchObject({ errorType: 'unknown', outcome: 'error' });
    expect(sent({ Backend: 'OfTomorrow' })).toMatchObject({ errorType: 'backend_unknown' });
  });
});

describe('what is no error of ours', () => {
  it.each([undefined, null, 'text', new Error('foreign'), { code: 'ERR_CONNECT_FAILED' }, Object.assign(new Error('x'), { name: 'DynamoTracingError', code: 'ERR_OF_TOMORROW' }), Object.assign(new Error('x'), { name: 'DynamoTracingError', code: 'constructor' })])('%p is an internal error', (error) => {
    expect(failureOf(error)).toEqual({ errorType: 'unknown', outcome: 'error', recorded: 'internal', status: 500, migratable: false, inhibits: false });
  });

  it('is not what another copy of the package threw', () => {
    expect(failureOf(Object.assign(new Error('x'), { name: 'DynamoTracingError', code: 'ERR_CONNECT_FAILED' }))).toMatchObject({ outcome: 'connection_failed' });
  });
});

function pick(name: DynamoErrorName) {
  const { outcome, migratable, inhibits } = FAILURE_TYPES[name];
  return { outcome, migratable, inhibits };
}
