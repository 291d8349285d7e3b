import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { ROOT_CONTEXT } from '@opentelemetry/api';
import { createRequestLogger, Log, SILENT_SINK } from '../../src/logging/index.js';
import { SPANS, startSpan } from '../../src/spans/index.js';
import { bindTrace, runInContext, setTraceScope } from '../../src/trace-context/index.js';
import { TargetFilter } from '../../src/internal/index.js';
import { IDS, IN_REQUEST, jsonLog, SCOPE, withBadGetter } from './support.js';

const warn = jest.spyOn(process, 'emitWarning');
beforeEach(() => {
  warn.mockReset().mockReturnValue(undefined);
});
afterEach(() => {
  expect(warn).not.toHaveBeenCalled();
});

describe('a request logger', () => {
  it('has a method for each level of pino, fatal counted as error', () => {
    const { log, records } = jsonLog({ DYN_LOG: 'trace' });
    const logger = createRequestLogger(log);
    for (const level of ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const) logger[level](level);
    expect(records().map(({ level, message, target }) => [level, message, target])).toEqual(
      [['TRACE', 'trace'], ['DEBUG', 'debug'], ['INFO', 'info'], ['WARN', 'warn'], ['ERROR', 'error'], ['ERROR', 'fatal']].map((pair) => [...pair, 'app']),
    );
  });

  it.each<[unknown[], object]>([
    [['text'], { message: 'text' }],
    [[{ a: 1 }, 'text'], { message: 'text', a: 1 }],
    [[{ a: 1 }], { message: '', a: 1 }],
    [[{ target: 'mine', a: 1 }, 'text'], { message: 'text', target: 'app', a: 1 }],
    [[{ ids: 2n ** 64n - 1n }, ''], { message: '', ids: '18446744073709551615' }],
    [[new TypeError('broken')], { message: 'broken', err: { type: 'TypeError', message: 'broken' } }],
    [[new TypeError('broken'), 'words'], { message: 'words', err: { message: 'broken' } }],
    [[{ err: new TypeError('broken') }], { message: 'broken', err: { message: 'broken' } }],
    [[{ err: 'text' }], { message: '', err: 'text' }],
    [[null, 'text'], { message: 'text' }],
    [[{ ...(JSON.parse('{"__proto__":{"a":1}}') as object), b: 2 }, 'text'], { message: 'text', b: 2, ['__proto__']: { a: 1 } }],
    [[undefined], { message: '' }],
  ])('takes %p', (args, expected) => {
    const { log, records } = jsonLog();
    (createRequestLogger(log).info as (...given: unknown[]) => void)(...args);
    expect(records()).toMatchObject([expected]);
  });

  it('never throws at its caller: a field that cannot be read costs the field alone', () => {
    const { log, records } = jsonLog();
    const logger = createRequestLogger(log);
    logger.info(withBadGetter(), 'text');
    logger.child(withBadGetter()).info({ more: 2 }, 'child');
    logger.info(Object.defineProperty(new Error('x'), 'message', { get: () => { throw new Error('no'); } }));
    expect(records()).toMatchObject([
      { message: 'text', good: 1, bad: '[not readable: no such luck]' },
      { message: 'child', good: 1, bad: '[not readable: no such luck]', more: 2 },
      { message: 'unknown', err: '[not serialisable: no]' },
    ]);
  });

  it('never throws at its caller: a proxy that refuses everything', () => {
    const { log, lines } = jsonLog();
    const hostile = new Proxy({}, { ownKeys: () => { throw new Error('no'); }, get: () => { throw new Error('no'); }, getPrototypeOf: () => { throw new Error('no'); } });
    const logger = createRequestLogger(log);
    logger.info(hostile, 'text');
    expect(warn.mock.calls.map(([text]) => text)).toEqual(['logger failed: no (reported once)']);
    warn.mockReset();
    logger.child(hostile).info('text');
    logger.info({ hostile }, 'text');
    expect(lines).toHaveLength(2);
  });

  it('reads nothing of the fields when nobody hears the line', () => {
    const { log, lines } = jsonLog({ DYN_LOG: 'warn' });
    createRequestLogger(log).info({ get expensive(): number { throw new Error('read'); } }, 'text');
    expect(lines).toEqual([]);
  });

  describe('child', () => {
    it('repeats its bindings, the later over the earlier, the line\'s own over both', () => {
      const { log, records } = jsonLog();
      const child = createRequestLogger(log).child({ a: 1, b: 1, c: 1 }).child({ b: 2, c: 2 });
      child.info({ c: 3 }, 'text');
      child.info('again');
      expect(records()).toMatchObject([{ a: 1, b: 2, c: 3 }, { message: 'again', a: 1, b: 2, c: 2 }]);
    });

    it('with a target is heard by that target\'s directive', () => {
      const { log, records } = jsonLog({ DYN_LOG: 'error,db=debug' });
      const parent = createRequestLogger(log);
      const child = parent.child({ target: 'db::pool', size: 3 });
      parent.info('silent');
      child.debug('heard');
      child.child({ more: 1 }).debug('heard too');
      expect(records()).toEqual([
        { time: expect.any(String), level: 'DEBUG', target: 'db::pool', message: 'heard', size: 3 },
        { time: expect.any(String), level: 'DEBUG', target: 'db::pool', message: 'heard too', size: 3, more: 1 },
      ]);
    });

    it('does not change with the object it was made of', () => {
      const { log, records } = jsonLog();
      const bindings = { a: 1 };
      const child = createRequestLogger(log).child(bindings);
      bindings.a = 2;
      child.info('text');
      expect(records()).toMatchObject([{ a: 1 }]);
    });
  });

  it.each<[string, Record<string, boolean>]>([
    ['info', { trace: false, debug: false, info: true, warn: true, error: true, fatal: true, INFO: true, silent: false, off: false, nonsense: false }],
    ['trace', { trace: true, debug: true }],
    ['off', { error: false, fatal: false }],
    ['info,app=debug', { trace: false, debug: true }],
  ])('isLevelEnabled under DYN_LOG=%s: %j', (directives, expected) => {
    const logger = createRequestLogger(jsonLog({ DYN_LOG: directives }).log);
    expect(Object.fromEntries(Object.keys(expected).map((level) => [level, logger.isLevelEnabled(level)]))).toEqual(expected);
  });

  it('of a silent log says nothing and knows it', () => {
    const logger = createRequestLogger(new Log(SILENT_SINK));
    logger.error('text');
    expect(logger.isLevelEnabled('error')).toBe(false);
  });
});

describe('the ids of a line', () => {
  it('are those of the context that the logger was made for, wherever the line is written', () => {
    const { log, records } = jsonLog();
    const logger = createRequestLogger(log, IN_REQUEST);
    logger.info({ request_id: 'forged' }, 'outside');
    runInContext(setTraceScope(ROOT_CONTEXT, { ...SCOPE, requestId: 'another' }), () => logger.child({ a: 1 }).info('inside another'));
    expect(records()).toMatchObject([IDS, IDS]);
  });

  it('are those of the current request for a logger of no context', async () => {
    const { log, records } = jsonLog();
    const logger = createRequestLogger(log).child({ part: 'db' });
    const bound = await runInContext(IN_REQUEST, async () => {
      logger.info('now');
      await new Promise((resolve) => setTimeout(resolve, 1));
      logger.info('after await');
      return { call: bindTrace(() => logger.info('bound')) };
    });
    bound.call();
    logger.info('outside');
    const [now, later, ofBound, outside] = records();
    expect([now, later, ofBound]).toMatchObject([IDS, IDS, IDS]);
    expect(Object.keys(outside!)).toEqual(['time', 'level', 'target', 'message', 'part']);
  });

  it('are those of the innermost span of ours', () => {
    const { log, records } = jsonLog();
    const settings = { filter: new TargetFilter(''), attributes: 'dynamo' as const };
    const request = startSpan(SPANS.inferenceRequest, { settings, parent: ROOT_CONTEXT, fields: {}, identity: { requestId: SCOPE.requestId }, logFields: { uri: '/x' } });
    const attempt = startSpan(SPANS.routeRequest, { settings, parent: request.context, fields: {} });
    const logger = createRequestLogger(log);
    runInContext(request.context, () => logger.info('request'));
    runInContext(attempt.context, () => logger.info('attempt'));
    expect(records()).toMatchObject([
      { span_name: 'http-request', span_id: request.scope.spanId, request_id: SCOPE.requestId, uri: '/x' },
      { span_name: 'router.route_request', span_id: attempt.scope.spanId, parent_id: request.scope.spanId, trace_id: request.scope.traceId, request_id: SCOPE.requestId, uri: '/x' },
    ]);
  });
});
