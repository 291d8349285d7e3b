/** AbortSignals of another make: a polyfill, an object that looks like one, one that throws when it is touched. */
import { afterAll, afterEach, beforeAll, expect, jest, test } from '@jest/globals';
import { Router } from 'dynamo-tracing/transport';
import { afterTest, cleanUp, collect, failure, makeClient, serve, type TestWorker } from '../transport/support.js';

const rejections: unknown[] = [];
const warnings: string[] = [];
const collectRejection = (reason: unknown): void => void rejections.push(reason);
beforeAll(() => {
  jest.spyOn(process, 'emitWarning').mockImplementation((warning) => void warnings.push(String(warning)));
  process.on('unhandledRejection', collectRejection);
});
afterAll(() => void process.off('unhandledRejection', collectRejection));
afterEach(cleanUp);

const planted = (): never => { throw new Error('planted'); };

/** A signal that is no AbortSignal of Node, with `parts` in the place of its own. */
function foreign(parts: PropertyDescriptorMap = {}): AbortSignal & { abort(): void } {
  const target = Object.assign(new EventTarget(), { aborted: false, reason: undefined, abort: () => undefined });
  target.abort = () => {
    target.aborted = true;
    target.dispatchEvent(new Event('abort'));
    return undefined;
  };
  return Object.defineProperties(target, parts) as never;
}

const DOORS: Readonly<Record<string, (worker: TestWorker, signal: AbortSignal) => Promise<unknown>>> = {
  'a client': (worker, signal) => collect(makeClient({ requestTimeoutMs: 60, connectTimeoutMs: 50 }).generate(worker.address, {}, { signal })),
  'a router': (worker, signal) => {
    const router = new Router({ client: makeClient({ requestTimeoutMs: 60 }), addresses: [worker.address], logger: false, env: {} });
    afterTest(() => router.close());
    return (async () => collect(router.generate({}, { signal })))();
  },
  'a request whose answer nobody waits for': (worker, signal) => makeClient({ requestTimeoutMs: 60, connectTimeoutMs: 50 }).send(worker.address, { 'request-id': 'r' }, [Buffer.from('x')], { signal }),
};

const REFUSED: Readonly<Record<string, () => unknown>> = {
  'is a text': () => 'abort',
  'has no methods': () => ({ aborted: false }),
  'throws when it is listened to': () => foreign({ addEventListener: { value: planted } }),
  'throws when it is asked whether it has aborted': () => foreign({ aborted: { get: planted } }),
};
const doors = Object.keys(DOORS);

test.each(doors.flatMap((door) => Object.keys(REFUSED).map((what) => [door, what] as const)))('%s refuses a signal that %s, and nothing is left of the request', async (door, what) => {
  const worker = await serve(async function* () { yield* [1, 2]; });
  expect(await failure(DOORS[door]!(worker, REFUSED[what]!() as never))).toMatchObject({ code: 'ERR_OPTION_INVALID', path: 'signal' });
  await new Promise((resolve) => setTimeout(resolve, 100)); // longer than the time limits of the request
  expect([rejections, worker.inFlight]).toEqual([[], 0]);
});

const TAKEN: Readonly<Record<string, () => AbortSignal>> = {
  'is no AbortSignal of Node': () => foreign(),
  'throws when it is left': () => foreign({ removeEventListener: { value: planted } }),
};
test.each(['a client', 'a router'].flatMap((door) => Object.keys(TAKEN).map((what) => [door, what] as const)))('%s takes a signal that %s', async (door, what) => {
  const worker = await serve(async function* () { yield* [1, 2]; });
  expect(await DOORS[door]!(worker, TAKEN[what]!())).toEqual([1, 2]);
  await new Promise(setImmediate);
  expect(rejections).toEqual([]);
});

const ABORTING: Readonly<Record<string, () => AbortSignal & { abort(): void }>> = {
  'is no AbortSignal of Node': () => foreign(),
  'throws when it is asked why': () => foreign({ reason: { get: planted } }),
  'throws when it is left': () => foreign({ removeEventListener: { value: planted } }),
};
test.each(['a client', 'a router'].flatMap((door) => Object.keys(ABORTING).map((what) => [door, what] as const)))('%s is cancelled by a signal that %s', async (door, what) => {
  const signal = ABORTING[what]!();
  const worker = await serve(async function* (_request, context) {
    setImmediate(() => signal.abort());
    await new Promise((resolve) => context.signal.addEventListener('abort', resolve));
    yield 1;
  });
  expect(await failure(DOORS[door]!(worker, signal))).toMatchObject({ code: 'ERR_CANCELLED' });
  await new Promise(setImmediate);
  expect(rejections).toEqual([]);
});

test.each(doors)('%s is cancelled by a signal that has aborted, of another make too', async (door) => {
  const worker = await serve(async function* () { yield* [1, 2]; });
  for (const signal of [AbortSignal.abort(), foreign({ aborted: { value: true } }), foreign({ aborted: { value: true }, reason: { get: planted } })]) {
    expect(await failure(DOORS[door]!(worker, signal))).toMatchObject({ code: 'ERR_CANCELLED' });
  }
  expect(rejections).toEqual([]);
});

test('what a signal throws is reported once', () => {
  expect(warnings.filter((text) => text.startsWith('signal'))).toEqual(['signal.removeEventListener failed: planted (reported once)', 'signal.reason failed: planted (reported once)']);
});
