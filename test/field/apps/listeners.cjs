'use strict';
// An app that reads the request by its events, and goes on in them.
const { Readable } = require('node:stream');
const express = require('express');
const { trace } = require('@opentelemetry/api');
const { currentTrace, dynamoTracing, tracedFetch } = require('dynamo-tracing');

const tell = (where) => console.log(`${where} ${currentTrace()?.requestId}`);
const app = express();
app.use(dynamoTracing());
app.post('/v1/chat/completions', (req, res) => {
  const chunks = [];
  req.on('data', (chunk) => chunks.push(chunk));
  req.on('end', async () => {
    tell('end');
    const span = trace.getTracer('app').startSpan('work');
    span.setAttributes({ 'app.request_id': req.trace.requestId, 'app.trace_id': req.trace.traceId, 'app.current': currentTrace()?.requestId });
    const answer = await tracedFetch(`${process.env.UPSTREAM}/v1/chat/completions`, { method: 'POST', body: Buffer.concat(chunks) });
    tell('after');
    span.end();
    res.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') });
    Readable.fromWeb(answer.body).on('data', (chunk) => res.write(chunk)).on('end', () => res.end());
  });
  res.on('finish', () => tell('finish'));
});
const server = app.listen(0, '127.0.0.1', () => console.log(`listening http://127.0.0.1:${server.address().port}`));
