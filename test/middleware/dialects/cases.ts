import type { DialectName } from '../../../src/middleware/dialects/index.js';
import type { ResponseFacts } from '../../../src/middleware/observation/index.js';

/** A recorded answer of an engine and what it shows. */
export interface Case {
  readonly title: string;
  readonly dialect: DialectName;
  readonly status?: number;
  readonly contentType: string;
  readonly body: string;
  readonly facts: Partial<ResponseFacts>;
}

const SSE = 'text/event-stream; charset=utf-8';
const JSON_TYPE = 'application/json; charset=utf-8';

type Json = Record<string, unknown>;

/** Events without names, ended by `[DONE]`. */
export function chunks(...events: readonly (Json | string)[]): string {
  return [...events, '[DONE]'].map((event) => `data: ${typeof event === 'string' ? event : JSON.stringify(event)}\n\n`).join('');
}

/** Events that carry their type as their name too. */
export function typed(...events: readonly Json[]): string {
  return events.map((event) => `event: ${String(event['type'])}\ndata: ${JSON.stringify(event)}\n\n`).join('');
}

/** A chunk of a chat completion. */
export function chat(delta: Json, rest: Json = {}, choice: Json = {}): Json {
  return { id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1, model: 'served-model', choices: [{ index: 0, delta, logprobs: null, finish_reason: null, ...choice }], ...rest };
}

const USAGE = { prompt_tokens: 11, completion_tokens: 7, total_tokens: 18, prompt_tokens_details: { cached_tokens: 4 } };
const COUNTED = { inputTokens: 11, outputTokens: 7, cachedTokens: 4, outputTokensEstimated: false };
const IDENTIFIED = { responseId: 'chatcmpl-1', model: 'served-model' };
const stream = (title: string, dialect: DialectName, body: string, facts: Case['facts']): Case => ({ title, dialect, contentType: SSE, body, facts });
const unary = (title: string, dialect: DialectName, body: Json, facts: Case['facts'], status = 200): Case => ({ title, dialect, status, contentType: JSON_TYPE, body: JSON.stringify(body), facts });

const last = { id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1, model: 'served-model', choices: [], usage: USAGE };

export const CHAT_CASES: readonly Case[] = [
  stream('OpenAI: role first, usage null until a last chunk without choices', 'openai-chat', chunks(
    chat({ role: 'assistant', content: '', refusal: null }, { usage: null, obfuscation: 'x' }),
    chat({ content: 'Hi' }, { usage: null }), chat({ content: ' there' }, { usage: null }), chat({}, { usage: null }, { finish_reason: 'stop' }), last,
  ), { ...IDENTIFIED, ...COUNTED, finishReason: 'stop', tokenChunks: 2, contentSeen: true, error: undefined }),
  stream('Dynamo: reasoning_content before content, content null meanwhile, worker ids in nvext', 'openai-chat', chunks(
    chat({ role: 'assistant', content: null, reasoning_content: 'Let me' }), chat({ content: null, reasoning_content: ' see' }), chat({ content: '42', reasoning_content: null }),
    chat({ content: null }, { nvext: { worker_id: { prefill_worker_id: 7, decode_worker_id: 8 } } }, { finish_reason: 'length' }), last,
  ), { ...IDENTIFIED, ...COUNTED, finishReason: 'length', tokenChunks: 3, prefillWorkerId: '7', decodeWorkerId: '8' }),
  stream('vLLM: reasoning, spaces in the JSON, usage in every chunk', 'openai-chat', chunks(
    JSON.stringify(chat({ reasoning: 'a' }, { usage: { prompt_tokens: 11, completion_tokens: 1 } })).replaceAll('":', '": '),
    JSON.stringify(chat({ content: 'b' }, { usage: { prompt_tokens: 11, completion_tokens: 2 } })).replaceAll('":', '": '),
  ), { ...IDENTIFIED, inputTokens: 11, outputTokens: 2, outputTokensEstimated: false, tokenChunks: 2 }),
  stream('SGLang: every key of the delta present, matched_stop, finish with an empty delta, no usage', 'openai-chat', chunks(
    chat({ role: 'assistant', content: '', reasoning_content: null, tool_calls: null }, { usage: null }, { matched_stop: null }),
    chat({ role: null, content: 'x', reasoning_content: null, tool_calls: null }, { usage: null }, { matched_stop: null }),
    chat({ role: null, content: '', reasoning_content: null, tool_calls: null }, { usage: null }, { finish_reason: 'stop', matched_stop: 151645 }),
  ), { ...IDENTIFIED, inputTokens: undefined, outputTokens: 1, outputTokensEstimated: true, finishReason: 'stop', tokenChunks: 1 }),
  stream('tool calls: name and argument pieces count, an empty list does not', 'openai-chat', chunks(
    chat({ role: 'assistant', content: null, tool_calls: [] }),
    chat({ tool_calls: [{ index: 0, id: 'call_1', type: 'function', function: { name: 'f', arguments: '' } }] }),
    chat({ tool_calls: [{ index: 0, function: { arguments: '{"usage":{"prompt_tokens":99}}' } }] }), chat({}, {}, { finish_reason: 'tool_calls' }),
  ), { ...IDENTIFIED, outputTokens: 2, outputTokensEstimated: true, inputTokens: undefined, finishReason: 'tool_calls', tokenChunks: 2 }),
  stream('content that looks like what is searched for is only content', 'openai-chat', chunks(
    chat({ content: '"usage":{"prompt_tokens":9},"finish_reason":"stop","error":{"message":"x"}' }), chat({ content: 'finish_reason"' }), chat({ content: 'data: {"error":1}\n\n' }),
  ), { ...IDENTIFIED, inputTokens: undefined, outputTokens: 3, finishReason: undefined, error: undefined }),
  stream('n=2: chunks of both choices count, the first choice names the reason', 'openai-chat', chunks(
    chat({ content: 'a' }), chat({ content: 'b' }, {}, { index: 1 }), chat({}, {}, { index: 1, finish_reason: 'length' }), chat({}, {}, { finish_reason: 'stop' }), last,
  ), { ...COUNTED, finishReason: 'stop', tokenChunks: 2 }),
  stream('logprobs beside the content', 'openai-chat', chunks(
    chat({ content: 'é' }, {}, { logprobs: { content: [{ token: '"', logprob: -0.1, bytes: [34], top_logprobs: [] }] } }), chat({}, {}, { finish_reason: 'stop', logprobs: { content: [] } }),
  ), { tokenChunks: 1, finishReason: 'stop' }),
  stream('Dynamo: an error after the head, nested, then [DONE]', 'openai-chat', chunks(
    chat({ content: 'a' }), { error: { message: 'Internal server error', type: 'internal_server_error', code: 500 } },
  ), { tokenChunks: 1, error: { message: 'Internal server error', type: 'internal_server_error', code: 500 } }),
  stream('vLLM of old: a flat error object', 'openai-chat', chunks({ object: 'error', message: 'bad ☃', type: 'BadRequestError', param: null, code: 400 }),
    { error: { message: 'bad ☃', type: 'BadRequestError', code: 400 }, contentSeen: false, outputTokens: undefined, outputTokensEstimated: false }),
  stream('event: error with plain text', 'openai-chat', 'event: error\ndata: worker is gone ☃\n\n', { error: { message: 'worker is gone ☃' } }),
  stream('event: error with a comment and no data, as Dynamo writes annotations', 'openai-chat', 'event: error\n: "boom"\n\n', { error: {} }),
  stream('OpenRouter: the error beside an empty choice', 'openai-chat', chunks(chat({ content: '' }, { error: { code: 502, message: 'upstream' } }, { finish_reason: 'error' })),
    { error: { code: 502, message: 'upstream', type: undefined }, finishReason: 'error' }),
  stream('error: null is none', 'openai-chat', chunks({ error: null }, chat({ content: 'a' }, { error: null })), { error: undefined, tokenChunks: 1 }),
  stream('no id anywhere', 'openai-chat', chunks(...Array.from({ length: 9 }, () => ({ choices: [{ delta: { content: 'a' } }] })), { choices: [], usage: USAGE }), { ...COUNTED, responseId: undefined, tokenChunks: 9 }),
  stream('the last event lacks its blank line', 'openai-chat', `data: ${JSON.stringify(last)}`, COUNTED),
  unary('unary', 'openai-chat', { id: 'chatcmpl-1', object: 'chat.completion', created: 1, model: 'served-model', choices: [
    { index: 0, message: { role: 'assistant', content: 'say "usage": {}', tool_calls: [{ id: 'call_1', function: { name: 'f', arguments: '{}' } }] }, finish_reason: 'stop' }], usage: USAGE,
  }, { ...IDENTIFIED, ...COUNTED, finishReason: 'stop', tokenChunks: 0, firstTokenAt: undefined, contentSeen: true }),
  unary('unary, keys in another order and ids of others before its own', 'openai-chat', { usage: USAGE, choices: [
    { finish_reason: 'length', message: { tool_calls: [{ id: 'call_1' }] }, index: 0 }, { finish_reason: 'stop', index: 1 }], model: 'served-model', id: 'chatcmpl-1',
  }, { ...IDENTIFIED, ...COUNTED, finishReason: 'length' }),
  unary('Dynamo: a flat error body', 'openai-chat', { message: 'Validation: temperature', type: 'Bad Request', code: 400 }, { error: { message: 'Validation: temperature', type: 'Bad Request', code: 400 }, contentSeen: false }, 400),
  unary('OpenAI: a nested error body', 'openai-chat', { error: { message: 'no such model', type: 'invalid_request_error', param: null, code: 'model_not_found' } },
    { error: { message: 'no such model', type: 'invalid_request_error', code: 'model_not_found' } }, 404),
  unary('FastAPI: an error as detail', 'openai-chat', { detail: 'Not Found' }, { error: { message: 'Not Found', type: undefined, code: undefined } }, 404),
  unary('an error as text', 'openai-chat', { error: 'boom' }, { error: { message: 'boom' } }, 500),
  unary('an error with status 200', 'openai-chat', { error: { message: 'late' } }, { error: { message: 'late', type: undefined, code: undefined } }),
];

const text = (value: string, rest: Json = {}, choice: Json = {}): Json => ({ id: 'cmpl-1', object: 'text_completion', created: 1, model: 'm', choices: [{ index: 0, text: value, logprobs: null, finish_reason: null, ...choice }], ...rest });

export const OTHER_OPENAI_CASES: readonly Case[] = [
  stream('completions', 'openai-completions', chunks(text('a'), text('b'), text('', {}, { finish_reason: 'length' }), { id: 'cmpl-1', choices: [], usage: USAGE }),
    { ...COUNTED, responseId: 'cmpl-1', finishReason: 'length', tokenChunks: 2 }),
  unary('completions, unary', 'openai-completions', text('abc', { usage: USAGE }, { finish_reason: 'stop' }), { ...COUNTED, responseId: 'cmpl-1', finishReason: 'stop' }),
  unary('embeddings as numbers', 'openai-embeddings', { object: 'list', data: [{ object: 'embedding', index: 0, embedding: [-0.25, 1e-7, 3] }, { embedding: [[1, 2], [3]] }, { embedding: [] }], model: 'e', usage: { prompt_tokens: 5, total_tokens: 5 } },
    { inputTokens: 5, outputTokens: undefined, model: 'e', firstTokenAt: undefined, error: undefined }),
  unary('embeddings in base64', 'openai-embeddings', { id: 'embd-1', data: [{ embedding: 'AAAA/+==' }], usage: { prompt_tokens: 5, completion_tokens: 0 } }, { inputTokens: 5, outputTokens: 0, responseId: 'embd-1' }),
  unary('another route: images', 'generic', { created: 1, data: [{ b64_json: 'AAAA' }], usage: { input_tokens: 3, output_tokens: 4, total_tokens: 7, input_tokens_details: { cached_tokens: 1 } } }, { inputTokens: 3, outputTokens: 4, cachedTokens: 1 }),
  unary('another route: moderations', 'generic', { id: 'modr-1', model: 'm', results: [{ flagged: false, categories: {} }] }, { responseId: 'modr-1', model: 'm', inputTokens: undefined, contentSeen: true }),
  unary('another route: pooling', 'generic', { id: 'pool-1', data: [{ data: [[0.1, 0.2], [0.3]] }], usage: { prompt_tokens: 3 } }, { inputTokens: 3, responseId: 'pool-1' }),
  stream('another route: a stream shows usage and errors', 'generic', chunks({ type: 'speech.audio.done', usage: { input_tokens: 3, output_tokens: 4 } }, { error: { message: 'x' } }), { inputTokens: 3, outputTokens: 4, tokenChunks: 0, error: { message: 'x', type: undefined, code: undefined } }),
];

const RESPONSE_USAGE = { input_tokens: 11, input_tokens_details: { cached_tokens: 4 }, output_tokens: 7, output_tokens_details: { reasoning_tokens: 2 }, total_tokens: 18 };
const response = (rest: Json): Json => ({ id: 'resp_1', object: 'response', created_at: 1, status: 'in_progress', error: null, incomplete_details: null, model: 'm', output: [{ id: 'msg_1', type: 'message', status: 'completed' }], usage: null, ...rest });

export const RESPONSES_CASES: readonly Case[] = [
  stream('reasoning, text and arguments count; usage from response.completed', 'openai-responses', typed(
    { type: 'response.created', sequence_number: 0, response: response({}) }, { type: 'response.in_progress', sequence_number: 1, response: response({}) },
    { type: 'response.output_item.added', item: { id: 'rs_1', type: 'reasoning' } }, { type: 'response.reasoning_summary_text.delta', delta: 'hm', item_id: 'rs_1' },
    { type: 'response.output_text.delta', item_id: 'msg_1', delta: 'Hi "delta":""', logprobs: [] }, { type: 'response.output_text.delta', item_id: 'msg_1', delta: '' },
    { type: 'response.function_call_arguments.delta', item_id: 'fc_1', delta: '{' }, { type: 'response.output_text.done', text: 'Hi' },
    { type: 'response.completed', response: response({ status: 'completed', usage: RESPONSE_USAGE }) },
  ), { ...COUNTED, responseId: 'resp_1', model: 'm', finishReason: 'completed', tokenChunks: 3, error: undefined }),
  stream('without event names, type not first', 'openai-responses', chunks({ response: response({}), type: 'response.created' }, { item: { type: 'x' }, delta: 'a', type: 'response.output_text.delta' }), { responseId: 'resp_1', tokenChunks: 1, outputTokensEstimated: true }),
  stream('response.incomplete is an end with a reason', 'openai-responses', typed({ type: 'response.incomplete', response: response({ status: 'incomplete', incomplete_details: { reason: 'max_output_tokens' }, usage: RESPONSE_USAGE }) }), { ...COUNTED, finishReason: 'max_output_tokens', error: undefined }),
  stream('response.failed is an error', 'openai-responses', typed({ type: 'response.failed', response: response({ status: 'failed', error: { code: 'server_error', message: 'no' } }) }), { finishReason: 'failed', error: { code: 'server_error', message: 'no', type: undefined } }),
  stream('the error event', 'openai-responses', typed({ type: 'error', code: 'ERR', message: 'no', param: null, sequence_number: 3 }), { error: { code: 'ERR', message: 'no', type: undefined } }),
  stream('an error in the form of chunks, as Dynamo sends it', 'openai-responses', chunks({ error: { message: 'no', type: 't', code: 500 } }), { error: { message: 'no', type: 't', code: 500 } }),
  unary('unary', 'openai-responses', response({ status: 'completed', usage: RESPONSE_USAGE }), { ...COUNTED, responseId: 'resp_1', finishReason: 'completed', error: undefined, contentSeen: true }),
  unary('unary, with the worker ids that Dynamo adds', 'openai-responses', response({ status: 'incomplete', incomplete_details: { reason: 'max_output_tokens' }, usage: RESPONSE_USAGE, nvext: { worker_id: { prefill_worker_id: 7, decode_worker_id: 8 } } }), { ...COUNTED, prefillWorkerId: '7', decodeWorkerId: '8' }),
  unary('unary, failed with status 200', 'openai-responses', response({ status: 'failed', error: { code: 'server_error', message: 'no' } }), { error: { code: 'server_error', message: 'no', type: undefined } }),
];

const block = (delta: Json, rest: Json = {}): Json => ({ type: 'content_block_delta', index: 0, delta, ...rest });
/** What Anthropic shows of COUNTED: `input_tokens` without what was read from the cache and written to it. */
const ANTHROPIC_USAGE = { input_tokens: 5, cache_creation_input_tokens: 2, cache_read_input_tokens: 4 };

export const ANTHROPIC_CASES: readonly Case[] = [
  stream('input from message_start, output from message_delta, every kind of delta counts', 'anthropic-messages', typed(
    { type: 'message_start', message: { id: 'msg_1', type: 'message', role: 'assistant', model: 'claude', content: [], stop_reason: null, usage: { ...ANTHROPIC_USAGE, output_tokens: 1 } } },
    { type: 'content_block_start', index: 0, content_block: { type: 'thinking', thinking: '', signature: '' } }, { type: 'ping' },
    block({ type: 'thinking_delta', thinking: 'hm' }), block({ type: 'signature_delta', signature: 'abc' }), block({ type: 'text_delta', text: 'Hé' }), block({ type: 'text_delta', text: '' }),
    block({ type: 'input_json_delta', partial_json: '' }), block({ type: 'input_json_delta', partial_json: '{"stop_reason":"x"}' }), { type: 'content_block_stop', index: 0 },
    { type: 'message_delta', delta: { stop_reason: 'tool_use', stop_sequence: null }, usage: { output_tokens: 7 } }, { type: 'message_stop' },
  ), { ...COUNTED, responseId: 'msg_1', model: 'claude', finishReason: 'tool_use', tokenChunks: 4, error: undefined }),
  stream('message_delta repeats the input: the last count wins', 'anthropic-messages', typed(
    { type: 'message_start', message: { id: 'msg_1', usage: { input_tokens: 1, output_tokens: 0 } } }, { type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage: { ...ANTHROPIC_USAGE, output_tokens: 7 } },
  ), { ...COUNTED, finishReason: 'end_turn' }),
  stream('message_delta repeats only a part of the input: the rest stays as message_start told it', 'anthropic-messages', typed(
    { type: 'message_start', message: { id: 'msg_1', usage: { ...ANTHROPIC_USAGE, input_tokens: 1, output_tokens: 0 } } }, { type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage: { input_tokens: 5, output_tokens: 7 } },
  ), COUNTED),
  stream('Dynamo: usage in every delta counts for a stream that is cut off, the last one wins', 'anthropic-messages', typed(
    { type: 'message_start', message: { id: 'msg_1', usage: { input_tokens: 1, output_tokens: 0 } } },
    block({ type: 'text_delta', text: 'a "usage":{"output_tokens":99}' }, { usage: { ...ANTHROPIC_USAGE, output_tokens: 3 } }), block({ type: 'text_delta', text: 'b' }, { usage: { ...ANTHROPIC_USAGE, output_tokens: 7 } }),
    block({ type: 'text_delta', text: 'c' }, { usage: null }),
  ), { ...COUNTED, tokenChunks: 3 }),
  stream('cut off before message_delta: output is estimated, not the 1 of message_start', 'anthropic-messages', typed(
    { type: 'message_start', message: { id: 'msg_1', usage: { input_tokens: 11, output_tokens: 1 } } }, block({ type: 'text_delta', text: 'a' }), block({ type: 'text_delta', text: 'b' }),
  ), { inputTokens: 11, outputTokens: 2, outputTokensEstimated: true }),
  stream('the error event', 'anthropic-messages', typed({ type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } }), { error: { type: 'overloaded_error', message: 'Overloaded', code: undefined } }),
  unary('unary', 'anthropic-messages', { id: 'msg_1', type: 'message', role: 'assistant', model: 'claude', content: [{ type: 'tool_use', id: 'toolu_1', input: { usage: { input_tokens: 99 }, stop_reason: 'x' } }], stop_reason: 'end_turn', usage: { ...ANTHROPIC_USAGE, output_tokens: 7 } },
    { ...COUNTED, responseId: 'msg_1', model: 'claude', finishReason: 'end_turn', error: undefined }),
  unary('error body', 'anthropic-messages', { type: 'error', error: { type: 'not_found_error', message: 'model: x' }, request_id: 'r' }, { error: { type: 'not_found_error', message: 'model: x', code: undefined } }, 404),
  unary('count_tokens is no usage', 'anthropic-count-tokens', { input_tokens: 2095 }, { inputTokens: undefined, outputTokens: undefined, error: undefined, contentSeen: true }),
];

const AUDIO_USAGE = { type: 'tokens', input_tokens: 14, input_token_details: { text_tokens: 0, audio_tokens: 14 }, output_tokens: 3, total_tokens: 17 };
const transcript = (delta: Json, choice: Json = {}, rest: Json = {}): Json => ({ id: 'trsc-1', object: 'transcription.chunk', created: 1, model: 'w', choices: [{ delta, finish_reason: null, stop_reason: null, ...choice }], ...rest });

export const AUDIO_CASES: readonly Case[] = [
  stream('OpenAI: deltas count, usage stands in the last event behind the whole text', 'openai-transcriptions', typed(
    { type: 'transcript.text.delta', delta: 'I', logprobs: [] }, { type: 'transcript.text.delta', delta: '' }, { type: 'transcript.text.segment', id: 's1', text: 'I see', start: 0, end: 1 },
    { type: 'transcript.text.delta', delta: ' see' }, { type: 'transcript.text.done', text: 'I see "usage":{}', usage: AUDIO_USAGE },
  ), { inputTokens: 14, outputTokens: 3, outputTokensEstimated: false, tokenChunks: 2, error: undefined }),
  stream('vLLM: chunks as those of chat completions', 'openai-transcriptions', chunks(
    transcript({ content: ' I' }), transcript({ content: ' see', reasoning_content: null }), transcript({ content: '' }, { finish_reason: 'stop' }), transcript({}, {}, { choices: [], usage: { prompt_tokens: 14, completion_tokens: 3, total_tokens: 17 } }),
  ), { inputTokens: 14, outputTokens: 3, tokenChunks: 2, finishReason: 'stop', responseId: 'trsc-1', model: 'w' }),
  stream('cut off: the deltas are counted', 'openai-transcriptions', typed({ type: 'transcript.text.delta', delta: 'I' }, { type: 'transcript.text.delta', delta: ' see' }), { outputTokens: 2, outputTokensEstimated: true, inputTokens: undefined }),
  stream('an error', 'openai-transcriptions', chunks({ error: { message: 'no', type: 'server_error', code: 500 } }), { error: { message: 'no', type: 'server_error', code: 500 } }),
  unary('unary', 'openai-transcriptions', { text: 'I see', usage: AUDIO_USAGE }, { inputTokens: 14, outputTokens: 3, cachedTokens: undefined, contentSeen: true, firstTokenAt: undefined }),
  unary('usage by seconds of audio counts no tokens', 'openai-transcriptions', { text: 'I see', usage: { type: 'duration', seconds: 9 } }, { inputTokens: undefined, outputTokens: undefined, outputTokensEstimated: false }),
  unary('error body', 'openai-transcriptions', { error: { message: 'no file', type: 'invalid_request_error', param: 'file', code: null } }, { error: { message: 'no file', type: 'invalid_request_error', code: undefined } }, 400),
];

export const RERANK_CASES: readonly Case[] = [
  unary('vLLM', 'rerank', { id: 'rerank-1', model: 'r', usage: { prompt_tokens: 56, total_tokens: 56 }, results: [{ index: 0, document: { text: 'usage' }, relevance_score: 0.9 }] }, { inputTokens: 56, outputTokens: undefined, responseId: 'rerank-1', model: 'r', contentSeen: true }),
  unary('Jina and older vLLM: the total alone', 'rerank', { model: 'r', usage: { total_tokens: 56 }, results: [] }, { inputTokens: 56, outputTokens: undefined }),
  unary('Cohere: tokens in meta', 'rerank', { results: [{ index: 1, relevance_score: 0.5 }], id: 'r-1', meta: { api_version: { version: '2' }, billed_units: { search_units: 1 }, tokens: { input_tokens: 56, output_tokens: 0 } } }, { inputTokens: 56, outputTokens: undefined, responseId: 'r-1' }),
  unary('Cohere: no tokens', 'rerank', { results: [], id: 'r-1', meta: { billed_units: { search_units: 1 } } }, { inputTokens: undefined, responseId: 'r-1', error: undefined }),
  unary('error body', 'rerank', { message: 'invalid api token' }, { error: { message: 'invalid api token', type: undefined, code: undefined } }, 401),
];

/** As `createUIMessageStreamResponse` of ai 5.0.277 and 6.0.326 wrote them. */
export const AI_SDK_CASES: readonly Case[] = [
  stream('UI messages: text, reasoning and tool input count, usage and model come from the metadata', 'ai-sdk', chunks(
    { type: 'start', messageId: 'msg-1', messageMetadata: { createdAt: 1, model: 'served-model' } }, { type: 'start-step' }, { type: 'reasoning-start', id: 'r' }, { type: 'reasoning-delta', id: 'r', delta: 'hm' }, { type: 'reasoning-end', id: 'r' },
    { type: 'tool-input-start', toolCallId: 'c', toolName: 'f' }, { type: 'tool-input-delta', toolCallId: 'c', inputTextDelta: '{"a":' }, { type: 'tool-input-delta', toolCallId: 'c', inputTextDelta: '1}' },
    { type: 'tool-input-available', toolCallId: 'c', toolName: 'f', input: { a: 1 } }, { type: 'tool-output-available', toolCallId: 'c', output: { usage: { inputTokens: 99 }, finishReason: 'no' } }, { type: 'finish-step' }, { type: 'start-step' },
    { type: 'text-start', id: 't' }, { type: 'text-delta', id: 't', delta: '' }, { type: 'text-delta', id: 't', delta: 'Hi "delta":""' }, { type: 'text-end', id: 't' }, { type: 'data-note', data: { delta: 'x' } }, { type: 'finish-step' },
    { type: 'finish', finishReason: 'stop', messageMetadata: { totalUsage: { inputTokens: 11, inputTokenDetails: { noCacheTokens: 7, cacheReadTokens: 4, cacheWriteTokens: 0 }, outputTokens: 7, outputTokenDetails: { textTokens: 5, reasoningTokens: 2 }, totalTokens: 18, cachedInputTokens: 4 } } },
  ), { ...COUNTED, responseId: 'msg-1', model: 'served-model', finishReason: 'stop', tokenChunks: 4, error: undefined }),
  stream('UI messages of version 5: usage in message-metadata', 'ai-sdk', chunks(
    { type: 'start' }, { type: 'text-delta', id: 't', delta: 'a' }, { type: 'message-metadata', messageMetadata: { usage: { inputTokens: 11, outputTokens: 7, cachedInputTokens: 4 } } }, { type: 'finish' },
  ), { ...COUNTED, tokenChunks: 1, finishReason: undefined }),
  stream('UI messages without metadata: deltas are counted', 'ai-sdk', chunks({ type: 'text-delta', id: 't', delta: 'a' }, { type: 'text-delta', id: 't', delta: 'b' }, { type: 'finish' }), { outputTokens: 2, outputTokensEstimated: true }),
  stream('an error in UI messages', 'ai-sdk', chunks({ type: 'start' }, { type: 'error', errorText: 'An error occurred.' }), { error: { message: 'An error occurred.', type: undefined, code: undefined } }),
  unary('generateText as JSON', 'ai-sdk', { text: 'Hi', finishReason: 'length', usage: { inputTokens: 1, outputTokens: 2 }, totalUsage: { inputTokens: 11, outputTokens: 7, cachedInputTokens: 4 } }, { ...COUNTED, finishReason: 'length' }),
];

/** Lines as `toReadableStream()` of the official clients writes them. */
const lines = (title: string, dialect: DialectName, contentType: string, events: readonly Json[], facts: Case['facts']): Case => ({ title, dialect, contentType, body: events.map((event) => `${JSON.stringify(event)}\n`).join(''), facts });
const CHAT_LINES = [chat({ content: 'é' }), chat({ content: '\n{' }), chat({}, {}, { finish_reason: 'stop' }), last];
const CHAT_SEEN = { ...IDENTIFIED, ...COUNTED, finishReason: 'stop', tokenChunks: 2 };

export const LINE_CASES: readonly Case[] = [
  lines('with a type of their own', 'openai-chat', 'application/x-ndjson', CHAT_LINES, CHAT_SEEN),
  lines('as text', 'openai-chat', 'text/plain; charset=utf-8', CHAT_LINES, CHAT_SEEN),
  lines('as bytes', 'openai-chat', 'application/octet-stream', CHAT_LINES, CHAT_SEEN),
  { ...lines('with CRLF and blank lines', 'openai-chat', 'text/plain', [], CHAT_SEEN), body: CHAT_LINES.map((event) => `${JSON.stringify(event)}\r\n\r\n`).join('') },
  { ...lines('the last line lacks its end', 'openai-chat', 'text/plain', [], CHAT_SEEN), body: CHAT_LINES.map((event) => JSON.stringify(event)).join('\n') },
  lines('completions', 'openai-completions', 'text/plain', [text('a'), text('b'), text('', {}, { finish_reason: 'length' }), { id: 'cmpl-1', choices: [], usage: USAGE }], { ...COUNTED, responseId: 'cmpl-1', finishReason: 'length', tokenChunks: 2 }),
  lines('messages', 'anthropic-messages', 'text/plain', [{ type: 'message_start', message: { id: 'msg_1', usage: { ...ANTHROPIC_USAGE, output_tokens: 1 } } }, block({ type: 'text_delta', text: 'a' }), { type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage: { output_tokens: 7 } }],
    { ...COUNTED, responseId: 'msg_1', finishReason: 'end_turn', tokenChunks: 1 }),
  lines('an error', 'openai-chat', 'text/plain', [chat({ content: 'a' }), { error: { message: 'no', code: 503 } }], { tokenChunks: 1, error: { message: 'no', code: 503, type: undefined } }),
  { ...lines('one JSON text in one line is an answer, not a stream', 'openai-completions', 'text/plain', [], { ...COUNTED, tokenChunks: 0, contentSeen: true, finishReason: 'stop' }), body: `${JSON.stringify(text('abc', { usage: USAGE }, { finish_reason: 'stop' }))}\n\n` },
  { ...lines('one JSON text over many lines is an answer', 'openai-chat', 'text/plain', [], { ...COUNTED, tokenChunks: 0, contentSeen: true, responseId: 'chatcmpl-1' }), body: JSON.stringify({ ...last, choices: [{ index: 0, message: { content: '{' } }] }, null, 2) },
  { ...lines('one JSON text of which a line begins with an object is an answer', 'openai-embeddings', 'text/plain', [], { inputTokens: 5, tokenChunks: 0, contentSeen: true }), body: '{"data":[\n{"index":0},\n{"index":1}\n],"usage":{"prompt_tokens":5}}\n' },
  { ...lines('the error of a failed request', 'openai-chat', 'application/x-ndjson', [{ message: 'no', type: 't', code: 400 }], { error: { message: 'no', type: 't', code: 400 }, contentSeen: false }), status: 400 },
];

export const ALL_CASES: readonly Case[] = [...CHAT_CASES, ...OTHER_OPENAI_CASES, ...RESPONSES_CASES, ...ANTHROPIC_CASES, ...AUDIO_CASES, ...RERANK_CASES, ...AI_SDK_CASES, ...LINE_CASES];
