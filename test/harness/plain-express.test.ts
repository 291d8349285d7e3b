import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import express, { type Express } from 'express';
import { once } from 'node:events';
import request from 'supertest';
import { startHarness, type Harness, type Upstream } from 'dynamo-tracing/harness';
import 'dynamo-tracing/jest';
import { TRACEPARENT } from './support/app';
import { said } from './support/said';

/** An app that knows nothing of this package: it forwards the headers that it was told to. */
function plain(upstream: string, forwarded: readonly string[]): Express {
  const app = express();
  app.get('/ask', async (req, res) => {
    const headers = Object.fromEntries(forwarded.flatMap((name) => (typeof req.headers[name] === 'string' ? [[name, req.headers[name]]] : [])));
    const answer = await fetch(`${upstream}/v1/answer`, { headers });
    res.json(await answer.json());
  });
  return app;
}

describe('an app without the middleware', () => {
  let harness: Harness;
  let upstream: Upstream;

  beforeEach(async () => {
    harness = await startHarness();
    upstream = await harness.upstream((req, res) => res.end('{"answer":42}'));
  });
  afterEach(() => harness.close());

  const ask = (app: Express) => request(app).get('/ask').set('traceparent', TRACEPARENT).set('tracestate', 'vendor=1').set('x-request-id', 'order-42');

  it('is audited: what came in went out', async () => {
    const res = await ask(plain(upstream.url, ['traceparent', 'tracestate', 'x-request-id']));
    expect(res.body).toEqual({ answer: 42 });
    expect(harness).toHavePropagated(res);
    expect(harness.audit(res).requests[0]?.hops.map(({ name }) => name)).toEqual(['client → gateway', 'gateway → upstream']);
  });

  it('fails naming hop and header for what it does not pass on', async () => {
    const res = await ask(plain(upstream.url, ['traceparent']));
    const message = said(() => expect(harness).toHavePropagated(res));
    expect(message).toContain('gateway → upstream: tracestate: the sender did not send it\n    expected  vendor=1');
    expect(message).toContain('gateway → upstream: x-request-id: the sender did not send it\n    expected  order-42');
    expect(message).not.toContain('gateway → upstream: traceparent');
  });

  it('is found out when it passes nothing on: the hop happened while this request was answered', async () => {
    const res = await ask(plain(upstream.url, []));
    const message = said(() => expect(harness).toHavePropagated(res));
    for (const header of ['traceparent', 'tracestate', 'x-request-id']) expect(message).toContain(`gateway → upstream: ${header}: the sender did not send it`);
    expect(said(() => expect(harness).toHavePropagated())).toContain('gateway → upstream: traceparent: the sender did not send it');
  });

  it('is audited through harness.fetch as well, by what really went out', async () => {
    const server = harness.own('app', plain(upstream.url, []).listen(0, '127.0.0.1'));
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    const res = await harness.fetch(`http://127.0.0.1:${port}/ask`, { headers: { traceparent: TRACEPARENT } });
    expect(harness.audit(res).requests[0]?.hops[0]).toMatchObject({ name: 'client → gateway', sent: { traceparent: TRACEPARENT }, received: { traceparent: TRACEPARENT } });
    expect(said(() => expect(harness).toHavePropagated(res))).toContain('gateway → upstream: traceparent: the sender did not send it');
  });

  it('does not pass when there was nothing to audit', async () => {
    const app = express().get('/ask', (_req, res) => void res.json({}));
    const res = await ask(app);
    expect(said(() => expect(harness).toHavePropagated(res))).toContain('there is no hop behind it to audit');
    expect(said(() => expect(harness).toHavePropagated('nobody'))).toContain('no hop was seen');
  });

  it('leaves out what it is told to', async () => {
    const res = await ask(plain(upstream.url, ['traceparent']));
    expect(harness).toHavePropagated(res, { exceptHeaders: ['tracestate', 'x-request-id'] });
    expect(harness).toHavePropagated(res, { exceptHops: ['upstream'] });
  });
});
