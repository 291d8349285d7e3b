import { isTruthy, TargetFilter, type Environment, type Level } from '../internal/index.js';
import type { LogEntry, LogFields, LogSink } from './entry.js';
import { jsonLine, readableLine, type LineFormat } from './format.js';
import type { Logger } from './logger.js';
import { portableFields } from './portable.js';
import { RECORD_TARGETS } from './records.js';
import { stderrWriter, type DroppedNote } from './stderr.js';
import { timestamp } from './time.js';

export type ConsoleFormat = 'jsonl' | 'readable';

export interface LineSinkSettings {
  readonly filter: TargetFilter;
  readonly format: ConsoleFormat;
  readonly colour: boolean;
  readonly localTime: boolean;
  /** Takes a line; `note` makes the one that tells how many were dropped. */
  readonly line: (text: string, note: DroppedNote) => void;
}

/** Lines of text, by default to standard error. */
export function lineSink({ filter, format, colour, localTime, line }: LineSinkSettings): LogSink {
  const toLine: LineFormat = format === 'jsonl' ? jsonLine : readableLine(colour);
  const write = (entry: LogEntry): void => line(toLine(entry, timestamp(localTime)), note);
  const note: DroppedNote = (dropped) => toLine(noteEntry('standard error was not read in time: lines were dropped', { dropped_lines: dropped }), timestamp(localTime));
  return { enabled: (target, level) => filter.enabled(target, level), write };
}

/** The default sink, by the variables of docs/logging.md. */
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
    line: line ?? ((text, dropped) => stderrWriter().line(text, dropped)),
  });
  const note = (message: string): void => sink.write(noteEntry(message, {}));
  const backlog = env['DYNAMO_TRACING_LOG_BACKLOG_BYTES']?.trim() ?? '';
  if (/^\d{1,15}$/.test(backlog)) stderrWriter().limit = Number(backlog);
  else if (backlog !== '') note(`DYNAMO_TRACING_LOG_BACKLOG_BYTES=${quoted(backlog)} is not a number of bytes and is ignored`);
  if (!known) note(`DYN_LOGGING_CONSOLE_FORMAT=${quoted(asked)} is neither readable nor jsonl: readable is used`);
  for (const piece of filter.rejected) note(`DYN_LOG: ${quoted(piece)} is not a directive and is ignored`);
  return sink;
}

function noteEntry(message: string, fields: LogFields): LogEntry {
  return { level: 'warn', target: RECORD_TARGETS.logging, message, fields, scope: undefined, display: false };
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

/** Nothing is enabled. */
export const SILENT_SINK: LogSink = { enabled: () => false, write: () => undefined };
