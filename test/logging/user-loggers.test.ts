import fs from 'node:fs';
import { Writable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import pino from 'pino';
import { createRequestLogger, Log, loggerSink, readLogger, traceMixin, type Logger } from '../../src/logging/index.js';
import type * as Logging from '../../src/logging/index.js';
import { runInContext, setTraceScope } from '../../src/trace-context/index.js';
import { IDS, IN_REQUEST, SCOPE, withBadGetter } from './support.js';

let warn: jest.SpiedFunction<typeof process.emitWarning>;
beforeEach(() => {
  warn = jest.spyOn(process, 'emitWarning').mockReturnValue(undefined);
});
afterEach(() => {
  jest.restoreAllMocks();
});

/** A real pino with the lines it wrote. */
function realPino(options: pino.LoggerOptions = {}): { user: pino.Logger; lines: () => Record<string, unknown>[] } {
  const written: string[] = [];
  const stream = new Writable({ write: (chunk: Buffer, _encoding, done) => { written.push(chunk.toString()); done(); } });
  return { user: pino({ base: null, timestamp: false, ...options }, stream), lines: () => written.map((line) => JSON.parse(line) as Record<string, unknown>) };
}

describe('a real pino as the logger', () => {
  it('gets our fields as one object, numbers as numbers, in its own format', () => {
    const { user, lines } = realPino({ messageKey: 'text', formatters: { level: (label) => ({ severity: label }) } });
    readLogger(user, 'logger').emit('info', 'dynamo_tracing::request', 'request completed', { elapsed_ms: 12, ttft_ms: 3.5, error_type: undefined, id: 2n ** 64n - 1n }, { context: IN_REQUEST, display: true });
    expect(lines()).toEqual([{ severity: 'info', text: 'request completed', target: 'dynamo_tracing::request', elapsed_ms: 12, ttft_ms: 3.5, id: '18446744073709551615', method: 'POST', uri: '/v1/chat/completions', ...IDS }]);
  });

  it('decides by its own level, not by DYN_LOG', () => {
    const { user, lines } = realPino({ level: 'warn' });
    const logger = createRequestLogger(readLogger(user, 'logger'));
    logger.info('no');
    logger.warn('yes');
    logger.trace('no');
    expect(lines().map(({ msg }) => msg)).toEqual(['yes']);
    expect([logger.isLevelEnabled('info'), logger.isLevelEnabled('error')]).toEqual([false, true]);
    user.level = 'trace';
    logger.trace('now');
    expect(lines().map(({ msg, level }) => [msg, level])).toEqual([['yes', 40], ['now', 10]]);
  });

  it('serialises errors in its way', () => {
    const { user, lines } = realPino();
    createRequestLogger(readLogger(user, 'logger')).error(new TypeError('broken'));
    expect(lines()).toMatchObject([{ level: 50, msg: 'broken', err: { type: 'TypeError', message: 'broken' } }]);
  });

  it('may be a child with bindings and redaction of its own', () => {
    const { user, lines } = realPino({ redact: ['secret'] });
    createRequestLogger(readLogger(user.child({ service: 'gateway' }), 'logger')).info({ secret: 'x' }, 'text');
    expect(lines()).toMatchObject([{ service: 'gateway', secret: '[Redacted]' }]);
  });
});

describe('traceMixin', () => {
  it('adds the ids of the current request to every line of a real pino', () => {
    const { user, lines } = realPino({ mixin: traceMixin });
    runInContext(IN_REQUEST, () => user.info({ a: 1 }, 'inside'));
    user.info('outside');
    expect(lines()).toEqual([{ level: 30, ...IDS, a: 1, msg: 'inside' }, { level: 30, msg: 'outside' }]);
  });

  it('leaves out what the request does not have', () => {
    const bare = setTraceScope(IN_REQUEST, { traceId: SCOPE.traceId, spanId: SCOPE.spanId, traceFlags: 1 });
    expect(Object.keys(runInContext(bare, traceMixin))).toEqual(['trace_id', 'span_id']);
  });
});

describe('console as the logger', () => {
  it('gets the message first, then the fields; trace goes to debug, which prints no stack', () => {
    const spies = Object.fromEntries((['debug', 'info', 'warn', 'error', 'trace'] as const).map((name) => [name, jest.spyOn(console, name).mockReturnValue(undefined)]));
    const logger = createRequestLogger(readLogger(console, 'logger'));
    for (const level of ['trace', 'debug', 'info', 'warn', 'error'] as const) logger[level]({ a: 1, none: undefined }, level);
    const calls = Object.fromEntries(Object.entries(spies).map(([name, spy]) => [name, spy.mock.calls]));
    const fields = { target: 'app', a: 1 };
    expect(calls).toEqual({ trace: [], debug: [['trace', fields], ['debug', fields]], info: [['info', fields]], warn: [['warn', fields]], error: [['error', fields]] });
  });
});

describe('a logger of one\'s own', () => {
  function recorder(extra: Partial<Logger> = {}): { user: Logger; calls: unknown[][] } {
    const calls: unknown[][] = [];
    const at = (name: string) => (...args: unknown[]): void => void calls.push([name, ...args]);
    return { user: { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error'), ...extra }, calls };
  }

  it('needs no more than four methods; trace goes to debug', () => {
    const { user, calls } = recorder();
    createRequestLogger(readLogger(user, 'logger')).trace({ a: 1 }, 'text');
    expect(calls).toEqual([['debug', { target: 'app', a: 1 }, 'text']]);
  });

  it('is called as a method of itself', () => {
    class Mine {
      readonly seen: string[] = [];
      debug(): void {}
      info(_fields: object, text?: string): void { this.seen.push(text ?? ''); }
      warn(): void {}
      error(): void {}
    }
    const mine = new Mine();
    createRequestLogger(readLogger(mine, 'logger')).info('text');
    expect(mine.seen).toEqual(['text']);
  });

  it('that throws breaks nothing', () => {
    const fail = (): never => { throw new Error('disk full'); };
    const log = readLogger({ debug: fail, info: fail, warn: fail, error: fail, isLevelEnabled: fail }, 'logger');
    createRequestLogger(log).info(withBadGetter(), 'text');
    new Log(loggerSink({ debug: fail, info: fail, warn: fail, error: fail })).emit('info', 'app', 'text', {});
  });

  it('that rejects breaks nothing either', async () => {
    const unhandled = jest.fn();
    process.on('unhandledRejection', unhandled);
    const { user } = recorder({ info: (async () => Promise.reject(new Error('disk full'))) as unknown as Logger['info'] });
    createRequestLogger(readLogger(user, 'logger')).info('text');
    await new Promise(setImmediate); // Node has told by then
    process.off('unhandledRejection', unhandled);
    expect(unhandled).not.toHaveBeenCalled();
  });

  it('that throws is reported once', () => {
    const fail = (): never => { throw new Error('disk full'); };
    jest.isolateModules(() => {
      // A fresh copy: what has been reported is state of the module.
      // eslint-disable-next-line @typescript-eslint/no-require-imports
      const fresh = require('../../src/logging/index.js') as typeof Logging;
      const logger = fresh.createRequestLogger(fresh.readLogger({ debug: fail, info: fail, warn: fail, error: fail }, 'logger'));
      for (let i = 0; i < 3; i += 1) logger.info('text');
    });
    expect(warn.mock.calls.map(([text]) => text)).toEqual(['logger failed: disk full (reported once)']);
  });
});

describe('the logger option', () => {
  it('false is silence', () => {
    const write = jest.spyOn(fs, 'writeSync');
    createRequestLogger(readLogger(false, 'logger')).error('text');
    expect(write).not.toHaveBeenCalled();
  });

  it('left out is the same default log every time', () => {
    expect(readLogger(undefined, 'logger')).toBe(readLogger(undefined, 'logger'));
  });

  it.each([[true], [null], ['pino'], [{}], [{ info() {}, warn() {}, error() {} }], [() => undefined]])('refuses %p with its path', (value) => {
    expect(() => readLogger(value, 'dynamoTracing.logger')).toThrow(expect.objectContaining({ code: 'ERR_OPTION_INVALID', path: 'dynamoTracing.logger' }));
  });
});
