/** Code of a test that the harness calls: scripts of workers and handlers of upstreams. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, jest, test } from '@jest/globals';
import { startHarness, type Harness } from 'dynamo-tracing/harness';
import { collect, failure } from '../transport/support.js';
import { send } from '../support/client.js';

const rejections: unknown[] = [];
const warnings: string[] = [];
const collectRejection = (reason: unknown): void => void rejections.push(reason);
let harness: Harness;
beforeAll(() => {
  jest.spyOn(process, 'emitWarning').mockImplementation((warning) => void warnings.push(String(warning)));
  process.on('unhandledRejection', collectRejection);
});
afterAll(() => void process.off('unhandledRejection', collectRejection));
beforeEach(async () => {
  harness = await startHarness({ transport: 'tcp' });
});
afterEach(() => harness.close().catch(() => undefined));

const planted = (): never => { throw new Error('planted'); };
const trap = (): unknown => new Proxy(() => undefined, { get: planted });
const FAILING: Readonly<Record<string, unknown>> = {
  throws: planted,
  'throws nothing': () => { throw undefined; }, // eslint-disable-line @typescript-eslint/only-throw-error
  rejects: () => Promise.reject(new Error('planted')),
  'returns what throws at each touch': trap,
};

const SCRIPTS: Readonly<Record<string, unknown>> = {
  ...FAILING,
  'returns nothing': () => undefined,
  'returns a symbol': () => Symbol('nonsense'),
  'returns an iterable whose iterator throws': () => ({ [Symbol.asyncIterator]: planted }),
  'returns an iterator without next': () => ({ [Symbol.asyncIterator]: () => ({}) }),
};
test.each(Object.keys(SCRIPTS))('a worker whose script %s costs the request a coded error, and the harness closes', async (what) => {
  const worker = await harness.worker('dynamo.backend.generate', SCRIPTS[what] as never);
  expect(await failure(collect(harness.client().generate(worker.address, {})))).toMatchObject({ code: expect.stringMatching(/^ERR_(GENERATE_FAILED|WORKER_ERROR)$/) });
  expect(worker.running).toEqual([]);
  await harness.close();
  expect(rejections).toEqual([]);
});

test('a worker whose script hangs leaves its request by the signal, and the harness names it when it closes', async () => {
  const worker = await harness.worker('dynamo.backend.generate', () => new Promise(() => undefined) as never);
  const abort = new AbortController();
  const asked = failure(collect(harness.client().generate(worker.address, {}, { signal: abort.signal })));
  abort.abort();
  expect(await asked).toMatchObject({ code: 'ERR_CANCELLED' });
  expect(rejections).toEqual([]);
});

test.each(Object.keys(FAILING))('an upstream whose handler %s answers 500', async (what) => {
  const upstream = await harness.upstream(FAILING[what] as never);
  expect((await send(Number(new URL(upstream.url).port), { path: '/' })).status).toBe(500);
  await harness.close();
  expect(rejections).toEqual([]);
});

test('an upstream whose handler fails within its answer cuts it, and after its answer leaves it whole', async () => {
  const upstream = await harness.upstream((req, res) => {
    if (req.url === '/whole') res.end('whole');
    else res.writeHead(200, { 'content-length': 10 }).write('half');
    throw new Error('planted');
  });
  const port = Number(new URL(upstream.url).port);
  expect((await send(port, { path: '/whole' })).body).toBe('whole');
  const cut = await failure(send(port, { path: '/half' }));
  expect(cut).toMatchObject({ code: expect.stringMatching(/^(ECONNRESET|ERR_)/) });
  expect(rejections).toEqual([]);
});

test('an upstream whose handler never answers does not keep the harness from closing', async () => {
  let came!: () => void;
  const arrived = new Promise<void>((resolve) => (came = resolve));
  const upstream = await harness.upstream(() => came());
  const asked = failure(send(Number(new URL(upstream.url).port), { path: '/' }));
  await arrived;
  await harness.close();
  expect(await asked).toMatchObject({ code: 'ECONNRESET' });
});

test('a handler of an upstream that failed is reported once', () => {
  expect(warnings.filter((text) => text.startsWith('upstream'))).toEqual(['upstream upstream failed: planted (reported once)']);
});
