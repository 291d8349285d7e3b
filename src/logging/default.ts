import { invalidOption, type OptionReader } from '../internal/index.js';
import { activeContext, getTraceScope } from '../trace-context/index.js';
import { idFields } from './entry.js';
import { Log } from './log.js';
import type { Logger, RequestLogger } from './logger.js';
import { createRequestLogger } from './request-logger.js';
import { environmentSink, loggerSink, SILENT_SINK } from './sinks.js';

let shared: Log | undefined;

/** The log that the environment describes, made at its first use. */
export function defaultLog(): Log {
  return (shared ??= new Log(environmentSink(process.env)));
}

/** What the `logger` option takes: a pino-compatible logger, `console`, or false for silence. */
export type LoggerOption = Logger | false;

/** Reads a `logger` option: pino, Fastify's logger, `console`, anything with debug, info, warn and error; false is silence. */
export const readLogger: OptionReader<Log> = (value, path) => {
  if (value === undefined) return defaultLog();
  if (value === false) return new Log(SILENT_SINK);
  if (!isLogger(value)) throw invalidOption(path, 'false or a logger with debug, info, warn and error', value);
  return new Log(loggerSink(value));
};

function isLogger(value: unknown): value is Logger {
  if (typeof value !== 'object' || value === null) return false;
  const candidate = value as Record<string, unknown>;
  return ['debug', 'info', 'warn', 'error'].every((name) => typeof candidate[name] === 'function');
}

function lazy(method: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal'): RequestLogger['info'] {
  return (first: object | string, second?: string) => {
    const target = createRequestLogger(defaultLog());
    if (typeof first === 'string') target[method](first);
    else target[method](first, second);
  };
}

/** The default logger, by the environment (see docs/logging.md). Used anywhere in a request, its lines carry that request's ids. */
export const logger: RequestLogger = {
  trace: lazy('trace'),
  debug: lazy('debug'),
  info: lazy('info'),
  warn: lazy('warn'),
  error: lazy('error'),
  fatal: lazy('fatal'),
  child: (bindings) => createRequestLogger(defaultLog(), undefined, bindings),
  isLevelEnabled: (level) => createRequestLogger(defaultLog()).isLevelEnabled(level),
};

/** pino's `mixin` option: adds the current request's ids and own fields (`req.trace.set`) to every line of a pino of yours. */
export function traceMixin(): Record<string, unknown> {
  const scope = getTraceScope(activeContext());
  const { method: _method, uri: _uri, ...own } = scope?.logFields ?? {};
  return { ...own, ...idFields(scope) };
}
