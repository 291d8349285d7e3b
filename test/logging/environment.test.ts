import fs from 'node:fs';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { environmentSink, lineSink } from '../../src/logging/index.js';
import { LEVELS, TargetFilter } from '../../src/internal/index.js';
import { entry, logOf } from './support.js';

afterEach(() => {
  jest.restoreAllMocks();
});

/** What one line looks like under these variables. */
function formatOf(env: Record<string, string>): 'jsonl' | 'readable' {
  const { log, lines } = logOf(env);
  log.emit('error', 'app', 'hello', {});
  return lines.at(-1)!.startsWith('{') ? 'jsonl' : 'readable';
}

describe('the console format', () => {
  it.each<[Record<string, string>, 'jsonl' | 'readable']>([
    [{}, 'readable'],
    [{ DYN_LOGGING_CONSOLE_FORMAT: 'jsonl' }, 'jsonl'],
    [{ DYN_LOGGING_CONSOLE_FORMAT: ' JSONL ' }, 'jsonl'],
    [{ DYN_LOGGING_CONSOLE_FORMAT: 'readable' }, 'readable'],
    [{ DYN_LOGGING_CONSOLE_FORMAT: 'Readable', DYN_LOGGING_JSONL: '1' }, 'readable'],
    [{ DYN_LOGGING_CONSOLE_FORMAT: '', DYN_LOGGING_JSONL: '1' }, 'jsonl'],
    [{ DYN_LOGGING_CONSOLE_FORMAT: '  ', DYN_LOGGING_JSONL: 'on' }, 'jsonl'],
    [{ DYN_LOGGING_CONSOLE_FORMAT: 'jsonl', DYN_LOGGING_JSONL: '0' }, 'jsonl'],
    [{ DYN_LOGGING_JSONL: 'true' }, 'jsonl'],
    [{ DYN_LOGGING_JSONL: ' YES ' }, 'jsonl'],
    [{ DYN_LOGGING_JSONL: 'no' }, 'readable'],
    [{ DYN_LOGGING_JSONL: '' }, 'readable'],
    [{ DYN_LOGGING_JSONL: '2' }, 'readable'],
    [{ DYN_LOGGING_CONSOLE_FORMAT: 'yaml' }, 'readable'],
    [{ DYN_LOGGING_CONSOLE_FORMAT: 'yaml', DYN_LOGGING_JSONL: '1' }, 'readable'],
  ])('%j: %s', (env, format) => {
    expect(formatOf(env)).toBe(format);
  });
});

describe('DYN_LOG', () => {
  it.each<[string | undefined, string, string]>([
    [undefined, 'app', 'info'],
    ['', 'app', 'info'],
    ['debug', 'app', 'debug'],
    ['ERROR', 'app', 'error'],
    ['off', 'app', 'off'],
    ['warn,app=trace', 'app', 'trace'],
    ['warn,app=trace', 'app::db', 'trace'],
    ['warn,app=trace', 'apple', 'warn'],
    ['other=debug', 'app', 'off'],
    ['loud=very', 'app', 'info'],
  ])('%j lets through from %s: %s and above', (value, target, least) => {
    const { log, lines } = logOf(value === undefined ? {} : { DYN_LOG: value });
    lines.length = 0;
    for (const level of LEVELS) log.emit(level, target, level, {});
    expect(lines).toHaveLength(least === 'off' ? 0 : LEVELS.length - LEVELS.indexOf(least as 'info'));
  });
});

describe('a value that cannot be used', () => {
  it('is noted once, when the log is made, and the fallback is used', () => {
    const { log, lines } = logOf({ DYN_LOG: 'loud=very,app=debug,two words', DYN_LOGGING_CONSOLE_FORMAT: 'y\u001baml' });
    log.emit('debug', 'app', 'heard', {});
    log.emit('debug', 'app', 'heard', {});
    const shown = lines.map((line) => line.slice(28)); // without the time
    expect(shown).toEqual([
      ' WARN dynamo_tracing::logging: DYN_LOGGING_CONSOLE_FORMAT="y\\u001baml" is neither readable nor jsonl: readable is used',
      ' WARN dynamo_tracing::logging: DYN_LOG: "loud=very" is not a directive and is ignored',
      ' WARN dynamo_tracing::logging: DYN_LOG: "two words" is not a directive and is ignored',
      'DEBUG app: heard',
      'DEBUG app: heard',
    ]);
  });

  it('is noted in the format of all other lines, cut at 64 characters', () => {
    const { lines } = logOf({ DYN_LOG: `x=${'y'.repeat(100)}`, DYN_LOGGING_JSONL: '1' });
    expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([
      { time: expect.any(String), level: 'WARN', target: 'dynamo_tracing::logging', message: `DYN_LOG: "x=${'y'.repeat(62)}" is not a directive and is ignored` },
    ]);
  });
});

describe('the time of a line', () => {
  it.each<[Record<string, string>, RegExp]>([
    [{}, /^\S+Z /],
    [{ DYN_LOG_USE_LOCAL_TZ: '0' }, /^\S+Z /],
    [{ DYN_LOG_USE_LOCAL_TZ: '1' }, /^\S+[+-]\d\d:\d\d /],
    [{ DYN_LOG_USE_LOCAL_TZ: 'on' }, /^\S+[+-]\d\d:\d\d /],
  ])('%j: %s', (env, form) => {
    const { log, lines } = logOf(env);
    log.emit('info', 'app', 'hello', {});
    expect(lines[0]).toMatch(form);
  });
});

describe('colours', () => {
  it.each<[boolean, Record<string, string>, boolean]>([
    [true, {}, true],
    [false, {}, false],
    [true, { DYN_SDK_DISABLE_ANSI_LOGGING: '1' }, false],
    [true, { DYN_SDK_DISABLE_ANSI_LOGGING: 'false' }, true],
    [true, { DYN_LOGGING_JSONL: '1' }, false],
  ])('on a terminal: %s, with %j: %s', async (terminal, env, coloured) => {
    const stderr = process.stderr as { isTTY?: boolean };
    const before = stderr.isTTY;
    stderr.isTTY = terminal;
    try {
      const written: string[] = [];
      jest.spyOn(fs, 'writeSync').mockImplementation((_fd, bytes: unknown) => {
        written.push(Buffer.from(bytes as Uint8Array).toString());
        return (bytes as Uint8Array).length;
      });
      environmentSink(env).write(entry());
      await new Promise(setImmediate);
      expect(written).toHaveLength(1);
      expect(written[0]!.includes('\u001b[32m')).toBe(coloured);
    } finally {
      if (before === undefined) delete stderr.isTTY;
      else stderr.isTTY = before;
    }
  });
});

describe('a line sink', () => {
  it('writes with what it is given', () => {
    const lines: string[] = [];
    const sink = lineSink({ filter: new TargetFilter('warn'), format: 'readable', colour: true, localTime: false, line: (text) => lines.push(text) });
    expect([sink.enabled('app', 'info'), sink.enabled('app', 'warn')]).toEqual([false, true]);
    sink.write(entry());
    expect(lines).toEqual([expect.stringContaining('\u001b[32m INFO\u001b[0m app: hello')]);
  });
});
