/** The NATS request plane over a real nats-server, both ways, found through file discovery. */
import { randomBytes, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { connectNats, NatsRequestPlaneClient, natsSubject, serveNats, type NatsConnection, type Router } from 'dynamo-tracing/transport';
import { NATS_SERVER_MISSING, startNatsServer, type NatsServer } from '../support/nats-server.js';
import { until } from '../support/until.js';
import { recordSpans } from '../transport/router/spans.js';
import { eachRelease } from './support/each-release.js';
import { makeHandler } from './support/handler.js';
import { collect, DELICATE, failing, House } from './support/house.js';
import { incoming } from './support/incoming.js';
import { pythonClient, pythonWorker, type Line, type SpokenProcess, type Surroundings } from './support/python.js';
import { CODECS } from './support/releases.js';

const recorded = recordSpans();
const ENDPOINT = 'inter-op.back_end.Gen-erate';
const SLOW = { report: false, n: 10_000, delayMs: 20 };
const values = (n: number, value: unknown = null): unknown[] => Array.from({ length: n }, (_, i) => ({ i, value }));

eachRelease('NATS', (release) => {
  let server: NatsServer;
  let connection: NatsConnection;

  beforeAll(async () => {
    server = await startNatsServer();
    connection = await connectNats({ servers: server.url });
  });
  afterAll(async () => {
    await connection.close();
    await server.stop();
  });

  describe.each(CODECS)('%s', (codec) => {
    const house = new House();
    const lines: Line[] = [];
    // Capitals: our records name the subject that is served.
    const ours = { namespace: 'Inter-Op', component: 'Our_End', endpoint: 'gen-erate' };
    const name = 'Inter-Op.Our_End.gen-erate';
    let worker: SpokenProcess;
    let client: SpokenProcess;
    let router: Router;

    beforeAll(async () => {
      const surroundings: Surroundings = { store: house.store, codec, env: { DYN_REQUEST_PLANE: 'nats', NATS_SERVER: server.url } };
      [worker, client] = await Promise.all([pythonWorker(release, ENDPOINT, surroundings), pythonClient(release, surroundings)]);
      house.onClose(() => worker.stop());
      house.onClose(() => client.stop());
      router = house.router(ENDPOINT, { client: undefined, natsClient: makeCaller(house, connection) });
      await serveOurs();
    });

    async function serveOurs(): Promise<void> {
      const served = await serveNats(connection, await house.server(), name, makeHandler((line) => lines.push(line)), { logger: false });
      house.onClose(() => served.remove());
      await house.discovery.announce({ ...ours, instanceId: served.instanceId, transport: { nats_tcp: served.subject }, codec });
    }

    it('our client → Python worker: streamed, exact', async () => {
      await expect(collect(router.generate({ n: 2, report: false, value: DELICATE }))).resolves.toEqual(values(2, DELICATE));
    });

    it('our client → Python worker: its subject is the one that we make', async () => {
      const [found] = await router.workers();
      expect(found).toMatchObject({ plane: 'nats', codec, address: natsSubject({ namespace: 'inter-op', component: 'back_end', endpoint: 'Gen-erate' }, found!.workerId!) });
    });

    it('a Python worker with capitals in its names serves another subject than it announces', async () => {
      const name = { namespace: 'Inter-Op', component: 'Back_End', endpoint: 'Gen-erate' };
      const capital = await pythonWorker(release, 'Inter-Op.Back_End.Gen-erate', { store: house.store, codec, env: { DYN_REQUEST_PLANE: 'nats', NATS_SERVER: server.url } });
      house.onClose(() => capital.stop());
      const [found] = await house.discovery.waitForInstances(name);
      const announced = (found!.transport as { nats_tcp: string }).nats_tcp;
      expect(announced).toBe(`Inter-Op_Back_End.Gen-erate-${found!.instanceId.toString(16)}`);
      const caller = makeCaller(house, connection);
      expect((await failing(caller.generate(announced, { n: 1 }, { codec }))).error).toMatchObject({ code: 'ERR_WORKER_UNAVAILABLE' });
      await expect(collect(caller.generate(natsSubject(name, found!.instanceId), { n: 1, report: false }, { codec }))).resolves.toEqual(values(1));
    });

    it('our client → Python worker: cancelled, stopped, failing', async () => {
      const cancelled = router.generate(SLOW);
      await cancelled.next();
      cancelled.cancel();
      await worker.told('cancelled', cancelled.requestId);
      const stopped = router.generate(SLOW);
      await stopped.next();
      stopped.stop();
      await collect(stopped);
      expect(await worker.told('cancelled', stopped.requestId)).toMatchObject({ signal: 'stop' });
      expect((await failing(router.generate({ failAfter: 'start' }))).error).toMatchObject({ code: 'ERR_WORKER_ERROR', errorType: 'backend_invalid_argument' });
      expect((await failing(router.generate({ failAfter: 'prologue' }))).error).toMatchObject({ code: 'ERR_GENERATE_FAILED' });
    });

    it('our client → Python worker: trace, ids, tracestate and metadata arrive as sent (caller\'s flags 03)', async () => {
      const { context, traceId, tracestate, requestId, xRequestId } = incoming(randomUUID(), randomBytes(16).toString('hex'), '03');
      const [report] = await collect(router.generate({ n: 0 }, { context, metadata: { tenant: 'a' } }));
      const [attempt] = recorded.spans();
      expect(report).toMatchObject({
        id: requestId, traceId, parentSpanId: attempt!.span.spanContext().spanId, metadata: { tenant: 'a' },
        traceHeaders: { traceparent: expect.stringContaining(traceId), tracestate, 'request-id': requestId, 'x-request-id': xRequestId },
      });
    });

    it('Python client → our worker: streamed, exact', async () => {
      await expect(client.ask({ endpoint: name, request: { n: 2, value: DELICATE } })).resolves.toEqual({ items: values(2, DELICATE), errors: [], outcome: 'complete' });
    });

    it('Python client → our worker: stopped, dropped, failing', async () => {
      const said = (event: string, id: string): Promise<void> => until(`${event} of ${id}`, () => lines.some((line) => line.event === event && line['id'] === id));
      const [stopped, dropped] = [randomUUID(), randomUUID()];
      await expect(client.ask({ endpoint: name, id: stopped, stopAfter: 2, request: SLOW })).resolves.toMatchObject({ errors: [], outcome: 'complete' });
      await said('cancelled', stopped);
      await expect(client.ask({ endpoint: name, id: dropped, dropAfter: 2, request: SLOW })).resolves.toMatchObject({ outcome: 'dropped' });
      await said('cancelled', dropped);
      const { errors } = await client.ask({ endpoint: name, request: { n: 5, failAfter: 2 } });
      expect(errors).toMatchObject([{ stage: 'stream', message: expect.stringContaining('asked to fail') }]);
    });

    it('Python client → our worker: ids, trace and metadata arrive as sent', async () => {
      const id = randomUUID();
      const { items: [item] } = await client.ask({ endpoint: name, id, metadata: { tenant: 'a' }, request: { n: 0, report: true } });
      const report = item as { traceId: string; parentSpanId: string };
      expect(report).toMatchObject({ id, metadata: { tenant: 'a' }, headers: { 'request-id': id, traceparent: `00-${report.traceId}-${report.parentSpanId}-01` } });
    });

    it('one trace through three: our client, the Python worker that forwards, our worker', async () => {
      const { context, traceId, requestId } = incoming(randomUUID(), randomBytes(16).toString('hex'), '01');
      const [report, { forwarded }] = await collect(router.generate({ forward: { endpoint: name, request: { n: 0, report: true } } }, { context })) as [unknown, { forwarded: unknown }];
      expect([report, forwarded]).toMatchObject([{ traceId, id: requestId }, { traceId, id: requestId }]);
    });
  });
}, NATS_SERVER_MISSING);

function makeCaller(house: House, connection: NatsConnection): NatsRequestPlaneClient {
  const client = new NatsRequestPlaneClient(connection, { responseHost: '127.0.0.1', logger: false, env: {} });
  house.onClose(() => client.close());
  return client;
}
