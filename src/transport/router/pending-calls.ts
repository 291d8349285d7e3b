import { DynamoTracingError } from '../../errors/index.js';
import type { ResponseStream, StreamOptions } from '../types.js';
import type { RoutedWorker } from './workers.js';

/** Calls that wait for their worker to begin. A worker whose record vanishes from discovery fails them at once, as in Dynamo. */
export class PendingCalls {
  readonly #waiting = new Map<string, Set<AbortController>>();

  /** Opens a stream by `open`, whose signal also aborts when the worker vanishes. @throws ERR_CONNECTION_CLOSED then; what `open` throws */
  async open<T>(worker: RoutedWorker, options: StreamOptions, open: (options: StreamOptions) => Promise<ResponseStream<T>>): Promise<ResponseStream<T>> {
    const call = new AbortController();
    // The stream listens to it until it ends.
    const { signal } = options;
    const onAbort = (): void => call.abort(signal?.reason);
    if (signal?.aborted === true) onAbort();
    else signal?.addEventListener('abort', onAbort, { once: true });
    const waiting = this.#waiting.get(worker.address) ?? new Set();
    this.#waiting.set(worker.address, waiting.add(call));
    let stream: ResponseStream<T> | undefined;
    try {
      stream = await open({ ...options, signal: call.signal });
      void stream.ended.then(() => signal?.removeEventListener('abort', onAbort));
      return stream;
    } catch (error) {
      throw call.signal.reason instanceof Vanished ? call.signal.reason.error : error;
    } finally {
      if (stream === undefined) signal?.removeEventListener('abort', onAbort);
      waiting.delete(call);
      if (waiting.size === 0 && this.#waiting.get(worker.address) === waiting) this.#waiting.delete(worker.address);
    }
  }

  fail({ address }: RoutedWorker): void {
    for (const call of this.#waiting.get(address) ?? []) call.abort(new Vanished(address));
  }
}

/** Why a call was aborted: not its caller. */
class Vanished {
  readonly error: DynamoTracingError;

  constructor(address: string) {
    this.error = new DynamoTracingError('ERR_CONNECTION_CLOSED', `worker ${address} left discovery before its response stream began`, { address });
  }
}
