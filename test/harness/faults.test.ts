import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { faults, mockEngine, startHarness, type Fault, type Harness, type HarnessWorker } from 'dynamo-tracing/harness';
import type { RequestPlaneClient } from 'dynamo-tracing/transport';
import 'dynamo-tracing/jest';
import { said } from './support/said';
import { until } from '../support/until.js';

async function codeOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(() => 'none', (error: unknown) => (error as { code?: string }).code ?? (error as Error).message);
}

describe.each(['tcp', 'memory'] as const)('faults of a worker link over %s', (transport) => {
  let harness: Harness;
  let worker: HarnessWorker;
  let client: RequestPlaneClient;

  beforeEach(async () => {
    harness = await startHarness({ transport });
    worker = await harness.worker('dynamo.backend.generate', mockEngine({ tokens: 4, usage: false }));
    client = harness.client();
  });
  afterEach(() => harness.close());

  /** Tokens that came, and the code of what went wrong. */
  async function call(body: unknown = {}): Promise<{ tokens: number; code: string }> {
    let tokens = 0;
    const code = await codeOf((async () => {
      for await (const _ of client.generate(worker.address, body)) tokens += 1;
    })());
    return { tokens, code };
  }

  it.each<[string, Fault, { tokens: number; code: string }]>([
    ['delay of the request', faults.delay(20), { tokens: 4, code: 'none' }],
    ['delay of the response', faults.delay(5, 'response'), { tokens: 4, code: 'none' }],
    ['request in single bytes', faults.cutChunks(1, 'request'), { tokens: 4, code: 'none' }],
    ['response in single bytes', faults.cutChunks(1), { tokens: 4, code: 'none' }],
    ['response in one piece', faults.mergeChunks(), { tokens: 4, code: 'none' }],
    ['slow reading worker', faults.slowReader(50_000), { tokens: 4, code: 'none' }],
    ['slow reading gateway', faults.slowReader(50_000, 'response'), { tokens: 4, code: 'none' }],
    ['corrupt header block: the request goes on without headers', faults.corrupt('headers'), { tokens: 4, code: 'none' }],
    ['corrupt envelope', faults.corrupt('request', 30), { tokens: 0, code: 'ERR_WORKER_UNAVAILABLE' }],
    ['corrupt first item', faults.corrupt('response'), { tokens: 0, code: 'ERR_MESSAGE_INVALID' }],
    ['truncated request', faults.truncate(10), { tokens: 0, code: 'ERR_CONNECTION_CLOSED' }],
    ['truncated response', faults.truncate(200, 'response'), { tokens: 1, code: 'ERR_STREAM_INCOMPLETE' }],
    ['overload', faults.overload(), { tokens: 0, code: 'ERR_WORKER_OVERLOADED' }],
    ['unavailable', faults.unavailable(), { tokens: 0, code: 'ERR_WORKER_UNAVAILABLE' }],
    ['unknown endpoint', faults.unknownEndpoint(), { tokens: 0, code: 'ERR_UNKNOWN_ENDPOINT' }],
    ['crash before the ack', faults.crash('beforeAck'), { tokens: 0, code: 'ERR_CONNECTION_CLOSED' }],
    ['disconnect before the ack', faults.disconnect('beforeAck'), { tokens: 0, code: 'ERR_CONNECTION_CLOSED' }],
    ['disconnect before the first token', faults.disconnect('beforeFirstToken'), { tokens: 0, code: 'ERR_STREAM_INCOMPLETE' }],
    ['disconnect after two tokens', faults.disconnect({ afterTokens: 2 }), { tokens: 2, code: 'ERR_STREAM_INCOMPLETE' }],
    ['never an ack', faults.hang(), { tokens: 0, code: 'ERR_ACK_TIMEOUT' }],
    ['never a first token', faults.hang('beforeFirstToken'), { tokens: 0, code: 'ERR_RESPONSE_TIMEOUT' }],
    ['never a third token', faults.hang({ afterTokens: 2 }), { tokens: 2, code: 'ERR_RESPONSE_TIMEOUT' }],
  ])('%s', async (_name, fault, expected) => {
    const injected = worker.inject(fault, { times: 1 });
    // Only a worker that never answers is given up: everything else has the time that it takes.
    if (fault.kind === 'stop' && fault.how === 'hang') client = harness.client({ requestTimeoutMs: 150, prologueTimeoutMs: 150, inactivityTimeoutMs: 150 });
    expect(await call()).toEqual(expected);
    expect(injected.hits).toBe(1);
    expect(worker.requests[0]?.faults).toEqual([fault.name]);
  });

  it.each<[string, Fault, number]>([['before the first token', faults.crash('beforeFirstToken'), 0], ['after two tokens', faults.crash({ afterTokens: 2 }), 2]])('a crash %s breaks everything and refuses until restart', async (_name, fault, before) => {
    worker.inject(fault, { times: 1 });
    expect(await call()).toEqual({ tokens: before, code: 'ERR_STREAM_INCOMPLETE' });
    // A client of its own: connections that the first one keeps may not know of the crash yet.
    client = harness.client();
    expect((await call()).code).toBe('ERR_CONNECT_FAILED');
    await worker.restart();
    expect(await call()).toEqual({ tokens: 4, code: 'none' });
  });

  it('refuses connections and takes them again at the same address', async () => {
    const { address } = worker;
    await worker.refuseConnections();
    expect((await call()).code).toBe('ERR_CONNECT_FAILED');
    await worker.restart();
    expect(worker.address).toBe(address);
    expect(await call()).toEqual({ tokens: 4, code: 'none' });
  });

  it('hits the requests it is meant for, in the order of their acks', async () => {
    worker.inject(faults.overload(), { when: ({ index }) => index % 2 === 1 });
    const codes = await Promise.all(Array.from({ length: 6 }, () => call()));
    expect(codes.map(({ code }) => code)).toEqual(['none', 'ERR_WORKER_OVERLOADED', 'none', 'ERR_WORKER_OVERLOADED', 'none', 'ERR_WORKER_OVERLOADED']);
    worker.heal();
    expect(await call()).toEqual({ tokens: 4, code: 'none' });
  });

  it.each<[string, Fault, number]>([
    ['before the ack', faults.hang(), 0],
    ['before the first token', faults.hang('beforeFirstToken'), 0],
    ['after two tokens', faults.hang({ afterTokens: 2 }), 2],
  ])('heal() lets a request go on that hangs %s', async (_name, fault, before) => {
    const patient = harness.client();
    let tokens = 0;
    const held = (async () => {
      for await (const _ of patient.generate(worker.address, {})) tokens += 1;
    })();
    worker.inject(fault, { times: 1 });
    // The whole answer is written, or the request has come and the worker does not know of it.
    await until('the request hangs', () => worker.requests.length === 1 && (fault.name.includes('ack') ? worker.calls.length === 0 : worker.calls[0]?.ended === true) && tokens === before);
    worker.heal();
    await held;
    expect(tokens).toBe(4);
    expect(worker.requests[0]?.received).toEqual(worker.requests[0]?.sent);
  });

  it('keeps acks in the order of the requests when a request that hangs goes on behind the others', async () => {
    const patient = harness.client({ poolSize: 1 });
    const code = (): Promise<string> => codeOf((async () => {
      for await (const _ of patient.generate(worker.address, {}));
    })());
    worker.inject(faults.hang(), { times: 1 });
    worker.inject(faults.overload(), { when: ({ index }) => index === 2 });
    const codes = Promise.all([code(), code(), code()]);
    await until('the others have come', () => worker.requests.length === 3 && worker.calls[0]?.ended === true);
    worker.heal();
    expect(await codes).toEqual(['none', 'none', 'ERR_WORKER_OVERLOADED']);
    expect(worker.calls).toHaveLength(2);
  });

  it('alters headers', async () => {
    worker.inject(faults.alterHeaders(({ traceparent }) => ({ tracestate: 'a=1', 'x-extra': traceparent, traceparent: undefined })));
    await call();
    const [request] = worker.requests;
    expect(request?.received).toMatchObject({ tracestate: 'a=1', 'x-extra': request?.sent['traceparent'] });
    expect(request?.received).not.toHaveProperty('traceparent');
    expect(worker.calls[0]?.headers).toEqual({ ...request?.received });
  });

  it('merges pipelined requests into one piece', async () => {
    worker.inject(faults.mergeChunks(3, 'request'));
    expect(await Promise.all([call(), call(), call()])).toEqual(Array.from({ length: 3 }, () => ({ tokens: 4, code: 'none' })));
  });

  it('sends frames that wait to be merged before the next frame that no fault hits', async () => {
    client = harness.client({ poolSize: 1 });
    worker.inject(faults.mergeChunks(3, 'request'), { times: 1 });
    expect(await Promise.all([call(), call()])).toEqual(Array.from({ length: 2 }, () => ({ tokens: 4, code: 'none' })));
    worker.inject(faults.mergeChunks(), { times: 1 });
    worker.inject(faults.disconnect({ afterTokens: 2 }), { times: 1 });
    expect(await call()).toEqual({ tokens: 2, code: 'ERR_STREAM_INCOMPLETE' });
  });

  it('refuses faults that make no sense', () => {
    expect(said(() => faults.delay(-1))).toContain('faults.delay.ms must be an integer of at least 0');
    expect(said(() => faults.cutChunks(0))).toContain('faults.cutChunks.size');
    expect(said(() => faults.crash({ afterTokens: 1.5 }))).toContain('crash.afterTokens');
  });
});
