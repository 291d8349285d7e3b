import type { Context } from '@opentelemetry/api';
import { guarded, LEVELS, levelRank, parseLevel, type Level } from '../internal/index.js';
import { copyFields, isError, reasonOf, type LogFields } from './entry.js';
import type { Log } from './log.js';
import type { LogFn, RequestLogger } from './logger.js';

const DEFAULT_TARGET = 'app';

/**
 * A pino-compatible logger over `log`. Lines carry the ids of `ctx`; without one, those of the context that is current when
 * they are written.
 */
export function createRequestLogger(log: Log, ctx?: Context, bindings: LogFields = {}): RequestLogger {
  const target = typeof bindings['target'] === 'string' ? bindings['target'] : DEFAULT_TARGET;
  const write = (level: Level, first: object | string, second?: string): void => {
    const given = typeof first === 'string' ? {} : fieldsOf(first);
    const { target: _target, ...fields } = copyFields(bindings, given);
    log.emit(level, target, typeof first === 'string' ? first : (second ?? messageOf(fields['err'])), fields, { context: ctx });
  };
  const at = (level: Level): LogFn => (first: object | string, second?: string): void => {
    if (log.enabled(target, level)) guarded('logger', () => write(level, first, second), undefined);
  };
  return {
    trace: at('trace'),
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    fatal: at('error'),
    child: (more) => createRequestLogger(log, ctx, copyFields(bindings, more)),
    isLevelEnabled: (name) => {
      const level = name === 'fatal' ? 'error' : parseLevel(name);
      const known = LEVELS.find((candidate) => levelRank(candidate) === levelRank(level ?? 'off'));
      return known !== undefined && log.enabled(target, known);
    },
  };
}

/** As pino does: an error given as the fields goes under `err`. */
function fieldsOf(first: object): LogFields {
  return isError(first) ? { err: first } : (first as LogFields);
}

/** As pino does: a line about an error and without words of its own has the error's. */
function messageOf(error: unknown): string {
  return isError(error) ? reasonOf(error) : '';
}
