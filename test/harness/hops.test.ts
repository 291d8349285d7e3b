import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import express from 'express';
import type fastify5 from 'fastify';
import fastify4 from 'fastify4';
import request from 'supertest';
import { dynamoTracing, tracedFetch } from 'dynamo-tracing';
import { dynamoTracing as fastifyTracing } from 'dynamo-tracing/fastify';
import { startHarness, type Harness } from 'dynamo-tracing/harness';
import 'dynamo-tracing/jest';
import { CHAT, gateway, TRACEPARENT } from './support/app';
import { said } from './support/said';
import { describeWithNats, startNatsServer, type NatsServer } from '../support/nats-server.js';
import { until } from '../support/until.js';
import { connect, headers, type NatsConnection } from '@nats-io/transport-node';

describe('hops', () => {
  let harness: Harness;
  beforeEach(async () => {
    harness = await startHarness({ transport: 'memory' });
  });
  afterEach(() => harness.close());

  it('worker to engine: what the script reports', async () => {
    let good = true;
    const worker = await harness.worker('dynamo.backend.generate', async function * (_body, context) {
      harness.reportHop({ name: 'worker → engine', kind: 'engine', received: good ? context.traceHeaders() : { 'request-id': context.requestId } });
      yield { token: 'a' };
    });
    const app = gateway(harness.client(), worker.address);
    const res = await request(app).post(CHAT).set('x-request-id', 'order-9').send({});
    expect(harness).toHavePropagated(res);
    expect(harness.audit(res).hops.map(({ name }) => name)).toEqual(['client → gateway', 'gateway → worker dynamo.backend.generate', 'worker → engine']);
    good = false;
    const bad = await request(app).post(CHAT).set('x-request-id', 'order-10').send({});
    const message = said(() => expect(harness).toHavePropagated(bad));
    expect(message).toContain('worker → engine: traceparent: the sender did not send it');
    expect(message).toContain('worker → engine: x-request-id: the sender did not send it');
    expect(message).not.toContain('worker dynamo.backend.generate: traceparent');
  });

  it('gateway to upstream over tracedFetch, on Fastify with inject', async () => {
    const upstream = await harness.upstream();
    // inject of Fastify 5 needs an ES module, which jest on Node 20 cannot load.
    const app = (fastify4 as unknown as typeof fastify5)();
    await app.register(fastifyTracing, { logger: false });
    app.post(CHAT, async () => (await tracedFetch(`${upstream.url}/v1`)).json());
    const res = await app.inject({ method: 'POST', url: CHAT, headers: { traceparent: TRACEPARENT, tracestate: 'vendor=1', 'x-request-id': 'order-1' }, payload: {} });
    expect(res).toEchoRequestId('order-1');
    expect(harness).toHavePropagated(res);
    expect((await harness.trace(res)).tree()).toBe('http-request\n  GET');
    expect(upstream.requests[0]).toMatchObject({ method: 'GET', url: '/v1', headers: { 'x-request-id': 'order-1' } });
    await app.close();
  });

  it('the client\'s own hop: a gateway that begins a trace of its own', async () => {
    const worker = await harness.worker('dynamo.backend.generate');
    const res = await request(gateway(harness.client(), worker.address, { tracing: { trustIncoming: false } })).post(CHAT).set('traceparent', TRACEPARENT).send({});
    expect(said(() => expect(harness).toHavePropagated(res, { exceptHeaders: ['x-request-id'] }))).toContain('client → gateway: traceparent: the gateway did not continue it: it began trace');
    expect(harness).toHavePropagated(res, { exceptHops: ['client'] });
  });

  it('echo: what the client sent comes back, or at least some id', async () => {
    const plain = express().get('/', (req, res) => void res.set(typeof req.query['id'] === 'string' ? { 'x-request-id': req.query['id'] } : {}).json({}));
    expect(await request(plain).get('/?id=a').set('x-request-id', 'a')).toEchoRequestId();
    expect(await request(plain).get('/?id=a')).toEchoRequestId();
    const other = await request(plain).get('/?id=b').set('x-request-id', 'a');
    expect(said(() => expect(other).toEchoRequestId())).toContain('Expected: a\n\nSeen:     x-request-id: b, request-id: (absent)');
    const none = await request(plain).get('/');
    expect(said(() => expect(none).toEchoRequestId())).toContain('the response to name its request id');
    expect(said(() => expect(none).toEchoRequestId('z'))).toContain('Expected: z');
  });
});

describeWithNats('the NATS hop', () => {
  let harness: Harness;
  let server: NatsServer;
  let connection: NatsConnection;
  beforeEach(async () => {
    harness = await startHarness({ transport: 'memory' });
    server = await startNatsServer();
    connection = await connect({ servers: server.url });
  });
  afterEach(async () => {
    await connection.close();
    await server.stop();
    await harness.close();
  });

  it('messages of a watched connection to a real server are audited, both ways', async () => {
    const nats = harness.watchNats(connection);
    let arrived = 0;
    nats.subscribe('dynamo.x', { callback: () => void (arrived += 1) });
    await nats.flush();
    const app = express();
    app.use(dynamoTracing({ logger: false }));
    app.post(CHAT, async (req, res) => {
      const message = headers();
      for (const [name, value] of Object.entries(req.query['lose'] === undefined ? req.trace.headers() : { 'request-id': req.trace.requestId })) message.set(name, value);
      const before = arrived;
      nats.publish('dynamo.x', '', { headers: message });
      await until('the message has arrived', () => arrived > before);
      res.json({});
    });
    const res = await request(app).post(CHAT).set('traceparent', TRACEPARENT);
    expect(harness).toHavePropagated(res);
    expect(harness.audit(res).hops.map(({ name }) => name)).toEqual(['client → gateway', 'gateway → NATS dynamo.x', 'NATS dynamo.x → worker']);
    const lost = await request(app).post(`${CHAT}?lose=1`).set('traceparent', TRACEPARENT);
    expect(said(() => expect(harness).toHavePropagated(lost))).toMatch(/gateway → NATS dynamo\.x: traceparent: the sender did not send it[^]*NATS dynamo\.x → worker: traceparent: the sender did not send it/);
    expect(arrived).toBe(2);
  });
});
