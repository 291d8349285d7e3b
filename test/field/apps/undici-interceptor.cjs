'use strict';
// undici.request() through our interceptor, the request itself as the body.
const { pipeline } = require('node:stream/promises');
const express = require('express');
const { Agent, request } = require('undici');
const { dynamoTracing, traceInterceptor } = require('dynamo-tracing');

const dispatcher = new Agent().compose(traceInterceptor());
const app = express();
app.use(dynamoTracing());
app.post('/v1/chat/completions', async (req, res) => {
  const answer = await request(process.env.UPSTREAM + req.originalUrl, {
    dispatcher, method: 'POST', headers: { 'content-type': req.headers['content-type'] }, body: req, signal: req.trace.signal,
  });
  res.writeHead(answer.statusCode, { 'content-type': answer.headers['content-type'] });
  await pipeline(answer.body, res);
});
const server = app.listen(0, '127.0.0.1', () => console.log(`listening http://127.0.0.1:${server.address().port}`));
