import { DynamoTracingError } from '../../errors/index.js';
import { callDuration, Deadline } from '../deadline.js';
import type { Instance } from './record.js';
import type { InstanceWatch } from './watch.js';

/** Options of `waitForInstances`. */
export interface WaitOptions {
  /** Milliseconds to wait. Default 30000. */
  readonly timeoutMs?: number | undefined;
  /** How many instances to wait for. Default 1. */
  readonly count?: number | undefined;
  /** Ends the wait with ERR_CANCELLED. */
  readonly signal?: AbortSignal | undefined;
}

/** Waits on a watch of its own, which it closes however it ends. */
export async function awaitInstances(name: string, open: () => Promise<InstanceWatch>, { timeoutMs: given, count = 1, signal }: WaitOptions): Promise<readonly Instance[]> {
  const timeoutMs = callDuration(given, 30_000, 'timeoutMs');
  if (signal?.aborted === true) throw cancelled(signal);
  const watch = await open();
  try {
    return await new Promise<readonly Instance[]>((resolve, reject) => {
      // Not unref'd: the caller is waiting, its process must live to hear the answer.
      const deadline = new Deadline(timeoutMs, () => settle(() => reject(tooFew(name, watch.instances.length, count, timeoutMs))));
      const onAbort = (): void => settle(() => reject(cancelled(signal)));
      const look = (): void => {
        if (watch.instances.length >= count) settle(() => resolve(watch.instances));
      };
      const unsubscribe = watch.onChange(look);
      const onClosed = (): void => settle(() => reject(new DynamoTracingError('ERR_CLIENT_CLOSED', 'discovery was closed while waiting')));
      const unclose = watch.onClosed(onClosed);
      function settle(step: () => void): void {
        deadline.clear();
        signal?.removeEventListener('abort', onAbort);
        unsubscribe();
        unclose();
        step();
      }
      signal?.addEventListener('abort', onAbort, { once: true });
      if (signal?.aborted === true) onAbort();
      else if (watch.closed) onClosed();
      else look();
    });
  } finally {
    watch.close();
  }
}

function tooFew(name: string, found: number, wanted: number, timeoutMs: number): DynamoTracingError {
  return new DynamoTracingError('ERR_NO_WORKERS', `${name} has ${found} of ${wanted} instances after ${timeoutMs} ms`, { endpoint: name, found, wanted, timeoutMs });
}

function cancelled(signal: AbortSignal | undefined): DynamoTracingError {
  return new DynamoTracingError('ERR_CANCELLED', 'waiting for instances was cancelled', { cause: signal?.reason });
}
