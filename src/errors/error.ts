import type { ErrorCode } from './table.js';

/** Facts that an error carries as fields of its own, e.g. `limit` or `timeoutMs`. */
export type ErrorFacts = Readonly<Record<string, unknown>> & { readonly cause?: unknown };

/** The only error class of the package. `code` is stable; the facts of the case are own fields beside it. */
export class DynamoTracingError extends Error {
  override readonly name = 'DynamoTracingError';
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, facts: ErrorFacts = {}) {
    const { cause, ...fields } = facts;
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    for (const [key, value] of Object.entries(fields)) if (!(key in this)) Object.defineProperty(this, key, { value, enumerable: true });
  }
}

/** Whether `error` is an error of this package (any copy of it) with one of `codes`, or with any code when none is given. */
export function isDynamoTracingError(error: unknown, ...codes: readonly ErrorCode[]): error is DynamoTracingError {
  if (!(typeof error === 'object' && error !== null && 'name' in error && error.name === 'DynamoTracingError' && 'code' in error)) return false;
  return codes.length === 0 || codes.some((code) => code === error.code);
}

/** A fact of an error, for code that reads them without knowing the error's exact shape. */
export function errorFact(error: unknown, name: string): unknown {
  return typeof error === 'object' && error !== null ? (error as Record<string, unknown>)[name] : undefined;
}
