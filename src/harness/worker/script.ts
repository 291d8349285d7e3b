import type { EndpointHandler, HandlerResult } from '../../transport/index.js';

/** What a worker does with a request: a handler (an async generator function as a rule), or the items it always answers. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- a script says itself what requests it takes
export type WorkerScript = EndpointHandler<any> | readonly unknown[];

/** One request as a worker's script got it. */
export interface WorkerCall {
  /** The request body. */
  readonly body: unknown;
  /** Headers of the request frame as the worker read them. */
  readonly headers: Readonly<Record<string, string>>;
  readonly requestId: string;
  readonly traceId: string;
  /** Items it has yielded. */
  readonly items: number;
  /** The script is through. */
  readonly ended: boolean;
}

type RunningCall = { -readonly [K in keyof WorkerCall]: WorkerCall[K] };

/** A script with a note of every call it gets. */
export class WatchedScript {
  readonly calls: WorkerCall[] = [];

  constructor(
    private readonly script: WorkerScript,
    private readonly onChange: () => void,
  ) {}

  /** Calls whose script has not come to its end. */
  get running(): readonly WorkerCall[] {
    return this.calls.filter((call) => !call.ended);
  }

  readonly handler: EndpointHandler = async (body, context) => {
    const call: RunningCall = { body, headers: context.headers, requestId: context.requestId, traceId: context.trace.traceId, items: 0, ended: false };
    this.calls.push(call);
    const { script } = this;
    return this.#step(call, async () => this.#watched(await (typeof script === 'function' ? script(body, context) : script), call));
  };

  /** The items as they come, with the call ended when they do: not a generator, whose `finally` never runs if nobody began it. */
  #watched(items: HandlerResult<unknown>, call: RunningCall): AsyncIterable<unknown> {
    const source = Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : items[Symbol.iterator]();
    const step = async (take: () => Promise<IteratorResult<unknown>> | IteratorResult<unknown>): Promise<IteratorResult<unknown>> => {
      const result = await this.#step(call, take);
      if (result.done === true) this.#end(call);
      else call.items += 1;
      return result;
    };
    return {
      [Symbol.asyncIterator]: () => ({
        next: () => step(() => source.next()),
        return: () => step(() => source.return?.() ?? { done: true, value: undefined }),
      }),
    };
  }

  /** A step of the script: one that fails is its last. */
  async #step<T>(call: RunningCall, run: () => T | Promise<T>): Promise<T> {
    try {
      return await run();
    } catch (error) {
      this.#end(call);
      throw error;
    }
  }

  #end(call: RunningCall): void {
    if (call.ended) return;
    call.ended = true;
    this.onChange();
  }
}
