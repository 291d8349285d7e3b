import { withRoutingSpan, type RequestTrace } from 'dynamo-tracing';
import type { Router } from 'dynamo-tracing/transport';
import type { Finish } from './apis/index.js';
import type { EngineItem, EngineRequest, PrefillResult } from './engine.js';

/** A running generation: its tokens, and how it ended once they are read. */
export interface Generation {
  readonly tokens: AsyncIterable<string>;
  finish(): Finish;
}

/** Whatever generates tokens for a request. */
export interface Backend {
  generate(request: EngineRequest, trace: RequestTrace): Promise<Generation>;
}

/** Workers that do prefill and decode themselves. */
export function aggregated(router: Router): Backend {
  return { generate: (request, trace) => decode(router, request, trace) };
}

/** A prefill worker reads the prompt, a decode worker makes the tokens; both are in the request's trace. */
export function disaggregated(prefill: Router, decoder: Router): Backend {
  return {
    generate: async (request, trace) => {
      const left = await withRoutingSpan('prefill_routing', async () => {
        let last: PrefillResult | undefined;
        for await (const item of prefill.generate<PrefillResult>(request, { signal: trace.signal, metadata: trace.metadata })) last = item;
        if (last === undefined) throw new Error('the prefill worker left nothing');
        return last;
      });
      trace.workers({ prefill: left.worker_id });
      return decode(decoder, { ...request, prefill: left }, trace);
    },
  };
}

async function decode(router: Router, request: EngineRequest, trace: RequestTrace): Promise<Generation> {
  const items = router.generate<EngineItem>(request, { signal: trace.signal, metadata: trace.metadata, onWorker: ({ workerId }) => trace.workers({ decode: workerId }) });
  const finish: { value?: Finish } = {};
  // The first item is awaited here, so that a refused request is answered with a status instead of a broken stream.
  const first = await items.next();
  return { tokens: tokens(first, items, finish), finish: () => finish.value ?? { reason: 'stop', inputTokens: 0, outputTokens: 0 } };
}

async function * tokens(first: IteratorResult<EngineItem>, items: AsyncIterable<EngineItem>, finish: { value?: Finish }): AsyncGenerator<string> {
  const read = function * (item: EngineItem): Generator<string> {
    if ('token' in item) yield item.token;
    else finish.value = { reason: item.finish_reason, inputTokens: item.input_tokens, outputTokens: item.output_tokens };
  };
  if (first.done !== true) yield * read(first.value);
  for await (const item of items) yield * read(item);
}
