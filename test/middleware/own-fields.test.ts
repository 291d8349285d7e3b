import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { OwnFieldStore } from '../../src/middleware/own-fields.js';
import type { OwnFields } from '../../src/middleware/index.js';
import { CHAT, post } from '../support/client.js';
import { FRAMEWORKS, type TestServer } from '../support/frameworks.js';
import { RecordTap } from '../support/records.js';

const warn = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
afterEach(() => void warn.mockClear());

const bad = (fields: unknown): OwnFields => fields as OwnFields;

describe('the own fields of a request', () => {
  let kept: Record<string, unknown>;
  let store: OwnFieldStore;
  beforeEach(() => {
    kept = { method: 'POST', uri: '/x' };
    store = new OwnFieldStore(kept);
  });

  test('are kept beside those of every log line, and returned for the span', () => {
    expect(store.set({ tenant: 'acme', seats: 3, trial: false })).toEqual({ tenant: 'acme', seats: 3, trial: false });
    expect(kept).toEqual({ method: 'POST', uri: '/x', tenant: 'acme', seats: 3, trial: false });
  });

  test('are at most 32: the 33rd is left out, an older one can still change, and one that is removed makes room', () => {
    store.set(Object.fromEntries(Array.from({ length: 32 }, (_, i) => [`f${i}`, i])));
    expect(store.set({ f32: 1, f0: 'changed' })).toEqual({ f0: 'changed' });
    expect(Object.keys(kept)).toHaveLength(34);
    store.set({ f7: undefined });
    expect(store.set({ f32: 1, f33: 1 })).toEqual({ f32: 1 });
    expect(kept).toMatchObject({ f0: 'changed', f32: 1 });
    expect(kept).not.toHaveProperty('f7');
  });

  test('have names of 1 to 64 characters', () => {
    expect(store.set({ ['n'.repeat(64)]: 1, ['n'.repeat(65)]: 2, '': 3 })).toEqual({ ['n'.repeat(64)]: 1 });
  });

  test.each(['request_id', 'trace_id', 'span_id', 'x_request_id', 'method', 'uri', 'message', 'level', 'time', 'target', 'status', 'model', 'error_type', 'output_tokens', 'elapsed_ms'])('cannot take the name %s, neither to set nor to remove', (name) => {
    const before = { ...kept };
    expect(store.set({ [name]: 'mine' })).toEqual({});
    expect(store.set({ [name]: undefined })).toEqual({});
    expect(kept).toEqual(before);
  });

  test('hold text of at most 1,024 characters, a bigint as text of as many', () => {
    expect(store.set({ text: 'é'.repeat(1025), id: 2n ** 64n - 1n, huge: 10n ** 2000n })).toEqual({ text: 'é'.repeat(1024), id: '18446744073709551615', huge: `1${'0'.repeat(1023)}` });
  });

  test.each([[{}], [null], [[1]], [() => 1], [Symbol('s')]])('hold no %p, and keep what stood there', (value) => {
    store.set({ tenant: 'acme' });
    expect(store.set(bad({ tenant: value }))).toEqual({});
    expect(kept).toMatchObject({ tenant: 'acme' });
  });

  test('do not reach the prototype of anything', () => {
    expect(store.set(JSON.parse('{"__proto__":"x","constructor":"c"}') as OwnFields)).toEqual({ constructor: 'c' });
    expect(Object.getPrototypeOf(kept)).toBe(Object.prototype);
    expect(Object.hasOwn(kept, '__proto__')).toBe(false);
    // Nor does it take the place of another.
    expect(Object.keys(store.set(Object.fromEntries(Array.from({ length: 31 }, (_, i) => [`f${i}`, i]))))).toHaveLength(31);
  });
});

describe('in a request', () => {
  let tap: RecordTap;
  let server: TestServer | undefined;
  beforeEach(() => {
    tap = new RecordTap();
  });
  afterEach(async () => {
    await server?.close();
    tap.stop();
  });

  test.each(FRAMEWORKS)('on $name what a handler gives wrongly is left out and fails no request', async ({ start }) => {
    server = await start({ tracing: { logger: false }, raw: { [CHAT]: (_req, res, trace) => {
      trace.set(bad(null));
      trace.set(bad(undefined));
      trace.set(bad({ get tenant() { throw new Error('planted'); } }));
      trace.set({ tenant: 'acme' });
      res.end('{}');
    } } });
    const { status } = await post(server.port);
    expect([status, await tap.next('request completed')]).toMatchObject([200, { tenant: 'acme', status: 'success' }]);
  });

  test('what is set after the end is on no later line', async () => {
    let late: (() => void) | undefined;
    server = await FRAMEWORKS[0]!.start({ tracing: { logger: false }, raw: { [CHAT]: (_req, res, trace) => {
      late = () => {
        trace.set({ late: true });
        trace.log.info('afterwards');
      };
      res.end('{}');
    } } });
    await post(server.port);
    await tap.next('request completed');
    late!();
    expect(await tap.next('afterwards')).not.toHaveProperty('late');
  });
});
