import type { Dialect, Shape, TypedStream } from './dialect.js';
import { DYNAMO_WORKERS } from './shapes.js';

const response: Shape = { id: 'id', model: 'model', status: 'status', error: 'error', usage: 'usage', incomplete_details: { reason: 'finish' } };

/** Deltas of text, reasoning, refusals, audio and the arguments of every kind of tool call. */
const DELTAS = [
  'output_text', 'reasoning_text', 'reasoning_summary_text', 'refusal', 'function_call_arguments', 'custom_tool_call_input',
  'mcp_call_arguments', 'code_interpreter_call_code', 'audio', 'audio.transcript',
];

const events: TypedStream['events'] = {
  ...Object.fromEntries(DELTAS.map((name) => [`response.${name}.delta`, 'content' as const])),
  'response.created': 'read',
  'response.completed': 'read',
  'response.incomplete': 'read',
  'response.failed': 'read',
  'response.cancelled': 'read',
  error: 'read',
};

/**
 * POST /v1/responses. `response.failed` and `error` are errors; `response.incomplete` is an end like any other, whose finish
 * reason is `max_output_tokens` or `content_filter`.
 */
export const openaiResponses: Dialect = {
  api: 'openai',
  operation: 'chat',
  provider: 'openai',
  body: { ...response, ...DYNAMO_WORKERS, object: 'object', message: 'message', type: 'errorType', code: 'code', detail: 'detail' },
  usage: { input: [['input_tokens']], output: [['output_tokens']], cached: [['input_tokens_details', 'cached_tokens']] },
  stream: { kind: 'typed', shape: { type: 'type', response, error: 'error', message: 'message', code: 'code' }, events, content: ['delta'] },
};
