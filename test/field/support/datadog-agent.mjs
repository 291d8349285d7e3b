import http from 'node:http';
import { once } from 'node:events';
import { decode } from '@msgpack/msgpack';

/** What dd-trace sends its traces to: every span goes to `take`, in the form of the other spans here. */
export async function startDatadogAgent(take) {
  const server = http.createServer(async (req, res) => {
    const chunks = [];
    for await (const chunk of req) chunks.push(chunk);
    if (req.url === '/v0.4/traces') for (const trace of decode(Buffer.concat(chunks), { useBigInt64: true })) spansOf(trace).forEach(take);
    res.setHeader('content-type', 'application/json');
    res.end(req.url === '/info' ? '{"endpoints":["/v0.4/traces"]}' : '{}');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** The spans of one trace; only the first says the upper half of its id. */
function spansOf(trace) {
  const upper = trace.map(({ meta }) => meta['_dd.p.tid']).find((id) => id !== undefined) ?? '0'.repeat(16);
  return trace.map(({ trace_id, span_id, parent_id, name, meta, metrics }) => ({
    traceId: upper + hex(trace_id),
    spanId: hex(span_id),
    parentId: BigInt(parent_id) === 0n ? undefined : hex(parent_id),
    name,
    scope: meta.component,
    kind: meta['span.kind'] === 'server' ? 1 : 0,
    // dd-trace has its own name for the status, and text for a number.
    attributes: { ...meta, ...metrics, 'http.response.status_code': Number(meta['http.status_code'] ?? metrics['http.status_code']) },
    links: [],
  }));
}

const hex = (id) => BigInt(id).toString(16).padStart(16, '0');
