/** Every place where the middleware calls code of the application, and what such code can do wrong. Spans and context managers: begin.test.ts. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';
import type { CompletedRequest, DynamoTracingOptions, RequestTrace } from 'dynamo-tracing';
import { currentTrace, onRecord } from 'dynamo-tracing';
import { CHAT, post } from '../support/client.js';
import { FRAMEWORKS, type TestServer } from '../support/frameworks.js';
import { RecordTap } from '../support/records.js';

type Callout = (...args: never[]) => unknown;
const option = (name: keyof DynamoTracingOptions) => (bad: Callout): DynamoTracingOptions => ({ logger: false, [name]: bad });
const loggerWith = (name: string) => (bad: Callout): DynamoTracingOptions => {
  const quiet = (): void => undefined;
  return { logger: { trace: quiet, debug: quiet, info: quiet, warn: quiet, error: quiet, [name]: bad } };
};

const PLACES: Readonly<Record<string, (bad: Callout) => DynamoTracingOptions>> = {
  trustIncoming: option('trustIncoming'),
  ignore: option('ignore'),
  classify: option('classify'),
  onReceived: option('onReceived'),
  onCompleted: option('onCompleted'),
  onError: option('onError'),
  'logger.info': loggerWith('info'),
  'logger.warn': loggerWith('warn'),
  'logger.error': loggerWith('error'),
  'logger.isLevelEnabled': loggerWith('isLevelEnabled'),
  'a listener for records': (bad) => {
    listening.push(onRecord(bad as never));
    return { logger: false };
  },
};
const listening: (() => void)[] = [];

const trap = (): unknown => new Proxy(() => undefined, { get: (_, name) => { throw new Error(`${String(name)} is broken`); } });
const BEHAVIOURS: Readonly<Record<string, Callout>> = {
  throws: () => { throw new Error('planted'); },
  'throws nothing': () => { throw undefined; }, // eslint-disable-line @typescript-eslint/only-throw-error
  rejects: () => Promise.reject(new Error('planted')),
  'never settles': () => new Promise(() => undefined),
  'returns a symbol': () => Symbol('nonsense'),
  'returns what throws at each touch': trap,
  're-enters the request': () => {
    const trace = currentTrace();
    trace?.usage({ outputTokens: 1 });
    trace?.log.info('again');
    trace?.set({ again: true });
    return undefined;
  },
  'changes its arguments': (...args: unknown[]) => {
    for (const arg of args) if (typeof arg === 'object' && arg !== null) for (const key of Object.keys(arg)) if (key !== 'socket' && key !== 'req') Reflect.set(arg, key, 'mutated');
    return undefined;
  },
};
/** These are given the request itself, which is the application's to change, or are the harness's own. */
const MAY_CHANGE = new Set(['trustIncoming', 'ignore', 'classify', 'a listener for records']);

const rejections: unknown[] = [];
const collect = (reason: unknown): void => void rejections.push(reason);
beforeAll(() => {
  jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
  process.on('unhandledRejection', collect);
});
afterAll(() => void process.off('unhandledRejection', collect));

describe.each(FRAMEWORKS)('on $name', ({ start }) => {
  let tap: RecordTap;
  let server: TestServer | undefined;
  beforeEach(() => {
    tap = new RecordTap();
  });
  afterEach(async () => {
    await server?.close();
    server = undefined;
    listening.splice(0).forEach((stop) => stop());
    tap.stop();
  });

  const cases = Object.keys(PLACES).flatMap((place) => Object.keys(BEHAVIOURS).filter((behaviour) => behaviour !== 'changes its arguments' || !MAY_CHANGE.has(place)).map((behaviour) => [place, behaviour] as const));
  test.each(cases)('%s that %s costs no request its answer, its handle and its record', async (place, behaviour) => {
    const handles: RequestTrace[] = [];
    const ended: CompletedRequest[] = [];
    const options = PLACES[place]!(BEHAVIOURS[behaviour]!);
    server = await start({ tracing: { onCompleted: (completed) => void ended.push(completed), ...options }, native: {
      [CHAT]: (answers, { trace }) => {
        handles.push(trace);
        return answers.json(200, { usage: { prompt_tokens: 3, completion_tokens: 2 } });
      },
    } });
    const { status, headers } = await post(server.port);
    const record = await tap.next('request completed');
    expect([status, record['status'], record['model'], record['input_tokens'], tap.of('request completed').length]).toEqual([200, 'success', 'm', 3, 1]);
    expect([headers['request-id'], handles.length]).toEqual([handles[0]?.requestId, 1]);
    if (place !== 'onCompleted') expect(ended).toMatchObject([{ status: 'success', model: 'm', inputTokens: 3 }]);
    await new Promise(setImmediate);
    expect(rejections).toEqual([]);
  });
});
