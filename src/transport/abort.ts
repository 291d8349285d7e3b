import { guarded, invalidOption } from '../internal/index.js';

/**
 * The caller's AbortSignal may be of another make: one that cannot be listened to is refused before anything is sent; what it throws
 * later is reported once, because it would be thrown into a timer or a socket's event.
 */

/** @throws ERR_OPTION_INVALID for what cannot say it */
export function isAborted(signal: AbortSignal | null | undefined): boolean {
  return asked(signal, () => signal?.aborted === true);
}

/** Why it aborted, if it says so. */
export function reasonOf(signal: AbortSignal | null | undefined): unknown {
  return guarded('signal.reason', () => signal?.reason as unknown, undefined);
}

/** Calls `listener` once the signal aborts, never before this returns; the function returned takes it back. @throws ERR_OPTION_INVALID for what cannot be listened to */
export function whenAborted(signal: AbortSignal | null | undefined, listener: () => void): () => void {
  let added = false;
  const heard = (): void => (added ? listener() : queueMicrotask(listener));
  asked(signal, () => signal?.addEventListener('abort', heard));
  added = true;
  return () => guarded('signal.removeEventListener', () => signal?.removeEventListener('abort', heard), undefined);
}

function asked<T>(signal: unknown, ask: () => T): T {
  try {
    return ask();
  } catch {
    throw invalidOption('signal', 'an AbortSignal', signal);
  }
}
