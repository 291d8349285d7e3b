import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { once } from 'node:events';
import { createServer, request as httpRequest, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import { createServer as createTcpServer, type Server, type Socket } from 'node:net';
import { EtcdDiscovery, type EtcdDiscoveryOptions } from 'dynamo-tracing/transport';
import { describeWithEtcd, EtcdServer, freePort } from '../../support/etcd-server.js';
import { until } from '../../support/until.js';

const NAME = 'dynamo.backend.generate';
const WORKER = { namespace: 'dynamo', component: 'backend', endpoint: 'generate', instanceId: 5n, transport: { tcp: '127.0.0.1:1/5/generate' } } as const;
const KEY = 'v1/instances/dynamo/backend/generate/5';

const closing: (() => unknown)[] = [];
const warnings: string[] = [];
const logger = { debug: () => undefined, info: () => undefined, error: () => undefined, warn: (fields: object | string, message?: string) => void warnings.push(`${String(message)}: ${String((fields as { reason?: unknown }).reason)}`) };
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  warnings.length = 0;
});

function discover(options: EtcdDiscoveryOptions): EtcdDiscovery {
  const discovery = new EtcdDiscovery({ ttlMs: 2000, logger, env: {}, ...options });
  closing.push(() => discovery.close().catch(() => undefined));
  return discovery;
}

/** Closes a server with its connections after the test; its URL. */
async function urlOf(server: Server): Promise<string> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => sockets.add(socket));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closing.push(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, 'close');
  });
  return `http://127.0.0.1:${(server.address() as { port: number }).port}`;
}

const serve = (listener: RequestListener): Promise<string> => urlOf(createServer(listener));

/** What becomes of a request on its way to etcd: `pass` sends it on, at once or later. */
type Fault = (path: string, pass: () => void, req: IncomingMessage, res: ServerResponse) => void;

/** A proxy before a real etcd. */
class Way {
  readonly #sockets = new Set<Socket>();
  fault: Fault = (_path, pass) => pass();
  url = '';

  constructor(private readonly etcd: EtcdServer) {}

  async open(): Promise<this> {
    const server = createServer((req, res) => this.fault(req.url ?? '', () => this.#pass(req, res), req, res));
    server.on('connection', (socket) => this.#sockets.add(socket));
    this.url = await urlOf(server);
    return this;
  }

  /** Breaks every connection. */
  tear(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  #pass(req: IncomingMessage, res: ServerResponse): void {
    const onward = httpRequest(new URL(req.url ?? '', this.etcd.url), { method: 'POST', headers: req.headers }, (answer) => {
      res.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(res);
      answer.on('error', () => res.destroy());
    });
    onward.on('error', () => res.destroy());
    res.on('close', () => onward.destroy());
    req.pipe(onward);
  }
}

describeWithEtcd('the way to etcd', () => {
  let etcd: EtcdServer;
  beforeAll(async () => {
    etcd = await EtcdServer.start();
  });
  afterEach(() => etcd.ask('kv/deleterange', { key: 'AA==', range_end: 'AA==' }));
  afterAll(() => etcd.stop());

  const record = (id: number): string => JSON.stringify({ type: 'Endpoint', component: 'backend', endpoint: 'generate', namespace: 'dynamo', instance_id: id, transport: { tcp: `127.0.0.1:1/${id}/generate` } });
  const revision = async (): Promise<string> => ((await etcd.ask('kv/range', { key: 'AA==' })) as { header: { revision: string } }).header.revision;

  test('torn in the middle of a watch: what came and went meanwhile is seen', async () => {
    const way = await new Way(etcd).open();
    await etcd.put(KEY, record(5));
    const watch = await discover({ endpoints: way.url }).watch(NAME);
    let allowed = false;
    const held: (() => void)[] = [];
    way.fault = (_path, pass) => {
      if (allowed) pass();
      else held.push(pass);
    };
    way.tear();
    await until('it is tried again', () => held.length > 0);
    await etcd.ask('kv/deleterange', { key: Buffer.from(KEY).toString('base64') });
    await etcd.put('v1/instances/dynamo/backend/generate/6', record(6));
    allowed = true;
    for (const pass of held) pass();
    await until('the list is right', () => watch.instances.length === 1 && watch.instances[0]?.instanceId === 6n);
  });

  test('slow: changes that were compacted before the watch began are read as a list', async () => {
    const way = await new Way(etcd).open();
    const held: (() => void)[] = [];
    const asked: string[] = [];
    way.fault = (path, pass) => {
      asked.push(path);
      if (path === '/v3/watch' && held.length === 0) held.push(pass);
      else pass();
    };
    const watch = await discover({ endpoints: way.url }).watch(NAME);
    await until('the watch is on its way', () => held.length === 1);
    await etcd.put(KEY, record(5));
    await etcd.put(KEY, record(5));
    await etcd.ask('kv/compaction', { revision: await revision(), physical: true });
    held[0]?.();
    await until('the worker is seen', () => watch.instances.length === 1);
    await until('it is watched again', () => asked.filter((path) => path === '/v3/watch').length === 2);
    await etcd.put('v1/instances/dynamo/backend/generate/6', record(6));
    await until('the next is seen', () => watch.instances.length === 2);
    expect(warnings).toEqual([]);
  });

  test('slow: a list that is older than the events of the watch takes none of them back', async () => {
    const way = await new Way(etcd).open();
    const discovery = discover({ endpoints: way.url });
    const watch = await discovery.watch(NAME);
    await etcd.put(KEY, record(5));
    await until('it is seen', () => watch.instances.length === 1);
    // The answer to the second list waits until the watch has told that the worker is gone.
    const answers: (() => void)[] = [];
    way.fault = (path, pass, _req, res) => {
      if (path === '/v3/kv/range') {
        const end = res.end.bind(res);
        const write = res.write.bind(res);
        const pieces: Buffer[] = [];
        res.write = ((piece: Buffer) => pieces.push(piece) > 0) as typeof res.write;
        res.end = (() => {
          answers.push(() => {
            for (const piece of pieces) write(piece);
            end();
          });
          return res;
        }) as typeof res.end;
      }
      pass();
    };
    const second = discovery.watch(NAME);
    await until('the list is answered', () => answers.length === 1);
    await etcd.ask('kv/deleterange', { key: Buffer.from(KEY).toString('base64') });
    await until('the worker is gone', () => watch.instances.length === 0);
    answers[0]?.();
    expect((await second).instances).toEqual([]);
    expect(watch.instances).toEqual([]);
  });

  test('slow: events that are older than the list change nothing any more', async () => {
    const way = await new Way(etcd).open();
    const held: (() => void)[] = [];
    let hold = true;
    way.fault = (path, pass, _req, res) => {
      const write = res.write.bind(res) as (piece: Buffer) => boolean;
      if (path === '/v3/watch') res.write = ((piece: Buffer) => {
        if (!hold || piece.includes('"created":true')) return write(piece);
        held.push(() => write(piece));
        return true;
      }) as typeof res.write;
      pass();
    };
    const discovery = discover({ endpoints: way.url });
    const watch = await discovery.watch(NAME);
    const changes: (bigint | undefined)[] = [];
    watch.onChange(({ added, removed }) => void changes.push(...[...added, ...removed].map(({ instanceId }) => instanceId)));
    await etcd.put(KEY, record(5));
    await etcd.ask('kv/deleterange', { key: Buffer.from(KEY).toString('base64') });
    await until('both events are on their way', () => held.length > 0);
    await discovery.watch(NAME);
    hold = false;
    for (const release of held) release();
    await etcd.put('v1/instances/dynamo/backend/generate/6', record(6));
    await until('the next is seen', () => changes.length > 0);
    expect(changes).toEqual([6n]);
  });

  test('that hangs in the watch alone: the list is read from time to time, and watched anew when it says more', async () => {
    const way = await new Way(etcd).open();
    const asked: string[] = [];
    way.fault = (path, pass, _req, res) => {
      asked.push(path);
      if (path === '/v3/watch' && asked.filter((each) => each === path).length === 1) res.write('{"result":{"header":{"revision":"1"},"created":true}}\n');
      else pass();
    };
    const watch = await discover({ endpoints: way.url, rescanMs: 20 }).watch(NAME);
    await until('the list is read again', () => asked.filter((path) => path === '/v3/kv/range').length > 2);
    expect(asked.filter((path) => path === '/v3/watch')).toHaveLength(1);
    await etcd.put(KEY, record(5));
    await until('the worker is seen', () => watch.instances.length === 1);
    await until('it is watched anew', () => asked.filter((path) => path === '/v3/watch').length === 2);
    expect(warnings).toEqual([]);
  });

  test('that loses the answer to an announcement: the second member finds the record to be our own', async () => {
    const way = await new Way(etcd).open();
    let lost = 0;
    way.fault = (path, pass, req, res) => {
      if (path !== '/v3/kv/txn' || lost > 0) return pass();
      lost += 1;
      const onward = httpRequest(new URL(path, etcd.url), { method: 'POST', headers: req.headers }, (answer) => answer.resume().on('end', () => void res.destroy()));
      req.pipe(onward);
    };
    const announcement = await discover({ endpoints: [way.url, etcd.url] }).announceModel(WORKER, { name: 'm' });
    expect([lost, (await etcd.dump()).map(({ key, lease }) => [key, lease])]).toEqual([1, [[KEY, '5'], ['v1/mdc/dynamo/backend/generate/5', '5']]]);
    await announcement.withdraw();
    expect(await etcd.dump()).toEqual([]);
  });

  test('that is broken for a while costs one warning, and the lease lives on', async () => {
    const way = await new Way(etcd).open();
    await discover({ endpoints: way.url }).announce(WORKER);
    let refused = 0;
    way.fault = (_path, _pass, _req, res) => {
      refused += 1;
      res.destroy();
    };
    await until('some keep-alives have failed', () => refused >= 3);
    way.fault = (_path, pass) => pass();
    const asked: string[] = [];
    way.fault = (path, pass) => {
      asked.push(path);
      pass();
    };
    await until('the lease is kept alive again', () => asked.includes('/v3/lease/keepalive'));
    expect(warnings).toEqual([expect.stringMatching(/^etcd lease not kept alive: .*cannot be asked/)]);
    expect(await etcd.dump()).toHaveLength(1);
  });

  test('closed while etcd is away: close tells, and nothing goes on in the background', async () => {
    const way = await new Way(etcd).open();
    const discovery = discover({ endpoints: way.url });
    await discovery.announce(WORKER);
    await discovery.watch(NAME);
    let refused = 0;
    way.fault = (_path, _pass, _req, res) => {
      refused += 1;
      res.destroy();
    };
    await expect(discovery.close()).rejects.toMatchObject({ code: 'ERR_DISCOVERY', endpoint: way.url });
    const after = refused;
    while ((await etcd.dump()).length > 0) await new Promise((resolve) => setTimeout(resolve, 50));
    expect(refused).toBe(after);
  });
});

describe('what is not etcd', () => {
  const page = (status: number, type: string, body: string): RequestListener => (_req, res) => {
    res.writeHead(status, { 'content-type': type });
    res.end(body);
  };

  test.each<[string, RequestListener]>([
    ['a page', page(200, 'text/html', '<html>hello</html>')],
    ['a page that was not found', page(404, 'text/html', '<html>no</html>')],
    ['JSON of another make', page(200, 'application/json', '{"status":"ok"}')],
    ['JSON that is no object', page(200, 'application/json', '[]')],
    ['an error of another make', page(500, 'application/json', '{"error":"no"}')],
    ['nothing', page(204, 'text/plain', '')],
  ])('is named when it answers with %s', async (_what, listener) => {
    const url = await serve(listener);
    const discovery = discover({ endpoints: url });
    for (const use of [() => discovery.instances(NAME), () => discovery.announce(WORKER), () => discovery.watch(NAME)]) {
      await expect(use()).rejects.toMatchObject({ code: 'ERR_DISCOVERY', endpoint: url, message: `${url} does not answer as etcd's JSON gateway does` });
    }
  });

  test('is named when it does not even speak HTTP', async () => {
    const url = await urlOf(createTcpServer((socket) => void socket.on('error', () => undefined).end('SSH-2.0-OpenSSH_9.2\r\n')));
    await expect(discover({ endpoints: url }).instances(NAME)).rejects.toMatchObject({ code: 'ERR_DISCOVERY', endpoint: url });
  });

  test('is given up when it does not answer in time', async () => {
    const url = await serve(() => undefined);
    await expect(discover({ endpoints: url, requestTimeoutMs: 50 }).instances(NAME)).rejects.toMatchObject({ code: 'ERR_DISCOVERY', message: `etcd at ${url} cannot be asked: no answer within 50 ms` });
  });

  test('is cut off when its answer has no end', async () => {
    const url = await serve((_req, res) => {
      const piece = Buffer.alloc(2 ** 20, 32);
      const more = (): void => {
        while (!res.destroyed && res.write(piece));
      };
      res.on('drain', more);
      more();
    });
    await expect(discover({ endpoints: url, requestTimeoutMs: 20_000 }).instances(NAME)).rejects.toMatchObject({ code: 'ERR_DISCOVERY', message: expect.stringMatching(/larger than 67108864 bytes/) });
  }, 30_000);

  test('in the place of the watch is told once and asked again, the list being read each time', async () => {
    const asked: string[] = [];
    const rubbish = ['{"result":{"header":{"revision":"7"},"created":true}}\nrubbish\n', '{"result":{}}\n', 'x'.repeat(100)];
    const url = await serve((req, res) => {
      asked.push(String(req.url));
      res.end(req.url === '/v3/watch' ? rubbish[asked.length % 3] : '{"header":{"revision":"7"}}');
    });
    const watch = await discover({ endpoints: url }).watch(NAME);
    await until('it was tried some times', () => asked.length === 12);
    expect(new Set(asked.map((path, index) => `${index % 2} ${path}`))).toEqual(new Set(['0 /v3/kv/range', '1 /v3/watch']));
    expect(warnings).toEqual([`instance records not watched: ${url} does not answer as etcd's JSON gateway does`]);
    expect(watch.instances).toEqual([]);
  });

  test('in the place of a watch that ends with an error, which has no line end: it is told by its own words', async () => {
    const url = await serve((req, res) => {
      if (req.url !== '/v3/watch') res.end('{"header":{"revision":"7"}}');
      else res.end('{"result":{"header":{"revision":"7"},"created":true}}\n{"error":{"grpc_code":14,"http_code":503,"message":"etcdserver: no leader"}}');
    });
    await discover({ endpoints: url }).watch(NAME);
    await until('it is told', () => warnings.length > 0);
    expect(warnings).toEqual([`instance records not watched: etcd at ${url} refuses watch: etcdserver: no leader`]);
  });

  test('does not stand in the way of a member that is one', async () => {
    const [page1, dead] = [await serve(page(200, 'text/html', 'hello')), `http://127.0.0.1:${await freePort()}`];
    const real = await serve((_req, res) => void res.end('{"header":{"revision":"1"}}'));
    expect(await discover({ endpoints: [page1, dead, real] }).instances(NAME)).toEqual([]);
  });
});
