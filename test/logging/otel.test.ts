import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { logs } from '@opentelemetry/api-logs';
import { ROOT_CONTEXT, trace } from '@opentelemetry/api';
import { InMemoryLogRecordExporter, LoggerProvider, SimpleLogRecordProcessor } from '@opentelemetry/sdk-logs';
import { createRequestLogger, Log, loggerSink, SILENT_SINK } from '../../src/logging/index.js';
import { SPANS, startSpan } from '../../src/spans/index.js';
import { runInContext } from '../../src/trace-context/index.js';
import { startSdk } from '../spans/support.js';
import { TargetFilter, LEVELS } from '../../src/internal/index.js';
import { circular, IDS, jsonLog, SCOPE } from './support.js';

let exporter: InMemoryLogRecordExporter;
beforeEach(() => {
  exporter = new InMemoryLogRecordExporter();
  logs.setGlobalLoggerProvider(new LoggerProvider({ processors: [new SimpleLogRecordProcessor({ exporter })] }));
});
afterEach(() => logs.disable());

function request() {
  return startSpan(SPANS.inferenceRequest, { settings: { filter: new TargetFilter(''), attributes: 'dynamo' }, parent: ROOT_CONTEXT, fields: {}, identity: { requestId: SCOPE.requestId } });
}

describe('with a LoggerProvider registered', () => {
  it.each(['with', 'without'])('a line is a log record with the trace\'s ids too, %s a tracing SDK', (mode) => {
    const sdk = mode === 'with' ? startSdk() : undefined;
    const { log, lines } = jsonLog();
    const span = request();
    runInContext(span.context, () => createRequestLogger(log).warn({ a: 1 }, 'text'));
    const [record] = exporter.getFinishedLogRecords();
    expect(record).toMatchObject({
      body: 'text',
      severityNumber: 13,
      severityText: 'WARN',
      spanContext: { traceId: span.scope.traceId, spanId: span.scope.spanId },
      instrumentationScope: { name: 'dynamo-tracing' },
      attributes: { a: 1, target: 'app', request_id: SCOPE.requestId, trace_id: span.scope.traceId },
    });
    expect(lines).toHaveLength(1);
    sdk?.stop();
  });

  it('a line inside a span of the application names that span', () => {
    const sdk = startSdk();
    const { log } = jsonLog();
    const theirs = trace.getTracer('theirs').startSpan('handler', {}, request().context);
    runInContext(trace.setSpan(ROOT_CONTEXT, theirs), () => createRequestLogger(log).info('text'));
    expect(exporter.getFinishedLogRecords()[0]?.spanContext?.spanId).toBe(theirs.spanContext().spanId);
    sdk.stop();
  });

  it.each(LEVELS.map((level, index) => [level, 1 + 4 * index] as const))('%s is severity %i', (level, severity) => {
    jsonLog({ DYN_LOG: 'trace' }).log.emit(level, 'app', 'text', {});
    expect(exporter.getFinishedLogRecords()[0]?.severityNumber).toBe(severity);
  });

  it('a lifecycle record keeps numbers as numbers, BigInt is text, undefined is left out', () => {
    jsonLog().log.emit('info', 'app', 'request completed', { elapsed_ms: 12, id: 2n ** 64n - 1n, error_type: undefined }, { scope: SCOPE, display: true });
    expect(exporter.getFinishedLogRecords()[0]?.attributes).toEqual({ elapsed_ms: 12, id: '18446744073709551615', method: 'POST', uri: '/v1/chat/completions', target: 'app', ...IDS });
  });

  it('an error goes as the record\'s exception', () => {
    createRequestLogger(jsonLog().log).error(new TypeError('broken'));
    const { attributes } = exporter.getFinishedLogRecords()[0]!;
    expect(attributes).toMatchObject({ 'exception.type': 'TypeError', 'exception.message': 'broken', 'exception.stacktrace': expect.stringContaining('TypeError: broken') });
    expect(attributes).not.toHaveProperty('err');
  });

  it('a field called err that is no error stays a field', () => {
    createRequestLogger(jsonLog().log).error({ err: 'text' }, 'x');
    expect(exporter.getFinishedLogRecords()[0]?.attributes).toMatchObject({ err: 'text' });
  });

  it('it hears what the logger hears, no more', () => {
    const quiet = { debug() {}, info() {}, warn() {}, error() {}, isLevelEnabled: (level: string) => level === 'error' };
    const log = new Log(loggerSink(quiet));
    log.emit('info', 'app', 'no', {});
    log.emit('error', 'app', 'yes', {});
    new Log(SILENT_SINK).emit('error', 'app', 'no', {});
    expect(exporter.getFinishedLogRecords().map(({ body }) => body)).toEqual(['yes']);
  });

  it('it hears a line that the logger failed to write, and takes objects that JSON cannot', () => {
    jest.spyOn(process, 'emitWarning').mockReturnValue(undefined);
    const fail = (): never => { throw new Error('disk full'); };
    new Log(loggerSink({ debug: fail, info: fail, warn: fail, error: fail })).emit('info', 'app', 'text', { ring: circular() });
    expect(exporter.getFinishedLogRecords().map(({ body }) => body)).toEqual(['text']);
  });

  it('one that throws costs no line', () => {
    jest.spyOn(process, 'emitWarning').mockReturnValue(undefined);
    logs.disable();
    logs.setGlobalLoggerProvider({ getLogger: () => { throw new Error('broken'); } });
    const { log, lines } = jsonLog();
    log.emit('info', 'app', 'text', {});
    expect(lines).toHaveLength(1);
  });
});

describe('without a LoggerProvider', () => {
  it('lines are written as ever', () => {
    logs.disable();
    const { log, lines } = jsonLog();
    log.emit('info', 'app', 'text', {});
    expect(lines).toHaveLength(1);
    expect(exporter.getFinishedLogRecords()).toEqual([]);
  });
});

it('a LoggerProvider registered with the API of 1.10 and later, which has logs itself, gets the records too', () => {
  logs.disable();
  const api = ((globalThis as Record<symbol, unknown>)[Symbol.for('opentelemetry.js.api.1')] ??= {}) as Record<string, unknown>;
  api['logs'] = new LoggerProvider({ processors: [new SimpleLogRecordProcessor({ exporter })] });
  try {
    jsonLog().log.emit('info', 'app', 'text', {});
  } finally {
    delete api['logs'];
  }
  expect(exporter.getFinishedLogRecords().map(({ body }) => body)).toEqual(['text']);
});
