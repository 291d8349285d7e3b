'use strict';
// The same with the official Anthropic client.
const express = require('express');
const Anthropic = require('@anthropic-ai/sdk');
const { dynamoTracing, dynamoTracingErrors, tracedFetch } = require('dynamo-tracing');

const anthropic = new Anthropic({ baseURL: process.env.UPSTREAM, apiKey: process.env.KEY ?? 'right', fetch: tracedFetch, maxRetries: 0 });
const app = express();
app.use(dynamoTracing());
app.use(express.json());
app.post('/v1/messages', async (req, res) => {
  const answer = await anthropic.messages.create(req.body, { signal: req.trace.signal });
  if (req.body.stream !== true) {
    res.json(answer);
    return;
  }
  res.type('text/event-stream');
  for await (const event of answer) res.write(`event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`);
  res.end();
});
app.use(dynamoTracingErrors());
const server = app.listen(0, '127.0.0.1', () => console.log(`listening http://127.0.0.1:${server.address().port}`));
