import { enumOption, numberOption, optionalOption, readOptions, type OptionsOf } from '../internal/index.js';
import type { LoggerOption } from '../logging/index.js';

/** Options of {@link startHarness}. */
export interface HarnessOptions {
  /** What workers are reached by: real loopback TCP, or links in memory that open no port. Default 'tcp'. */
  readonly transport?: 'tcp' | 'memory' | undefined;
  /** Longest time that `trace()` waits, in milliseconds. Default 2000: less than a test runner's own limit. */
  readonly timeoutMs?: number | undefined;
  /** Longest time that `close()` waits for what it closes, in milliseconds. Default 1000. */
  readonly closeTimeoutMs?: number | undefined;
  /** Where workers of the harness write their records: pino, `console`, or false. They are captured all the same. Default false. */
  readonly logger?: LoggerOption | undefined;
  /**
   * What counts as a leak at `close()`: what the harness itself opened, or any timer, socket or server of the process that was
   * opened since and would keep it alive. Default 'own'.
   */
  readonly leaks?: 'own' | 'process' | undefined;
}

const SPEC = {
  transport: enumOption(['tcp', 'memory'], 'tcp'),
  timeoutMs: numberOption(2000, { min: 1 }),
  closeTimeoutMs: numberOption(1000, { min: 1 }),
  logger: optionalOption<LoggerOption>('false or a logger', (value) => value === false || (typeof value === 'object' && value !== null)),
  leaks: enumOption(['own', 'process'], 'own'),
};

export type HarnessSettings = OptionsOf<typeof SPEC>;

/** @throws ERR_OPTION_INVALID */
export function readHarnessOptions(options?: HarnessOptions): HarnessSettings {
  return readOptions('startHarness', SPEC, options);
}

/** What clients and workers of a harness read of the environment: spans are filtered as the process says, limits, hosts and ports are the test's. */
export function spanEnvironment(): Record<string, string | undefined> {
  return { DYN_LOG: process.env['DYN_LOG'] };
}
