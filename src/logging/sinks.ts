import { isTruthy, TargetFilter, type Environment, type Level } from '../internal/index.js';
import type { LogEntry, LogSink } from './entry.js';
import { jsonLine, readableLine, type LineFormat } from './format.js';
import type { Logger } from './logger.js';
import { portableFields } from './portable.js';
import { RECORD_TARGETS } from './records.js';
import { stderrWriter } from './stderr.js';
import { timestamp } from './time.js';

export type ConsoleFormat = 'jsonl' | 'readable';

export interface LineSinkSettings {
  readonly filter: TargetFilter;
  readonly format: ConsoleFormat;
  readonly colour: boolean;
  readonly localTime: boolean;
  readonly line: (text: string) => void;
}

/** Lines of text, by default to standard error. */
export function lineSink({ filter, format, colour, localTime, line }: LineSinkSettings): LogSink {
  const toLine: LineFormat = format === 'jsonl' ? jsonLine : readableLine(colour);
  return {
    enabled: (target, level) => filter.enabled(target, level),
    write: (entry) => line(toLine(entry, timestamp(localTime))),
  };
}

/** The default sink, by DYN_LOG, DYN_LOGGING_CONSOLE_FORMAT, DYN_LOGGING_JSONL, DYN_LOG_USE_LOCAL_TZ and DYN_SDK_DISABLE_ANSI_LOGGING. */
export function environmentSink(env: Environment, line?: (text: string) => void): LogSink {
  const filter = TargetFilter.fromEnv(env);
  const asked = env['DYN_LOGGING_CONSOLE_FORMAT']?.trim().toLowerCase() ?? '';
  const known = asked === '' || asked === 'jsonl' || asked === 'readable';
  const format = asked === 'jsonl' || (asked === '' && isTruthy(env['DYN_LOGGING_JSONL'])) ? 'jsonl' : 'readable';
  const sink = lineSink({
    filter,
    format,
    colour: line === undefined && process.stderr.isTTY && !isTruthy(env['DYN_SDK_DISABLE_ANSI_LOGGING']),
    localTime: isTruthy(env['DYN_LOG_USE_LOCAL_TZ']),
    line: line ?? ((text) => stderrWriter().line(text)),
  });
  const note = (message: string): void => sink.write({ level: 'warn', target: RECORD_TARGETS.logging, message, fields: {}, scope: undefined, display: false });
  if (!known) note(`DYN_LOGGING_CONSOLE_FORMAT=${quoted(asked)} is neither readable nor jsonl: readable is used`);
  for (const piece of filter.rejected) note(`DYN_LOG: ${quoted(piece)} is not a directive and is ignored`);
  return sink;
}

function quoted(text: string): string {
  return JSON.stringify(text.slice(0, 64));
}

/** A user's logger: its levels and format win, our fields go in as one object. */
export function loggerSink(logger: Logger): LogSink {
  const isConsole = (logger as unknown) === console;
  const levelled = logger as Logger & { isLevelEnabled?: (level: string) => boolean };
  const method = (level: Level): Level => (level === 'trace' && (isConsole || logger.trace === undefined) ? 'debug' : level);
  return {
    enabled: (_target, level) => typeof levelled.isLevelEnabled !== 'function' || levelled.isLevelEnabled(method(level)),
    // What the logger gives back is passed on: when it is a promise, its rejection is caught with everything else.
    write: (entry: LogEntry) => {
      const fields = { target: entry.target, ...portableFields(entry) };
      const name = method(entry.level);
      return isConsole ? console[name](entry.message, fields) : logger[name]?.(fields, entry.message);
    },
  };
}

/** Nothing is heard. */
export const SILENT_SINK: LogSink = { enabled: () => false, write: () => undefined };
