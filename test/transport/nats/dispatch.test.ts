import * as nats from '@nats-io/transport-node';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { until } from '../../support/until';
import { natsDispatch, natsSubject, connectNats } from 'dynamo-tracing/transport';
import { optionsFromEnv } from '../../../src/transport/nats/connection.js';
import { describeWithNats, startNatsServer, type NatsServer } from '../../support/nats-server.js';

const HEADERS = { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', tracestate: 'a=1,b=2', 'x-request-id': 'order 42', 'request-id': 'r-1' };

describe('the subject of an instance', () => {
  it.each([
    [{ namespace: 'dynamo', component: 'backend', endpoint: 'generate' }, 0x17216e63492ef21fn, 'dynamo_backend.generate-17216e63492ef21f'],
    [{ namespace: 'My-NS.sub', component: 'Back End', endpoint: 'Generate' }, 1n, 'my-ns_sub_back_end.Generate-1'],
    [{ namespace: '_x', component: 'größe', endpoint: 'g' }, 2n ** 64n - 1n, 'x_gr__e.g-ffffffffffffffff'],
    // As running workers subscribe (docs/interop.md).
    [{ namespace: 'My Ns', component: 'Back+End', endpoint: 'gen' }, 0xb45f799576025481n, 'my_ns_back_end.gen-b45f799576025481'],
    [{ namespace: 'ns', component: 'comp', endpoint: 'Gen+x' }, 0xb76424791c02efb1n, 'ns_comp.Gen+x-b76424791c02efb1'],
  ])('of %j is lower case, slugged and ends with the id in hex', (name, id, subject) => {
    expect(natsSubject(name, id)).toBe(subject);
  });

  it.each(['', 'a b', 'a.*', '>', 'a..b', 'x\r\n'])('refuses the endpoint name %j', (endpoint) => {
    expect(() => natsSubject({ namespace: 'a', component: 'b', endpoint }, 1n)).toThrow(expect.objectContaining({ code: 'ERR_OPTION_INVALID', path: 'endpoint' }));
  });
});

describe('the NATS client', () => {
  it.each([
    [{}, { servers: 'nats://localhost:4222' }],
    [{ NATS_SERVER: 'nats://a:1', NATS_AUTH_USERNAME: 'u', NATS_AUTH_PASSWORD: 'p', NATS_AUTH_TOKEN: 't' }, { servers: 'nats://a:1', user: 'u', pass: 'p' }],
    [{ NATS_SERVER: '', NATS_AUTH_USERNAME: 'u', NATS_AUTH_TOKEN: 't' }, { servers: 'nats://localhost:4222', token: 't' }],
  ])('with %j connects by %j', (env, options) => {
    expect(optionsFromEnv(env)).toEqual(options);
  });
});

describeWithNats('a request over a real nats-server', () => {
  let server: NatsServer;
  let connection: NatsConnection;

  beforeAll(async () => {
    server = await startNatsServer('max_payload: 4096');
    connection = await connect({ servers: server.url });
  });

  afterAll(async () => {
    await connection.close();
    await server.stop();
  });

  it('carries payload and headers, all but x-endpoint-path, and settles with the empty reply', async () => {
    const seen: { headers: [string, string[]][]; data: string }[] = [];
    const subscription = connection.subscribe('t.all', {
      callback: (_error, message) => {
        seen.push({ headers: [...message.headers!], data: Buffer.from(message.data).toString() });
        message.respond('');
      },
    });
    await natsDispatch(connection).send('t.all', { ...HEADERS, 'x-endpoint-path': '2a/generate' }, [Buffer.from('ab'), Buffer.from('cd')]);
    expect(seen).toEqual([{ headers: Object.entries(HEADERS).map(([name, value]) => [name, [value]]), data: 'abcd' }]);
    subscription.unsubscribe();
  });

  it.each([
    ['Server overloaded: worker at capacity', 'ERR_WORKER_OVERLOADED'],
    ['Server unavailable: draining', 'ERR_WORKER_UNAVAILABLE'],
    ['Server unavailable: unknown endpoint x', 'ERR_UNKNOWN_ENDPOINT'],
    ['no', 'ERR_REQUEST_REJECTED'],
  ])('answered by %j is %s', async (ack, code) => {
    const subscription = connection.subscribe('t.refuse', { callback: (_error, message) => void message.respond(ack) });
    await expect(natsDispatch(connection).send('t.refuse', HEADERS, [])).rejects.toMatchObject({ code, ack, subject: 't.refuse' });
    subscription.unsubscribe();
  });

  it('to a subject nobody serves fails with ERR_WORKER_UNAVAILABLE, whatever time it has', async () => {
    await expect(natsDispatch(connection, { requestTimeoutMs: 600_000 }).send('t.nobody', HEADERS, [Buffer.from('x')])).rejects.toMatchObject({ code: 'ERR_WORKER_UNAVAILABLE', subject: 't.nobody' });
  });

  it('that is not acknowledged in time is ERR_ACK_TIMEOUT', async () => {
    const subscription = connection.subscribe('t.silent', { callback: () => undefined });
    await expect(natsDispatch(connection, { requestTimeoutMs: 30 }).send('t.silent', HEADERS, [])).rejects.toMatchObject({ code: 'ERR_ACK_TIMEOUT', timeoutMs: 30 });
    await expect(natsDispatch(connection).send('t.silent', HEADERS, [], { timeoutMs: 20 })).rejects.toMatchObject({ code: 'ERR_ACK_TIMEOUT', timeoutMs: 20 });
    subscription.unsubscribe();
  });

  it('that is aborted is ERR_CANCELLED, before it is sent and while it waits', async () => {
    let requests = 0;
    const subscription = connection.subscribe('t.abort', { callback: () => void (requests += 1) });
    const controller = new AbortController();
    const sending = natsDispatch(connection).send('t.abort', HEADERS, [], { signal: controller.signal });
    const outcome = expect(sending).rejects.toMatchObject({ code: 'ERR_CANCELLED', cause: { message: 'enough' } });
    await until('the request', () => requests === 1);
    controller.abort(new Error('enough'));
    await outcome;
    await expect(natsDispatch(connection).send('t.abort', HEADERS, [], { signal: controller.signal })).rejects.toMatchObject({ code: 'ERR_CANCELLED' });
    await connection.flush();
    expect(requests).toBe(1);
    subscription.unsubscribe();
  });

  it('over the server\'s max_payload, headers included, is refused before it is sent', async () => {
    const subscription = connection.subscribe('t.size', { callback: (_error, message) => void message.respond('') });
    const overhead = 'NATS/1.0\r\n\r\n'.length + Object.entries(HEADERS).reduce((sum, [name, value]) => sum + `${name}: ${value}\r\n`.length, 0);
    await natsDispatch(connection).send('t.size', HEADERS, [Buffer.alloc(4096 - overhead)]);
    await expect(natsDispatch(connection).send('t.size', HEADERS, [Buffer.alloc(4097 - overhead)])).rejects.toMatchObject({ code: 'ERR_FRAME_TOO_LARGE', size: 4097, limit: 4096 });
    await natsDispatch(connection).send('t.size', HEADERS, []);
    subscription.unsubscribe();
  });

  it('with a line break in a header is refused: it would forge another header', async () => {
    await expect(natsDispatch(connection).send('t.size', { 'x-request-id': 'a\r\nb: c' }, [])).rejects.toMatchObject({ code: 'ERR_MESSAGE_INVALID', field: 'headers.x-request-id' });
  });

  it('uses the NATS module that was handed in, for its connections and no others', async () => {
    let used = 0;
    const module = { ...nats, headers: () => ((used += 1), nats.headers()) };
    const mine = await connectNats({ module, servers: server.url });
    const subscription = connection.subscribe('t.module', { callback: (_error, message) => void message.respond() });
    await connection.flush();
    await natsDispatch(mine).send('t.module', HEADERS, []);
    expect(used).toBe(1);
    await natsDispatch(connection).send('t.module', HEADERS, []);
    expect(used).toBe(1);
    subscription.unsubscribe();
    await mine.close();
    await expect(connectNats({ module: {} as typeof nats })).rejects.toMatchObject({ code: 'ERR_OPTION_INVALID', path: 'connectNats.module' });
  });

  it('on a connection that was closed is ERR_CONNECT_FAILED', async () => {
    const mine = await connectNats({ servers: server.url });
    await mine.close();
    await expect(natsDispatch(mine).send('t.closed', HEADERS, [])).rejects.toMatchObject({ code: 'ERR_CONNECT_FAILED' });
  });

  it.each(['', 'a b'])('to %j, which is no subject, is ERR_ADDRESS_INVALID', async (subject) => {
    await expect(natsDispatch(connection).send(subject, HEADERS, [])).rejects.toMatchObject({ code: 'ERR_ADDRESS_INVALID' });
  });
});
