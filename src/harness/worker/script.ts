import type { EndpointHandler, HandlerResult, RequestContext } from '../../transport/index.js';

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

class RunningCall implements WorkerCall {
  items = 0;
  ended = false;
  readonly headers: Readonly<Record<string, string>>;
  readonly requestId: string;
  readonly traceId: string;

  constructor(
    readonly body: unknown,
    context: RequestContext,
    private readonly onEnd: () => void,
  ) {
    this.headers = context.headers;
    this.requestId = context.requestId;
    this.traceId = context.trace.traceId;
  }

  end(): void {
    if (this.ended) return;
    this.ended = true;
    this.onEnd();
  }
}

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

  readonly handler: EndpointHandler = (body, context) => {
    const call = new RunningCall(body, context, this.onChange);
    this.calls.push(call);
    const { script } = this;
    try {
      const result: HandlerResult<unknown> | Promise<HandlerResult<unknown>> = typeof script === 'function' ? script(body, context) : script;
      if (!('then' in result)) return watched(result, call);
      return result.then((items) => watched(items, call), (error: unknown) => {
        call.end();
        throw error;
      });
    } catch (error) {
      call.end();
      throw error;
    }
  };
}

/** The items as they come, with the call ended when they do: not a generator, whose `finally` never runs if nobody began it. */
function watched(items: HandlerResult<unknown>, call: RunningCall): AsyncIterable<unknown> {
  const source = Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : items[Symbol.iterator]();
  const step = async (take: () => Promise<IteratorResult<unknown>> | IteratorResult<unknown>): Promise<IteratorResult<unknown>> => {
    try {
      const result = await take();
      if (result.done === true) call.end();
      else call.items += 1;
      return result;
    } catch (error) {
      call.end();
      throw error;
    }
  };
  return {
    [Symbol.asyncIterator]: () => ({
      next: () => step(() => source.next()),
      return: () => step(() => source.return?.() ?? { done: true, value: undefined }),
    }),
  };
}
