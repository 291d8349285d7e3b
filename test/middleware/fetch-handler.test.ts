/** What Fetch handlers have beyond the contract (test/contracts/every-framework.test.ts): objects of the host's, streams without a connection. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { currentTrace, traceFetchHandler, type TracedFetchRequest } from 'dynamo-tracing';
import { CHAT, chat } from '../support/client.js';
import { RecordTap } from '../support/records.js';
import { until } from '../support/until.js';

const QUIET = { logger: false } as const;
const ask = (init: RequestInit = {}, path = CHAT): Request => new Request(`http://gateway.example${path}`, { method: 'POST', body: chat(), headers: { 'content-type': 'application/json' }, ...init });
const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

describe('traceFetchHandler', () => {
  let tap: RecordTap;
  beforeEach(() => {
    tap = new RecordTap();
  });
  afterEach(() => tap.stop());
  const completed = async (): Promise<Record<string, unknown>> => {
    const record = await tap.next('request completed');
    await turn();
    expect(tap.of('request completed')).toHaveLength(1);
    return record;
  };

  test("the handler gets the host's own request, every further argument and its this", async () => {
    class HostRequest extends Request { readonly nextUrl = 'own'; }
    const seen: unknown[] = [];
    const context = { params: Promise.resolve({ id: '7' }) };
    const handler = traceFetchHandler(async function (this: unknown, request: HostRequest, second: typeof context, third: number) {
      await Promise.resolve();
      seen.push(this, request, request.nextUrl, second, third);
      return new Response();
    }, QUIET);
    const host = { handler };
    const request = new HostRequest('http://x/');
    await host.handler(request, context, 3);
    expect(seen).toEqual([host, request, 'own', context, 3]);
  });

  test('a response that is used for many requests, or whose headers are immutable, stays as it is', async () => {
    const shared = new Response(null, { status: 204 });
    const redirect = Response.redirect('http://x/elsewhere', 307);
    const handler = traceFetchHandler((request: Request) => (request.url.endsWith('r') ? redirect : shared), QUIET);
    const [first, second, third] = [await handler(ask({}, '/a')), await handler(ask({}, '/a')), await handler(ask({}, '/r'))];
    expect(shared.headers.has('request-id')).toBe(false);
    expect(first.headers.get('request-id')).not.toBe(second.headers.get('request-id'));
    expect([first.status, third.status, third.headers.get('location'), third.headers.get('request-id')]).toEqual([204, 307, 'http://x/elsewhere', third.headers.get('x-request-id')]);
  });

  test('what cannot be made again goes back as it is', async () => {
    const failed = Response.error();
    expect(await traceFetchHandler(() => failed, QUIET)(ask())).toBe(failed);
    expect(await traceFetchHandler(() => undefined, QUIET)(ask())).toBeUndefined();
    expect([await tap.next('request completed', 1), await tap.next('request completed', 2)]).toMatchObject([{ status: 'error', error_type: 'internal' }, { status: 'success' }]);
  });

  test('several cookies, status text and body stay', async () => {
    const handler = traceFetchHandler(() => new Response('whole', { status: 201, statusText: 'Made', headers: [['set-cookie', 'a=1'], ['set-cookie', 'b=2']] }), QUIET);
    const answer = await handler(ask());
    expect([answer.status, answer.statusText, answer.headers.getSetCookie(), await answer.text()]).toEqual([201, 'Made', ['a=1', 'b=2'], 'whole']);
  });

  test('nothing of a stream is pulled before its consumer asks for it, and pulls run inside the request', async () => {
    const pulls: (string | undefined)[] = [];
    const handler = traceFetchHandler(() => new Response(new ReadableStream({ pull(controller) {
      pulls.push(currentTrace()?.requestId);
      controller.enqueue(encode(`data: {"choices":[{"delta":{"content":"${pulls.length}"}}]}\n\n`));
      if (pulls.length === 3) controller.close();
    } }, { highWaterMark: 0 }), { headers: { 'content-type': 'text/event-stream' } }), QUIET);
    const answer = await handler(ask());
    const id = answer.headers.get('request-id');
    await turn();
    expect(pulls).toEqual([]);
    const reader = answer.body!.getReader();
    await reader.read();
    expect(pulls).toEqual([id]);
    await reader.read();
    await reader.read();
    expect([(await reader.read()).done, pulls]).toEqual([true, [id, id, id]]);
    expect(await completed()).toMatchObject({ status: 'success', output_tokens: 3, output_tokens_estimated: true });
  });

  test('a consumer that cancels the stream has left: the reason reaches the source, the signal is aborted', async () => {
    let reason: unknown;
    let signal: AbortSignal | undefined;
    const handler = traceFetchHandler((request) => {
      signal = request.trace.signal;
      return new Response(new ReadableStream({ start: (controller) => controller.enqueue(encode('data: {}\n\n')), cancel: (given) => { reason = given; } }), { headers: { 'content-type': 'text/event-stream' } });
    }, QUIET);
    const reader = (await handler(ask())).body!.getReader();
    await reader.read();
    await reader.cancel('gone');
    expect(await completed()).toMatchObject({ status: 'cancelled', error_type: 'cancelled' });
    expect([reason, signal?.aborted]).toEqual(['gone', true]);
  });

  test('a request whose signal is aborted already, or before the answer, is cancelled', async () => {
    const left = new AbortController();
    const handler = traceFetchHandler(async () => {
      await turn();
      return new Response('{}');
    }, QUIET);
    const answer = handler(ask({ signal: left.signal }));
    left.abort();
    expect(await completed()).toMatchObject({ status: 'cancelled' });
    expect(await (await answer).text()).toBe('{}');
    await handler(ask({ signal: AbortSignal.abort() }));
    expect(await tap.next('request completed', 2)).toMatchObject({ status: 'cancelled' });
  });

  test('what the handler throws is recorded and thrown on, the same object', async () => {
    const planted = Object.assign(new Error('a secret'), { code: 'ECONNREFUSED' });
    await expect(traceFetchHandler(() => { throw planted; }, QUIET)(ask())).rejects.toBe(planted);
    expect(await completed()).toMatchObject({ status: 'error', error_type: 'unavailable' });
  });

  test.each([
    ['NEXT_REDIRECT;replace;/elsewhere;307;', 307, 'success'],
    ['NEXT_HTTP_ERROR_FALLBACK;404', 404, 'error'],
  ])('what Next.js marks as %s is an answer with status %i, and no failure of the handler', async (digest, status, outcome) => {
    const mark = Object.assign(new Error('control flow'), { digest });
    await expect(traceFetchHandler(() => { throw mark; }, QUIET)(ask())).rejects.toBe(mark);
    expect(await completed()).toMatchObject({ status: outcome });
    expect([tap.of('http response sent')[0]?.fields['status'], tap.of('request failed')]).toEqual([status, []]);
  });

  test('a response that nobody reads and everybody forgets ends its request', async () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    await traceFetchHandler(() => new Response('forgotten'), QUIET)(ask());
    await until('the collection', () => {
      collect();
      return tap.of('request completed').length > 0;
    });
    expect(await completed()).toMatchObject({ status: 'error', error_type: 'internal' });
  });

  test('a HEAD request is complete with its head: nobody reads its body', async () => {
    const answer = await traceFetchHandler(() => new Response('body'), QUIET)(new Request('http://x/v1/files/f-1/content', { method: 'HEAD' }));
    expect(answer.headers.has('request-id')).toBe(true);
    expect(await completed()).toMatchObject({ status: 'success', endpoint: 'files' });
  });

  test.each<[string, (request: Request) => Promise<unknown>]>([
    ['json()', (request) => request.json()],
    ['text()', (request) => request.text()],
    ['arrayBuffer()', (request) => request.arrayBuffer()],
    ['a copy', (request) => request.clone().json()],
    ['its stream', async (request) => { for await (const piece of request.body as unknown as AsyncIterable<Uint8Array>) expect(piece).toBeInstanceOf(Uint8Array); }],
  ])('the model is known before the answer when the handler reads the body by %s', async (_title, read) => {
    const received: string[] = [];
    const handler = traceFetchHandler(async (request: Request) => {
      await read(request);
      await turn();
      received.push(...tap.of('request received').map(({ fields }) => String(fields['model'])));
      return new Response('{}');
    }, QUIET);
    await (await handler(ask())).text();
    expect([received, await completed()]).toMatchObject([['m'], { model: 'm', status: 'success' }]);
  });

  test('a body over 1 MiB reaches the handler whole', async () => {
    const pad = 'x'.repeat(5 * 2 ** 20);
    const handler = traceFetchHandler(async (request: Request) => Response.json({ length: (await request.text()).length }), QUIET);
    const body = chat({ pad });
    expect(await (await handler(ask({ body }))).json()).toEqual({ length: body.length });
    expect(await completed()).toMatchObject({ status: 'success' });
  });

  test.each<[string, object]>([
    ['a relative URL', { url: CHAT, method: 'POST', headers: new Headers() }],
    ['headers that cannot be read', { url: 'http://x/', method: 'GET', get headers() { throw new Error('planted'); } }],
    ['no signal and no body', { url: `http://x${CHAT}`, method: 'POST', headers: new Headers() }],
  ])('a request of a polyfill with %s reaches its handler', async (_title, request) => {
    const fault = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    try {
      expect(await (await traceFetchHandler((given: TracedFetchRequest) => new Response(String(given === request && typeof given.trace.requestId)), QUIET)(request as Request)).text()).toBe('string');
    } finally {
      fault.mockRestore();
    }
  });

  test('a handler that is wrapped twice has one record', async () => {
    const inner = traceFetchHandler((request) => new Response(request.trace.requestId), QUIET);
    const answer = await traceFetchHandler(inner, QUIET)(ask());
    expect(await answer.text()).toBe(answer.headers.get('request-id'));
    await completed();
  });

  test("the options' functions are given the request", async () => {
    const request = ask({}, '/own');
    const given: unknown[] = [];
    const take = <T>(result: T) => (each: Request): T => {
      given.push(each);
      return result;
    };
    await traceFetchHandler(() => new Response(), { ...QUIET, trustIncoming: take(false), ignore: take(false), classify: take({ kind: 'inference' as const, endpoint: 'own' }), route: take('/own') })(request);
    expect([new Set(given), given.length >= 4]).toEqual([new Set([request]), true]);
    expect(await completed()).toMatchObject({ endpoint: 'own' });
  });

  test.each([{ route: 1 }, { answerErrors: 'yes' }, { nonsense: true }])('options that cannot be used are refused at start-up: %j', (options) => {
    expect(() => traceFetchHandler(() => new Response(), options as never)).toThrow(expect.objectContaining({ code: 'ERR_OPTION_INVALID' }));
  });

  test('a request that is open when the process exits has its record', () => {
    const entry = join(__dirname, '..', '..', 'src', 'index.ts').replaceAll('\\', '/');
    const code = `const { onRecord, traceFetchHandler } = require(${JSON.stringify(entry)});
      onRecord(({ message, fields }) => { if (message === 'request completed') console.log(fields.status); });
      void traceFetchHandler(() => { process.exit(0); }, { logger: false })(new Request('http://x${CHAT}', { method: 'POST', body: '{}' }));`;
    expect(execFileSync(process.execPath, ['--import', 'tsx', '-e', code], { cwd: join(__dirname, '..', '..'), encoding: 'utf8' })).toBe('error\n');
  });
});
