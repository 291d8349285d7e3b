import { reportFault } from './guard.js';
import { within } from './within.js';

/** Where every copy of OpenTelemetry's API keeps what is registered with it. */
const API = Symbol.for('opentelemetry.js.api.1');
/** The logs API before it became a part of the API, with 1.10. */
const LOGS_API = Symbol.for('io.opentelemetry.js.api.logs');
/** The version of that registration's contract, the only one there has been. */
const LOGS_CONTRACT = 1;

const globals = globalThis as { [API]?: Readonly<Record<string, unknown>>; [LOGS_API]?: (version: number) => unknown };

/** What is registered with OpenTelemetry's API in this process; undefined when nothing is. Both lines are known: the logs API as a package of its own too. */
export function registeredWithOtel(part: 'trace' | 'metrics' | 'logs' | 'context' | 'diag'): unknown {
  const found = globals[API]?.[part];
  return found === undefined && part === 'logs' ? globals[LOGS_API]?.(LOGS_CONTRACT) : found;
}

/** The place of a fault of an export, so that whoever meets it first reports it, once. */
export const EXPORT = 'OpenTelemetry export';

/** Exports what the registered providers hold: spans, metrics, log records. Takes at most `timeoutMs`, never rejects. */
export async function flushOtel(timeoutMs: number): Promise<void> {
  type Provider = { getDelegate?(): Provider; forceFlush?(): unknown };
  const flushed = (['trace', 'metrics', 'logs'] as const).map(async (part) => {
    const provider = registeredWithOtel(part) as Provider | undefined;
    await (provider?.getDelegate?.() ?? provider)?.forceFlush?.();
  });
  await within(timeoutMs, Promise.all(flushed.map((each) => each.catch((error: unknown) => reportFault(EXPORT, error)))));
}
