import { isPromise } from 'node:util/types';

/**
 * Telemetry must not break a request: a tracer, logger or user hook that throws is caught here, the first fault of each
 * place is reported to standard error, and the request goes on.
 */
const reported = new Set<string>();
const MAX_PLACES = 100;

/** Reports a fault of telemetry itself, once for each `place`. */
export function reportFault(place: string, error: unknown): void {
  reportOnce(place, `${place} failed: ${textOf(error)}`, 'DYNAMO_TRACING_FAULT');
}

/** Warns the developer on standard error, once for each `place` of the process. */
export function reportOnce(place: string, message: string, code = 'DYNAMO_TRACING_ADVICE'): void {
  if (reported.has(place) || reported.size >= MAX_PLACES) return;
  reported.add(place);
  process.emitWarning(`${message} (reported once)`, { type: 'DynamoTracingWarning', code });
}

/** Runs `fn`; if it throws, reports the fault and gives `fallback`. A promise it gives is returned, and its rejection reported. */
export function guarded<T>(place: string, fn: () => T, fallback: T): T {
  try {
    const result = fn();
    // Nobody may be waiting for a hook that happens to be asynchronous: unhandled, its rejection would end the process.
    if (isPromise(result)) result.catch((error: unknown) => reportFault(place, error));
    return result;
  } catch (error) {
    reportFault(place, error);
    return fallback;
  }
}

/** The answer of a function of the application's that decides something now. A promise has not decided: it counts as `fallback`, and is reported. */
export function decided<T>(place: string, fn: () => T, fallback: T): T {
  return guarded(place, () => {
    const answer = guarded(place, fn, fallback);
    if (typeof (answer as { then?: unknown } | null | undefined)?.then !== 'function') return answer;
    throw new TypeError('it returned a promise, and what it decides is needed at once');
  }, fallback);
}

/** What was thrown, as text; user code can throw things that have none. */
function textOf(error: unknown): string {
  try {
    return error instanceof Error ? error.message : String(error);
  } catch {
    return 'something that cannot be shown';
  }
}
