'use strict';
const express = require('express');
const axios = require('axios');
const { pipeline } = require('node:stream/promises');
const { dynamoTracing } = require('dynamo-tracing');

const app = express();
app.use(dynamoTracing());
app.use(express.json());
app.post('/v1/chat/completions', async (req, res) => {
  const answer = await axios.post(`${process.env.UPSTREAM}/v1/chat/completions`, req.body, {
    headers: req.trace.headers(), responseType: 'stream', signal: req.trace.signal,
  });
  res.writeHead(answer.status, { 'content-type': answer.headers['content-type'] });
  await pipeline(answer.data, res);
});
const server = app.listen(0, '127.0.0.1', () => console.log(`listening http://127.0.0.1:${server.address().port}`));
