// A gateway as its own process: spans over OTLP, records on standard error, the worker's address in WORKER.
import { context, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { BasicTracerProvider, BatchSpanProcessor } from '@opentelemetry/sdk-trace-base';
import express from 'express';
import type { AddressInfo } from 'node:net';
import { dynamoTracing } from 'dynamo-tracing';
import { RequestPlaneClient, Router } from 'dynamo-tracing/transport';

trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter())] }));
context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());

const router = new Router({ client: new RequestPlaneClient({ responseHost: '127.0.0.1' }), addresses: [process.env['WORKER'] ?? ''] });
const app = express();
app.use(dynamoTracing());
app.use(express.json());
app.post('/v1/chat/completions', async (_req, res) => {
  let text = '';
  for await (const item of router.generate<{ token?: string }>({ max_tokens: 2 })) text += item.token ?? '';
  res.json({ choices: [{ message: { content: text }, finish_reason: 'stop' }] });
});
const server = app.listen(0, '127.0.0.1', () => console.log(`listening on http://127.0.0.1:${(server.address() as AddressInfo).port}`));
