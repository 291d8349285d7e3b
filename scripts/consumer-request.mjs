// Sends itself one request through node:http, and under Bun two through Bun.serve, and checks what is answered and recorded.
// scripts/check-consumers.cjs runs it bundled, in a worker thread, with hardened intrinsics and under Bun.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { currentTrace, currentTraceContext, isRequestId, onRecord, parseTraceparent, traceFetchHandler, traceHeaders, traceRequests } from 'dynamo-tracing';
import { createMetrics } from 'dynamo-tracing/metrics';

const PARENT = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
const { traceId } = parseTraceparent(PARENT);
const usage = { prompt_tokens: 1, completion_tokens: 2 };
const EVENTS = ['data: {"choices":[{"delta":{"content":"a"}}]}\n\n', `data: ${JSON.stringify({ choices: [], usage })}\n\n`, 'data: [DONE]\n\n'];

const completed = [];
onRecord(({ message, fields, scope }) => {
  if (message === 'request completed') completed.push({ status: fields.status, model: fields.model, tokens: fields.output_tokens, traceId: scope.traceId, id: scope.requestId });
});

/** What a handler sees after an await is that of its request. */
async function insideOf(trace) {
  await new Promise((resolve) => setTimeout(resolve, 1));
  assert.equal(currentTrace()?.requestId, trace.requestId);
  assert.equal(currentTraceContext()?.traceId, traceId);
  assert.equal(traceHeaders()['request-id'], trace.requestId);
}

async function ask(port, stream) {
  const answer = await fetch(`http://127.0.0.1:${port}/v1/chat/completions`, {
    method: 'POST', headers: { 'content-type': 'application/json', traceparent: PARENT }, body: JSON.stringify({ model: 'm', stream }),
  });
  const id = answer.headers.get('request-id');
  assert.ok(answer.status === 200 && isRequestId(id));
  assert.equal(await answer.text(), stream ? EVENTS.join('') : JSON.stringify({ usage }));
  for (let i = 0; i < 200 && completed.length === 0; i += 1) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.deepEqual(completed.splice(0), [{ status: 'success', model: 'm', tokens: 2, traceId, id }]);
}

const server = createServer(traceRequests(async (req, res) => {
  for await (const _ of req); // it is read to its end
  await insideOf(req.trace);
  res.setHeader('content-type', 'application/json');
  res.end(JSON.stringify({ usage }));
}, { logger: false })).listen(0, '127.0.0.1');
await once(server, 'listening');
await ask(server.address().port, false);
server.close();
server.closeAllConnections();

if (globalThis.Bun !== undefined) {
  const bun = globalThis.Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    fetch: traceFetchHandler(async (request) => {
      await insideOf(request.trace);
      const { stream } = await request.json();
      return stream ? new globalThis.Response(new Blob(EVENTS).stream(), { headers: { 'content-type': 'text/event-stream' } }) : globalThis.Response.json({ usage });
    }, { logger: false }),
  });
  await ask(bun.port, false);
  await ask(bun.port, true);
  await bun.stop(true);
}

// prom-client is found where it is installed, and named where it is not.
if (process.env.PROM_CLIENT === 'missing') assert.throws(() => createMetrics(), { code: 'ERR_DEPENDENCY_MISSING', message: /npm install prom-client/ });
else assert.match(await createMetrics().registry.metrics(), /requests_total/);
console.log('ok');
