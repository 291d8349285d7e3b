/** A log call in pino's form: fields and a message, or a message alone. */
export interface LogFn {
  (fields: object, message?: string): void;
  (message: string): void;
}

/** The logger contract: what pino, Fastify's logger and `console` have in common. */
export interface Logger {
  debug: LogFn;
  info: LogFn;
  warn: LogFn;
  error: LogFn;
  trace?: LogFn;
  fatal?: LogFn;
}

/** A logger of this package: pino-compatible, every line carries the ids of the request it is written in. */
export interface RequestLogger extends Logger {
  trace: LogFn;
  fatal: LogFn;
  /** A logger whose lines carry `bindings` too. A binding named `target` sets the target that DYN_LOG filters by. */
  child(bindings: Readonly<Record<string, unknown>>): RequestLogger;
  /** Whether a line of this level would be written. */
  isLevelEnabled(level: string): boolean;
}
