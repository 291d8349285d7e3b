import { MODEL } from './deployment.js';

/** A model of a harness worker beside the mocker, which makes no embeddings. */
export const TEXT_MODEL = 'text';

/** One inference route of Dynamo's frontend. */
export interface Route {
  readonly title: string;
  readonly path: string;
  readonly body: object;
  /** Spans of the frontend between its `http-request` and `router.route_request`. */
  readonly spans: readonly string[];
  /** `service.name` of the worker; this process has none. Default `dynamo-worker`. */
  readonly worker?: string;
  /** The frontend's records say the tokens. Default true. */
  readonly tokens?: boolean;
}

const messages = [{ role: 'user', content: 'hello world' }];
// Worker ids are in the answer only when they are asked for.
const ids = { nvext: { extra_fields: ['worker_id'] } };
const usage = { stream: true, stream_options: { include_usage: true } };
const completions = { path: '/v1/completions', spans: ['completions', 'completions_single'], tokens: false };

export const ROUTES: readonly Route[] = [
  { title: '/v1/chat/completions, unary', path: '/v1/chat/completions', spans: [], body: { model: MODEL, max_tokens: 5, messages, ...ids } },
  { title: '/v1/chat/completions, streamed', path: '/v1/chat/completions', spans: [], body: { model: MODEL, max_tokens: 5, messages, ...ids, ...usage } },
  { title: '/v1/chat/completions, streamed without usage', path: '/v1/chat/completions', spans: [], body: { model: MODEL, max_tokens: 5, messages, stream: true } },
  { title: '/v1/completions, unary', ...completions, body: { model: MODEL, max_tokens: 5, prompt: 'hello world' } },
  { title: '/v1/completions, streamed', ...completions, body: { model: MODEL, max_tokens: 5, prompt: 'hello world', ...usage } },
  { title: '/v1/responses, unary', path: '/v1/responses', spans: [], body: { model: MODEL, max_output_tokens: 5, input: 'hello world' } },
  { title: '/v1/responses, streamed', path: '/v1/responses', spans: [], body: { model: MODEL, max_output_tokens: 5, input: 'hello world', stream: true } },
  { title: '/v1/messages, unary', path: '/v1/messages', spans: [], body: { model: MODEL, max_tokens: 5, messages } },
  { title: '/v1/messages, streamed', path: '/v1/messages', spans: [], body: { model: MODEL, max_tokens: 5, messages, stream: true } },
  { title: '/v1/embeddings', path: '/v1/embeddings', spans: ['embeddings'], worker: '*', tokens: false, body: { model: TEXT_MODEL, input: 'hello world' } },
];

/** The tree of a request through gateway, frontend and worker, as `toMatchTree` takes it. */
export function treeOf({ spans, worker = 'dynamo-worker' }: Route): string {
  const frontend = ['http-request', ...spans, 'router.route_request'].map((name) => `${name} {@service=dynamo-frontend}`);
  return ['http-request {@kind=server}', 'POST {@kind=client}', ...frontend, `handle_payload {@service=${worker}, @kind=server}`].map((line, depth) => `${'  '.repeat(depth)}${line}`).join('\n');
}
