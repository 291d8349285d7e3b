import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { context, ROOT_CONTEXT, trace } from '@opentelemetry/api';
import express, { type Express } from 'express';
import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import request from 'supertest';
import { faults, startHarness, type Harness, type HarnessWorker } from 'dynamo-tracing/harness';
import type { RequestPlaneClient } from 'dynamo-tracing/transport';
import 'dynamo-tracing/jest';
import { BODY, CHAT, gateway, TRACEPARENT } from './support/app';
import { said } from './support/said';

const HOP = 'gateway → worker dynamo.backend.generate';

describe.each(['tcp', 'memory'] as const)('a client that sends no trace header, over %s', (transport) => {
  let harness: Harness;
  let worker: HarnessWorker;
  beforeEach(async () => {
    harness = await startHarness({ transport });
    worker = await harness.worker('dynamo.backend.generate');
  });
  afterEach(() => harness.close());

  it('and a link that drops the header block: trace() has the gateway\'s trace, the first complaint names the link', async () => {
    worker.inject(faults.dropHeaders());
    const res = await request(gateway(harness.client(), worker.address)).post(CHAT).send(BODY);
    const found = await harness.trace(res);
    expect(found.tree()).toBe('http-request\n  router.route_request');
    expect(found.strays.map(({ name }) => name)).toEqual(['handle_payload']);
    for (const report of [harness.audit(res), harness.audit()]) {
      expect(report.problems[0]).toMatchObject({ hop: HOP, header: 'traceparent', received: undefined, cause: 'lost on the way (drop the header block)' });
      expect(new Set(report.problems.map(({ hop }) => hop))).toEqual(new Set([HOP]));
    }
    expect(said(() => expect(harness).toHavePropagated(res))).toMatch(new RegExp(`^expected every hop to carry the trace headers: \n${HOP}: traceparent: lost on the way`));
    expect(said(() => expect(worker).toHaveReceivedTraceOf(res))).toContain(`expected worker dynamo.backend.generate to have received the trace of the request: \n${HOP}: traceparent: lost on the way`);
  });

  it('and a gateway whose answer has no id: the trace is the one that was begun while the request was answered', async () => {
    worker.inject(faults.dropHeaders());
    const app = gateway(harness.client(), worker.address);
    const bare = express().use((_req, res, next) => {
      const { setHeader } = res;
      res.setHeader = function (name, value) {
        return /request-id$/.test(name) ? this : setHeader.call(this, name, value);
      };
      next();
    }, app);
    const responses = await Promise.all([1, 2, 3].map(() => request(bare).post(CHAT).send(BODY)));
    const traces = await Promise.all(responses.map((res) => harness.trace(res)));
    for (const [i, found] of traces.entries()) {
      expect(responses[i]!.headers).not.toHaveProperty('request-id');
      expect(found.tree()).toBe('http-request\n  router.route_request');
      expect(harness.audit(responses[i]).hops.map(({ name, problems }) => [name, problems[0]?.cause])).toEqual([['client → gateway', undefined], [HOP, 'lost on the way (drop the header block)']]);
    }
    expect(new Set(traces.map(({ traceId }) => traceId)).size).toBe(3);
  });
});

/** Several requests at one time: each calls on only when all have come. */
function together(count: number, call: (req: express.Request) => Promise<unknown>): Express {
  let come = 0;
  let open!: () => void;
  const all = new Promise<void>((resolve) => (open = resolve));
  return express().get('/:who', async (req, res) => {
    come += 1;
    if (come === count) open();
    await all;
    res.json(await call(req));
  });
}

describe('requests without any id, at one time', () => {
  let harness: Harness;
  beforeEach(async () => {
    harness = await startHarness();
  });
  afterEach(() => harness.close());

  const getWith = (agent: http.Agent | undefined, body?: boolean) => async (url: string): Promise<void> => {
    const req = http.request(url, { agent, method: body === true ? 'POST' : 'GET' });
    if (body === true) req.write('first part');
    req.end();
    const [res] = await once(req, 'response') as [http.IncomingMessage];
    await once(res.resume(), 'end');
  };

  it.each<[string, (url: string) => Promise<unknown>]>([
    ['fetch', (url) => fetch(url).then((res) => res.text())],
    ['node:http', getWith(undefined)],
    ['node:http with a body', getWith(undefined, true)],
    ['node:http over one kept connection', getWith(new http.Agent({ keepAlive: true, maxSockets: 1 }))],
  ])('are told apart by async context: %s to an upstream', async (_name, call) => {
    const upstream = await harness.upstream();
    const app = together(3, async (req) => {
      await call(`${upstream.url}/for/${String(req.params['who'])}`);
      await call(`${upstream.url}/again/${String(req.params['who'])}`);
    });
    const whos = ['a', 'b', 'c'];
    const responses = await Promise.all(whos.map((who) => request(app).get(`/${who}`).set('traceparent', TRACEPARENT.replace('4bf92f', `4bf92${who}`)).set('x-request-id', who)));
    for (const [i, res] of responses.entries()) {
      const { hops } = harness.audit(res);
      expect(hops.map(({ name }) => name)).toEqual(['client → gateway', 'gateway → upstream', 'gateway → upstream']);
      expect(hops[1]!.problems.map(({ header, expected }) => [header, expected])).toEqual([['traceparent', `trace 4bf92${whos[i]!}3577b34da6a3ce929d0e0e4736`], ['x-request-id', whos[i]]]);
    }
    expect(harness.audit().unattributed).toEqual([]);
  });

  it('have the trace that their handler began, when nothing else names it', async () => {
    const upstream = await harness.upstream();
    const app = together(2, (req) => trace.getTracer('app').startActiveSpan(`answer ${String(req.params['who'])}`, async (span) => {
      await fetch(upstream.url);
      span.end();
    }));
    const responses = await Promise.all(['a', 'b'].map((who) => request(app).get(`/${who}`)));
    const traces = await Promise.all(responses.map((res) => harness.trace(res)));
    expect(traces.map((found) => found.tree())).toEqual(['answer a', 'answer b']);
    expect(responses.map((res) => harness.audit(res).problems[0])).toEqual(traces.map(({ traceId }) => expect.objectContaining({ hop: 'gateway → upstream', header: 'traceparent', expected: `trace ${traceId}`, cause: 'the sender did not send it' })));
  });

  it('are told apart on one kept connection, also when a server gets them before they end', async () => {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    let got: (() => void) | undefined;
    const server = harness.own('app', http.createServer((req, res) => trace.getTracer('app').startActiveSpan(`answer ${req.url ?? ''}`, (span) => {
      got?.();
      req.resume().once('end', () => (span.end(), res.end()));
    })).listen(0, '127.0.0.1'));
    await once(server, 'listening');
    const trees: string[] = [];
    for (const path of ['/a', '/b', '/c', '/d']) {
      const req = http.request({ port: (server.address() as AddressInfo).port, path, method: 'POST', agent });
      const begun = new Promise<void>((resolve) => (got = resolve));
      req.write('first part');
      if (path < '/c') await begun;
      req.end();
      const [res] = await once(req, 'response') as [http.IncomingMessage];
      await once(res.resume(), 'end');
      trees.push((await harness.trace(res)).tree());
    }
    agent.destroy();
    expect(trees).toEqual(['answer /a', 'answer /b', 'answer /c', 'answer /d']);
  });

  it('a hop that nobody\'s handler made belongs to nobody, even when one request is open', async () => {
    const upstream = await harness.upstream();
    let go!: () => void;
    const arrived = new Promise<void>((resolve) => (go = resolve));
    let finish!: () => void;
    const end = new Promise<void>((resolve) => (finish = resolve));
    const app = express().get('/', async (_req, res) => {
      go();
      await end;
      res.json({});
    });
    const response = request(app).get('/').set('x-request-id', 'order-1').then((res) => res);
    await arrived;
    await fetch(upstream.url);
    finish();
    const res = await response;
    expect(harness.audit(res).hops.map(({ name }) => name)).toEqual(['client → gateway']);
    expect(harness.audit().unattributed.map(({ name }) => name)).toEqual(['gateway → upstream']);
  });

  it('are told apart on a worker link by the spans of their handlers', async () => {
    const worker = await harness.worker('dynamo.backend.generate');
    worker.inject(faults.dropHeaders());
    const client: RequestPlaneClient = harness.client();
    const app = together(3, () => context.with(ROOT_CONTEXT, async () => {
      for await (const _ of client.generate(worker.address, {}));
    }));
    const responses = await Promise.all(['a', 'b', 'c'].map((who) => request(app).get(`/${who}`)));
    const traces = await Promise.all(responses.map((res) => harness.trace(res)));
    expect(new Set(traces.map(({ traceId }) => traceId)).size).toBe(3);
    for (const [i, res] of responses.entries()) {
      const { hops } = harness.audit(res);
      expect(hops.map(({ name }) => name)).toEqual(['client → gateway', HOP]);
      expect(hops[1]!.sent!['traceparent']).toContain(traces[i]!.traceId);
    }
  });

  it('are told apart behind a second app of the same process', async () => {
    const upstream = await harness.upstream();
    const inner = harness.own('inner app', express().get('/:who', async (req, res) => {
      await fetch(`${upstream.url}/${req.params.who}`);
      res.json({});
    }).listen(0, '127.0.0.1'));
    await once(inner, 'listening');
    const app = together(2, (req) => fetch(`http://127.0.0.1:${(inner.address() as AddressInfo).port}/${String(req.params['who'])}`, { headers: { 'x-request-id': String(req.params['who']) } }).then((res) => res.text()));
    const responses = await Promise.all(['a', 'b'].map((who) => request(app).get(`/${who}`)));
    expect(responses.map(({ status }) => status)).toEqual([200, 200]);
    for (const who of ['a', 'b']) {
      const { requests } = harness.audit(who);
      expect(requests[0]!.hops.map(({ name, problems }) => [name, problems.map(({ expected }) => expected)])).toEqual([['client → gateway', []], ['gateway → upstream', [who]]]);
    }
  });
});
