import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import express from 'express';
import { dynamoTracing, tracedFetch } from 'dynamo-tracing';
import type { Harness } from 'dynamo-tracing/harness';

/** A gateway with our middleware before an HTTP server: every call under /v1 goes on as it is, its answer comes back as it is. Gives its URL. */
export async function gatewayBefore(upstream: string, harness: Harness, options: Parameters<typeof dynamoTracing>[0] = {}): Promise<string> {
  const app = express().use(dynamoTracing({ logger: false, ...options })).use(express.text({ type: () => true, limit: '64mb' }));
  app.all('/v1/*path', async (req, res) => {
    const left = new AbortController();
    res.once('close', () => left.abort());
    const metadata = Object.entries(req.headers).filter(([name]) => name.startsWith('x-dynamo-meta-'));
    const headers = { 'content-type': req.headers['content-type'] ?? 'application/json', ...Object.fromEntries(metadata) } as Record<string, string>;
    const body = req.method === 'POST' ? String(req.body) : undefined;
    const answer = await tracedFetch(upstream + req.path, { method: req.method, headers, signal: left.signal, ...(body === undefined ? {} : { body }) });
    res.status(answer.status);
    const type = answer.headers.get('content-type');
    if (type !== null) res.type(type);
    if (answer.body === null) res.end();
    else Readable.fromWeb(answer.body as never).on('error', () => res.destroy()).pipe(res);
  });
  const server = createServer(app).listen(0, '127.0.0.1');
  await once(server, 'listening');
  harness.own('gateway', server);
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
