import { DynamoTracingError } from '../../../src/errors/index.js';
import type { ResponseStream, StreamClient, StreamEnd, StreamOptions } from '../../../src/transport/types.js';

/** What a scripted worker does with a request: yields, throws, waits for the signal. */
export type Script = (call: Call) => AsyncGenerator;

export interface Call {
  readonly address: string;
  readonly request: unknown;
  readonly options: StreamOptions;
  readonly signal: AbortSignal;
}

/** A client whose workers are generators by address. What one throws before its first `yield` of `BEGUN` is a failure to open. */
export class ScriptedClient implements StreamClient {
  readonly calls: Call[] = [];
  readonly ends: StreamEnd[] = [];

  constructor(private readonly scripts: Readonly<Record<string, Script>>) {}

  async openStream<T>(address: string, request: unknown, options: StreamOptions = {}): Promise<ResponseStream<T>> {
    const call: Call = { address, request, options, signal: options.signal ?? new AbortController().signal };
    this.calls.push(call);
    const script = this.scripts[address];
    if (script === undefined) throw new DynamoTracingError('ERR_CONNECT_FAILED', `no worker at ${address}`);
    const items = script(call);
    const opened = await items.next();
    if (opened.done === true || opened.value !== BEGUN) throw new Error('a script begins with yield BEGUN');
    const stream = new ScriptedStream<T>(items as AsyncGenerator<T>, options);
    void stream.ended.then((end) => this.ends.push(end));
    return stream;
  }
}

export const BEGUN = Symbol('begun');

/** Settles when the request is killed, as a client that is waiting does. */
export function killed({ signal }: Call): Promise<never> {
  return new Promise((_resolve, reject) => {
    const kill = (): void => reject(new DynamoTracingError('ERR_CANCELLED', 'killed', { cause: signal.reason }));
    if (signal.aborted) kill();
    else signal.addEventListener('abort', kill);
  });
}

class ScriptedStream<T> implements ResponseStream<T> {
  readonly requestId = 'scripted';
  readonly ended: Promise<StreamEnd>;
  #resolve!: (end: StreamEnd) => void;
  #over = false;
  #stopped = false;

  constructor(private readonly items: AsyncGenerator<T>, private readonly options: StreamOptions) {
    this.ended = new Promise((resolve) => (this.#resolve = resolve));
    options.signal?.addEventListener('abort', () => this.cancel());
  }

  async next(): Promise<IteratorResult<T, undefined>> {
    if (this.#over) return { done: true, value: undefined };
    try {
      const result = await this.items.next();
      if (result.done !== true) return result;
      this.#end(this.#stopped ? { outcome: 'cancelled', signal: 'stop' } : { outcome: 'complete' });
      return { done: true, value: undefined };
    } catch (error) {
      this.#end({ outcome: 'error', error });
      throw error;
    }
  }

  async return(): Promise<IteratorResult<T, undefined>> {
    this.#end({ outcome: 'cancelled', signal: 'stream_drop' });
    return { done: true, value: undefined };
  }

  stop(): void {
    this.#stopped = true;
  }

  cancel(): void {
    this.#end({ outcome: 'cancelled', signal: 'kill' });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #end(end: StreamEnd): void {
    this.#over = true;
    this.#resolve(end);
  }
}
