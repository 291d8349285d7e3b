import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { createApp } from '../../examples/gateway/app.js';
import { readConfig } from '../../examples/gateway/config.js';
import { connectWorkers, type Fleet } from '../../examples/gateway/workers.js';
import { RecordTap } from '../support/records.js';

const PROMPT = 'four words in here';
const TOKENS = 12;

describe.each(['aggregated', 'disaggregated'])('the official clients against the %s gateway', (mode) => {
  let fleet: Fleet;
  let server: Server;
  let url: string;
  let tap: RecordTap;

  beforeAll(async () => {
    fleet = await connectWorkers(readConfig({ GATEWAY_MODE: mode, MOCK_TOKEN_DELAY_MS: '1' }));
    server = createApp({ model: 'mock-model', backend: fleet.backend, tracing: { logger: false } }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });

  afterAll(async () => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
    await fleet.close();
  });

  beforeEach(() => {
    tap = new RecordTap();
  });
  afterEach(() => tap.stop());

  const openai = (): OpenAI => new OpenAI({ apiKey: 'none', baseURL: `${url}/v1`, maxRetries: 0 });
  const anthropic = (): Anthropic => new Anthropic({ apiKey: 'none', baseURL: url, maxRetries: 0 });
  const messages = [{ role: 'user' as const, content: PROMPT }];

  /** The gateway's completion record of the one request that this test sent. */
  const completed = async (): Promise<Record<string, unknown> & { requestId: string }> => {
    const mine = (): typeof tap.entries => tap.of('request completed').filter((entry) => entry.fields['endpoint'] !== 'generate');
    await tap.until(() => mine().length === 1, "the gateway's completion");
    const [entry] = mine();
    return { ...entry!.fields, requestId: entry!.scope!.requestId! };
  };
  const usage = { status: 'success', model: 'mock-model', input_tokens: 4, output_tokens: TOKENS };

  test('OpenAI, unary: _request_id, response id and usage are those of the record', async () => {
    const answer = await openai().chat.completions.create({ model: 'mock-model', messages, max_completion_tokens: TOKENS });
    const record = await completed();
    expect(record).toMatchObject({ ...usage, request_type: 'unary', endpoint: 'chat_completions', response_id: answer.id, finish_reason: 'length' });
    expect(answer._request_id).toBe(record.requestId);
    expect(answer.id).toBe(`chatcmpl-${record.requestId}`);
    expect(answer.usage).toMatchObject({ prompt_tokens: 4, completion_tokens: TOKENS });
    if (mode === 'disaggregated') expect(record).toMatchObject({ prefill_worker_id: expect.stringMatching(/^\d+$/), decode_worker_id: expect.stringMatching(/^\d+$/) });
  });

  test('OpenAI, streamed: tokens, first-token and inter-token times are in the record', async () => {
    const { data: stream, request_id: requestId } = await openai().chat.completions.create({ model: 'mock-model', messages, max_completion_tokens: TOKENS, stream: true }).withResponse();
    let text = '';
    for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? '';
    expect(text.split(' ')).toHaveLength(TOKENS);
    const record = await completed();
    expect(record).toMatchObject({ ...usage, request_type: 'stream', ttft_ms: expect.any(Number), avg_itl_ms: expect.any(Number) });
    expect(requestId).toBe(record.requestId);
  });

  test('OpenAI completions, embeddings and responses work with the client', async () => {
    const client = openai();
    const completion = await client.completions.create({ model: 'mock-model', prompt: PROMPT, max_tokens: TOKENS });
    expect(completion.usage).toMatchObject({ prompt_tokens: 4, completion_tokens: TOKENS });
    const embedding = await client.embeddings.create({ model: 'mock-model', input: PROMPT, encoding_format: 'float' });
    expect(embedding.data[0]!.embedding.length).toBeGreaterThan(0);
    const response = await client.responses.create({ model: 'mock-model', input: PROMPT, max_output_tokens: TOKENS });
    expect(response.output_text.split(' ')).toHaveLength(TOKENS);
    const gateway = (): typeof tap.entries => tap.of('request completed').filter((entry) => entry.fields['endpoint'] !== 'generate');
    await tap.until(() => gateway().length === 3, 'three completions');
    expect(gateway().map((entry) => [entry.fields['endpoint'], entry.fields['input_tokens'], entry.fields['output_tokens']])).toEqual([['completions', 4, TOKENS], ['embeddings', 4, undefined], ['responses', 4, TOKENS]]);
    expect(gateway().map((entry) => entry.scope?.requestId)).toEqual([completion._request_id, embedding._request_id, response._request_id]);
  });

  test('OpenAI responses, streamed', async () => {
    const stream = await openai().responses.create({ model: 'mock-model', input: PROMPT, max_output_tokens: TOKENS, stream: true });
    const types = new Set<string>();
    for await (const event of stream) types.add(event.type);
    expect(types).toContain('response.completed');
    expect(await completed()).toMatchObject({ ...usage, request_type: 'stream', endpoint: 'responses' });
  });

  test('Anthropic, unary: request_id and usage are those of the record', async () => {
    const answer = await anthropic().messages.create({ model: 'mock-model', messages, max_tokens: TOKENS });
    const record = await completed();
    expect(record).toMatchObject({ ...usage, endpoint: 'anthropic_messages', response_id: answer.id, finish_reason: 'max_tokens' });
    expect(answer._request_id).toBe(record.requestId);
    expect(answer.usage).toMatchObject({ input_tokens: 4, output_tokens: TOKENS });
  });

  test('Anthropic, streamed', async () => {
    const stream = anthropic().messages.stream({ model: 'mock-model', messages, max_tokens: TOKENS });
    const final = await stream.finalMessage();
    const record = await completed();
    expect(final.content[0]).toMatchObject({ type: 'text' });
    expect(stream.request_id).toBe(record.requestId);
    expect(record).toMatchObject({ ...usage, request_type: 'stream', endpoint: 'anthropic_messages' });
  });

  test('an aborted stream is one cancelled record, and the worker stops', async () => {
    const stream = await openai().chat.completions.create({ model: 'mock-model', messages, max_completion_tokens: 50_000, stream: true });
    let seen = 0;
    for await (const _chunk of stream) if ((seen += 1) === 3) break;
    expect(await completed()).toMatchObject({ status: 'cancelled', error_type: 'cancelled' });
    await tap.until(() => tap.of('engine stopped').length === 1, 'the engine to stop');
    expect(Number(tap.of('engine stopped')[0]!.fields['tokens'])).toBeLessThan(1000);
  });

  test.each([
    ['an unknown model', { model: 'other', messages }, OpenAI.NotFoundError, 'not_found'],
    ['a bad body', { model: 'mock-model', messages: [] }, OpenAI.BadRequestError, 'validation'],
  ])('%s is the error that the client knows', async (_name, body, type, errorType) => {
    const failure = await openai().chat.completions.create(body as never).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(type);
    const record = await completed();
    expect(record).toMatchObject({ status: 'error', error_type: errorType });
    expect((failure as InstanceType<typeof OpenAI.APIError>).requestID).toBe(record.requestId);
    expect((failure as Error).message).not.toContain('no body');
  });

  test("an error in Anthropic's shape is the error that its client knows", async () => {
    const failure = await anthropic().messages.create({ model: 'other', messages, max_tokens: 1 }).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(Anthropic.NotFoundError);
    expect((failure as InstanceType<typeof Anthropic.APIError>).requestID).toBe((await completed()).requestId);
  });
});
