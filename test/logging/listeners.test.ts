import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { createRequestLogger, Log, onRecord, SILENT_SINK, type LogEntry } from '../../src/logging/index.js';
import type * as Logging from '../../src/logging/index.js';
import { IN_REQUEST, jsonLog, SCOPE } from './support.js';

const stops: (() => void)[] = [];
afterEach(() => stops.splice(0).forEach((stop) => stop()));

function listen(): LogEntry[] {
  const heard: LogEntry[] = [];
  stops.push(onRecord((entry) => heard.push(entry)));
  return heard;
}

/** Another copy of the package in this process. */
function otherCopy(): typeof Logging {
  let copy: typeof Logging | undefined;
  jest.isolateModules(() => {
    // eslint-disable-next-line @typescript-eslint/no-require-imports
    copy = require('../../src/logging/index.js') as typeof Logging;
  });
  return copy!;
}

describe('a record listener', () => {
  it('hears every record, whatever the level and the logger, typed and with its scope', () => {
    const heard = listen();
    new Log(SILENT_SINK).emit('debug', 'dynamo_tracing::request', 'request completed', { elapsed_ms: 12 }, { context: IN_REQUEST, display: true });
    expect(heard).toEqual([{ level: 'debug', target: 'dynamo_tracing::request', message: 'request completed', fields: { elapsed_ms: 12 }, scope: SCOPE, display: true }]);
  });

  it('does not make the sink louder', () => {
    const heard = listen();
    const { log, lines } = jsonLog({ DYN_LOG: 'error' });
    createRequestLogger(log).info('text');
    expect([heard.length, lines.length]).toEqual([1, 0]);
  });

  it('hears nothing after it has been taken back', () => {
    const heard = listen();
    stops.pop()!();
    new Log(SILENT_SINK).emit('error', 'app', 'text', {});
    expect(heard).toEqual([]);
  });

  it('that throws costs neither the line nor the other listeners', () => {
    jest.spyOn(process, 'emitWarning').mockReturnValue(undefined);
    stops.push(onRecord(() => { throw new Error('broken'); }));
    const heard = listen();
    const { log, lines } = jsonLog();
    log.emit('info', 'app', 'text', {});
    expect([heard.length, lines.length]).toEqual([1, 1]);
  });

  it('hears the records of another copy of the package, and that copy\'s listeners hear ours', () => {
    const copy = otherCopy();
    expect(copy.onRecord).not.toBe(onRecord);
    const heard = listen();
    const theirs: LogEntry[] = [];
    stops.push(copy.onRecord((entry) => theirs.push(entry)));
    new copy.Log(copy.SILENT_SINK).emit('info', 'app', 'from the copy', {}, { context: IN_REQUEST });
    new Log(SILENT_SINK).emit('info', 'app', 'from here', {});
    expect(heard.map(({ message }) => message)).toEqual(['from the copy', 'from here']);
    expect(theirs).toEqual(heard);
    expect(heard[0]?.scope).toEqual(SCOPE);
  });
});
