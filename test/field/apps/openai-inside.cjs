'use strict';
// A gateway that calls its provider with the official OpenAI client, given our fetch.
const express = require('express');
const OpenAI = require('openai');
const { dynamoTracing, dynamoTracingErrors, tracedFetch } = require('dynamo-tracing');

const openai = new OpenAI({ baseURL: `${process.env.UPSTREAM}/v1`, apiKey: process.env.KEY ?? 'right', fetch: tracedFetch, maxRetries: 0 });
const app = express();
app.use(dynamoTracing({ routes: [{ path: '/api/lines', kind: 'inference', endpoint: 'chat_completions', dialect: 'openai-chat' }] }));
app.use(express.json());
app.post('/v1/chat/completions', async (req, res) => {
  const answer = await openai.chat.completions.create(req.body, { signal: req.trace.signal });
  if (req.body.stream !== true) {
    res.json(answer);
    return;
  }
  res.type('text/event-stream');
  for await (const chunk of answer) res.write(`data: ${JSON.stringify(chunk)}\n\n`);
  res.end('data: [DONE]\n\n');
});
app.post('/api/lines', async (req, res) => {
  const stream = await openai.chat.completions.create(req.body, { signal: req.trace.signal });
  res.type('text/plain');
  for await (const line of stream.toReadableStream()) res.write(line); // as the client's own examples do
  res.end();
});
app.use(dynamoTracingErrors());
const server = app.listen(0, '127.0.0.1', () => console.log(`listening http://127.0.0.1:${server.address().port}`));
