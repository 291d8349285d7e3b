import { withRoutingSpan, type RequestTrace } from 'dynamo-tracing';
import type { RouteOptions, Router } from 'dynamo-tracing/transport';
import type { Finish } from './apis/index.js';
import type { ChatChunk, ChatMessage, ChatRequest, EngineItem, EngineRequest, PrefillResult } from './engine.js';
import { HttpError } from './errors.js';

/** A running generation: its tokens, and how it ended once they are read. */
export interface Generation {
  readonly tokens: AsyncIterable<string>;
  finish(): Finish;
}

/** A request in the forms that workers take. */
export interface GatewayRequest extends EngineRequest {
  readonly messages?: readonly ChatMessage[] | undefined;
}

/** Whatever generates tokens for a request. */
export interface Backend {
  generate(request: GatewayRequest, trace: RequestTrace): Promise<Generation>;
}

/** Workers that do prefill and decode themselves. */
export function aggregated(router: Router): Backend {
  return { generate: ({ model, prompt, max_tokens }, trace) => decode(router, { model, prompt, max_tokens }, trace) };
}

/** Workers that take OpenAI's chat requests and answer with its chunks, as Dynamo's frontend uses them. */
export function chatWorkers(router: Router): Backend {
  return {
    generate: ({ model, messages, max_tokens }, trace) => {
      if (messages === undefined) throw new HttpError(404, 'Model not found');
      const request: ChatRequest = { model, messages, max_tokens, stream: true, stream_options: { include_usage: true } };
      const finish = { reason: 'stop' as Finish['reason'], inputTokens: 0, outputTokens: 0 };
      return start(router.generate<ChatChunk>(request, callOf(trace)), () => finish, function * ({ choices, usage }) {
        const choice = choices?.[0];
        const content = choice?.delta?.content ?? '';
        if (content !== '') {
          finish.outputTokens += 1; // a worker that does not tell: as many as chunks
          yield content;
        }
        if (choice?.finish_reason === 'length') finish.reason = 'length';
        finish.inputTokens = usage?.prompt_tokens ?? finish.inputTokens;
        finish.outputTokens = usage?.completion_tokens ?? finish.outputTokens;
      });
    },
  };
}

/** A prefill worker reads the prompt, a decode worker makes the tokens; both are in the request's trace. */
export function disaggregated(prefill: Router, decoder: Router): Backend {
  return {
    generate: async ({ model, prompt, max_tokens }, trace) => {
      const request = { model, prompt, max_tokens };
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

function decode(router: Router, request: EngineRequest, trace: RequestTrace): Promise<Generation> {
  let finish: Finish = { reason: 'stop', inputTokens: 0, outputTokens: 0 };
  return start(router.generate<EngineItem>(request, callOf(trace)), () => finish, function * (item) {
    if ('token' in item) yield item.token;
    else finish = { reason: item.finish_reason, inputTokens: item.input_tokens, outputTokens: item.output_tokens };
  });
}

function callOf(trace: RequestTrace): RouteOptions {
  return { signal: trace.signal, metadata: trace.metadata, onWorker: ({ workerId }) => trace.workers({ decode: workerId }) };
}

/** Awaits the first item, so that a refused request is answered with a status instead of a broken stream. */
async function start<Item>(items: AsyncIterableIterator<Item>, finish: () => Finish, read: (item: Item) => Iterable<string>): Promise<Generation> {
  const first = await items.next();
  const tokens = async function * (): AsyncGenerator<string> {
    if (first.done !== true) yield * read(first.value);
    for await (const item of items) yield * read(item);
  };
  return { tokens: tokens(), finish };
}
