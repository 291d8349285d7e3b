import { once } from 'node:events';
import { mkdtemp } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { isRequestId } from 'dynamo-tracing';
import { assertCompletedOnce, assertConnectedTrace, assertEchoesRequestId, assertMatchesTree, assertPropagated, faults, startHarness, type Harness, type HarnessTrace } from 'dynamo-tracing/harness';
import { Router } from 'dynamo-tracing/transport';
import { createApp } from './app.js';
import { disaggregated } from './backend.js';
import { mockEngine, mockPrefill } from './engine.js';

const MODEL = 'mock-model';
const WHOLE = `
  http-request {method=POST}
    prefill_routing
      router.route_request {request.outcome=*}
        handle_payload
    router.route_request {request.outcome=*}
      handle_payload
`;

interface Request {
  readonly title: string;
  readonly body?: Readonly<Record<string, unknown>>;
  readonly headers?: Readonly<Record<string, string>>;
  /** The client leaves after the first bytes. */
  readonly leaves?: boolean;
  /** Fields of the completion record. */
  readonly completed: Parameters<typeof assertCompletedOnce>[1];
  /** What is true of it beyond that; returns a line that says so. */
  readonly check: (trace: HarnessTrace, response: Response) => string;
}

const requests: readonly Request[] = [
  {
    title: 'A chat request. A prefill worker reads the prompt, a decode worker generates the tokens.',
    headers: { 'x-request-id': 'order-42', traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01', tracestate: 'vendor=1' },
    completed: { status: 'success', request_type: 'unary', input_tokens: 4, output_tokens: 8 },
    check: (trace, response) => {
      assertEchoesRequestId(response, 'order-42');
      if (trace.traceId !== '4bf92f3577b34da6a3ce929d0e0e4736') throw new Error('the trace of the client was not continued');
      return 'It continues the trace of the client, and x-request-id order-42 came back.';
    },
  },
  {
    title: 'A streamed chat request.',
    body: { stream: true },
    completed: { status: 'success', request_type: 'stream', input_tokens: 4, output_tokens: 8 },
    check: (trace) => `The first token came after ${number(completion(trace)['ttft_ms'])} ms, the others every ${number(completion(trace)['avg_itl_ms'])} ms.`,
  },
  {
    title: 'A request with a bad request-id. It gets a new one.',
    headers: { 'request-id': 'not-a-uuid' },
    completed: { status: 'success' },
    check: (trace, response) => {
      if (!isRequestId(response.headers.get('request-id') ?? '')) throw new Error('a bad request id was not replaced');
      return warning(trace);
    },
  },
  {
    title: 'A request with the deprecated header x-dynamo-request-id. Its id is taken.',
    headers: { 'x-dynamo-request-id': '0f4ac56e-5bd1-4657-bf8b-39cdcde9036b' },
    completed: { status: 'success', request_id: '0f4ac56e-5bd1-4657-bf8b-39cdcde9036b' },
    check: warning,
  },
  {
    title: 'A stream whose client leaves.',
    body: { stream: true, max_tokens: 100_000 },
    leaves: true,
    completed: { status: 'cancelled', error_type: 'cancelled' },
    check: (trace) => {
      if (trace.recordsOf('engine stopped').length !== 1) throw new Error('the decode worker still generates');
      return 'The decode worker has stopped.';
    },
  },
];

/** Runs the gateway with a prefill and two decode workers once through and checks what each request left behind. Exit code 1 when a check fails. */
async function main(): Promise<void> {
  // --verbose shows the headers of each hop and the completion records; --svg FILE draws the streamed request.
  const { values: { verbose, svg } } = parseArgs({ options: { verbose: { type: 'boolean', default: false }, svg: { type: 'string' } } });
  process.env['DYN_LOG'] ??= 'off';
  const harness = await startHarness();
  const prefill = await harness.worker('dynamo.prefill.generate', mockPrefill);
  const decode = await harness.worker('dynamo.decode.generate', mockEngine(2));
  const spare = await harness.worker('dynamo.decode.generate', mockEngine(2));
  const router = (addresses: readonly string[]): Router => new Router({ client: harness.client(), addresses, migrationLimit: 1 });
  const server = createApp({ model: MODEL, backend: disaggregated(router([prefill.address]), router([decode.address, spare.address])) }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/chat/completions`;

  const ask = async ({ body = {}, headers = {}, leaves = false }: Pick<Request, 'body' | 'headers' | 'leaves'>): Promise<Response> => {
    const leaving = new AbortController();
    const response = await harness.fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify({ model: MODEL, messages: [{ role: 'user', content: 'how is the weather' }], max_tokens: 8, ...body }),
      signal: leaving.signal,
    });
    if (!leaves) await response.text();
    else {
      await response.body?.getReader().read();
      leaving.abort();
    }
    return response;
  };
  const report = async (response: Response, title: string, line: (trace: HarnessTrace) => string): Promise<HarnessTrace> => {
    const trace = await harness.trace(response);
    const { status, elapsed_ms, input_tokens, output_tokens } = completion(trace);
    console.log(`\n${title}\n  ${text(status)} in ${number(elapsed_ms)} ms${output_tokens === undefined ? '' : `, ${number(input_tokens)} tokens in, ${number(output_tokens)} out`}. ${line(trace)}`);
    console.log(indented(trace.tree({ times: true })));
    if (verbose) console.log(`\n${indented(harness.audit(response).toString())}\n\n  ${JSON.stringify({ message: 'request completed', ...completion(trace) })}`);
    return trace;
  };

  try {
    for (const { title, completed, check, ...request } of requests) {
      const response = await ask(request);
      const trace = await report(response, title, (seen) => check(seen, response));
      assertConnectedTrace(trace);
      assertMatchesTree(trace, WHOLE);
      assertCompletedOnce(trace, completed);
      assertPropagated(harness, response);
      if (svg !== undefined && title === 'A streamed chat request.') await harness.writeWaterfall(response, svg);
    }

    // Whichever of the two is asked first dies.
    let alive = true;
    for (const worker of [decode, spare]) worker.inject(faults.crash('beforeFirstToken'), { times: 1, when: () => alive && !(alive = false) });
    const survived = await ask({});
    const replaced = await report(survived, 'A decode worker dies. Another one takes the request.', () => 'The client noticed nothing.');
    assertConnectedTrace(replaced);
    assertCompletedOnce(replaced, { status: 'success', output_tokens: 8 });
    const picture = await pictureOf(harness, survived);

    prefill.inject(faults.dropHeaders('traceparent'), { times: 1 });
    const cut = await ask({});
    await report(cut, 'A hop drops the traceparent, as Dynamo\'s TCP transport once dropped every header. The audit finds it.', () => problem(harness, cut));
    console.log(`\nEvery other trace is connected, no other hop lost a header, and each request was recorded once.\nThe picture of a request: ${picture}`);
  } finally {
    server.closeAllConnections();
    server.close();
    await harness.close();
  }
}

/** Writes the page and returns its path. */
async function pictureOf(harness: Harness, response: Response): Promise<string> {
  const file = join(await mkdtemp(join(tmpdir(), 'dynamo-tracing-')), 'request.html');
  await harness.writeWaterfall(response, file);
  return file;
}

function problem(harness: Harness, response: Response): string {
  const [first] = harness.audit(response).problems;
  if (first === undefined) throw new Error('the audit did not find the dropped header');
  return `${first.hop}: ${first.header}: ${first.cause}.`;
}

function completion(trace: HarnessTrace): Readonly<Record<string, unknown>> {
  return trace.recordsOf('request completed').find((record) => record.target.endsWith('request'))?.fields ?? {};
}

function warning(trace: HarnessTrace): string {
  const found = trace.records.find(({ level }) => level === 'warn');
  if (found === undefined) throw new Error('there was no warning');
  return `The gateway warns: ${found.message}.`;
}

const indented = (lines: string): string => lines.replace(/^/gm, '    ');
const number = (value: unknown): string => (typeof value === 'number' ? String(Math.round(value * 10) / 10) : text(value));
const text = (value: unknown): string => (typeof value === 'string' || typeof value === 'number' ? String(value) : '?');

main().then(() => process.exit(0), (error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
});
