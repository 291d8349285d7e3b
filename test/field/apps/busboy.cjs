'use strict';
const busboy = require('busboy');
const express = require('express');
const { currentTrace, dynamoTracing } = require('dynamo-tracing');
const { transcription } = require('../support/answers.cjs');

const app = express();
app.use(dynamoTracing());
app.post('/v1/audio/transcriptions', (req, res) => {
  const form = busboy({ headers: req.headers });
  let size = 0;
  form.on('file', (_name, file) => file.on('data', (chunk) => (size += chunk.length)));
  form.on('close', () => res.json(transcription(size, currentTrace()?.requestId)));
  req.pipe(form);
});
const server = app.listen(0, '127.0.0.1', () => console.log(`listening http://127.0.0.1:${server.address().port}`));
