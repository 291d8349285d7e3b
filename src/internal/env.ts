import { DynamoTracingError } from '../errors/index.js';

/** Environment variables as a caller gave them; `process.env` in production. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Dynamo's truth: 1, true, on or yes, in any case and with space around it. */
export function isTruthy(value: string | undefined): boolean {
  return value !== undefined && /^\s*(1|true|on|yes)\s*$/i.test(value);
}

/**
 * A whole number from an environment variable; `fallback` when it is unset or blank.
 * @throws ERR_ENV_INVALID when it is set to something else or lies outside the range
 */
export function envInteger(env: Environment, variable: string, fallback: number, { min = 0, max = Number.MAX_SAFE_INTEGER } = {}): number {
  const text = env[variable]?.trim();
  if (text === undefined || text === '') return fallback;
  const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= min && value <= max)) {
    throw new DynamoTracingError('ERR_ENV_INVALID', `${variable} must be an integer from ${min} to ${max}, got ${JSON.stringify(text.slice(0, 64))}`, { variable });
  }
  return value;
}
