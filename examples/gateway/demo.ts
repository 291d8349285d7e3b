import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { isRequestId } from 'dynamo-tracing';
import { assertCompletedOnce, assertConnectedTrace, assertEchoesRequestId, assertMatchesTree, assertPropagated, startHarness, type Harness, type TraceSubject } from 'dynamo-tracing/harness';
import { Router } from 'dynamo-tracing/transport';
import { createApp } from './app.js';
import { aggregated } from './backend.js';
import { mockEngine } from './engine.js';

const MODEL = 'mock-model';
const WHOLE = `
  http-request {method=POST}
    router.route_request {request.outcome=*}
      handle_payload
`;

/** Runs the gateway once through, shows what each request left behind, and checks it. Exit code 1 when a check fails. */
async function main(): Promise<void> {
  process.env['DYN_LOG'] ??= 'off';
  const harness = await startHarness();
  const worker = await harness.worker('dynamo.backend.generate', mockEngine(2));
  const router = new Router({ client: harness.client(), addresses: [worker.address] });
  const server = createApp({ model: MODEL, backend: aggregated(router) }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/chat/completions`;

  const ask = (extra: Record<string, unknown>, headers: Record<string, string> = {}, signal?: AbortSignal): Promise<Response> => harness.fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ model: MODEL, messages: [{ role: 'user', content: 'how is the weather' }], max_tokens: 8, ...extra }),
    ...(signal === undefined ? {} : { signal }),
  });
  try {
    const unary = await ask({}, { 'x-request-id': 'order-42', traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01', tracestate: 'vendor=1' });
    await unary.text();
    assertEchoesRequestId(unary, 'order-42');
    await show(harness, 'a chat request', unary, { status: 'success', request_type: 'unary', input_tokens: 4, output_tokens: 8 });

    const streamed = await ask({ stream: true });
    await streamed.text();
    await show(harness, 'a streamed chat request', streamed, { status: 'success', request_type: 'stream', input_tokens: 4, output_tokens: 8 });

    const badId = await ask({}, { 'request-id': 'not-a-uuid' });
    await badId.text();
    if (!isRequestId(badId.headers.get('request-id') ?? '')) throw new Error('a bad request id was not replaced');
    await show(harness, 'a request with a bad id, which gets a new one', badId, { status: 'success' });

    const leaving = new AbortController();
    const cancelled = await ask({ stream: true, max_tokens: 100_000 }, {}, leaving.signal);
    await cancelled.body?.getReader().read();
    leaving.abort();
    await show(harness, 'a stream whose client leaves', cancelled, { status: 'cancelled', error_type: 'cancelled' });
  } finally {
    server.closeAllConnections();
    server.close();
    await harness.close();
  }
  console.log('every trace is connected, no hop lost a header, each request completed once');
}

async function show(harness: Harness, title: string, subject: TraceSubject, fields: Parameters<typeof assertCompletedOnce>[1]): Promise<void> {
  const trace = await harness.trace(subject);
  const [completed] = trace.recordsOf('request completed').filter((record) => record.target.endsWith('request'));
  console.log(`== ${title}\n\n${trace.tree()}\n\n${harness.audit(subject).toString()}\n\n  ${JSON.stringify({ message: completed?.message, ...completed?.fields })}\n`);
  assertConnectedTrace(trace);
  assertMatchesTree(trace, WHOLE);
  assertCompletedOnce(trace, fields);
  assertPropagated(harness, subject);
}

main().then(() => process.exit(0), (error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
});
